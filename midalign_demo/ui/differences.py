"""What one answer says otherwise than another, word by word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import escape

from midalign_demo.tasks.spans import Span, words

MOST_NAMED = 6
_IN_COMMON = 0.3  # of the words of both; below, marks word by word would tell nothing


@dataclass(frozen=True)
class Difference:
    """What is new in an answer, and what it left out of the one it is compared with.

    Attributes:
        new, left_out: runs of words, or whole items.
        spans: where the new runs stand in the answer, as far as they are worth marking there.
    """

    new: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.new or self.left_out)


def by_words(answer: str, first: str) -> Difference:
    """The answer's runs of words that are not in the first answer at that place, and the first answer's that are gone.

    Spaces make no difference. Answers that have next to nothing in common are not taken apart: each is one run.
    """
    mine, its = words(answer), words(first)
    matcher = SequenceMatcher(
        None, [first[start:end] for start, end in its], [answer[start:end] for start, end in mine], autojunk=False
    )
    if mine and its and matcher.ratio() < _IN_COMMON:
        return Difference((answer.strip(),), (first.strip(),))
    spans, left_out = [], []
    for kind, from_, to, at, until in matcher.get_opcodes():
        if kind == "equal":
            continue
        if until > at:
            spans.append((mine[at][0], mine[until - 1][1]))
        if to > from_:
            left_out.append(first[its[from_][0] : its[to - 1][1]])
    return Difference(tuple(answer[start:end] for start, end in spans), tuple(left_out), tuple(spans))


def by_items(answer: Sequence[str], first: Sequence[str]) -> Difference:
    """The items of an answer that the first lacks, and the reverse; an item given twice counts twice."""
    mine, its = Counter(answer), Counter(first)
    return Difference(tuple((mine - its).elements()), tuple((its - mine).elements()))


def marked(answer: str, difference: Difference) -> str:
    """The answer as HTML, its new runs in `<ins>`, which is underlined and not told by colour alone."""
    pieces, at = [], 0
    for start, end in difference.spans:
        pieces += [escape(answer[at:start]), f"<ins>{escape(answer[start:end])}</ins>"]
        at = end
    return "".join([*pieces, escape(answer[at:])])


def listed(difference: Difference, *, new: str, left_out: str, attributes: str) -> str:
    """Both lists as HTML, in words.

    Args:
        new, left_out: what the lists are called.
        attributes: language and direction of the answers.
    """
    lists = [(new, "ins", difference.new), (left_out, "del", difference.left_out)]
    return "".join(
        f' <span class="change">{escape(called)}: {_items(element, items, attributes)}</span>'
        for called, element, items in lists
        if items
    )


def _items(element: str, items: Sequence[str], attributes: str) -> str:
    shown = ", ".join(f"<{element}><bdi {attributes}>{escape(item)}</bdi></{element}>" for item in items[:MOST_NAMED])
    return shown + (" …" if len(items) > MOST_NAMED else "")
