import json

import pytest

from midalign_demo.errors import InputError
from midalign_demo.examples import read_examples
from midalign_demo.tasks import json_generation, slot_filling, translation


@pytest.fixture
def folder(tmp_path):
    for tag, lines in {"en": ["one", "two", "three"], "de": ["eins", "zwei", "drei"], "sw": ["a", "b", "c"]}.items():
        (tmp_path / f"{tag}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def commands(tmp_path):
    path = tmp_path / "commands.jsonl"
    records = [
        {"id": str(n), "lang": tag, "utt": "at noon in Bonn", "slots": [{"slot": "time", "values": ["noon"]},
                                                                        {"slot": "place", "values": ["Bonn"]}]}
        for n, tag in enumerate(["en", "de", "en", "en"])
    ]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    return path


def directions(examples) -> set[tuple[str, str]]:
    return {(example.question.language, example.question.target) for example in examples}


def test_translations_go_in_the_directions_asked_for(folder):
    one = read_examples(translation.NAME, folder, language="de", target="en")
    assert [(example.question.text, example.gold) for example in one] == [
        ("eins", "one"), ("zwei", "two"), ("drei", "three"),
    ]  # fmt: skip
    assert directions(read_examples(translation.NAME, folder, target="en")) == {("de", "en"), ("sw", "en")}
    assert directions(read_examples(translation.NAME, folder, language="en")) == {("en", "de"), ("en", "sw")}


def test_limits_count_for_each_direction_and_language(folder, commands):
    found = read_examples(translation.NAME, folder, target="en", first=2, limit=1)
    assert [(example.question.text, example.gold) for example in found] == [("zwei", "two"), ("b", "two")]
    found = read_examples(slot_filling.NAME, commands, limit=2)
    assert [example.gold.id for example in found] == ["0", "1", "2"]


def test_commands_are_asked_with_the_slots_of_the_data_or_those_given(commands):
    example = read_examples(slot_filling.NAME, commands)[0]
    assert example.question.inventory == ("place", "time")
    assert example.question.language == "en"
    example = read_examples(slot_filling.NAME, commands, slots=["time", "name"])[0]
    assert example.question.inventory == ("time", "name")
    assert [slot.name for slot in example.gold.slots] == ["time"]  # others are neither asked for nor scored
    assert [e.gold.id for e in read_examples(slot_filling.NAME, commands, language="de")] == ["1"]


def test_texts_with_entities_are_asked_for_them(tmp_path):
    path = tmp_path / "da_x.iob2"
    path.write_text("1\tAnn\tB-PER\n\n1\tRom\tB-LOC\n", encoding="utf-8")
    first, second = read_examples(json_generation.NAME, path)
    assert (first.question.language, first.question.schema) == ("da", None)
    assert second.gold == (json_generation.Entity("LOC", "Rom"),)


@pytest.mark.parametrize(
    ("task", "options", "expected"),
    [
        (translation.NAME, {}, "language: none given"),
        (translation.NAME, {"language": "fr"}, "'fr' is not in .*, which has de, en, sw"),
        (translation.NAME, {"target": "fr", "language": "de"}, "'fr' is not in"),
        (translation.NAME, {"target": "en", "first": 9}, "no example left of 6, in de, sw"),
        (slot_filling.NAME, {}, "holds no .jsonl or .conll file"),
        (json_generation.NAME, {}, "holds no .iob2, .jsonl or .conll file"),
    ],
)
def test_what_is_not_there_is_named(folder, task, options, expected):
    with pytest.raises(InputError, match=expected):
        read_examples(task, folder, **options)


def test_a_language_that_the_commands_lack_is_named(commands):
    with pytest.raises(InputError, match="has no command in 'th'"):
        read_examples(slot_filling.NAME, commands, language="th")


def test_texts_of_other_languages_are_left_out(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(f'{{"text": "Ann", "lang": "{tag}", "json": {{}}}}\n' for tag in ("en", "de", "en")))
    assert len(read_examples(json_generation.NAME, path)) == 3
    assert len(read_examples(json_generation.NAME, path, language="de")) == 1
    with pytest.raises(InputError, match="no example left of 0, in no language"):
        read_examples(json_generation.NAME, path, language="th")
