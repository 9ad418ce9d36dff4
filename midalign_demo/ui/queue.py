"""How many of the app's events may be under way at a time."""

from __future__ import annotations

from typing import Any

from midalign_demo.line import MOST
from midalign_demo.ui.host import ModelHost

# What is done one at a time: maps and layers.
MODEL_QUEUE = {"concurrency_id": "model", "concurrency_limit": 1}

PLACES = 32  # events that wait before they are under way; whoever comes then is told so by Gradio
_AT_A_SERVER = 16  # questions that are put to a server at a time, which makes batches of them
_SPARE = 16  # questions beyond those that may stand in line: their answer is that the app is busy

# Each question under way and each map takes one of Gradio's threads, and so do the page's own small events.
THREADS = MOST + _SPARE + 40


def answer_queue(host: ModelHost) -> dict[str, Any]:
    """Options of the events that ask questions: all of them stand in the engine's own line, where it has one."""
    if host.zero:
        return MODEL_QUEUE
    limit = MOST + _SPARE if host.served is None else _AT_A_SERVER
    return {"concurrency_id": "answers", "concurrency_limit": limit}
