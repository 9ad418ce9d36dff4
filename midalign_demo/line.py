"""Who is next: those who wait for one model, in fair order and no more of them than can be answered in good time."""

from __future__ import annotations

import bisect
import threading
import time
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

MOST = 64  # questions that are waited for at a time


class Busy(Exception):
    """So many wait already that nobody else is let into the line."""

    def __init__(self, most: int):
        super().__init__(f"busy: {most} questions are being answered or wait; try again in a minute")


class Left(Exception):
    """Whoever asked is gone, or wants no answer any longer."""


class Asker:
    """Somebody who asks.

    Attributes:
        left: set once nobody waits for an answer any longer.
        place: in line, from 1; None: not in line.
    """

    def __init__(self, name: object = None, *, tell: Callable[[int], None] | None = None):
        """
        Args:
            name: those of one name take turns with others as if they were one; default: alone.
            tell: called with the place in line whenever it is another one.
        """
        self.name = self if name is None else name
        self.left = threading.Event()
        self.place: int | None = None
        self._tell = tell

    def stand_at(self, place: int | None) -> bool:
        """Take note of the place in line; whether it is another one than before."""
        moved, self.place = place != self.place, place
        if moved and place is not None and self._tell:
            self._tell(place)
        return moved


class Waiting(Protocol):
    """What stands in line."""

    @property
    def asker(self) -> Asker: ...

    @property
    def size(self) -> tuple[int, int] | None:
        """How many rows it has, and the most tokens that one of them may come to; None: it is done alone."""


One = TypeVar("One", bound=Waiting)


class Line(Generic[One]):
    """Several threads may join it; one takes out what is to be done next.

    They are done in rounds: everybody's first in one, everybody's second in the next, in each whoever came earlier
    first. Who comes anew joins the round that is being done. So nobody is overtaken without end, and who asks a hundred
    things at once keeps others waiting for one of them.
    """

    def __init__(self, most: int, *, most_rows: int, most_tokens: int):
        """
        Args:
            most: how many may be in line or under way.
            most_rows, most_tokens: what is done together; what is larger is done alone.
        """
        self._most, self._most_rows, self._most_tokens = most, most_rows, most_tokens
        self._waiting: list[tuple[int, One]] = []  # in the order in which they are done, each with its round
        self._round = 0  # that is being done
        self._under_way: set[int] = set()  # by identity
        self._changed = threading.Condition()

    def join(self, one: One, *, again: bool = False) -> None:
        """Stand in line.

        Args:
            again: it goes on with something that was let in before.

        Raises:
            Busy: there are too many.
        """
        with self._changed:
            if not again and len(self._waiting) + len(self._under_way) >= self._most:
                raise Busy(self._most)
            its = [number for number, other in self._waiting
                   if other.asker.name == one.asker.name and not other.asker.left.is_set()]  # fmt: skip
            number = max(self._round, its[-1] + 1) if its else self._round
            bisect.insort(self._waiting, (number, one), key=lambda entry: entry[0])  # after those of its round
            self._changed.notify()

    def leave(self, one: One) -> None:
        """Stand in line no longer; nothing if it has been taken already."""
        with self._changed:
            self._waiting = [entry for entry in self._waiting if entry[1] is not one]

    def place(self, one: One) -> int | None:
        """How many are done first, and itself; None: it is not in line."""
        with self._changed:
            return next((at for at, (_, its) in enumerate(self._waiting, start=1) if its is one), None)

    def take(self, seconds: float) -> list[One]:
        """Take out the first, and with it those after it that can be done together with it; none after so long.

        Those that don't fit keep their places. `done` has to be called with all that were taken.
        """
        until = time.monotonic() + seconds
        with self._changed:
            while not self._waiting:
                if not self._changed.wait(until - time.monotonic()):
                    return []
            (self._round, first), *others = self._waiting
            taken = [first]
            if first.size is not None:
                rows, longest = first.size
                for _, one in others:
                    if together := self._beside(one, rows, longest, others=False):
                        taken.append(one)
                        rows, longest = together
            self._take_out(taken)
        return taken

    def fits(self, rows: int, longest: int, *, others: bool = True) -> bool:
        """Whether the first in line can be done beside what is under way.

        Args:
            rows, longest: how many rows are under way, and the most tokens that one of them may come to.
            others: whether what is done alone may be done as well.
        """
        with self._changed:
            first = self._waiting[0][1] if self._waiting else None
            return first is not None and self._beside(first, rows, longest, others) is not None

    def take_beside(self, rows: int, longest: int, *, others: bool = True) -> list[One]:
        """Take out the first in line that can be done beside what is under way, as `fits`; nobody is overtaken.

        What is done alone comes alone: it can be done between two steps of the others.
        """
        taken: list[One] = []
        with self._changed:
            for number, one in self._waiting:
                together = self._beside(one, rows, longest, others and not taken)
                if together is None:
                    break
                self._round = number
                taken.append(one)
                if one.size is None:
                    break
                rows, longest = together
            self._take_out(taken)
        return taken

    def _beside(self, one: One, rows: int, longest: int, others: bool) -> tuple[int, int] | None:
        """The size of what is under way and one that is done beside it; None: that is too much."""
        if one.size is None:
            return (rows, longest) if others else None
        together = rows + one.size[0], max(longest, one.size[1])
        return together if together[0] <= self._most_rows and together[0] * together[1] <= self._most_tokens else None

    def _take_out(self, taken: list[One]) -> None:
        identities = set(map(id, taken))
        self._waiting = [entry for entry in self._waiting if id(entry[1]) not in identities]
        self._under_way |= identities

    def done(self, taken: Iterable[One]) -> None:
        """Those that were taken are under way no longer, if they still were."""
        with self._changed:
            self._under_way -= set(map(id, taken))

    @property
    def is_empty(self) -> bool:
        """Whether nobody waits."""
        with self._changed:
            return not self._waiting
