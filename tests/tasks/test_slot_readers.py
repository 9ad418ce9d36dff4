import json

import pytest

from midalign_demo.errors import InputError
from midalign_demo.tasks.slot_filling import Command, Slot
from midalign_demo.tasks.slot_readers import read, read_folder_or_file, split_of

CONLL = """# id = 4/2
# text = Wird es morgen früh sonnig sein?
# text-en = Will it be sunny tomorrow morning?
# intent = weather/find
1\tWird\tweather/find\tO
2\tes\tweather/find\tO
3\tmorgen\tweather/find\tB-datetime
4\tfrüh\tweather/find\tI-datetime
5\tsonnig\tweather/find\tB-weather/attribute
6\tsein\tweather/find\tO
7\t?\tweather/find\tO

# id = 5
# text = Halt
1\tHalt\tstop\tO
"""


def write_jsonl(path, *records):
    lines = [record if isinstance(record, str) else json.dumps(record, ensure_ascii=False) for record in records]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def message_of(*arguments, **options) -> str:
    with pytest.raises(InputError) as caught:
        read_folder_or_file(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_jsonl_gives_commands_with_values_as_the_text_spells_them(tmp_path):
    path = write_jsonl(
        tmp_path / "de.jsonl",
        {
            "id": "a:1",
            "lang": "DE",
            "utt": "Stell die Heizung im Bad auf 21 Grad",
            "slots": [
                {"slot": "temperature", "values": ["einundzwanzig", "21"], "surface": True},
                {"slot": "area", "values": ["bad"]},
                {"slot": "domain", "values": ["Heizung"], "surface": False},
                {"slot": "floor", "values": ["oben"]},
                {"slot": "state", "surface": False},
            ],
        },
    )
    [found] = read(path)
    text = "Stell die Heizung im Bad auf 21 Grad"
    assert found == Command("a:1", "de", text, (Slot("area", "Bad"), Slot("temperature", "21")))


def test_equal_values_are_placed_one_after_the_other(tmp_path):
    slots = [{"slot": "city", "values": ["Bern"]}, {"slot": "city", "values": ["Bern"]}]
    path = write_jsonl(tmp_path / "de.jsonl", {"utt": "von Bern über Thun nach Bern", "slots": slots})
    assert read(path)[0].slots == (Slot("city", "Bern"), Slot("city", "Bern"))


def test_language_and_id_come_from_the_file_where_the_record_has_none(tmp_path):
    path = write_jsonl(tmp_path / "sw.jsonl", "", {"utt": "washa taa", "slots": []})
    assert read(path) == [Command("sw-2", "sw", "washa taa", ())]
    assert read(path, language="en")[0].language == "en"


def test_a_language_given_does_not_override_what_records_say(tmp_path):
    path = write_jsonl(tmp_path / "mixed.jsonl", {"utt": "a", "lang": "de", "slots": []}, {"utt": "b", "slots": []})
    assert [command.language for command in read(path, language="fr")] == ["de", "fr"]


def test_a_command_knows_its_intent_and_the_english_one_that_says_the_same(tmp_path):
    path = write_jsonl(
        tmp_path / "sw.jsonl", {"utt": "zima taa", "english": "lights off", "intent": "off", "slots": []}
    )
    assert read(path) == [Command("sw-1", "sw", "zima taa", (), english="lights off", intent="off")]


def test_windows_line_ends_and_bom_in_jsonl(tmp_path):
    path = tmp_path / "en.jsonl"
    path.write_bytes('\ufeff{"utt": "one", "slots": []}\r\n{"utt": "two\u2028more", "slots": []}\r\n'.encode())
    assert [command.text for command in read(path)] == ["one", "two\u2028more"]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ('{"utt": ', "line 2 is not JSON"),
        ("[1]", "line 2 is not a JSON object"),
        ({"text": "x", "slots": []}, "line 2 is not of the form"),
        ({"utt": "x"}, "line 2 is not of the form"),
        ({"utt": "x", "slots": ["time"]}, "line 2 is not of the form"),
        ({"utt": "x", "slots": [{"slot": "time"}]}, "line 2 is not of the form"),
        ({"utt": 5, "slots": [{"slot": "time", "values": ["x"]}]}, "line 2 is not of the form"),
        ({"utt": "x", "slots": [{"slot": "time", "values": [5]}]}, "line 2 is not of the form"),
        ({"utt": "x", "slots": [{"slot": "time", "values": "x"}]}, "line 2 is not of the form"),
        ({"utt": "x", "slots": [], "english": 5}, "line 2 is not of the form"),
        ({"utt": "x", "lang": "english!", "slots": []}, "line 2: language: 'english!' is not a BCP 47 tag"),
    ],
)
def test_bad_jsonl_is_refused_with_its_line(tmp_path, record, expected):
    path = write_jsonl(tmp_path / "en.jsonl", {"utt": "fine", "slots": []}, record)
    message = message_of(path)
    assert expected in message
    assert str(path) in message


