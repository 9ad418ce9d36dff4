"""Who asks for something through an endpoint: they are told of their place in line, and may leave."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import anyio
import gradio as gr
from gradio.context import LocalContext

from midalign_demo.line import MOST, Asker

_SPARE = 8  # calls beyond those in line that are worked on: their answer is that the app is busy

Found = TypeVar("Found")


class Visits:
    """Calls of endpoints under way."""

    def __init__(self) -> None:
        self._askers: dict[str | None, set[Asker]] = {}
        self._changing = threading.Lock()
        self._threads: anyio.CapacityLimiter | None = None

    async def ask(self, work: Callable[[Asker], Found]) -> Found:
        """Do an endpoint's work in a thread.

        Whoever called it sees the place in line as the call's progress. If they cancel the call, or close the
        connection, the asker has left, and it is the work's to end.

        Args:
            work: is given who asks.
        """
        request = LocalContext.request.get(None)
        session = getattr(request, "session_hash", None)
        progress = gr.Progress()
        asker = Asker(session, tell=lambda place: progress(0, desc=f"place {place} in line"))
        with self._changing:
            self._askers.setdefault(session, set()).add(asker)
        self._threads = self._threads or anyio.CapacityLimiter(MOST + _SPARE)
        try:
            # Abandoned, since a thread can't be ended from outside: it looks at `asker.left`.
            return await anyio.to_thread.run_sync(
                partial(work, asker), abandon_on_cancel=True, limiter=self._threads
            )  # fmt: skip
        finally:
            asker.left.set()
            with self._changing:
                self._askers[session].discard(asker)
                if not self._askers[session]:
                    del self._askers[session]

    def leave(self, request: gr.Request) -> None:
        """A session has ended, and all that it has asked for with it."""
        with self._changing:
            for asker in self._askers.get(request.session_hash, ()):
                asker.left.set()
