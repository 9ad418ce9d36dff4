import json

import pytest

from midalign_demo.tasks import slot_readers
from midalign_demo.tasks.slot_filling import locate
from train import cli
from train.home_assistant import default_lists, sample_commands

pytest.importorskip("home_assistant_intents")


@pytest.mark.parametrize("tag", ["de", "th", "he", "en"])
def test_commands_are_distinct_and_hold_their_values(tag):
    commands = sample_commands(tag, 300)
    assert len({command.text for command in commands}) == len(commands) == 300
    assert sum(bool(command.slots) for command in commands) > 100
    assert len({command.intent for command in commands}) > 8
    for command in commands:
        assert command.text == " ".join(command.text.split())
        assert not {"{", "}", "<", ">", "[", "]", "|"} & set(command.text)
        for _, value in command.slots:
            assert value
            assert value in command.text


def test_rooms_and_devices_are_ours_or_the_users():
    rooms = {value for command in sample_commands("en", 400) for slot, value in command.slots if slot == "area"}
    assert rooms
    assert rooms <= set(default_lists()["en"]["area"])
    own = sample_commands("en", 400, lists={"area": ["observatory"]})
    assert {value for command in own for slot, value in command.slots if slot == "area"} == {"observatory"}


def test_the_lists_of_all_languages_have_the_same_things():
    lengths = {tag: {name: len(words) for name, words in lists.items()} for tag, lists in default_lists().items()}
    assert all(found == lengths["en"] for found in lengths.values())


def test_lists_are_not_called_by_the_names_of_devices():
    named = [c for c in sample_commands("en", 600, lists={"name/todo": ["chores"]}) if c.intent == "HassListAddItem"]
    assert named
    assert {value for command in named for slot, value in command.slots if slot == "name"} <= {"chores"}


def test_a_seed_gives_the_same_commands():
    assert sample_commands("sw", 50) == sample_commands("sw", 50)
    assert sample_commands("sw", 50) != sample_commands("sw", 50, seed=2)


def test_the_command_writes_what_the_reader_reads(tmp_path, capsys):
    output = tmp_path / "new" / "commands.jsonl"
    arguments = ["data", "home-assistant", "--languages", "DE,sw", "--count", "120", "--output", str(output), "--json"]
    assert cli.main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["counts"] == {"de": 120, "sw": 120}
    commands = slot_readers.read(output)
    assert [command.language for command in commands] == ["de"] * 120 + ["sw"] * 120
    assert any(command.slots for command in commands)
    for command in commands:
        assert all(locate(command.slots, command.text))
    assert {slot_readers.split_of(command.id) for command in commands} == {"train", "dev", "test"}
    assert [path.name for path in output.parent.iterdir()] == ["commands.jsonl"]


def test_a_language_whose_templates_give_less_says_so(tmp_path, capsys):
    output = tmp_path / "sw.jsonl"
    assert cli.main(["data", "home-assistant", "--languages", "sw", "--output", str(output)]) == 0
    found = len(output.read_text(encoding="utf-8").splitlines())
    assert 100 < found < 2000
    assert f"sw: its templates gave {found} of 2000 commands" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "lists", "expected"),
    [
        (["--languages", "tlh"], None, "'tlh' has no templates; there are af, ar"),
        (["--languages", "de"], "{", "is not JSON"),
        (["--languages", "de"], '{"de": {"area": "Bad"}}', "is not of the form"),
        (["--languages", "de"], '{"germ": {"area": ["Bad"]}}', "'germ' is not a BCP 47 tag"),
    ],
)
def test_bad_input_is_one_line(tmp_path, capsys, options, lists, expected):
    if lists is not None:
        (tmp_path / "lists.json").write_text(lists, encoding="utf-8")
        options = [*options, "--lists", str(tmp_path / "lists.json")]
    output = tmp_path / "out.jsonl"
    assert cli.main(["data", "home-assistant", *options, "--output", str(output)]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1
    assert not output.exists()
