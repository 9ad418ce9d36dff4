import json
from pathlib import Path

import pytest

from midalign_demo.errors import InputError
from train.recipe import TaskRecipe
from train.sources import keep_short, read_corpora, resolve, split_times, task_schedule


def test_a_text_written_with_a_star_is_read_that_often(tmp_path):
    for tag in ("en", "de"):
        (tmp_path / f"{tag}.txt").write_text("".join(f"{tag} {number}\n" for number in range(9)), encoding="utf-8")
    corpora = read_corpora([f"{tmp_path}:2-4*3", str(tmp_path)], None, ["de"])
    assert [len(corpus["en"]) for corpus in corpora] == [3, 3, 3, 9]
    assert corpora[0] == {"en": ["en 1", "en 2", "en 3"], "de": ["de 1", "de 2", "de 3"]}


def test_sources_may_name_a_range_of_lines(parallel_folder):
    [whole, part, rest] = read_corpora([str(parallel_folder), f"{parallel_folder}:3-5", f"{parallel_folder}:47-"],
                                       None, None)  # fmt: skip
    assert len(whole["en"]) == 48
    assert part == {tag: lines[2:5] for tag, lines in whole.items()}
    assert rest["sw"] == whole["sw"][46:]


def test_languages_beside_english_can_be_chosen(parallel_folder):
    root, name = parallel_folder.parent, parallel_folder.name
    assert set(read_corpora([name], root, ["sw"])[0]) == {"en", "sw"}
    with pytest.raises(InputError, match="languages: fr, hi not in any of"):
        read_corpora([name], root, ["sw", "fr", "hi"])


def test_a_source_has_to_name_something():
    with pytest.raises(InputError, match="data: '\\*2' names no file or folder"):
        read_corpora(["*2"], None, None)


def test_paths_start_from_the_root_unless_they_are_absolute(tmp_path):
    assert resolve("a/b", tmp_path) == tmp_path / "a" / "b"
    assert resolve("a", None) == Path("a")
    assert resolve(str(tmp_path), Path("other")) == tmp_path


def test_keep_short_drops_long_lines_in_all_languages():
    text = {"en": ["a" * 5, "a" * 6, "a"], "de": ["eins", "zwei", "drei" * 9]}
    assert keep_short(text, 5) == {"en": ["a" * 5, "a"], "de": ["eins", "drei" * 9]}
    assert keep_short(text, None) == text


def test_split_times_reads_how_often_an_entry_counts():
    assert split_times("sw*4") == ("sw", 4)
    assert split_times("de") == ("de", 1)
    for bad in ("sw*", "sw*0", "sw*x", "sw*-1", "sw*1.5"):
        with pytest.raises(InputError, match="is not of the form"):
            split_times(bad)


def task_batches(recipe: TaskRecipe, root: Path, *, dev: bool = False) -> tuple[list[dict], dict]:
    schedule, summary = task_schedule(recipe, recipe.dev if dev else recipe.data, root, steps=40, dev=dev)
    return [schedule[index] for index in range(len(schedule))], summary


def test_commands_of_a_folder_share_an_inventory_in_training_and_dev(tmp_path):
    def write(name: str, slot: str):
        records = [
            {"id": f"{name}-{n}", "lang": name, "utt": f"word{n} there", "slots": [{"slot": slot, "values": ["there"]}]}
            for n in range(120)
        ]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")

    write("en", "place")
    write("de", "ort")
    recipe = TaskRecipe(data=["en.jsonl*2"], dev=["de.jsonl"], rows=4)
    batches, summary = task_batches(recipe, tmp_path)
    assert summary["languages"] == ["en"]
    listed = {prompt.split("\n")[0] for batch in batches for prompt in batch["prompts"]}
    assert "Slots: ort, place" in listed
    dev_batches, dev_summary = task_batches(recipe, tmp_path, dev=True)
    assert dev_summary["languages"] == ["de"]
    assert 0 < dev_summary["commands"]["de.jsonl"] < 40  # the dev tenth
    assert any("Slots: ort, place" in prompt for batch in dev_batches for prompt in batch["prompts"])


def test_entities_are_answered_in_json(tmp_path):
    lines = "".join(f"1\tAnn\tB-PER\n2\tsaw\tO\n3\tRome{n}\tB-LOC\n\n" for n in range(9))
    (tmp_path / "en_x.iob2").write_text(lines, encoding="utf-8")
    batches, summary = task_batches(TaskRecipe(task="json", data=["en_x.iob2"], rows=3), tmp_path)
    assert summary == {"languages": ["en"], "texts": {"en_x.iob2": 9}}
    for prompt, answer in zip(batches[0]["prompts"], batches[0]["answers"], strict=True):
        place = prompt.split("saw ")[1].split("\n")[0]
        assert json.loads(answer)["Results"] == [
            {"TypeName": "PER", "Text": "Ann"}, {"TypeName": "LOC", "Text": place},
        ]  # fmt: skip


def test_commands_are_texts_for_json_as_well(tmp_path):
    (tmp_path / "en_x.iob2").write_text("1\tAnn\tB-PER\n\n" * 9, encoding="utf-8")
    (tmp_path / "slots").mkdir()
    for name, slot in (("en", "place"), ("de", "ort")):
        records = [
            {"id": f"{n}", "lang": name, "utt": f"word{n} there", "slots": [{"slot": slot, "values": ["there"]}]}
            for n in range(60)
        ]
        (tmp_path / "slots" / f"{name}.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    sources = ["en_x.iob2", "slots/en.jsonl", "slots/de.jsonl"]
    batches, summary = task_batches(TaskRecipe(task="json", data=sources, rows=4), tmp_path)
    assert summary["languages"] == ["de", "en"]
    assert 30 < summary["texts"]["slots/en.jsonl"] < 60  # the part that is trained on
    listed = {prompt.split("\n")[0] for batch in batches for prompt in batch["prompts"]}
    assert {"Types: PER, LOC, ORG", "Types: ort, place"} <= listed


def test_translations_go_into_english_half_of_the_time(parallel_folder):
    recipe = TaskRecipe(task="translation", data=[f"{parallel_folder}:1-20"], rows=4)
    batches, summary = task_batches(recipe, None)
    assert summary["languages"] == ["de", "en", "sw"]
    prompts = [prompt for batch in batches for prompt in batch["prompts"]]
    into_english = [prompt for prompt in prompts if prompt.endswith("\nEnglish:")]
    assert 0.3 < len(into_english) / len(prompts) < 0.7
    assert {prompt.split("\n")[0] for prompt in prompts} == {
        f"Translate this from {source} to {target}:"
        for source, target in (("German", "English"), ("Swahili", "English"), ("English", "German"),
                               ("English", "Swahili"))
    }  # fmt: skip
    only = task_batches(TaskRecipe(task="translation", data=[str(parallel_folder)], rows=4, translate=["sw"]), None)
    assert only[1]["languages"] == ["en", "sw"]
