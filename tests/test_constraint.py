import json

import pytest

from midalign_demo import bases
from midalign_demo.constraint import Grammars
from midalign_demo.engine import Engine
from midalign_demo.errors import InputError
from midalign_demo.generation import Row
from midalign_demo.tasks import json_generation, slot_filling
from tests import tiny

TEXT = 'Kofi „Busy" Annan opened the office in Nairobi, um 8 Uhr\\morgens'

SCHEMAS = [
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    {"type": "array", "items": {"type": "array", "items": {"type": "number"}}, "minItems": 1},
    {
        "type": "object",
        "properties": {
            "when": {"type": "object", "properties": {"day": {"enum": ["mon", "tue"]}, "hour": {"type": "integer"}},
                     "required": ["day", "hour"], "additionalProperties": False},
            "notes": {"type": "array", "items": {"type": "string", "minLength": 3}},
        },
        "required": ["when", "notes"],
        "additionalProperties": False,
    },
    {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}]},
]  # fmt: skip


@pytest.fixture(scope="module", params=["llama", "gemma3_text"])
def engine(request, tmp_path_factory):
    """A model with random weights, a token a byte: it never ends what it began by itself."""
    folder = tmp_path_factory.mktemp("tiny") / request.param
    tiny.save_base(folder, model=tiny.random_model(request.param))
    return Engine(bases.load(str(folder), dtype="float32", device="cpu"))


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("limit", [1, 40])
def test_whatever_the_model_says_and_however_short_the_limit_json_fits_the_schema(engine, schema, limit):
    question = json_generation.Question(TEXT, schema=schema)
    prompts = ("Say: ", "JSON:", "What is it? ")
    answers = engine.generate([Row(prompt, {}, question.grammar()) for prompt in prompts], max_new_tokens=limit)
    for answer in answers:
        assert not answer.truncated
        assert question.read(answer.text)[1], answer.text


def test_entities_are_words_of_the_text(engine):
    question = json_generation.Question(TEXT)
    answers = engine.generate(
        [Row(prompt, {}, question.grammar()) for prompt in ("a", "b", "c", "d")], max_new_tokens=300
    )
    found = []
    for answer in answers:
        document, valid = question.read(answer.text)
        assert valid, answer.text
        found.extend(json_generation.entities_of(document))
    assert found
    for entity in found:
        assert entity.type in json_generation.ENTITY_TYPES
        assert entity.text in TEXT


def test_slots_are_from_the_inventory_and_values_from_the_text(engine):
    question = slot_filling.Question("Wecke mich um acht; bitte!", ("time", "weather/attribute", 'odd"name'))
    answers = engine.generate(
        [Row(prompt, {}, question.grammar()) for prompt in ("a", "b", "c", "d", "e")], max_new_tokens=400
    )
    found = []
    for answer in answers:
        slots, valid = slot_filling.parse(answer.text, question.inventory)
        assert valid, answer.text
        found.extend(slots)
    assert found
    assert all(span for span in slot_filling.locate(found[:1], question.text))


def test_rows_without_a_grammar_answer_as_ever_beside_those_with_one(engine):
    free = [Row("Say: "), Row("What is it? ")]
    held = Row("Say: ", {}, json_generation.Question(TEXT).grammar())
    alone = engine.generate(free, max_new_tokens=20)
    mixed = engine.generate([free[0], held, free[1]], max_new_tokens=20)
    assert [mixed[0].text, mixed[2].text] == [answer.text for answer in alone]
    assert [mixed[0].truncated, mixed[2].truncated] == [answer.truncated for answer in alone]
    assert mixed[1].text.startswith("{")


def test_a_stream_of_held_answers_ends_as_they_do_at_once(engine):
    rows = [Row("Say: ", {}, json_generation.Question(TEXT, schema=SCHEMAS[0]).grammar())]
    *_, last = engine.stream(rows, max_new_tokens=12)
    [expected] = engine.generate(rows, max_new_tokens=12)
    assert last[0].text == expected.text
    assert json.loads(expected.text).keys() >= {"city"}


@pytest.mark.parametrize("grammar", ["start: (", 'start: %json {"type": "nothing"}', "start: /(/"])
def test_a_grammar_that_cannot_be_read_is_refused(engine, grammar):
    with pytest.raises(InputError, match="grammar: "):
        engine.generate([Row("a", {}, grammar)])
    assert engine.generate([Row("a")], max_new_tokens=2)  # and the engine goes on


def test_grammars_know_the_tokenizers_end_mark(engine):
    matcher = Grammars(engine.base).matcher('start: "ab"')
    ids = engine.base.encode("ab")
    assert matcher.consume_tokens(ids)
    assert matcher.is_accepting()
    assert matcher.consume_token(engine.base.tokenizer.eos_token_id)
