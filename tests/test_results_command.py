"""`midalign results` on the tiny base, with small tables of the test's own."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from midalign_demo import cli, examples, tables
from midalign_demo.commands import evaluate, results
from midalign_demo.table_definitions import ALL, Definition
from midalign_demo.tasks import json_generation

DATA = Path(os.environ.get("MIDALIGN_DATA") or Path(__file__).parents[2] / "shared" / "data")

SMALL = {
    "small-retrieval": Definition(
        name="small-retrieval", title="Retrieval", variants=("base", "align", "joint"), data=("Made up", "CC0 1.0"),
        arguments=("retrieval", "DATA/parallel/made", "--languages", "en,sw", "--limit", "6", "--layers", "1-2"),
        text="lines 1-6", sources=("parallel/made:1-6",),
    ),
    "small-slots": Definition(
        name="small-slots", title="Slots", variants=("task", "merged", "joint"), data=("Made up", "CC0 1.0"),
        arguments=("evaluate", "slot-filling", "DATA/slots", "--split", "test", "--limit", "2", "--grammar"),
        text="part test", sources=("slots",),
    ),
    "small-translation": Definition(
        name="small-translation", title="Translation", variants=("base", "task"), data=("Made up", "CC0 1.0"),
        arguments=("evaluate", "translation", "DATA/parallel/made", "--target", "en", "--limit", "1"),
        text="line 1", sources=("parallel/made:1-1",),
    ),
}  # fmt: skip


@pytest.fixture
def data(tmp_path, parallel_folder, slots_file):
    folder = tmp_path / "data"
    shutil.copytree(parallel_folder, folder / "parallel" / "made")
    (folder / "slots").mkdir()
    shutil.copy(slots_file, folder / "slots" / "commands.jsonl")
    return folder


@pytest.fixture
def trained(tmp_path, adapter_folders):
    """Copies of the tiny adapters with a record of their training: the task in English, aligned with German."""
    records = {
        "task": ({"languages": ["en"]}, {"data": ["slots/commands.jsonl"], "split": True}),
        "align": ({"languages": ["de", "en"]}, {"data": ["parallel/made:20-48"]}),
    }
    folders = {}
    for role, (of, recipe) in records.items():
        folders[role] = shutil.copytree(adapter_folders[role], tmp_path / f"the-{role}")
        record = {"kind": role, "recipe": {"dev": [], "data_notes": [], **recipe}, "data": of}
        (folders[role] / "training.json").write_text(json.dumps(record))
    return folders


@pytest.fixture
def make_tables(monkeypatch, data, trained, base_folder, tmp_path):
    """Runs the command for some tables; its exit status and the folder they go to."""
    monkeypatch.setattr(results, "ALL", SMALL)
    output = tmp_path / "out"

    def run(*names: str) -> tuple[int, Path]:
        options = ["--data", str(data), "--output", str(output), "--base", str(base_folder), "--device", "cpu"]
        for role, folder in trained.items():
            options += ["--adapter", f"{role}={folder}"]
        return cli.main(["results", *options, "--only", *names]), output

    return run


def test_of_several_processes_the_first_writes_and_says_so(make_tables, monkeypatch, capsys):
    monkeypatch.setattr(evaluate, "processes", lambda: (1, 2))
    status, output = make_tables("small-retrieval")
    assert (status, capsys.readouterr().out, output.exists()) == (0, "", False)


def test_a_table_holds_what_its_command_prints_and_where_it_comes_from(make_tables, data, trained, capsys):
    status, output = make_tables("small-retrieval", "small-slots")
    assert status == 0
    assert capsys.readouterr().out.split() == [str(output / f"small-{name}.json") for name in ("retrieval", "slots")]

    table = tables.read(output / "small-retrieval.json")
    assert (table.variants, table.layers) == (["base", "align"], [1, 2])
    assert table.languages == {
        "en": {"language": "en", "group": "aligned"},
        "sw": {"language": "sw", "group": "transfer"},
    }
    assert [(adapter["role"], adapter["name"]) for adapter in table.adapters] == [("align", "the-align")]
    assert table.data == {
        "name": "Made up", "licence": "CC0 1.0", "text": "lines 1-6", "sources": ["parallel/made:1-6"],
    }  # fmt: skip
    options = "--languages en,sw --limit 6 --layers 1-2 --variants base,align --dtype float32"
    assert table.command.startswith(f"midalign retrieval DATA/parallel/made {options}")

    table = tables.read(output / "small-slots.json")
    assert table.result["file"] == "DATA/slots"
    assert str(data) not in (output / "small-slots.json").read_text()
    assert {row: table.group(row) for row in table.rows()} == {"en": "supervised", "de": "aligned"}
    assert table.result["adapters"]["merged"] == {"slot-filling": 1.0, "align": 1.0}

    # The command that it names prints the same.
    arguments = [part.replace("DATA", str(data), 1) for part in table.command.split()[1:]]
    assert cli.main([*arguments, "--device", "cpu", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert {**printed, "file": "DATA/slots"} == table.result


def test_a_direction_of_translation_has_the_group_of_its_source(make_tables):
    status, output = make_tables("small-translation")
    assert status == 0
    table = tables.read(output / "small-translation.json")
    assert table.languages == {
        "de-en": {"language": "de", "group": "transfer"},
        "sw-en": {"language": "sw", "group": "transfer"},
    }


def test_a_table_is_made_again_from_the_answers_that_were_kept(make_tables, monkeypatch):
    _, output = make_tables("small-slots")
    first = (output / "small-slots.json").read_text()
    (output / "small-slots.json").unlink()
    monkeypatch.setattr(
        "midalign_demo.engine.Engine.generate", lambda *arguments, **options: pytest.fail("asked again")
    )
    status, _ = make_tables("small-slots")
    assert status == 0
    assert (output / "small-slots.json").read_text() == first


def test_nothing_is_published_of_text_that_an_adapter_was_trained_on(make_tables, trained, capsys):
    path = trained["align"] / "training.json"
    path.write_text(path.read_text().replace("made:20-48", "made:6-48"))
    status, output = make_tables("small-slots", "small-retrieval")
    assert status == 2
    said = f"small-retrieval: the adapter '{trained['align']}' was trained or tuned on parallel/made:1-6"
    assert said in capsys.readouterr().err
    assert not output.exists()  # it is said before any table is made


def test_nothing_is_published_with_an_adapter_whose_beginnings_are_unknown(make_tables, trained, capsys):
    path = trained["align"] / "training.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "recipe": {**record["recipe"], "init": "from-elsewhere"}, "before": None}))
    assert make_tables("small-retrieval")[0] == 2
    said = f"a part of what the adapter '{trained['align']}' was made from has no training.json"
    assert said in capsys.readouterr().err


def test_data_that_are_not_there_are_named(make_tables, data, capsys):
    shutil.rmtree(data / "slots")
    assert make_tables("small-slots")[0] == 2
    assert f"data: {data / 'slots'} is not there; small-slots needs it" in capsys.readouterr().err


def test_an_unknown_table_is_named(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["results", "--data", "x", "--output", "y", "--only", "retrieval-10", "nothing"])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert "'nothing'" in said
    assert "retrieval-10" in said


@pytest.mark.skipif(not DATA.is_dir(), reason="no data folder; set MIDALIGN_DATA to one")
def test_every_published_table_can_be_planned_with_the_shipped_adapters():
    parser = cli._parser().parse_args(["results", "--data", str(DATA), "--output", "unused"])
    for definition in ALL.values():
        _, command, adapters = results.plan(definition, parser)
        assert adapters, definition.name
        assert "--dtype float32" in results.shown(command)


@pytest.mark.skipif(not DATA.is_dir(), reason="no data folder; set MIDALIGN_DATA to one")
def test_the_entities_tables_take_texts_of_the_files_that_they_name():
    definition = ALL["json-uner"]
    limit = int(definition.arguments[definition.arguments.index("--limit") + 1])
    taken = examples.read_examples(
        json_generation.NAME, DATA / "ner" / "uner", languages=["en", "nb", "sk", "sv"], limit=limit
    )
    named = [
        example
        for source in definition.sources
        for example in examples.read_examples(json_generation.NAME, DATA / source, limit=limit)
    ]
    assert sorted(example.question.text for example in taken) == sorted(example.question.text for example in named)
