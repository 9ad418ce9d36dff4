"""midalign_demo.probe and `midalign probe`."""

import json

import numpy as np
import pytest

from midalign_demo.probe import FOLDS, fold_of, right


def clouds(labels: list[str], seed: int) -> np.ndarray:
    """Points about one centre for each label."""
    rng = np.random.default_rng(seed)
    centres = {label: 4 * np.eye(3)[number] for number, label in enumerate(sorted(set(labels)))}
    return np.stack([centres[label] + 0.3 * rng.normal(size=3) for label in labels])


LABELS = ["alarm", "music", "weather"] * 10
OF = list(range(30))


def folds(shift: int = 0) -> list[int]:
    return [(number + shift) // 3 % FOLDS for number in OF]


def test_what_lies_with_its_english_kind_is_told_and_the_rest_is_not():
    english, texts = clouds(LABELS, 0), clouds(LABELS, 1)
    assert right(english, LABELS, folds(), texts, LABELS, folds()).all()
    moved = ["music", "weather", "alarm"] * 10
    assert not right(english, LABELS, folds(), texts, moved, folds()).any()


def test_no_sentence_of_the_fold_asked_is_learnt_from():
    # `weather` stands in one fold alone, so a probe that keeps away from that fold can't know it.
    labels = ["alarm", "music"] * 14 + ["weather"] * 2
    numbers = [number % 4 for number in range(28)] + [4, 4]
    points = clouds(labels, 2)
    told = right(points, labels, numbers, points, labels, numbers)
    assert told[:28].all()
    assert not told[28:].any()


def test_a_fold_that_leaves_one_intent_or_none_is_no_error():
    points = clouds(["alarm", "music"], 3)
    assert right(points, ["alarm", "music"], [0, 1], points, ["alarm", "music"], [0, 1]).tolist() == [False, False]
    assert right(points, ["alarm", "music"], [0, 0], points, ["alarm", "music"], [0, 0]).tolist() == [False, False]


def test_the_fold_goes_by_letters_alone():
    assert fold_of("Is it hot?") == fold_of("is it  hot")
    assert len({fold_of(f"sentence {number}") for number in range(50)}) == FOLDS


@pytest.fixture
def commands_file(tmp_path):
    """Commands in German and Swahili with intents and their English wording; some without."""
    rows = []
    for number in range(12):
        for lang, lights, alarm in (("de", "Licht aus in Raum", "Wecker um"), ("sw", "zima taa", "kengele saa")):
            rows.append((lang, f"{lights} {number}", f"lights off in room {number}", "lights"))
            rows.append((lang, f"{alarm} {number}", f"alarm at {number}", "alarm"))
    records = [{"lang": a, "utt": b, "english": c, "intent": d, "slots": []} for a, b, c, d in rows]
    records.append({"lang": "de", "utt": "Hallo", "slots": []})
    path = tmp_path / "commands.jsonl"
    path.write_text("\n".join(map(json.dumps, records)) + "\n", encoding="utf-8")
    return path


def test_the_command_tells_each_languages_accuracy(document, output, tiny_model, commands_file, slots_file, refused):
    options = ("--variants", "base,align", "--layers", "2,4", *tiny_model)
    found = document("probe", commands_file, *options)
    assert (found["n"], found["english"], found["intents"]) == (48, 24, 2)
    for of in found["variants"].values():
        assert list(of["layers"]) == ["2", "4"]
        for table in of["layers"].values():
            assert {tag: cell["n"] for tag, cell in table["languages"].items()} == {"en": 24, "de": 24, "sw": 24}
            others = [table["languages"][tag]["accuracy"] for tag in ("de", "sw")]
            assert table["mean"] == pytest.approx(sum(others) / 2)
            assert table["languages"]["en"]["accuracy"] > 0.9  # two patterns that share no word
    assert list(document("probe", commands_file, "--languages", "SW", *options)["variants"]["base"]["layers"]["2"][
        "languages"
    ]) == ["en", "sw"]  # fmt: skip
    assert "mean, but en" in output("probe", commands_file, *options)
    assert "languages: fr not in" in refused("probe", commands_file, "--languages", "de,fr", *options)
    assert "has no commands with an intent and an English wording" in refused("probe", slots_file, *options)
