"""Whatever is asked and whatever is answered: a question or an `InputError`, and no markup that a page would obey."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midalign_demo import tasks
from midalign_demo.constraint import Grammars
from midalign_demo.errors import InputError
from midalign_demo.questions import parse_schema, question_of
from midalign_demo.tasks import json_generation, slot_filling, translation
from midalign_demo.ui import cards, corpora, links
from tests import tiny
from tests.fuzz import nasty

TASKS = st.sampled_from([*tasks.MODULES, "poetry"])
NAMES = st.one_of(st.none(), nasty.text, st.lists(nasty.scalar, max_size=5))
TAGS = st.one_of(st.sampled_from(["en", "de", "ar", "zh-Hant"]), nasty.scalar)


@pytest.fixture(scope="module")
def grammars(base_folder):
    from midalign_demo import bases

    return Grammars(bases.load(str(base_folder), dtype="float32", device="cpu"))


def asked(task, text, names, tags):
    options = {"language": tags[0]}
    if task == translation.NAME:
        options["target"] = tags[1]
    elif task == slot_filling.NAME:
        options["slots"] = names
    else:
        options["types"] = names
    return question_of(task, text, **options)


@given(task=TASKS, text=st.one_of(nasty.text, nasty.scalar), names=NAMES, tags=st.tuples(TAGS, TAGS))
def test_prompts_are_plain_text_and_grammars_compile(grammars, task, text, names, tags):
    with nasty.bounded():
        try:
            question = asked(task, text, names, tags)
        except InputError as error:
            assert "\n" not in str(error)
            return
        base = grammars._base
        for prompt in (question.prompt(), question.prompt_with_examples()):
            ids = base.encode_prompt(prompt)
            assert not set(ids[len(base.bos) :]) & set(range(len(tiny.SPECIALS)))
        if (grammar := question.grammar()) is not None:
            grammars.matcher(grammar)


@given(
    task=st.sampled_from([*tasks.MODULES]), text=nasty.text, answer=nasty.text,
    names=st.lists(st.sampled_from(["datetime", "<b>", "PER", "🙂"]), min_size=1, unique=True),
)  # fmt: skip
def test_answers_are_read_scored_and_shown_as_text(task, text, answer, names):
    with nasty.bounded():
        try:
            question = asked(task, text, names, ("en", "de"))
        except InputError:
            return
        parsed, valid = question.read(answer)
        gold = {
            slot_filling.NAME: slot_filling.Command("1", "en", question.text, (slot_filling.Slot("datetime", "x"),)),
            translation.NAME: "ein Satz",
            json_generation.NAME: [json_generation.Entity("PER", "x")],
        }[task]
        tasks.MODULES[task].statistics(question, gold, answer)
        output = {"variant": "task", "adapters": ["<i>"], "prompt": question.prompt(), "text": answer, "parsed": parsed,
                  "valid": valid, "new_tokens": 3, "seconds": 0.1, "truncated": False, "done": True}  # fmt: skip
        document = {"task": task, "language": "en", "target": "de", "text": question.text, "gold": parsed,
                    "outputs": [output, {**output, "variant": "base", "text": f"{answer} x"}]}  # fmt: skip
        if isinstance(parsed, list | str) or task == json_generation.NAME:
            shown = cards.comparison(document, names).lower()
            for markup in ("<img", "<script", "<a ", "<br", "<!--", "</textarea", 'href="javascript'):
                assert markup not in shown


@given(text=nasty.text, query=st.dictionaries(st.sampled_from([*links.FIELDS]), nasty.text))
def test_links_and_typed_sentences_are_read_or_refused(text, query):
    with nasty.bounded():
        found, problems = links.read(query)
        assert len(found) + len(problems) == len(query)
        try:
            for _, sentence in corpora.typed_sentences(text):
                sentence.encode()
        except InputError:
            pass


@given(text=nasty.text)
def test_schemas_as_text_are_json_or_refused(text):
    with nasty.bounded():
        try:
            parse_schema(text)
        except InputError as error:
            assert "\n" not in str(error)
