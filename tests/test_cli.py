import json
import re
import shutil

import pytest

from midalign_demo import __version__, cli

SLOT_METRICS = ("f1", "precision", "recall", "names_f1", "spans_f1", "in_text")


def test_compare(document, tiny_model, adapter_folders):
    found = document("compare", "Weck mich um acht", "--language", "DE", "--slots", "time, room",
                     "--variants", "base,task,align,merged", *tiny_model)  # fmt: skip
    assert set(found) == {"task", "language", "text", "outputs"}
    assert (found["task"], found["language"], found["text"]) == ("slot-filling", "de", "Weck mich um acht")
    assert [(entry["variant"], entry["adapters"]) for entry in found["outputs"]] == [
        ("base", []), ("task", ["slot-filling"]), ("align", ["align"]), ("merged", ["slot-filling", "align"]),
    ]  # fmt: skip
    for entry in found["outputs"]:
        assert set(entry) == {
            "variant", "adapters", "prompt", "text", "parsed", "valid", "truncated", "new_tokens", "seconds",
        }  # fmt: skip
        assert entry["prompt"].endswith("Slots: time, room\nCommand: Weck mich um acht\nValues:")


def test_compare_takes_base_task_and_merged_unless_told(document, tiny_model):
    found = document("compare", "stop", *tiny_model, "--align-weight", "0.25")
    assert [entry["variant"] for entry in found["outputs"]] == ["base", "task", "merged"]
    assert found["outputs"][2]["adapters"] == ["slot-filling", "align*0.25"]
    assert found["language"] is None


def test_compare_without_json_prints_a_line_for_each_variant(output, tiny_model):
    lines = output("compare", "stop", "--variants", "task,base", *tiny_model).split("\n")
    assert [line[:9] for line in lines if line and not line.startswith("  ")] == ["task     ", "base     "]


def test_evaluate(document, tiny_model, slots_file):
    found = document("evaluate", "slot-filling", slots_file, "--limit", "2", *tiny_model)
    assert (found["task"], found["file"], found["n"]) == ("slot-filling", str(slots_file), 4)
    assert list(found["variants"]) == ["task", "merged"]
    for scores in found["variants"].values():
        assert set(scores) == {"overall", "languages"}
        assert set(scores["overall"]) == {*SLOT_METRICS, "n", "interval"}
        assert {tag: entry["n"] for tag, entry in scores["languages"].items()} == {"de": 2, "en": 2}
        assert scores["overall"]["n"] == 4


def test_evaluate_one_language_of_a_file_with_several(document, tiny_model, slots_file):
    options = ("--language", "de", "--variants", "base", "--limit", "1", *tiny_model)
    found = document("evaluate", "slot-filling", slots_file, *options)
    assert list(found["variants"]["base"]["languages"]) == ["de"]
    assert found["n"] == 1


def test_evaluate_some_languages_of_several(document, tiny_model, slots_file, parallel_folder, refused):
    options = ("--variants", "base", "--limit", "1", *tiny_model)
    found = document("evaluate", "slot-filling", slots_file, "--languages", "DE", *options)
    assert list(found["variants"]["base"]["languages"]) == ["de"]
    found = document("evaluate", "translation", parallel_folder, "--target", "en", "--languages", "sw", *options)
    assert list(found["variants"]["base"]["languages"]) == ["sw-en"]
    assert "languages: fr not in" in refused("evaluate", "slot-filling", slots_file, "--languages", "de,fr", *options)


def test_documents_say_which_adapters_each_variant_has(document, tiny_model, slots_file, parallel_folder):
    options = ("--limit", "2", *tiny_model)
    merged = ("--variants", "base,merged", "--align-weight", "0.5")
    found = document("evaluate", "slot-filling", slots_file, *merged, *options)
    assert found["adapters"] == {"base": {}, "merged": {"slot-filling": 1.0, "align": 0.5}}
    found = document("retrieval", parallel_folder, "--variants", "base,align", *options)
    assert found["adapters"] == {"base": {}, "align": {"align": 1.0}}


