"""The cards: what is marked, what is escaped, and what is said about adapters."""

from __future__ import annotations

import re

from midalign_demo.ui import cards

INVENTORY = ["datetime", "location"]


def document(question: str, language: str | None = "de", **output) -> dict:
    defaults = {
        "variant": "merged",
        "adapters": ["slot-filling", "align*0.5"],
        "prompt": "Slots: datetime",
        "text": "datetime: morgen",
        "parsed": [],
        "valid": True,
        "truncated": False,
        "new_tokens": 4,
        "seconds": 0.25,
    }
    return {"task": "slot-filling", "language": language, "text": question, "outputs": [{**defaults, **output}]}


def slot(name: str, value: str, text: str) -> dict:
    at = text.find(value)
    found = at >= 0
    return {"slot": name, "value": value, "start": at if found else None, "end": at + len(value) if found else None}


def test_a_value_is_marked_where_it_stands_and_the_rest_of_the_text_is_kept():
    text = "Bring mich morgen nach Ulm"
    parsed = [slot("location", "Ulm", text), slot("datetime", "morgen", text)]
    html = cards.comparison(document(text, parsed=parsed), INVENTORY)
    assert re.findall(r"<mark[^>]*>([^<]*)<", html) == ["morgen", "Ulm"]
    [marked] = re.findall(r'<p class="marked"[^>]*>(.*?)</p>', html)
    assert re.sub(r"<span.*?</span>|<[^>]*>", "", marked) == text


def test_overlapping_values_leave_the_text_whole():
    text = "next monday evening"
    parsed = [slot("datetime", "next monday", text), slot("location", "monday evening", text)]
    html = cards.comparison(document(text, parsed=parsed), INVENTORY)
    [marked] = re.findall(r'<p class="marked"[^>]*>(.*?)</p>', html)
    assert re.sub(r"<span.*?</span>|<[^>]*>", "", marked) == text
    assert html.count("<mark") == 1


def test_markup_from_user_and_model_is_shown_and_never_runs():
    attack = '<img src=x onerror="alert(1)">'
    parsed = [{"slot": attack, "value": attack, "start": 0, "end": len(attack)}]
    html = cards.comparison(document(attack, parsed=parsed, text=attack, prompt=attack), [attack])
    assert "<img" not in html
    assert html.count("&lt;img") >= 5
    assert "<script" not in cards.notice("<script>alert(1)</script>", kind="error")


def test_the_adapters_in_force_are_named_with_their_weights():
    html = cards.comparison(document("hallo"), INVENTORY)
    assert "slot-filling + align*0.5" in html
    assert "adapters: <b>none</b>" in cards.comparison(document("hallo", variant="base", adapters=[]), INVENTORY)


def test_arabic_runs_from_right_to_left_and_german_does_not():
    assert 'dir="rtl" lang="ar"' in cards.comparison(document("أهلا", language="ar"), INVENTORY)
    assert 'dir="ltr" lang="de"' in cards.comparison(document("hallo"), INVENTORY)


def test_a_value_that_is_not_in_the_text_is_said_to_be_missing():
    text = "कल जगाना"
    html = cards.comparison(document(text, language="hi", parsed=[slot("datetime", "tomorrow", text)]), INVENTORY)
    assert "not in the text" in html
    assert "<mark" not in html


def test_an_unfinished_answer_is_marked_busy():
    assert 'aria-busy="true"' in cards.comparison(document("hallo", done=False), INVENTORY)
    assert 'aria-busy="false"' in cards.comparison(document("hallo", done=True), INVENTORY)


def test_no_slots_and_no_sense_are_told_apart():
    assert "No slots." in cards.comparison(document("hallo", text="None"), INVENTORY)
    assert "not a list of slots" in cards.comparison(document("hallo", text="1000", valid=False), INVENTORY)
