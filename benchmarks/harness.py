"""Two ways to do the same work, measured side by side in one run."""

from __future__ import annotations

import json
import multiprocessing
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

PAIRS = 5


@dataclass(frozen=True)
class Sides:
    """The two ways, ready to run.

    Attributes:
        ours: midalign's way (A).
        plain: the same with transformers and peft, as someone who knows them would write it (B).
        same: of both results whether they are the same; raises AssertionError with what differs.
    """

    ours: Callable[[], Any]
    plain: Callable[[], Any]
    same: Callable[[Any, Any], None]


@dataclass(frozen=True)
class Benchmark:
    """Attributes:
    name, what: what is measured, short and in a sentence.
    goal: what B/A should reach.
    memory_goal: what A/B of the peak memory should stay under, or None.
    prepare: makes the two ways; not measured.
    """

    name: str
    what: str
    goal: float
    prepare: Callable[[], Sides]
    memory_goal: float | None = None


@dataclass(frozen=True)
class Outcome:
    """Attributes:
    name, goal, memory_goal: the benchmark's.
    ratio, low, high: time of B over that of A, the median over the pairs and their range.
    memory_ratio: what A needs at its peak over what B needs, beyond what both had loaded; None where it can't be read.
    pairs: how often each ran.
    """

    name: str
    ratio: float
    low: float
    high: float
    memory_ratio: float | None
    goal: float
    memory_goal: float | None
    pairs: int

    @property
    def meets_goals(self) -> bool:
        """Whether time, and memory where it has a goal and can be read, are as wanted."""
        memory_met = None in (self.memory_goal, self.memory_ratio) or self.memory_ratio <= self.memory_goal
        return self.ratio >= self.goal and memory_met

    def as_json(self) -> str:
        return json.dumps({key: round(value, 3) if isinstance(value, float) else value
                           for key, value in asdict(self).items()})  # fmt: skip


def run(benchmark: Benchmark, pairs: int = PAIRS) -> Outcome:
    """Check that both ways give the same, then run them in turns.

    Raises:
        AssertionError: they don't.
    """
    memory = {side: _memory_in_a_process_of_its_own(benchmark, side) for side in ("ours", "plain")}
    sides = benchmark.prepare()
    sides.same(sides.ours(), sides.plain())  # the warm-up as well
    ratios = []
    for _ in range(pairs):
        seconds = {}
        for side in ("ours", "plain"):
            begun = time.perf_counter()
            getattr(sides, side)()
            seconds[side] = time.perf_counter() - begun
        ratios.append(seconds["plain"] / seconds["ours"])
    return Outcome(
        name=benchmark.name,
        ratio=median(ratios),
        low=min(ratios),
        high=max(ratios),
        memory_ratio=None if None in memory.values() else memory["ours"] / memory["plain"],
        goal=benchmark.goal,
        memory_goal=benchmark.memory_goal,
        pairs=pairs,
    )


def check_hardly_differ(same: float, what: str) -> None:
    """Sums in another order differ in their last bits, which may turn a tie between two words; hardly ever though.

    Args:
        same: the share of both ways' tokens or answers that are the same.

    Raises:
        AssertionError: it is too small.
    """
    assert same > 0.95, f"only {same:.1%} of the {what} are the same"


def _memory_in_a_process_of_its_own(benchmark: Benchmark, side: str) -> float | None:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure_memory, args=(benchmark, side, sender))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError as error:
        raise RuntimeError(
            f"{benchmark.name}: the process that measures memory ended with {process.exitcode}"
        ) from error
    finally:
        process.join()


def _measure_memory(benchmark: Benchmark, side: str, sender) -> None:
    sides = benchmark.prepare()
    before = _resident("VmRSS") if _forget_peak() else None
    getattr(sides, side)()
    sender.send(None if before is None else max(1, _resident("VmHWM") - before))


def _forget_peak() -> bool:
    """Let Linux count the peak of resident memory anew; False where that can't be done."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _resident(field: str) -> int:
    """`VmRSS` (now) or `VmHWM` (peak) of this process, in KiB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE).group(1))
