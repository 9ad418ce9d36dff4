"""The desk before a model: one thread does all of its work, for those who stand in line.

It takes the first in line, joins to it the rows of others that wait, and shows each of them its own rows as they grow.
Whoever comes meanwhile joins between two steps, as soon as there is room. Who leaves takes their rows along; who breaks
a batch breaks their own alone.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any

from midalign_demo.errors import InputError
from midalign_demo.generation import Ready
from midalign_demo.line import Asker, Left, Line
from midalign_demo.watcher import Watcher

if TYPE_CHECKING:
    from midalign_demo.engine import Engine

logger = logging.getLogger(__name__)

MOST_ROWS = 48  # of one batch

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


class Question(_Job):
    """Rows to answer."""

    def __init__(self, rows: Sequence[Ready], asker: Asker):
        super().__init__(asker, (len(rows), max(ready.size for ready in rows)))
        self.rows = rows


class Turn(_Job):
    """Any other work for the model."""

    def __init__(self, work: Callable[[], Any], asker: Asker):
        super().__init__(asker, None)
        self._work = work

    def do(self) -> None:
        """Do it, if it is still waited for."""
        if self.gone:
            return
        try:
            self.show(self._work(), over=True)
        except Exception as error:
            traceback.clear_frames(error.__traceback__)  # which hold all that was computed
            self.fail(error)


class Desk:
    """The line before an engine, and the thread that does its work, as long as there is some."""

    def __init__(self, engine: Engine, most: int):
        self._engine = engine
        self._line: Line[_Job] = Line(most, most_rows=MOST_ROWS, most_tokens=engine.batch_tokens)
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
            if isinstance(taken[0], Turn):
                taken[0].do()
            else:
                self._answer([job for job in taken if isinstance(job, Question)])
        except Exception as error:  # or those who wait would do so for ever
            for job in taken:
                job.fail(error)
        finally:
            self._line.done(taken)
        return True

    def _answer(self, questions: Sequence[Question]) -> None:
        """Answer questions in one batch, and those that come meanwhile; where that fails, each in one of its own."""
        together = _Together(self._engine, self._line, questions)
        error = together.run()
        if error is None:
            return
        several = together.been_here > 1
        if several:
            logger.error("A batch failed; its questions are answered one by one", exc_info=error)
        traceback.clear_frames(error.__traceback__)  # which hold all that was computed
        for one in together.under_way:
            its = _Together(self._engine, self._line, [one], alone=True).run() if several else error
            if its is not None:
                traceback.clear_frames(its.__traceback__)
                one.fail(its)


class _Together:
    """Questions that are answered in one batch, and those that come to it while it is computed."""

    def __init__(self, engine: Engine, line: Line[_Job], questions: Sequence[Question], *, alone: bool = False):
        """
        Args:
            alone: nobody comes to it.
        """
        self._engine, self._line, self._alone = engine, line, alone
        self._watcher = Watcher(engine.base, on_step=self._show, on_pause=self._take_more)
        self._numbers: dict[Question, range] = {}
        self._next_turn = 0.0  # time before which no other work is done between two steps
        self.been_here = 0  # questions, in all
        for one in questions:
            self._take_in(one)

    @property
    def under_way(self) -> list[Question]:
        """Questions whose answers are not whole."""
        return list(self._numbers)

    def run(self) -> Exception | None:
        """Compute; what it has failed of, or None. Those that were under way then still are."""
        try:
            self._engine.run(self._watcher)
            self._show()
            return None
        except Exception as error:
            self._line.done(self._numbers)
            return error

    def _take_in(self, question: Question) -> None:
        if question.gone or question.over or not self._has_adapters(question):
            self._line.done([question])
            return
        self._numbers[question] = self._watcher.add(question.rows)
        self.been_here += 1

    def _has_adapters(self, question: Question) -> bool:
        """Whether its adapters are still there; if not, that is its answer. Visitors' make room for one another."""
        try:
            for ready in question.rows:
                self._engine.adapters.check(ready.row.adapters)
        except InputError as error:
            question.fail(error)
            return False
        return True

    def _take_more(self) -> None:
        if self._alone or _ending():
            return
        for job in self._line.take_beside(*self._load(), others=self._may_do_others()):
            if isinstance(job, Question):
                self._take_in(job)
                continue
            begun = time.monotonic()
            assert isinstance(job, Turn)
            job.do()
            self._line.done([job])
            now = time.monotonic()
            self._next_turn = now + (now - begun)  # half of the time is that of the answers
            for question, numbers in self._numbers.items():
                if not self._has_adapters(question):
                    self._watcher.end(numbers)

    def _load(self) -> tuple[int, int]:
        sizes = [ready.size for ready in self._watcher.going_on]
        return len(sizes), max(sizes, default=0)

    def _may_do_others(self) -> bool:
        return not self._numbers or time.monotonic() >= self._next_turn

    def _show(self) -> None:
        ending = _ending()
        for one, numbers in list(self._numbers.items()):
            if ending:
                one.fail(Left())
            if one.gone or one.over:
                self._watcher.end(numbers)
            answers = self._watcher.answers(numbers)
            over = all(answer.done for answer in answers)
            one.show(answers, over=over)
            if over:
                self._watcher.forget(numbers)
                self._line.done([one])
                del self._numbers[one]
        if not self._alone and not ending and self._line.fits(*self._load(), others=self._may_do_others()):
            self._watcher.pause()


def _ending() -> bool:
    """Whether the program is about to end, and waits for its threads."""
    return not threading.main_thread().is_alive()
