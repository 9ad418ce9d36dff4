"""The package's own parallel sentences: what the app and `midalign map` show where the user brings none."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from midalign_demo import parallel


def own_folder() -> Path:
    """The folder of the sentences, one file a language."""
    return Path(str(resources.files("midalign_demo") / "assets" / "sentences"))


def own_sentences(
    languages: Sequence[str] | None = None, *, first: int = 1, last: int | None = None
) -> dict[str, list[str]]:
    """For each language its sentences, all lists equally long.

    Args:
        languages: tags, in this order; default: all there are.
        first, last: the lines to take, counted from 1, both included.

    Raises:
        InputError: as `midalign_demo.parallel.read`.
    """
    return parallel.read(own_folder(), languages, first=first, last=last)