def test_evaluate_relates_scores_to_what_is_found(
    document, output, tiny_model, slots_file, parallel_folder, refused, tmp_path
):
    options = ("--variants", "base,merged", "--limit", "3", *tiny_model)
    kept = ("--target", "en", "--answers", tmp_path / "answers")
    plain = document("evaluate", "translation", parallel_folder, *kept, *options)
    found = document("evaluate", "translation", parallel_folder, *kept, "--relate", *options)
    assert {key: found[key] for key in plain} == plain
    assert found["pool"] == 48
    assert list(found["relation"]) == ["base", "merged"]
    for related in found["relation"].values():
        assert {row: entry["n"] for row, entry in related["languages"].items()} == {"de-en": 3, "sw-en": 3}
        within = related["within_languages"]
        assert within["found"]["n"] + within["not_found"]["n"] == 6
        shares = [entry["found"] for entry in related["languages"].values()]
        assert sum(shares) * 3 == pytest.approx(within["found"]["n"])
    printed = output("evaluate", "translation", parallel_folder, "--target", "en", "--relate", *options)
    [line] = [line for line in printed.splitlines() if line.startswith("merged: ")]
    assert re.match(r"merged: \d of 6 translations found; ", line)
    assert "has no English translations" in refused("evaluate", "slot-filling", slots_file, "--relate", *options)


def test_evaluate_keeps_to_a_split(document, tiny_model, slots_file):
    from midalign_demo.tasks.slot_readers import read

    expected = len(read(slots_file, split="test"))
    found = document("evaluate", "slot-filling", slots_file, "--split", "test", "--variants", "task", *tiny_model)
    assert 0 < found["n"] == expected < 60


def test_evaluate_without_json_prints_a_table(output, tiny_model, slots_file):
    options = ("--limit", "1", "--variants", "base,task", *tiny_model)
    header, *rows = output("evaluate", "slot-filling", slots_file, *options).splitlines()
    assert header.split() == ["language", "n", "base", "f1", "task", "f1"]
    *scores, in_f1, in_names, in_places = rows
    assert [row.split()[:2] for row in scores] == [["de", "1"], ["en", "1"], ["overall", "2"]]
    for row, metric in ((in_f1, "f1"), (in_names, "names_f1"), (in_places, "spans_f1")):
        assert row.startswith("task - base: ")
        assert f" {metric} (p = " in row


def test_evaluate_goes_on_where_it_ended(document, tiny_model, slots_file, tmp_path, refused):
    command = ("evaluate", "slot-filling", slots_file, "--limit", "3", "--answers", tmp_path / "kept", *tiny_model)
    first = document(*command)
    kept = tmp_path / "kept" / "answers-0.jsonl"
    lines = kept.read_text(encoding="utf-8").splitlines(keepends=True)
    assert len(lines) == 12
    kept.write_text("".join(lines[:7]) + lines[7][:9], encoding="utf-8")
    assert document(*command) == first
    changed = refused(*command[:-2], *command[-2:], "--grammar")
    assert "another evaluation: grammar was None and is True" in changed


