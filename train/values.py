"""Commands in which a value is exchanged for words of another language.

A model tuned on commands in a few languages gives values of other languages in translation. Copying needs no labels: an
English command whose value is a run of Thai words, taken from any Thai text, shows that values are given as they stand.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace

from midalign_demo.tasks.slot_filling import Command, Slot, locate
from midalign_demo.tasks.spans import words

_LONGEST = 4  # words; in scripts without spaces a word is a character
_LONGEST_UNSPACED = 8
_TRIES = 10


def exchanged(command: Command, texts: Mapping[str, Sequence[str]], rng: random.Random) -> Command:
    """The command with one of its values exchanged, or as it is where it has none that stands in its text.

    Args:
        texts: by language, sentences to take the words from.
    """
    spans = locate(command.slots, command.text)
    places = [number for number, span in enumerate(spans) if span is not None and _stands_alone(number, spans)]
    phrase = _phrase(texts, rng) if places else None
    if phrase is None:
        return command
    number = rng.choice(places)
    start, end = spans[number]
    slots = list(command.slots)
    slots[number] = Slot(slots[number].name, phrase)
    return replace(command, text=command.text[:start] + phrase + command.text[end:], slots=tuple(slots))


def _stands_alone(number: int, spans: Sequence[tuple[int, int] | None]) -> bool:
    """Whether no other value lies in or over a place."""
    start, end = spans[number]
    others = (span for at, span in enumerate(spans) if at != number and span is not None)
    return all(other_end <= start or end <= other_start for other_start, other_end in others)


def _phrase(texts: Mapping[str, Sequence[str]], rng: random.Random) -> str | None:
    """Some words in a row that stand in a sentence, without what would end a value."""
    for _ in range(_TRIES):
        sentence = rng.choice(texts[rng.choice(list(texts))])
        places = words(sentence)
        unspaced = " " not in sentence.strip()
        count = rng.randint(1, _LONGEST_UNSPACED if unspaced else _LONGEST)
        first = rng.randrange(max(1, len(places) - count + 1))
        run = places[first : first + count]
        phrase = sentence[run[0][0] : run[-1][1]] if run else ""
        if phrase and all(character.isalnum() or character in " -'’" or _is_mark(character) for character in phrase):
            return phrase
    return None


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")
