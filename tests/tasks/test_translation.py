import numpy as np
import pytest
import sacrebleu

from midalign_demo.errors import InputError
from midalign_demo.tasks import translation
from midalign_demo.tasks.translation import Question, check_direction, scores, signatures, statistics

HYPOTHESES = ["The train arrives late today.", "My sister is a doctor", "It rains.", ""]
REFERENCES = ["The train is late today.", "My sister works as a doctor.", "It is raining.", "Nothing at all."]


def test_prompt_names_both_languages_and_keeps_the_text_on_one_line():
    assert Question("Der Zug\nkommt.", "de", "en").prompt() == (
        "Translate this from German to English:\nGerman: Der Zug kommt.\nEnglish:"
    )
    assert "Serbian (Latin)" in Question("Voz", "sr-Latn", "en").prompt()


def test_examples_before_a_prompt_are_answered():
    *examples, last = Question("Treni", "sq", "en").prompt_with_examples().split("\n\n")
    assert last == Question("Treni", "sq", "en").prompt()
    assert len(examples) == 3
    for example in examples:
        _, source, answer = example.split("\n")
        assert source.split(": ")[1]
        assert answer.split(": ")[1]


def test_only_the_first_line_of_an_answer_counts():
    question = Question("Hallo", "de", "en")
    assert question.read(" Hello \nGerman: Tschüss") == ("Hello", True)
    assert question.read("  ") == ("", False)


@pytest.mark.parametrize("target", ["en", "zh", "ja", "th"])
def test_scores_from_statistics_are_sacrebleus(target):
    question = Question("x", "de", target)
    hypotheses, references = HYPOTHESES, REFERENCES
    if target != "en":
        hypotheses, references = (
            ["今天火车晚点了。", "我姐姐是医生", "雨", ""],
            ["今天火车来晚了。", "我姐姐是个医生。", "下雨了", "没有"],
        )
    rows = [statistics(question, gold, answer) for gold, answer in zip(references, hypotheses, strict=True)]
    found = scores(np.sum(rows, axis=0))
    tokenizer = {"en": "13a", "zh": "zh"}.get(target, "char")
    assert found["chrf"] == pytest.approx(sacrebleu.corpus_chrf(hypotheses, [references]).score)
    assert found["bleu"] == pytest.approx(sacrebleu.corpus_bleu(hypotheses, [references], tokenize=tokenizer).score)
    assert f"tok:{tokenizer}" in signatures(target)["bleu"]
    assert signatures(target)["chrf"].startswith("nrefs:1")


def test_scores_of_many_sums_at_once_are_those_of_each():
    question = Question("x", "de", "en")
    rows = np.array([statistics(question, *pair) for pair in zip(REFERENCES, HYPOTHESES, strict=True)])
    together = scores(np.stack([rows[:2].sum(axis=0), rows.sum(axis=0)]).reshape(2, 1, -1))
    assert together["chrf"].shape == (2, 1)
    assert together["chrf"][1, 0] == scores(rows.sum(axis=0))["chrf"]


@pytest.mark.parametrize(
    ("language", "target", "expected"),
    [(None, "en", "language: none given"), ("de", None, "target: none given"), ("de", "de", "'de' is the language of")],
)
def test_a_direction_needs_two_languages(language, target, expected):
    with pytest.raises(InputError, match=expected):
        check_direction(language, target)
    assert check_direction("de", "en") == ("de", "en")


def test_an_answer_is_the_translation_on_one_line():
    assert translation.answer(" The  train\ncame. ") == " The train came."
