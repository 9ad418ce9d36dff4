"""One engine that many ask at the same time: questions that wait are answered together."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from midalign_demo.adapters import locate
from midalign_demo.desk import Desk, Question, Turn
from midalign_demo.generation import Row
from midalign_demo.line import MOST, Asker
from midalign_demo.middle import Progress, check_sentences
from midalign_demo.watcher import NOT_BEGUN, Answer

if TYPE_CHECKING:
    from midalign_demo.adapters import Weights
    from midalign_demo.engine import Engine

SENTENCES = 64  # that are embedded before others have their turn


class SharedEngine:
    """An engine that many ask at the same time; for all else the one that it is made from."""

    def __init__(self, engine: Engine, *, most: int = MOST):
        """
        Args:
            most: how many questions may be waited for at a time.
        """
        self._engine = engine
        self._desk = Desk(engine, most)
        self._asker: Asker | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def asked_by(self, asker: Asker) -> SharedEngine:
        """The same, as somebody asks it who has a name and may leave."""
        view = SharedEngine.__new__(SharedEngine)
        view._engine, view._desk, view._asker = self._engine, self._desk, asker
        return view

    def add_task(self, task: str, sources: Mapping[str, str]) -> None:
        """As `Engine.add_task`, in line if something has to be loaded.

        Raises:
            InputError: as there.
            Busy, Left: as `generate`.
        """
        if not self._engine.has_task(task, sources):
            self._in_turn(partial(self._engine.add_task, task, sources))

    def borrow(self, source: str) -> None:
        """As `Engine.borrow`, in line if it has to be loaded.

        Raises:
            InputError: as there.
            Busy, Left: as `generate`.
        """
        if not self._engine.has_borrowed(source):
            locate(source)  # may take its time where it has to be fetched, and keeps nobody waiting here
            self._in_turn(partial(self._engine.borrow, source))

    def _in_turn(self, work: Callable[[], None]) -> None:
        """Have something done by the thread that does the model's work: rows are under way at almost any time."""
        for _ in self._desk.wait_for(Turn(work, self._asker or Asker())):
            pass

    def generate(self, rows: Sequence[Row], *, max_new_tokens: int = 96) -> list[Answer]:
        """As `Engine.generate`, in line.

        Raises:
            InputError: as there.
            Busy: there is no place in line.
            Left: the asker has left meanwhile.
        """
        answers: list[Answer] = []
        for answers in self.stream(rows, max_new_tokens=max_new_tokens):  # noqa: B007
            pass
        return answers

    def stream(self, rows: Sequence[Row], *, max_new_tokens: int = 96) -> Generator[list[Answer], None, None]:
        """As `Engine.stream`, in line; before, answers that are not begun whenever the place in line is another one.

        Closing the iterator returns at once; the computation stops at its next step.

        Raises:
            InputError, Busy, Left: as `generate`.
        """
        if not rows:
            return
        question = Question(self._engine.ready(rows, max_new_tokens=max_new_tokens), self._asker or Asker())
        news = self._desk.wait_for(question)
        try:
            for answers in news:
                yield [NOT_BEGUN] * len(rows) if answers is None else answers
        finally:
            news.close()

    def embed(
        self,
        sentences: Sequence[str],
        weights: Weights,
        *,
        layers: Sequence[int],
        include_bos: bool = False,
        progress: Progress | None = None,
    ) -> dict[int, np.ndarray]:
        """As `Engine.embed`, in line; many sentences stand in it again and again, so that others have their turn.

        Raises:
            InputError: as there.
            Busy, Left: as `generate`.
        """
        check_sentences(sentences)
        asker = self._asker or Asker()
        order = sorted(range(len(sentences)), key=lambda number: len(sentences[number]), reverse=True)
        parts = [order[start : start + SENTENCES] for start in range(0, len(order), SENTENCES)] or [[]]
        found: dict[int, np.ndarray] = {}
        done = 0
        for part in parts:
            lines = [sentences[number] for number in part]
            work = partial(self._engine.embed, lines, weights, layers=layers, include_bos=include_bos)
            for rows in self._desk.wait_for(Turn(work, asker), again=done > 0):
                for layer, its in (rows or {}).items():
                    whole = found.setdefault(layer, np.empty((len(sentences), its.shape[1]), its.dtype))
                    whole[part] = its
            done += len(part)
            if progress:
                progress(done, len(sentences))
        return found
