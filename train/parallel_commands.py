"""Parallel voice commands: the same thing asked for in several languages, for alignment.

Nobody translated them: `train.home_assistant` draws many commands in each language, and those that Home Assistant would
understand as the same (intent, rooms, devices, numbers) stand side by side. They are short, as commands are and news
are not, and differ from each other in single words.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

import regex

from midalign_demo.errors import InputError
from train.data import ENGLISH
from train.home_assistant import sample_commands

DRAWN = 12_000  # commands in each language; what is common to several is a fraction of them


def parallel_commands(
    tags: Sequence[str], *, drawn: int = DRAWN, seed: int = 1, exclude: Collection[str] = ()
) -> dict[str, list[str]]:
    """Commands that all languages have, one line for each meaning.

    Args:
        tags: languages; English comes first whether it is named or not.
        drawn: how many commands to draw in each language.
        exclude: commands to leave out in any language, such as those that something is tested on; case, spaces and
            punctuation make no difference.

    Raises:
        InputError: a language without templates, or no meaning that all languages have.
    """
    unwanted = {_letters(text) for text in exclude}
    tags = [ENGLISH, *(tag for tag in tags if tag != ENGLISH)]
    said: dict[str, dict[str, list[str]]] = {}
    for tag in tags:
        said[tag] = {}
        for command in sample_commands(tag, drawn, seed=seed):
            if _letters(command.text) not in unwanted:
                said[tag].setdefault(command.meaning, []).append(command.text)
    meanings = [meaning for meaning in said[ENGLISH] if all(meaning in of for of in said.values())]
    if not meanings:
        raise InputError(f"languages: no command is common to {', '.join(tags)}; name fewer or draw more (--count)")
    rng = random.Random(seed)
    rng.shuffle(meanings)
    return {tag: [rng.choice(said[tag][meaning]) for meaning in meanings] for tag in tags}


def _letters(text: str) -> str:
    return regex.sub(r"[^\p{L}\p{M}\p{N}]", "", text.lower())
