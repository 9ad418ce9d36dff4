"""Telling visitors what went wrong: in the page, and through the endpoints."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

from midalign_demo.characters import cleaned
from midalign_demo.errors import InputError
from midalign_demo.labels import shortened
from midalign_demo.line import Busy, Left
from midalign_demo.ui import cards, words
from midalign_demo.ui.words import Words

logger = logging.getLogger(__name__)

_LONGEST = 600  # characters of a message, which may quote what a visitor pasted


def notice_of(error: Exception, failed: str, say: Words = words.ENGLISH) -> str:
    """What the page says. An `InputError` is in the visitor's words; whatever else it was, the log has it.

    Args:
        failed: what could not be done, for the log.
        say: the language of the page.
    """
    if isinstance(error, InputError):
        return cards.notice(shortened(cleaned(str(error)), _LONGEST), kind="error")
    if isinstance(error, Busy):
        return cards.notice(say("full"), kind="error")
    logger.error(failed, exc_info=error)
    return cards.notice(say("failed"), kind="error")


@contextmanager
def told_to_the_caller() -> Iterator[None]:
    """Around an endpoint's work: what was wrong, or that the app is busy, reaches the caller; no traceback the log.

    Whatever else it was, the log has it, and the caller nothing of our insides.
    """
    try:
        yield
    except Left as error:  # nobody is there to hear of it
        raise gr.Error("left: whoever asked is gone", print_exception=False) from error
    except (InputError, Busy) as error:
        raise gr.Error(shortened(cleaned(str(error)), _LONGEST), print_exception=False) from error
    except gr.Error:
        raise
    except Exception as error:
        logger.exception("An endpoint's call failed")
        raise gr.Error(words.ENGLISH("failed"), print_exception=False) from error
