"""One engine that many ask at the same time: questions that wait are answered together, in one batch.

One thread does all of the model's work. It takes the first in line, joins to it the rows of others that wait, and shows
each of them its own rows as they grow. Whoever comes meanwhile joins between two steps, as soon as there is room. Who
leaves takes their rows along; who breaks a batch breaks their own alone.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from midalign_demo.adapters import locate
from midalign_demo.generation import Ready, Row
from midalign_demo.line import MOST, Asker, Left, Line
from midalign_demo.middle import Progress, check_sentences
from midalign_demo.watcher import NOT_BEGUN, Answer, Watcher

if TYPE_CHECKING:
    from midalign_demo.adapters import Weights
    from midalign_demo.engine import Engine

MOST_ROWS = 48  # of one batch
MOST_TOKENS = 16384  # of one batch, padding included: 600 MB of keys and values for the embedded base in float32
SENTENCES = 64  # that are embedded before others have their turn

_IDLE = 2.0  # seconds after which the thread ends; the next question begins another
_PAUSE = 0.5  # seconds between two looks at the place in line


class _Job:
    """Something that stands in line or is under way, and what has come of it so far."""

    def __init__(self, asker: Asker, size: tuple[int, int] | None):
        self.asker, self.size = asker, size
        self.gone = False  # nobody waits for it
        self.over = False
        self._found: Any = None
        self._error: BaseException | None = None
        self._news = threading.Condition()
        self._read = True  # whether what was found has been looked at

    def show(self, found: Any, *, over: bool) -> None:
        """What has come of it; in the place of what was shown before, read or not."""
        with self._news:
            if not self.over:
                self._found, self.over, self._read = found, over, False
                self._news.notify_all()

    def fail(self, error: BaseException) -> None:
        with self._news:
            if not self.over:
                self._error, self.over = error, True
                self._news.notify_all()

    def look(self, seconds: float) -> tuple[Any, bool]:
        """What is new, waited for so long, or None; and whether it was the last.

        Raises:
            Exception: what it has failed of.
        """
        with self._news:
            self._news.wait_for(lambda: self.over or not self._read, seconds)
            if self._error is not None:
                raise self._error
            found, self._read = None if self._read else self._found, True
            return found, self.over


class _Question(_Job):
    """Rows to answer."""

    def __init__(self, rows: Sequence[Ready], asker: Asker):
        super().__init__(asker, (len(rows), max(ready.size for ready in rows)))
        self.rows = rows


class _Turn(_Job):
    """Any other work for the model."""

    def __init__(self, work: Callable[[], Any], asker: Asker):
        super().__init__(asker, None)
        self.work = work


class _Desk:
    """The line before an engine, and the thread that does its work, as long as there is some."""

    def __init__(self, engine: Engine, most: int):
        self._engine = engine
        self._line: Line[_Job] = Line(most, most_rows=MOST_ROWS, most_tokens=MOST_TOKENS)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def wait_for(self, job: _Job, *, again: bool = False) -> Generator[Any, None, None]:
        """Stand in line and see what comes of it: every time that there is something new, and None when the place in
        line is another one. Closing the iterator leaves the line, or ends the work.

        Raises:
            Busy: there is no place in line.
            Left: the asker has left meanwhile.
            Exception: what the work has failed of.
        """
        with self._starting:
            self._line.join(job, again=again)
            if self._thread is None:
                # Not a daemon: torch aborts the process if it is still computing when Python has gone.
                self._thread = threading.Thread(target=self._work, name="model", daemon=False)
                self._thread.start()
        try:
            over = False
            while not over:
                if job.asker.stand_at(self._line.place(job)):
                    yield None
                found, over = job.look(_PAUSE)
                if job.asker.left.is_set():
                    raise Left
                if found is not None:
                    job.asker.stand_at(None)
                    yield found
        finally:
            job.gone = True
            self._line.leave(job)
            job.asker.stand_at(None)

    def _work(self) -> None:
        while self._do_next():
            pass

    def _do_next(self) -> bool:
        """What is first in line, and whatever can be done with it; False: nothing came, and the thread is to end."""
        taken = self._line.take(_IDLE)
        if not taken:
            with self._starting:
                if self._line.is_empty:
                    self._thread = None
                return self._thread is not None
        try:
            if _ending():
                raise Left
            if isinstance(taken[0], _Turn):
                self._do(taken[0])
            else:
                self._answer([job for job in taken if isinstance(job, _Question)])
        except Exception as error:  # or those who wait would do so for ever
            for job in taken:
                job.fail(error)
        finally:
            self._line.done(taken)
        return True

    def _do(self, turn: _Turn) -> None:
        if turn.gone:
            return
        try:
            turn.show(turn.work(), over=True)
        except Exception as error:
            traceback.clear_frames(error.__traceback__)
            turn.fail(error)

    def _answer(self, questions: Sequence[_Question], *, alone: bool = False) -> None:
        """Answer questions in one batch, and those that come meanwhile; where that fails, each in a batch of its own.

        Args:
            alone: nobody joins.
        """
        under_way: dict[_Question, range] = {}
        been_here = 0

        def take_in(job: _Job) -> None:
            nonlocal been_here
            if isinstance(job, _Question) and not job.gone and not job.over:
                under_way[job] = watcher.add(job.rows)
                been_here += 1
                return
            if isinstance(job, _Turn):
                self._do(job)
            self._line.done([job])

        def load() -> tuple[int, int]:
            sizes = [ready.size for ready in watcher.going_on]
            return len(sizes), max(sizes, default=0)

        def show() -> None:
            for one, numbers in list(under_way.items()):
                if _ending():
                    one.fail(Left())
                if one.gone or one.over:
                    watcher.end(numbers)
                answers = watcher.answers(numbers)
                over = all(answer.done for answer in answers)
                one.show(answers, over=over)
                if over:
                    watcher.forget(numbers)
                    self._line.done([one])
                    del under_way[one]
            if not alone and not _ending() and self._line.fits(*load()):
                watcher.pause()

        def take_more() -> None:
            if not alone and not _ending():
                for job in self._line.take_beside(*load()):
                    take_in(job)

        watcher = Watcher(self._engine.base, on_step=show, on_pause=take_more)
        for one in questions:
            take_in(one)
        try:
            self._engine.run(watcher)
            return
        except Exception as error:
            traceback.clear_frames(error.__traceback__)  # which hold all that was computed
            failed = error
        broken = list(under_way)
        try:
            for one in broken:
                if been_here == 1:
                    one.fail(failed)
                else:
                    self._answer([one], alone=True)
        finally:
            self._line.done(broken)


class SharedEngine:
    """An engine that many ask at the same time; for all else the one that it is made from."""

    def __init__(self, engine: Engine, *, most: int = MOST):
        """
        Args:
            most: how many questions may be waited for at a time.
        """
        self._engine = engine
        self._desk = _Desk(engine, most)
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
        for _ in self._desk.wait_for(_Turn(work, self._asker or Asker())):
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
        question = _Question(self._engine.ready(rows, max_new_tokens=max_new_tokens), self._asker or Asker())
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
            for rows in self._desk.wait_for(_Turn(work, asker), again=done > 0):
                for layer, its in (rows or {}).items():
                    whole = found.setdefault(layer, np.empty((len(sentences), its.shape[1]), its.dtype))
                    whole[part] = its
            done += len(part)
            if progress:
                progress(done, len(sentences))
        return found


def _ending() -> bool:
    """Whether the program is about to end, and waits for its threads."""
    return not threading.main_thread().is_alive()
