"""What one answer says otherwise than another."""

from __future__ import annotations

import re

import pytest

from midalign_demo.ui import differences


@pytest.mark.parametrize(
    ("answer", "first", "new", "left_out"),
    [
        ("wake me at seven", "wake me at eight", ["seven"], ["eight"]),
        ("at seven tomorrow morning", "at seven", ["tomorrow morning"], []),
        ("at seven", "at seven tomorrow", [], ["tomorrow"]),
        ("the  same", "the same", [], []),
        ("明日の七時", "明日の八時", ["七"], ["八"]),
        ("غدا صباحا", "غدا مساء", ["صباحا"], ["مساء"]),
        ("", "at seven", [], ["at seven"]),
        ("at seven", "", ["at seven"], []),
    ],
)
def test_words_that_are_new_and_words_that_are_gone(answer, first, new, left_out):
    found = differences.by_words(answer, first)
    assert (list(found.new), list(found.left_out)) == (new, left_out)
    assert bool(found) == bool(new or left_out)


def test_the_marked_answer_is_the_answer():
    answer, first = "Wake <b>me</b> at   seven & go", "Wake him at seven"
    html = differences.marked(answer, differences.by_words(answer, first))
    assert re.sub(r"</?ins>", "", html) == "Wake &lt;b&gt;me&lt;/b&gt; at   seven &amp; go"
    assert "<b>" not in html
    assert re.findall(r"<ins>(.*?)</ins>", html) == ["&lt;b&gt;me&lt;/b&gt;", "&amp; go"]


def test_answers_with_nothing_in_common_are_not_taken_apart():
    found = differences.by_words("datetime: seven; area: hall", "1, 2, 3, 4: 5")
    assert (found.new, found.left_out) == (("datetime: seven; area: hall",), ("1, 2, 3, 4: 5",))
    assert "<ins>" not in differences.marked("datetime: seven; area: hall", found)


def test_items_are_compared_as_often_as_they_are_given():
    found = differences.by_items(["PER: Ann", "PER: Ann", "LOC: Rome"], ["PER: Ann", "ORG: Rome"])
    assert (found.new, found.left_out) == (("PER: Ann", "LOC: Rome"), ("ORG: Rome",))
    assert not differences.by_items(["a", "b"], ["b", "a"])


def test_a_long_list_is_cut_and_escaped():
    found = differences.by_items([f"<{number}>" for number in range(20)], [])
    html = differences.listed(found, new="new", left_out="left out", attributes='dir="ltr"')
    assert html.count("<ins>") == differences.MOST_NAMED
    assert "…" in html
    assert "<1>" not in html
    assert "left out" not in html
