"""The stored answers, and that they are shown only as long as they are true."""

from __future__ import annotations

import json

import pytest

from midalign_demo import embedded, languages, variants
from midalign_demo.library import Midalign
from midalign_demo.ui import examples, stored
from midalign_demo.ui.host import ModelHost
from midalign_demo.ui.stored import StoredAnswers


@pytest.fixture
def host():
    return ModelHost(embedded.NAME)


def test_the_shipped_answers_are_those_of_the_shipped_adapters(host):
    """If this fails, adapters, weights, prompts or examples have changed: run `midalign stored-answers`."""
    kept = StoredAnswers(host)
    asked = [(task, entry) for task, entries in examples.by_task().items() for entry in entries]
    missing = [
        entry["text"]
        for task, entry in asked
        if kept.find(task, entry["text"], entry["language"], entry.get("target")) is None
    ]
    assert missing == []
    assert len({languages.script(entry["language"]) for _, entry in asked}) >= 6


@pytest.mark.base
def test_the_shipped_answers_are_given_again(host):
    from midalign_demo import library

    midalign = library.load(embedded.NAME, dtype=stored.DTYPE, device="cpu")
    for task, entries in examples.by_task().items():
        entry = entries[1]
        kept = StoredAnswers(host).find(task, entry["text"], entry["language"], entry.get("target"))
        made = midalign.compare(
            entry["text"], task, language=entry["language"], target=entry.get("target"), variants=list(variants.USUAL)
        )
        assert [output["text"] for output in made["outputs"]] == [output["text"] for output in kept["outputs"]]


def changed(tmp_path, change) -> str:
    document = json.loads(stored.path().read_text(encoding="utf-8"))
    change(document)
    path = tmp_path / "answers.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def spoil_checksum(document):
    document["adapters"]["align"] = "0" * 64


def spoil_prompt(document):
    for answer in document["answers"]:
        answer["outputs"][1]["prompt"] += " "


def spoil_weight(document):
    for answer in document["answers"]:
        merged = answer["outputs"][-1]
        merged["adapters"] = [label.split("*")[0] + ("*0.9" if "*" in label else "") for label in merged["adapters"]]


def drop_variant(document):
    for answer in document["answers"]:
        answer["outputs"].pop()


@pytest.mark.parametrize("change", [spoil_checksum, spoil_prompt, spoil_weight, drop_variant])
def test_answers_that_are_no_longer_true_are_not_shown(host, tmp_path, change):
    assert len(StoredAnswers(host, changed(tmp_path, lambda document: None))) > 0
    assert len(StoredAnswers(host, changed(tmp_path, change))) == 0


def test_a_new_adapter_of_one_task_takes_only_that_tasks_answers(host, tmp_path):
    def spoil(document):
        document["adapters"]["json"] = "0" * 64

    kept = StoredAnswers(host, changed(tmp_path, spoil))
    assert 0 < len(kept) == len(StoredAnswers(host)) - len(examples.by_task()["json"])


def test_other_models_and_other_adapters_have_no_stored_answers(tmp_path, base_folder, adapter_folders):
    assert len(StoredAnswers(ModelHost(str(base_folder)))) == 0
    other = ModelHost(embedded.NAME, sources={"align": str(adapter_folders["align"])})
    assert len(StoredAnswers(other)) == 0
    assert len(StoredAnswers(ModelHost(embedded.NAME), tmp_path / "none.json")) == 0


def test_an_answer_is_found_by_its_question_alone(host):
    entry = examples.by_task()["translation"][0]
    kept = StoredAnswers(host)
    assert kept.find("translation", entry["text"], None, entry["target"])["target"] == entry["target"]
    assert kept.find("translation", entry["text"], None, "sw") is None
    assert kept.find("translation", entry["text"], "sw", entry["target"]) is None
    assert kept.find("json", entry["text"], None) is None


def test_what_is_made_is_written_whole_and_tells_no_seconds(engine, tmp_path, monkeypatch):
    asked = {task: entries[:1] for task, entries in examples.by_task().items()}
    monkeypatch.setattr(examples, "by_task", lambda: asked)
    monkeypatch.setattr(stored.adapters, "checksum", lambda name: f"sum of {name}")
    made = stored.make(Midalign(engine, {}))
    path = tmp_path / "new" / "answers.json"
    stored.write(made, path)
    assert json.loads(path.read_text(encoding="utf-8")) == made
    assert [file.name for file in path.parent.iterdir()] == ["answers.json"]
    assert [document["task"] for document in made["answers"]] == list(asked)
    assert "seconds" not in path.read_text(encoding="utf-8")
    assert made["adapters"] == {"slot-filling": "sum of slot-filling", "align": "sum of align"}


def test_the_command_writes_where_it_is_told_to(engine, tmp_path, monkeypatch, document):
    from midalign_demo import library

    asked = {"slot-filling": examples.by_task()["slot-filling"][:2]}
    monkeypatch.setattr(examples, "by_task", lambda: asked)
    monkeypatch.setattr(stored.adapters, "checksum", lambda name: name)
    monkeypatch.setattr(library, "load", lambda base, **options: Midalign(engine, {}))
    path = tmp_path / "answers.json"
    assert document("stored-answers", "--output", path) == {"output": str(path), "n": 2}
    assert len(json.loads(path.read_text(encoding="utf-8"))["answers"]) == 2
