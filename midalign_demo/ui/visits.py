"""Who asks for something through an endpoint: they are told of their place in line, and may leave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import anyio
import gradio as gr
from gradio.context import LocalContext

from midalign_demo.line import MOST, Asker

_SPARE = 8  # calls beyond those in line that are worked on: their answer is that the app is busy
_LOOK = 1.0  # seconds between two looks whether the caller is still there

Found = TypeVar("Found")


class Visits:
    """Calls of endpoints under way."""

    def __init__(self) -> None:
        self._threads: anyio.CapacityLimiter | None = None

    async def ask(self, work: Callable[[Asker], Found]) -> Found:
        """Do an endpoint's work in a thread.

        Whoever called it sees the place in line as the call's progress. If they cancel the call, or close the
        connection on which they wait for the answer, the asker has left, and it is the work's to end.

        Args:
            work: is given who asks.
        """
        request, event = LocalContext.request.get(None), _event()
        progress = gr.Progress()
        asker = Asker(
            getattr(request, "session_hash", None), tell=lambda place: progress(0, desc=f"place {place} in line")
        )
        self._threads = self._threads or anyio.CapacityLimiter(MOST + _SPARE)
        # Abandoned when the call is cancelled, since a thread can't be ended from outside: it looks at `asker.left`.
        done = asyncio.ensure_future(
            anyio.to_thread.run_sync(partial(work, asker), abandon_on_cancel=True, limiter=self._threads)
        )
        try:
            while not (await asyncio.wait({done}, timeout=_LOOK))[0]:
                if not getattr(event, "alive", True):
                    asker.left.set()
            return done.result()
        finally:
            asker.left.set()
            done.cancel()


def _event() -> Any:
    """Gradio's event behind the call that is being answered: no longer `alive` once its connection is closed.

    The end of a session, which Gradio has an event for, says less: clients give up its heartbeat, and not the answer,
    when a busy machine lets it come late. None outside Gradio's queue, or if it keeps them elsewhere.
    """
    queue = getattr(LocalContext.blocks.get(None), "_queue", None)
    return getattr(queue, "event_ids_to_events", {}).get(LocalContext.event_id.get(None))
