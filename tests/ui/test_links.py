"""Links that restore the page."""

from __future__ import annotations

import pytest

from midalign_demo.ui import links


def test_a_link_gives_back_what_was_put_into_it():
    query = {
        "task": "translation", "text": "Guten <b>Tag</b>", "language": "de", "target": "zh_hant",
        "variants": "base,merged", "grammar": "0", "task_weight": "0.5", "align_weight": "1.25", "__theme": "dark",
    }  # fmt: skip
    found, problems = links.read(query)
    assert problems == []
    assert found == {
        "task": "translation", "text": "Guten <b>Tag</b>", "language": "de", "target": "zh-Hant",
        "variants": ["base", "merged"], "grammar": False, "task_weight": 0.5, "align_weight": 1.25,
    }  # fmt: skip


def test_no_link_asks_for_nothing():
    assert links.read({}) == ({}, [])


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("task", "poetry", "task: 'poetry' is not one of slot-filling, translation, json"),
        ("text", "   ", "text: it is empty"),
        ("text", "x" * 100_000, "text: it has 100000 characters"),
        ("language", "<script>alert(1)</script>", "language: '<script>alert"),
        ("language", "de\x00", "language: 'de\\x00' is not"),
        ("target", "", "language: '' is not"),
        ("variants", "base,<b>", "variants: 'base,<b>' are not names of variants"),
        ("grammar", "maybe", "grammar: 'maybe' is neither 0 nor 1"),
        ("task_weight", "nan", "weight: 'nan' is not a number from 0 to 2"),
        ("align_weight", "inf", "weight: 'inf'"),
        ("align_weight", "-0.1", "weight: '-0.1'"),
        ("align_weight", "9" * 100_000, "weight: '9999"),
        ("task_weight", "1,5", "weight: '1,5'"),
    ],
)
def test_what_makes_no_sense_is_left_out_and_named_in_one_short_sentence(name, value, said):
    found, [problem] = links.read({"task": "json", name: value})
    assert name not in found
    assert problem.startswith(said)
    assert problem.endswith("it was left out")
    assert len(problem) < 160
    assert name == "task" or found == {"task": "json"}


@pytest.mark.parametrize("text", ["<bos><end_of_turn>", "أيقظني غدا", "\u202eevil"])
def test_any_text_of_a_visitor_is_kept_as_it_is(text):
    assert links.read({"text": text}) == ({"text": text}, [])


def test_control_characters_of_a_visitor_become_spaces():
    assert links.read({"text": "a\x00b\x1b[31m"}) == ({"text": "a b [31m"}, [])
