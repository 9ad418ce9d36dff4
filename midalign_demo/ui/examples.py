"""The examples that the page offers for each task."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files

from midalign_demo import languages


@lru_cache(maxsize=1)
def by_task() -> dict[str, list[dict]]:
    """For each task `{"language", "text"}`, of translations with `"target"`."""
    return json.loads((files("midalign_demo") / "assets" / "examples.json").read_text(encoding="utf-8"))


def tags() -> list[str]:
    """The languages of all examples, those of the first task first."""
    found = dict.fromkeys(entry["language"] for entries in by_task().values() for entry in entries)
    return list(found)


def language_choices(first: tuple[str, str] | None = None) -> list[tuple[str, str]]:
    """Choices of a dropdown: the languages by their own names, and in English."""
    named = [(languages.both_names(tag), tag) for tag in tags()]
    return [first, *named] if first else named


def label(entry: dict) -> str:
    """What an example's button says."""
    to = f" → {languages.autonym(entry['target'])}" if "target" in entry else ""
    return f"{languages.autonym(entry['language'])}{to}: {entry['text']}"
