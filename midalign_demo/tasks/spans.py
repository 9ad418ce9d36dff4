"""Words of a text and where a value stands in it."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Collection

import regex

# Scripts written without spaces between words: there a character counts as a word.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORD = regex.compile(rf"[{_UNSPACED}]|[[\p{{L}}\p{{M}}\p{{N}}_]--[{_UNSPACED}]]+|[^\s]", regex.V1)

_LONG_ENOUGH = 3

Span = tuple[int, int]


def words(text: str) -> list[Span]:
    """Character ranges (start, end) of a text's words.

    Each punctuation mark is a word, and so is each character of a script without spaces, such as Chinese or Thai.
    """
    return [match.span() for match in _WORD.finditer(text)]


def chunks(text: str) -> list[str]:
    """The text cut where a value may begin or end, spaces being chunks of their own.

    That is between words; in scripts without letter case (Arabic, Hangul and so on), where particles and articles are
    often written together with their word, between characters.
    """
    cut: list[str] = []
    for part in regex.findall(r"\s+|\S+", text.strip()):
        if part.isspace():
            cut.append(" ")
            continue
        for start, end in words(part):
            word = part[start:end]
            for piece in [word] if word.upper() != word.lower() else regex.findall(r"\X", word):
                if cut and unicodedata.category(piece[0]).startswith("M"):
                    cut[-1] += piece  # a vowel sign belongs to the letter before it
                else:
                    cut.append(piece)
    return cut


def terminal(text: str, *, in_json: bool = False) -> str:
    """A Lark terminal, in llguidance's dialect, for a run of the text's chunks that neither begins nor ends blank.

    Args:
        in_json: as it stands inside a JSON string.
    """
    pieces = [json.dumps(chunk, ensure_ascii=False)[1:-1] if in_json else chunk for chunk in chunks(text)]
    return f"%regex {json.dumps({'substring_chunks': pieces})} & /[^ ](.*[^ ])?/"


def find(value: str, text: str, taken: Collection[Span] = ()) -> Span | None:
    """Character range of a value in the text, or None where it does not stand there.

    Whole words are looked for first, then parts of words, since prefixes and compounds join a value to its
    neighbours in many languages. A part of fewer than three characters has to begin or end a word, and be of a script
    without letter case, or a number: a Korean room with its particle, the 30 in `30C`, but not the `on` in `phone`.
    Letter case, spacing and Unicode's compatibility variants (full-width digits and the like) make no difference.

    Args:
        taken: ranges that are not to be found again, such as those of an earlier equal value.
    """
    wanted = [_fold(value[start:end]) for start, end in words(value)]
    places = words(text)
    folded = [_fold(text[start:end]) for start, end in places]
    if not wanted:
        return None
    for at in range(len(places) - len(wanted) + 1):
        if folded[at : at + len(wanted)] == wanted:
            span = (places[at][0], places[at + len(wanted) - 1][1])
            if span not in taken:
                return span
    return _find_part("".join(wanted), text, taken)


def whereabouts(value: str, text: str) -> Span | None:
    """Some place where a value's characters stand in the text, or None. As in `find`, or any part of a word."""
    span = find(value, text)
    if span is None and (at := text.casefold().find(value.casefold())) >= 0 and len(text.casefold()) == len(text):
        span = at, at + len(value)
    return span


def _find_part(joined: str, text: str, taken: Collection[Span]) -> Span | None:
    is_short = len(joined) < _LONG_ENOUGH
    if is_short and joined.upper() != joined.lower():
        return None
    # Folding may change a character's length (the German sharp s), so each folded character keeps its origin.
    origins = [
        (character, at) for at, original in enumerate(text) if not original.isspace() for character in _fold(original)
    ]
    folded = "".join(character for character, _ in origins)
    at = folded.find(joined)
    while at >= 0:
        span = (origins[at][1], origins[at + len(joined) - 1][1] + 1)
        if span not in taken and (not is_short or _stands_out(span, text)):
            return span
        at = folded.find(joined, at + 1)
    return None


def _stands_out(span: Span, text: str) -> bool:
    """Whether a part begins or ends a word; for a number: whether no digit is beside it."""
    start, end = span
    before, after = text[start - 1 : start], text[end : end + 1]
    if text[start:end].isdigit():
        return not before.isdigit() and not after.isdigit()
    return not before.isalnum() or not after.isalnum()


def _fold(word: str) -> str:
    return unicodedata.normalize("NFKC", word).casefold()
