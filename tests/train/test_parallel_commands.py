"""train.parallel_commands, on Home Assistant's own templates."""

import json

import pytest

from midalign_demo import parallel
from midalign_demo.errors import InputError
from train import cli
from train.home_assistant import default_lists, sample_commands
from train.parallel_commands import parallel_commands

pytest.importorskip("home_assistant_intents")


def test_a_line_asks_for_the_same_in_all_languages():
    corpus = parallel_commands(["de", "fi"], drawn=1500)
    assert list(corpus) == ["en", "de", "fi"]
    assert len(corpus["en"]) == len(corpus["de"]) == len(corpus["fi"]) > 50
    rooms = {tag: default_lists()[tag]["area"] for tag in corpus}
    said = 0
    for english, german in zip(corpus["en"], corpus["de"], strict=True):
        for number, room in enumerate(rooms["en"]):
            if f" {room} " in f" {english} ":
                said += 1
                assert rooms["de"][number] in german
    assert said > 20


def test_no_meaning_stands_there_twice():
    meanings = {command.text: command.meaning for command in sample_commands("en", 1500)}
    lines = parallel_commands(["de"], drawn=1500)["en"]
    assert len({meanings[line] for line in lines}) == len(lines)


def test_commands_to_leave_out_are_left_out_however_they_are_written():
    corpus = parallel_commands(["de"], drawn=800)
    gone = corpus["de"][0]
    again = parallel_commands(["de"], drawn=800, exclude=[gone.upper() + " !"])
    assert gone not in again["de"]
    assert len(again["de"]) > 10


def test_languages_without_a_command_in_common_are_an_error():
    with pytest.raises(InputError, match="no command is common to en, de; name fewer or draw more"):
        parallel_commands(["de"], drawn=1)


def test_the_command_writes_a_folder_and_leaves_out_labelled_commands(tmp_path, capsys):
    first = ["data", "commands", "--languages", "de", "--count", "800", "--output", str(tmp_path / "all"), "--json"]
    assert cli.main(first) == 0
    count = json.loads(capsys.readouterr().out)["counts"]["de"]
    all_of = parallel.read(tmp_path / "all")
    labelled = tmp_path / "labelled.jsonl"
    record = {"id": "x/de-1", "lang": "de", "utt": all_of["de"][0], "intent": "x", "slots": []}
    labelled.write_text(json.dumps(record) + "\n", encoding="utf-8")
    assert cli.main([*first[:-2], str(tmp_path / "some"), "--exclude", str(labelled)]) == 0
    some = parallel.read(tmp_path / "some")
    assert set(some) == {"en", "de"}
    assert all_of["de"][0] not in some["de"]
    assert count - 3 <= len(some["de"]) <= count
