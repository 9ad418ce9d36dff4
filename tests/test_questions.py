import pytest

from midalign_demo.errors import InputError
from midalign_demo.questions import parse_schema, question_of
from midalign_demo.tasks import json_generation, slot_filling, translation
from midalign_demo.tasks.json_generation import entity_schema


def message_of(function, *arguments, **options) -> str:
    with pytest.raises(InputError) as caught:
        function(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_each_task_has_its_question():
    asked = question_of("slot-filling", " hello ", language="en", slots=["a", "b"])
    assert asked == slot_filling.Question("hello", ("a", "b"), "en")
    assert question_of("slot-filling", "hello").inventory == slot_filling.DEFAULT_INVENTORY
    assert question_of("translation", "hello", language="en", target="de") == translation.Question("hello", "en", "de")
    assert question_of("json", "hello").schema is None
    assert question_of("json", "hello", schema={"type": "object"}).schema == {"type": "object"}
    other = question_of("json", "hello", schema=entity_schema(["city", "date"]))
    assert (other.types, other.schema) == (("city", "date"), None)
    assert isinstance(question_of("json", "hello"), json_generation.Question)


@pytest.mark.parametrize(
    ("task", "options", "said"),
    [
        ("poetry", {}, "task: 'poetry' is not one of slot-filling, translation, json"),
        ("translation", {"language": "en"}, "target: none given"),
        ("json", {"target": "de"}, "target: given, but the task is json; it belongs to translation"),
        ("translation", {"slots": ["a"]}, "slots: given, but the task is translation"),
        ("slot-filling", {"schema": {}}, "schema: given, but the task is slot-filling"),
        ("slot-filling", {"slots": []}, "slots: none given"),
        ("slot-filling", {"slots": [" ", "\u200b"]}, "slots: none given"),
        ("slot-filling", {"slots": "time"}, "slots: give a list of names"),
        ("slot-filling", {"slots": [3]}, "slots: give a list of names"),
        ("slot-filling", {"slots": [f"s{n}" for n in range(201)]}, "slots: 201 names given, at most 200 are allowed"),
        ("json", {"schema": {"type": 3}}, "schema: "),
        ("json", {"schema": entity_schema(["a,b"])}, "types: 'a,b' is not a name"),
    ],
)
def test_what_does_not_fit_is_refused(task, options, said):
    assert message_of(question_of, task, "hello", **options).startswith(said)


def test_a_schema_that_is_not_json_is_refused_with_its_line():
    assert parse_schema('{"type": "object"}') == {"type": "object"}
    assert message_of(parse_schema, "{\n]").startswith("schema: the schema is not JSON (")
    assert "in line 2" in message_of(parse_schema, "{\n]")
    assert message_of(parse_schema, "[" * 90_000) == "schema: the schema is nested too deeply"
    assert message_of(parse_schema, "[" * 200_000).endswith("has 200000 characters, at most 100000 are allowed")
    assert message_of(parse_schema, "7" * 5000).startswith("schema: the schema is not JSON (")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "text: it is empty"), ("\u200b\u202e \x00", "text: it is empty"),
        ("x" * 1001, "text: it has 1001 characters, at most 1000 are allowed"), (5, "text: it is of type int"),
        (None, "text: it is of type NoneType"), (["a"], "text: it is of type list"),
    ],
)  # fmt: skip
def test_texts_that_say_nothing_or_too_much_are_refused(text, said):
    assert message_of(question_of, "slot-filling", text).startswith(said)


def test_what_is_no_text_is_taken_out_of_texts_and_names():
    asked = question_of("slot-filling", "\ufeffwake \ud800 me\x07", slots=["ti\x00me", "\udc00"])
    assert asked.text == "wake \N{REPLACEMENT CHARACTER} me"
    assert asked.inventory == ("ti me", "\N{REPLACEMENT CHARACTER}")