def test_translation_and_json_are_compared_and_evaluated(document, base_folder, parallel_folder, tmp_path):
    model = ("--base", base_folder, "--dtype", "float32", "--device", "cpu")
    found = document("compare", "Guten Tag", "--task", "translation", "--language", "de", "--target", "en", *model)
    assert (found["task"], found["target"]) == ("translation", "en")
    assert found["outputs"][0]["parsed"] == found["outputs"][0]["text"]
    found = document("compare", "Ann in Rom", "--task", "json", "--language", "de", *model)
    assert set(found["outputs"][0]["parsed"]) == {"Results"}
    assert found["outputs"][0]["valid"]
    found = document("compare", "Ann in Rom", "--task", "json", "--types", "date,city", *model)
    assert found["outputs"][0]["valid"]
    assert {entity["TypeName"] for entity in found["outputs"][0]["parsed"]["Results"]} <= {"date", "city"}
    (tmp_path / "schema.json").write_text('{"type": "array", "items": {"type": "boolean"}, "minItems": 1}')
    found = document("compare", "Ann in Rom", "--task", "json", "--schema", tmp_path / "schema.json", *model)
    assert found["outputs"][0]["valid"]
    assert isinstance(found["outputs"][0]["parsed"][0], bool)
    options = ("--target", "en", "--limit", "2", *model)
    scores = document("evaluate", "translation", parallel_folder, *options)
    assert set(scores["variants"]["base"]["languages"]) == {"de-en", "sw-en"}
    assert set(scores["variants"]["base"]["overall"]) == {"bleu", "chrf", "n", "interval"}
    assert "tok:13a" in scores["signatures"]["en"]["bleu"]
    (tmp_path / "da_x.iob2").write_text("1\tAnn\tB-PER\n2\tgik\tO\n", encoding="utf-8")
    scores = document("evaluate", "json", tmp_path / "da_x.iob2", *model)
    assert scores["variants"]["base"]["overall"]["valid"] == 1.0
    command = {"id": "1", "lang": "en", "utt": "at noon", "slots": [{"slot": "time", "values": ["noon"]}]}
    (tmp_path / "commands.jsonl").write_text(json.dumps(command), encoding="utf-8")
    scores = document("evaluate", "json", tmp_path / "commands.jsonl", *model)
    assert scores["variants"]["base"]["languages"]["en"]["valid"] == 1.0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--task", "translation"), "language: none given"),
        (("--task", "translation", "--language", "de", "--target", "de"), "'de' is the language of the text"),
        (("--target", "de"), "target: given, but the task is slot-filling"),
        (("--task", "json", "--slots", "time"), "slots: given, but the task is json"),
        (("--types", "date"), "types: given, but the task is slot-filling"),
        (("--task", "json", "--types", "date,date"), "types: 'date' is given twice"),
        (("--task", "json", "--schema", "no.json"), "no.json: No such file"),
        (("--task", "json", "--schema", "pyproject.toml"), "pyproject.toml is not JSON"),
    ],
)
def test_compare_refuses_what_a_task_has_no_use_for(refused, options, expected):
    assert expected in refused("compare", "stop", *options)


def test_retrieval(document, tiny_model, parallel_folder):
    options = ("--languages", "en,sw,de", "--layers", "0,2-3", "--limit", "6", "--first", "3", *tiny_model)
    found = document("retrieval", parallel_folder, *options)
    assert (found["n"], found["languages"]) == (6, ["en", "sw", "de"])
    assert list(found["variants"]) == ["base", "align"]
    for variant in found["variants"].values():
        assert list(variant["layers"]) == ["0", "2", "3"]
        for table in variant["layers"].values():
            assert list(table["pairs"]) == ["en-sw", "en-de", "sw-de"]
            assert table["all"] == pytest.approx(sum(table["pairs"].values()) / 3)
            assert table["en-x"] == pytest.approx((table["pairs"]["en-sw"] + table["pairs"]["en-de"]) / 2)
            assert all(0 <= value <= 1 for value in table["pairs"].values())
    base, align = (found["variants"][variant]["layers"] for variant in ("base", "align"))
    assert base["0"] == align["0"]
    assert base["3"] != align["3"]


@pytest.mark.parametrize(("layers", "expected"), [("middle", ["2"]), ("all", ["0", "1", "2", "3", "4"]), ("4", ["4"])])
def test_retrieval_layers(document, tiny_model, parallel_folder, layers, expected):
    options = ("--variants", "base", "--limit", "2", "--layers", layers, "--score", "mexa", "--centre", *tiny_model)
    assert list(document("retrieval", parallel_folder, *options)["variants"]["base"]["layers"]) == expected


def test_retrieval_is_what_the_library_gives(document, tiny_model, parallel_folder, base):
    from midalign_demo import parallel
    from midalign_demo.middle import embed
    from midalign_demo.retrieval import retrieval_table

    corpus = parallel.read(parallel_folder, last=10)
    expected = retrieval_table(
        {tag: embed(base, lines, layers=[3], include_bos=True)[3] for tag, lines in corpus.items()}, score="margin"
    )
    options = ("--variants", "base", "--limit", "10", "--layers", "3", "--score", "margin", "--include-bos")
    found = document("retrieval", parallel_folder, *options, *tiny_model)
    assert found["variants"]["base"]["layers"]["3"] == expected


