"""The cards: what is marked, what is escaped, and what is said about adapters."""

from __future__ import annotations

import re

from midalign_demo.ui import cards
from midalign_demo.ui.words import Words

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
    assert "adapters: <b><bdi>none</bdi></b>" in cards.comparison(
        document("hallo", variant="base", adapters=[]), INVENTORY
    )


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


def other(task: str, question: str, **output) -> dict:
    made = document(question, **output)
    return {**made, "task": task, "target": "ar"} if task == "translation" else {**made, "task": task}


def test_a_translation_is_shown_in_the_direction_of_its_language():
    html = cards.comparison(other("translation", "Guten Tag", text="يوم <b>سعيد</b>"))
    assert '<p class="translation" dir="rtl" lang="ar">يوم &lt;b&gt;سعيد&lt;/b&gt;</p>' in html
    assert "No translation." in cards.comparison(other("translation", "Guten Tag", text=""))


def test_entities_are_marked_in_the_text_and_the_json_is_folded():
    parsed = {"Results": [{"TypeName": "PER", "Text": "Ann"}, {"TypeName": "LOC", "Text": "Rome"}]}
    html = cards.comparison(other("json", "Ann saw Ann in Rome", text="{}", parsed=parsed), ["PER", "LOC", "ORG"])
    assert re.findall(r"<mark[^>]*>([^<]*)<", html) == ["Ann", "Rome"]
    assert "fits the schema" in html
    assert '<details class="json">' in html


def test_json_that_does_not_fit_is_said_so_and_shown_as_it_is():
    html = cards.comparison(other("json", "Ann", text='{"a": <img>', parsed=None, valid=False), ["PER"])
    assert "does not fit the schema" in html
    assert "{&quot;a&quot;: &lt;img&gt;" in html
    assert "<details class" not in html


def test_json_of_another_schema_marks_nothing():
    html = cards.comparison(other("json", "Ann", text='{"a": 1}', parsed={"a": 1}), ["PER"])
    assert "<mark" not in html
    assert "&quot;a&quot;: 1" in html


def pair(task: str, first: dict, second: dict, **more) -> dict:
    outputs = [
        document("Ann is in Rome", **{"variant": name, **of})["outputs"][0]
        for name, of in (("base", first), ("task", second))
    ]
    return {"task": task, "language": "en", "text": "Ann is in Rome", "outputs": outputs, **more}


def cards_of(html: str) -> list[str]:
    return re.findall(r"<section.*?</section>", html, re.DOTALL)


def test_an_answer_is_compared_with_the_first_in_words_and_marks():
    texts = {"text": "Ann ist in Rom"}, {"text": "Ann ist <b>in</b> Paris"}
    first, second = cards_of(cards.comparison(pair("translation", *texts, target="de")))
    assert "difference" not in first
    assert "<ins>" not in first
    assert "Differs from Base" in second
    assert "Ann ist <ins>&lt;b&gt;</ins>in<ins>&lt;/b&gt; Paris</ins>" in second
    assert re.search(r"left out: <del><bdi[^>]*>Rom</bdi></del>", second)


def test_slots_are_compared_one_by_one():
    text = "Ann is in Rome"
    place, time = slot("location", "Rome", text), slot("datetime", "Rome", text)
    answers = (
        {"text": "location: Rome", "parsed": [place]},
        {"text": "datetime: Rome; location: Rome", "parsed": [time, place]},
    )
    _, second = cards_of(cards.comparison(pair("slot-filling", *answers), INVENTORY))
    assert re.findall(r"<ins><bdi[^>]*>(.*?)</bdi></ins>", second) == ["datetime: Rome"]
    assert "left out" not in second
    turned = ({"text": "a", "parsed": [place, time]}, {"text": "b", "parsed": [time, place]})
    assert "Same answer as Base" in cards_of(cards.comparison(pair("slot-filling", *turned), INVENTORY))[1]


def test_entities_are_compared_and_other_json_is_by_its_words():
    ann, rome = {"TypeName": "PER", "Text": "Ann"}, {"TypeName": "LOC", "Text": "Rome"}
    made = pair("json", {"text": "1", "parsed": {"Results": [ann]}}, {"text": "2", "parsed": {"Results": [rome]}})
    _, second = cards_of(cards.comparison(made, ["PER"]))
    assert "LOC: Rome</bdi></ins>" in second
    assert "PER: Ann</bdi></del>" in second
    other = pair("json", {"text": '{"a": 1}', "parsed": {"a": 1}}, {"text": '{"a": 2}', "parsed": {"a": 2}})
    assert re.search(r"<ins><bdi[^>]*>2</bdi></ins>", cards_of(cards.comparison(other))[1])


def test_nothing_is_compared_while_answers_grow():
    made = pair("translation", {"text": "Ann", "done": True}, {"text": "An", "done": False}, target="de")
    assert "difference" not in cards.comparison(made)


def test_scores_stand_beside_what_they_were_scored_against():
    scores = {"f1": 0.5, "precision": 1.0, "recall": 1 / 3}
    gold = [slot("location", "Rome", "Ann is in Rome")]
    made = {**document("Ann is in Rome", scores=scores), "gold": gold}
    right, answered = cards_of(cards.comparison(made, INVENTORY))
    assert "Right answer" in right
    assert "no adapter was trained on it" in right
    assert 'class="raw"' not in right
    assert "F1 0.50" in answered
    assert "precision 1.00 · recall 0.33" in answered
    translated = {**other("translation", "Hi", scores={"chrf": 41.26, "bleu": 9.0}), "gold": "<i>gold</i>"}
    html = cards.comparison(translated)
    assert "chrF 41.3" in html
    assert "&lt;i&gt;gold&lt;/i&gt;" in html


def test_stored_answers_tell_no_seconds():
    made = document("hallo")
    del made["outputs"][0]["seconds"]
    assert "tokens: 4</span>" in cards.comparison(made, INVENTORY)
    assert "tokens: 4 · 0.2 s</span>" in cards.comparison(document("hallo"), INVENTORY)


def test_the_cards_speak_the_language_of_the_page():
    html = cards.comparison(document("hallo"), INVENTORY, say=Words("ar"))
    assert html.startswith('<div lang="ar" dir="rtl">')
    assert "المحوّلات:" in html
    assert "adapters" not in html


def test_a_detected_language_is_named():
    assert "Detected language: <b><bdi>Deutsch · German</bdi></b>" in cards.comparison(document("hallo"), detected=True)
    assert "Detected" not in cards.comparison(document("hallo"))


def test_long_slot_names_may_be_broken_between_their_parts():
    html = cards.comparison(document("hot", parsed=[slot("weather/attri_bute", "hot", "hot")]), ["weather/attri_bute"])
    assert "<dt>weather/<wbr>attri_<wbr>bute</dt>" in html
