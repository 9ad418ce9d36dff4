"""What is looked for in training data: warned of where a run can go on, refused where it could only fail later."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from midalign_demo.detection import other_language
from midalign_demo.errors import InputError
from midalign_demo.middle import MAX_TOKENS

LONGEST_TEXT = 10_000  # characters of a task's text: every step's memory would have to hold it whole
_LONG_LINE = 4 * MAX_TOKENS  # characters that hardly any tokenizer has in so many tokens

logger = logging.getLogger(__name__)


def warn_of(corpus: Mapping[str, Sequence[str]], source: str) -> None:
    """Log what is odd about a parallel text: languages other than those claimed, duplicates, lines that will be cut."""
    for tag, lines in corpus.items():
        _warn_of_language(tag, lines, source)
        long = [number for number, line in enumerate(lines, start=1) if len(line) > _LONG_LINE]
        if long:
            logger.warning(
                "warning: %s: line %d of %r has %d characters%s; what is beyond %d tokens is left out",
                source, long[0], tag, len(lines[long[0] - 1]),
                f", and {len(long) - 1} more are over {_LONG_LINE}" if len(long) > 1 else "", MAX_TOKENS,
            )  # fmt: skip
    total = len(next(iter(corpus.values())))
    if repeated := total - len(set(zip(*corpus.values(), strict=True))):
        logger.warning(
            "warning: %s: %d of %d lines are there more than once; they are contrasted with themselves",
            source, repeated, total,
        )  # fmt: skip


def _warn_of_language(tag: str, lines: Sequence[str], source: str) -> None:
    try:
        found = other_language(lines, tag)
    except OSError as error:  # py3langid unpacks its model into a temporary file
        logger.warning("warning: %s: its languages can't be looked at (%s)", source, error.strerror)
        return
    if found:
        logger.warning("warning: %s: the lines given as %r look like %r", source, tag, found)


def refuse_long(texts: Iterable[str], source: str) -> None:
    """Let no text through that one step could not hold.

    Raises:
        InputError: one of more than `LONGEST_TEXT` characters.
    """
    for number, text in enumerate(texts, start=1):
        if len(text) > LONGEST_TEXT:
            raise InputError(
                f"data: text {number} of {source} has {len(text)} characters, at most {LONGEST_TEXT} are allowed: "
                f"{text[:40]!r}.."
            )