def test_retrieval_under_several_scores_is_that_of_each(document, output, tiny_model, parallel_folder, refused):
    options = ("--variants", "base,align", "--limit", "9", "--layers", "2,3", *tiny_model)
    every = document("retrieval", parallel_folder, "--score", "margin,cosine,mexa", *options)
    alone = {
        score: document("retrieval", parallel_folder, "--score", score, *options)
        for score in ("margin", "cosine", "mexa")
    }
    for variant, of in every["variants"].items():
        for layer, table in of["layers"].items():
            expected = {score: one["variants"][variant]["layers"][layer] for score, one in alone.items()}
            assert table == {**expected["margin"], "cosine": expected["cosine"], "mexa": expected["mexa"]}
    printed = output("retrieval", parallel_folder, "--score", "margin,cosine", *options)
    assert [line.split("; ")[1] for line in printed.splitlines() if "sentences in" in line] == ["margin", "cosine"]
    assert "'mexa,mexa' is not one or more of cosine, margin, mexa" in refused(
        "retrieval", parallel_folder, "--score", "mexa,mexa"
    )


def test_retrieval_without_json_marks_the_best_layer(output, tiny_model, parallel_folder):
    options = ("--variants", "base", "--limit", "8", "--layers", "0-2", *tiny_model)
    printed = output("retrieval", parallel_folder, *options)
    assert printed.splitlines()[0] == "8 sentences in de, en, sw; cosine; * marks each variant's best layer"
    assert printed.count("*") == 2
    assert [line.split()[0] for line in printed.splitlines()[2:]] == ["0", "1", "2"]


def test_adapters_merge_export_and_show(document, output, adapter_folders, tmp_path):
    merged = tmp_path / "merged"
    names = (adapter_folders["task"], f"{adapter_folders['align']}*0.5")
    assert document("adapters", "merge", *names, "--output", merged) == {"output": str(merged)}
    assert json.loads((merged / "adapter_config.json").read_text())["r"] == 5

    copy = tmp_path / "deeper" / "copy"
    assert output("adapters", "export", merged, "--output", copy) == f"{copy}\n"
    assert {path.name for path in copy.iterdir()} == {path.name for path in merged.iterdir()}
    assert (copy / "adapter_model.safetensors").read_bytes() == (merged / "adapter_model.safetensors").read_bytes()
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]

    shown = document("adapters", "show", merged)
    assert set(shown) == {"name", "config", "card"}
    assert shown["config"]["peft_type"] == "LORA"
    assert shown["card"] == (merged / "README.md").read_text()


def test_adapters_list_names_the_shipped_ones(document):
    from midalign_demo.adapters import shipped

    found = document("adapters", "list")
    assert [entry["name"] for entry in found] == shipped()
    assert all(set(entry) == {"name", "folder", "rank"} for entry in found)


def test_bases_list(document, output, tmp_path, monkeypatch):
    monkeypatch.setenv("MIDALIGN_CACHE", str(tmp_path))
    found = document("bases", "list")
    assert found["bases"] == [{"name": "gemma3-270m", "middle_layer": 11, "prepared": False}]
    assert {"llama", "gemma3", "mistral"} <= set(found["families"])
    assert "prepared at first use" in output("bases", "list")


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"{__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "COMMAND"),
        (["unknown"], "'unknown'"),
        (["compare"], "text"),
        (["compare", "stop", "--task", "cooking"], "'cooking'"),
        (["compare", "stop", "--language", "english"], "'english' is not a BCP 47 tag"),
        (["compare", "stop", "--variants", "base,best"], "'best' is not one of base, task, align, merged, joint"),
        (["compare", "stop", "--variants", ","], "variants: none given"),
        (["compare", "stop", "--slots", "a,b,a"], "'a' is given twice"),
        (["compare", "stop", "--dtype", "int8"], "'int8'"),
        (["compare", "stop", "--adapter", "task"], "'task' is not of the form ROLE=SOURCE"),
        (["compare", "stop", "--adapter", "merged=x"], "'merged=x' is not of the form ROLE=SOURCE"),
        (["compare", "stop", "--base", "no/such-base"], "'no/such-base'"),
        (["compare", "stop", "--align-weight", "much"], "'much'"),
        (["evaluate", "slot-filling", "nowhere.jsonl"], "nowhere.jsonl: No such file"),
        (["evaluate", "slot-filling", "nowhere.txt"], "neither a .jsonl nor a .conll"),
        (["evaluate", "slot-filling", "x", "--limit", "0"], "'0' is not a whole number above 0"),
        (["retrieval", "nowhere"], "'nowhere' is not a folder"),
        (["retrieval", "nowhere", "--languages", "en,xx-yy-zz"], "'xx-yy-zz' is not a BCP 47 tag"),
        (["retrieval", "nowhere", "--score", "dot"], "'dot'"),
        (["adapters", "show"], "no NAME given"),
        (["adapters", "show", "nothing"], "'nothing' is neither a shipped adapter"),
        (["adapters", "export", "align"], "no --output given"),
        (["adapters", "merge", "nothing", "--output", "x"], "'nothing' is neither a shipped adapter"),
    ],
)
def test_bad_input_is_one_line_that_names_it(refused, arguments, expected):
    assert expected in refused(*arguments)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--layers", "5"], "5 is not a layer"),
        (["--layers", "one"], "'one' is not a layer such as 11"),
        (["--layers", "-1"], "layers"),
        (["--layers", "3-1"], "layers: '3-1' names no layer"),
        (["--layers", ","], "layers: ',' names no layer"),
        (["--layers", "²"], "'²' is not a layer"),
        (["--languages", "en"], "retrieval needs at least two"),
        (["--languages", "en,fr"], "fr not in"),
        (["--first", "49"], "is not a range within the 48 lines"),
        (["--variants", "joint"], "'joint' has no adapter"),
    ],
)
def test_bad_retrieval_options(refused, tiny_model, parallel_folder, options, expected):
    assert expected in refused("retrieval", parallel_folder, *tiny_model, *options)


