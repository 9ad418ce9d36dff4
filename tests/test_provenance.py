import json

import pytest

from midalign_demo import adapters, provenance
from midalign_demo.errors import InputError
from midalign_demo.provenance import Training


def record(folder, kind: str, summary: dict, **recipe) -> str:
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    given = {"kind": kind, "recipe": {"data": [], "dev": [], "data_notes": [], **recipe}, "data": summary}
    (folder / "training.json").write_text(json.dumps(given))
    return str(folder)


def test_languages_of_each_kind_of_adapter(tmp_path):
    align = provenance.training_of(record(tmp_path / "a", "align", {"languages": ["en", "de"]}))
    task = provenance.training_of(record(tmp_path / "t", "task", {"languages": ["en"]}))
    both = {"task": {"languages": ["en"]}, "align": {"languages": ["de"]}}
    joint = provenance.training_of(record(tmp_path / "j", "joint", both, parallel=["p:1-2"], parallel_dev=["q"]))
    assert (align.supervised, align.aligned) == (set(), {"en", "de"})
    assert (task.supervised, task.aligned) == ({"en"}, set())
    assert (joint.supervised, joint.aligned, joint.sources) == ({"en"}, {"de"}, ("p:1-2", "q"))
    groups = {tag: provenance.group_of(tag, [align, task]) for tag in ("en", "de", "sw")}
    assert groups == {"en": "supervised", "de": "aligned", "sw": "transfer"}


@pytest.mark.parametrize(
    ("source", "used", "expected"),
    [
        ("parallel/ntrex:1-200", "parallel/ntrex:265-988*4", False),
        ("parallel/ntrex:1-200", "parallel/ntrex:200-210", True),
        ("parallel/ntrex:1-200", "parallel/ntrex", True),
        ("parallel/ntrex:1-200", "parallel/ntrex-2", False),
        ("slots/xsid", "slots/xsid/en.conll*4", True),
        ("ner/uner/en_ewt.dev.iob2", "ner/uner", True),
        ("ner/uner/en_ewt.dev.iob2", "ner/uner/en_ewt.train.iob2", False),
    ],
)
def test_text_that_was_trained_on_is_seen(source, used, expected):
    assert provenance.seen([source], Training(sources=(used,))) == ([source] if expected else [])


def test_the_test_part_of_commands_is_kept_apart_only_from_training_that_split_them():
    used = ("slots/xsid/en.conll",)
    assert provenance.seen(["slots/xsid"], Training(sources=used, split=True), held_out_split=True) == []
    assert provenance.seen(["slots/xsid"], Training(sources=used, split=False), held_out_split=True) == ["slots/xsid"]
    assert provenance.seen(["slots/xsid"], Training(sources=used, split=True)) == ["slots/xsid"]


def test_what_a_run_started_from_and_a_sum_was_made_of_counts_as_well(tmp_path):
    align = record(tmp_path / "a", "align", {"languages": ["en", "de"]}, data_notes=["NTREX", "CLDR"])
    task = record(tmp_path / "t", "task", {"languages": ["en"]}, data=["slots"], split=True, data_notes=["SNIPS"])
    parts = [{"name": "x", "weight": 0.5, "training": provenance.record_of(name)} for name in (align, task)]
    parts.append({"name": "from elsewhere", "weight": 1.0, "training": None})
    total = {"kind": "sum", "parts": parts}
    both = {"task": {"languages": ["ru"]}, "align": {"languages": ["de", "sw"]}}
    name = record(tmp_path / "j", "joint", both, data=["more"], split=True, data_notes=["NTREX"], init="sum")
    made = json.loads((tmp_path / "j" / "training.json").read_text())
    (tmp_path / "j" / "training.json").write_text(json.dumps({**made, "before": total}))
    found = provenance.training_of(name)
    assert (found.supervised, found.aligned) == ({"ru", "en"}, {"de", "sw", "en"})
    assert found.sources == ("more", "slots")
    assert found.notes == ("NTREX", "CLDR", "SNIPS")
    assert found.split
    assert not found.complete  # the part from elsewhere
    known = {"kind": "sum", "parts": parts[:2]}
    (tmp_path / "j" / "training.json").write_text(json.dumps({**made, "before": known}))
    assert provenance.training_of(name).complete
    (tmp_path / "j" / "training.json").write_text(json.dumps({**made, "before": None}))
    assert not provenance.training_of(name).complete
    unsplit = {**made, "recipe": {**made["recipe"], "split": False}, "before": total}
    (tmp_path / "j" / "training.json").write_text(json.dumps(unsplit))
    assert not provenance.training_of(name).split
    assert provenance.record_of(name)["before"]["parts"][0]["weight"] == 0.5


def test_an_adapter_of_others_has_no_record(adapter_folders, tmp_path):
    assert provenance.record_of(str(adapter_folders["task"])) is None
    foreign = record(tmp_path / "foreign", "task", {"languages": []})
    (tmp_path / "foreign" / "training.json").write_text('{"epochs": 3}')
    assert provenance.record_of(foreign) is None


def test_an_adapter_that_does_not_say_what_it_was_trained_on_is_named(adapter_folders, tmp_path):
    with pytest.raises(InputError, match="task' has no training.json"):
        provenance.training_of(str(adapter_folders["task"]))
    broken = record(tmp_path / "broken", "cooking", {})
    with pytest.raises(InputError, match="not a record of midalign-train"):
        provenance.training_of(broken)


def test_data_are_named_once_with_the_adapters_made_from_them(tmp_path):
    one = record(tmp_path / "one", "task", {"languages": []}, data_notes=["News: CC0", "Talk: MIT"])
    two = record(tmp_path / "two", "align", {"languages": []}, data_notes=["News: CC0"])
    assert provenance.notes_of([one, two]) == {"News: CC0": [one, two], "Talk: MIT": [one]}


def test_the_checksum_is_that_of_the_weights(tmp_path):
    folder = record(tmp_path / "one", "task", {"languages": []})
    # printf weights | sha256sum
    assert provenance.checksum(folder) == "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"


@pytest.mark.parametrize("name", adapters.shipped())
def test_shipped_adapters_say_what_they_were_trained_on(name):
    training = provenance.training_of(name)
    assert training.complete
    assert training.supervised | training.aligned
    assert training.notes
    assert all(": " in note for note in training.notes)
