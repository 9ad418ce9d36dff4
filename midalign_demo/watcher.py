"""What becomes of rows while they are generated: how far each has come, which has ended, and who comes to them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from transformers import StoppingCriteria

from midalign_demo.bases import Base

if TYPE_CHECKING:
    from midalign_demo.generation import Ready

# Below as many rows a step takes as long as it takes to read the weights, however many rows it has.
_FEW_ROWS = 8


@dataclass(frozen=True)
class Answer:
    """An answer as far as it has come.

    Attributes:
        text: what was generated, up to a line break.
        new_tokens: number of generated tokens, the end mark included.
        seconds: from the start of the row's computation to its last token.
        done: whether the row has ended.
        truncated: whether it ended only because it reached the limit of tokens.
    """

    text: str
    new_tokens: int
    seconds: float
    done: bool
    truncated: bool = False


NOT_BEGUN = Answer("", 0, 0.0, False)


@dataclass
class _Growing:
    """A row and its answer, the latter as far as it has come."""

    ready: Ready
    answer: Answer = NOT_BEGUN
    started: float | None = None
    tokens: int = 0


class Watcher(StoppingCriteria):
    """Sees every step of a generation: reports it, ends rows where they should, and ends all when cancelled.

    A row ends at a line break, at its most tokens, or when nobody waits for it any longer. Between two steps the
    computation pauses to let ended rows go, and to take in those that were added meanwhile.
    """

    def __init__(
        self,
        base: Base,
        rows: Sequence[Ready] = (),
        *,
        on_step: Callable[[], None] | None = None,
        on_pause: Callable[[], None] | None = None,
    ):
        """
        Args:
            on_step: called after each step, in which it may `end` rows and `pause`.
            on_pause: called where nothing is being computed; there it may `add` rows.
        """
        self.cancelled = threading.Event()
        self._base = base
        end = base.model.generation_config.eos_token_id
        self.ends = set(end if isinstance(end, list) else [end])
        self._on_step, self._on_pause = on_step, on_pause
        self._rows: dict[int, _Growing] = {}
        self._added = 0
        self._computed: Sequence[int] = []
        self._pausing = False
        self.leaving = False  # whether steps count no longer: on some devices one more is made than was asked for
        self.add(rows)

    def add(self, rows: Sequence[Ready]) -> range:
        """Take in rows, which are begun at the next pause; the numbers that they have from then on."""
        numbers = range(self._added, self._added + len(rows))
        self._rows |= {number: _Growing(ready) for number, ready in zip(numbers, rows, strict=True)}
        self._added = numbers.stop
        return numbers

    def ready(self, number: int) -> Ready:
        """A row."""
        return self._rows[number].ready

    def answers(self, numbers: Iterable[int] | None = None) -> list[Answer]:
        """Answers of rows, as far as they have come; default: of all in the order in which they were added."""
        return [self._rows[number].answer for number in (self._rows if numbers is None else numbers)]

    def end(self, numbers: Iterable[int]) -> None:
        """End rows where they are, though they are not complete."""
        for number in numbers:
            growing = self._rows[number]
            if not growing.answer.done:
                growing.answer = replace(growing.answer, done=True, truncated=True)

    def end_all(self) -> None:
        """End all rows where they are."""
        self.end(self._rows)

    def forget(self, numbers: Iterable[int]) -> None:
        """Keep nothing of rows that have ended."""
        for number in numbers:
            assert self._rows[number].answer.done
            del self._rows[number]

    def is_done(self, number: int) -> bool:
        """Whether a row has ended."""
        growing = self._rows.get(number)
        return growing is None or growing.answer.done

    def left_of(self, number: int) -> int:
        """How many tokens a row may still be given."""
        growing = self._rows[number]
        return growing.ready.most - growing.tokens

    @property
    def going_on(self) -> list[Ready]:
        """The rows that have not ended."""
        return [growing.ready for growing in self._rows.values() if not growing.answer.done]

    def pause(self) -> None:
        """Let the computation pause after this step."""
        self._pausing = True

    def paused(self) -> list[int]:
        """Numbers of the rows that are to be begun now."""
        self._pausing = False
        if self.cancelled.is_set():
            return []
        if self._on_pause:
            self._on_pause()
        begun = [number for number, its in self._rows.items() if its.started is None and not its.answer.done]
        now = time.perf_counter()
        for number in begun:
            self._rows[number].started = now
        return begun

    def compute(self, numbers: Sequence[int]) -> None:
        """The next steps are those of a batch of these rows."""
        self._computed, self.leaving = numbers, False

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **kwargs) -> torch.BoolTensor:
        if self.leaving:
            return torch.ones(len(input_ids), dtype=torch.bool, device=input_ids.device)
        now = time.perf_counter()
        rows = [self._rows.get(number) for number in self._computed]
        longest = 1 + max((row.tokens for row in rows if row), default=0)
        for row, ids in zip(rows, input_ids[:, -longest:].tolist(), strict=True):
            if row and not row.answer.done:
                row.tokens += 1
                row.answer = self._answer(ids[-row.tokens :], now - (row.started or now), row.ready.most)
        if self._on_step:
            self._on_step()
        done = [self.is_done(number) for number in self._computed]  # some of them since that call
        # Ended rows leave the batch a quarter of it at a time: a batch is not made smaller for nothing.
        many_done = len(done) >= _FEW_ROWS and 4 * sum(done) >= len(done)
        self.leaving = many_done or self._pausing or self.cancelled.is_set()
        return torch.tensor([True] * len(done) if self.leaving else done, device=input_ids.device)

    def _answer(self, ids: list[int], seconds: float, most: int) -> Answer:
        text = self._base.decode(ids).strip(" ").lstrip("\n")
        line, line_break, _ = text.partition("\n")
        # A character of several tokens shows up as U+FFFD until its last token is there.
        ended = bool(line_break) or ids[-1] in self.ends
        truncated = not ended and len(ids) >= most
        return Answer(line.rstrip("\ufffd").strip(), len(ids), seconds, ended or truncated, truncated)