def test_bad_texts_and_adapters_for_the_tiny_base(refused, tiny_model, base_folder, adapter_folders, tmp_path):
    assert "text: it is empty" in refused("compare", "  ", *tiny_model)
    assert "text: it has 1001 characters" in refused("compare", "x" * 1001, *tiny_model)
    assert "'task' has no adapter" in refused("compare", "stop", "--base", base_folder, "--variants", "task")
    only_base = ("--base", base_folder, "--variants", "base")
    assert "nothing to merge" in refused("compare", "stop", *only_base, "--align-weight", "1")

    broken = shutil.copytree(adapter_folders["task"], tmp_path / "broken")
    (broken / "adapter_model.safetensors").write_bytes(b"short")
    with_task = ("--base", base_folder, "--variants", "task", "--adapter", f"task={broken}")
    assert "is not a whole safetensors file" in refused("compare", "stop", *with_task)


def test_a_base_without_adapters_answers_by_itself(document, base_folder, parallel_folder):
    found = document("compare", "stop", "--base", base_folder)
    assert [entry["variant"] for entry in found["outputs"]] == ["base"]
    found = document("retrieval", parallel_folder, "--base", base_folder)
    assert list(found["variants"]) == ["base"]


def test_bad_merges_and_exports(refused, adapter_folders, tmp_path):
    task, align, target = adapter_folders["task"], adapter_folders["align"], tmp_path / "there"
    target.mkdir()
    assert "give at least two adapters" in refused("adapters", "merge", task, "--output", tmp_path / "x")
    assert "is not of the form NAME or NAME*WEIGHT" in refused(
        "adapters", "merge", task, f"{align}*half", "--output", tmp_path / "x"
    )
    assert f"{target} is there already" in refused("adapters", "merge", task, align, "--output", target)
    assert f"{target} is there already" in refused("adapters", "export", task, "--output", target)


def test_a_command_without_slots_in_the_data_asks_for_them(refused, tmp_path):
    path = tmp_path / "en.jsonl"
    path.write_text('{"utt": "hello", "lang": "en", "slots": []}\n')
    assert "slots: none given" in refused("evaluate", "slot-filling", path)
    assert "has no command in 'de'" in refused("evaluate", "slot-filling", path, "--language", "de", "--slots", "a")


@pytest.mark.parametrize(
    ("given", "said"),
    [("poetry=x.jsonl", "TASK=PATH"), ("json", "TASK=PATH"), ("slot-filling=nothing.jsonl", "nothing.jsonl")],
)
def test_a_test_set_that_can_not_be_read_is_refused_before_the_app_starts(refused, given, said):
    assert said in refused("demo", "--test-set", given)
