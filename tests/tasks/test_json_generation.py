import json
import random

import numpy as np
import pytest

from midalign_demo.tasks import json_generation
from midalign_demo.tasks.json_generation import (
    ENTITY_TYPES,
    Entity,
    Question,
    entities_of,
    scores,
    statistics,
)

ANN, ROME = Entity("PER", "Ann"), Entity("LOC", "Rome")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def test_prompts_ask_for_entity_types_or_show_the_schema():
    assert Question("Ann is\nin Rome").prompt() == "Types: PER, LOC, ORG\nText: Ann is in Rome\nJSON:"
    assert Question("Rome", schema=SCHEMA).prompt() == f"Schema: {json.dumps(SCHEMA)}\nText: Rome\nJSON:"


def test_examples_before_a_prompt_are_answered_with_entities_of_their_text():
    *examples, last = Question("Ann").prompt_with_examples().split("\n\n")
    assert last == Question("Ann").prompt()
    for example in examples:
        _, text, answer = example.split("\n")
        document, valid = Question(text).read(answer.removeprefix("JSON:"))
        assert valid
        assert all(entity.text in text for entity in entities_of(document))


def test_answers_are_read_as_json_that_fits():
    question = Question("Ann is in Rome")
    answer = json_generation.answer([ANN, ROME])
    assert answer.startswith(' {"Results": [')
    document, valid = question.read(answer)
    assert valid
    assert entities_of(document) == [ANN, ROME]


@pytest.mark.parametrize(
    "answer",
    ["", "Ann", '{"Results": [', "[]", '{"Results": [{"TypeName": "CITY", "Text": "Rome"}]}', '{"results": []}',
     '{"Results": [{"TypeName": "LOC"}]}', '{"Results": [{"TypeName": "LOC", "Text": ""}]}', "[" * 100_000, "7" * 5000],
)  # fmt: skip
def test_other_answers_are_not_valid(answer):
    assert Question("Ann is in Rome").read(answer)[1] is False


def test_schemas_of_the_users_own_are_checked():
    question = Question("Rome", schema=SCHEMA)
    assert question.read('{"city": "Rome"}') == ({"city": "Rome"}, True)
    assert question.read('{"city": 3}') == ({"city": 3}, False)


def test_entities_are_found_in_whatever_there_is():
    parts = [{"TypeName": "PER", "Text": " Ann  B "}, {"TypeName": "LOC"}, "Rome", {"TypeName": 1, "Text": "x"}]
    assert entities_of({"Results": parts}) == [Entity("PER", "Ann B")]
    assert entities_of({"Results": None}) == entities_of(None) == entities_of([1]) == []


def test_scores_by_hand():
    question = Question("Ann met Ann in Rome")
    gold = (ANN, ANN, ROME)
    once = statistics(question, gold, json_generation.answer([ANN, ROME, Entity("ORG", "Rome")]))
    assert once == (2, 3, 3, 1, 1)
    broken = statistics(question, gold, "no")
    assert broken == (0, 0, 3, 0, 1)
    found = scores(np.sum([once, broken], axis=0))
    assert found["valid"] == 0.5
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == pytest.approx(2 / 6)
    assert found["f1"] == pytest.approx(4 / 9)
    nothing = scores(np.array(statistics(question, (), json_generation.answer([]))))
    assert nothing["f1"] == nothing["valid"] == 1


def test_other_types_are_asked_for_in_the_same_form():
    question = Question("wake me at seven", types=("datetime", 'say "when"'))
    assert question.prompt() == 'Types: datetime, say "when"\nText: wake me at seven\nJSON:'
    answer = json_generation.answer([Entity('say "when"', "at seven")])
    assert question.read(answer)[1] is True
    assert question.read(json_generation.answer([ANN]))[1] is False
    assert r'KIND: "\"datetime\"" | "\"say \\\"when\\\"\""' in question.grammar()


def test_a_schema_of_that_form_is_told_by_its_types():
    schema = json_generation.entity_schema(["a", "b"])
    assert json_generation.types_of(schema) == ["a", "b"]
    assert json_generation.types_of({**schema, "title": "x"}) is None
    for other in (SCHEMA, [], None, json_generation.entity_schema([1])):
        assert json_generation.types_of(other) is None


def test_training_asks_for_named_entities_in_the_same_words_and_draws_other_types():
    rng = random.Random(1)
    prompt, answer = json_generation.training_example("Ann is in Rome", (ANN, ROME), ENTITY_TYPES, rng)
    assert prompt == Question("Ann is in Rome").prompt()
    assert answer == json_generation.answer([ANN, ROME])
    types = tuple("abcdefghijkl")
    prompts = [json_generation.training_example("x y", (Entity("c", "y"),), types, rng)[0] for _ in range(60)]
    asked = [prompt.split("\n")[0].removeprefix("Types: ").split(", ") for prompt in prompts]
    assert all("c" in names and set(names) <= set(types) and len(set(names)) == len(names) for names in asked)
    assert 8 < sum(len(names) == len(types) for names in asked) < 35  # a third of the time all of them
    assert len({names[0] for names in asked}) > 4