def test_conll_gives_commands_with_the_text_of_its_comment(tmp_path):
    path = tmp_path / "de.conll"
    path.write_bytes(CONLL.replace("\n", "\r\n").encode())
    assert read(path) == [
        Command(
            "4/2",
            "de",
            "Wird es morgen früh sonnig sein?",
            (Slot("datetime", "morgen früh"), Slot("weather/attribute", "sonnig")),
            english="Will it be sunny tomorrow morning?",
            intent="weather/find",
        ),
        Command("5", "de", "Halt", ()),
    ]


def test_conll_japanese_loses_the_spaces_no_one_writes(tmp_path):
    rows = [("明日", "B-datetime"), ("の", "I-datetime"), ("朝", "I-datetime"), ("起こし", "O"), ("て", "O")]
    lines = [f"{number}\t{token}\talarm\t{tag}" for number, (token, tag) in enumerate(rows, start=1)]
    (tmp_path / "ja.conll").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert read(tmp_path / "ja.conll") == [Command("1", "ja", "明日の朝起こして", (Slot("datetime", "明日の朝"),))]


def test_conll_neighbouring_entities_stay_apart(tmp_path):
    rows = [("Bern", "B-city"), ("Thun", "B-city"), ("noon", "I-time"), ("sharp", "I-time"), ("now", "I-city")]
    lines = [f"{number}\t{token}\tgo\t{tag}" for number, (token, tag) in enumerate(rows, start=1)]
    (tmp_path / "en.conll").write_text("\n".join(lines), encoding="utf-8")
    [found] = read(tmp_path / "en.conll")
    assert found.slots == (Slot("city", "Bern"), Slot("city", "Thun"), Slot("time", "noon sharp"), Slot("city", "now"))


def test_conll_with_too_few_columns_is_refused_with_its_line(tmp_path):
    path = tmp_path / "de.conll"
    path.write_text(CONLL + "2\tStopp\n", encoding="utf-8")
    assert f"{path}: line 16 has fewer than four tab-separated columns" in message_of(path)


def test_conll_needs_a_language(tmp_path):
    path = tmp_path / "validation.conll"
    path.write_text(CONLL, encoding="utf-8")
    assert "'validation' is not a BCP 47 tag" in message_of(path)
    assert {command.language for command in read(path, language="gsw")} == {"gsw"}


@pytest.mark.parametrize("name", ["en.jsonl", "en.conll"])
def test_empty_files_are_refused(tmp_path, name):
    (tmp_path / name).write_text("\n")
    assert "holds no command" in message_of(tmp_path / name)


def test_other_kinds_of_file_and_empty_folders_are_refused(tmp_path):
    (tmp_path / "x.csv").write_text("")
    assert "neither a .jsonl nor a .conll" in message_of(tmp_path / "x.csv")
    assert "holds no .jsonl or .conll" in message_of(tmp_path)
    assert "No such file" in message_of(tmp_path / "none.jsonl")


def test_a_split_keeps_only_its_commands(tmp_path):
    path = write_jsonl(tmp_path / "en.jsonl", *({"id": f"n{n}", "utt": "x", "slots": []} for n in range(100)))
    parts = {split: read(path, split=split) for split in ("train", "dev", "test")}
    assert sum(len(commands) for commands in parts.values()) == 100
    for split, commands in parts.items():
        assert all(split_of(command.id) == split for command in commands)
    assert "'valid' is not one of train, dev, test" in message_of(path, split="valid")


def test_a_folder_gives_the_commands_of_all_its_files(tmp_path):
    (tmp_path / "de.conll").write_text(CONLL, encoding="utf-8")
    write_jsonl(tmp_path / "en.jsonl", {"utt": "stop", "slots": []})
    (tmp_path / "README.md").write_text("not data")
    assert [command.language for command in read_folder_or_file(tmp_path)] == ["de", "de", "en"]


def test_a_file_of_a_folder_need_not_have_commands_of_every_part(tmp_path):
    many = [{"id": f"n{number}", "utt": f"command {number}", "slots": []} for number in range(100)]
    write_jsonl(tmp_path / "de.jsonl", *many)
    [train] = [record for record in many if split_of(record["id"]) == "train"][:1]
    write_jsonl(tmp_path / "eu.jsonl", train)
    found = read_folder_or_file(tmp_path, split="test")
    assert {command.language for command in found} == {"de"}
    assert found == read(tmp_path / "de.jsonl", split="test")
    (tmp_path / "de.jsonl").unlink()
    with pytest.raises(InputError, match="holds no command of the test split"):
        read_folder_or_file(tmp_path, split="test")


@pytest.mark.parametrize("tag", ["I-", "B-", "X-time", "", "B time"])
def test_a_tag_that_is_none_is_refused_with_its_line(tmp_path, tag):
    path = tmp_path / "en.conll"
    path.write_text(f"1\tnine\tset\tB-time\n2\tam\tset\t{tag}\n")
    with pytest.raises(InputError, match=r"line 2 has the tag .*, which is none of O, B-SLOT and I-SLOT"):
        read(path)
