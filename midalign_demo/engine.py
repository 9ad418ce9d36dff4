"""One base with its adapters answers a batch of (prompt, adapter) rows in one `generate` call."""

from __future__ import annotations

import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping, Sequence

import numpy as np

from midalign_demo import bases
from midalign_demo.adapters import AdapterSet, Weights
from midalign_demo.bases import Base
from midalign_demo.errors import InputError
from midalign_demo.generation import Generation, Ready, Row
from midalign_demo.middle import Progress, embed
from midalign_demo.variants import (
    ROLES,
    VARIANTS,
    adapter_name,
    align_weight,
    check,
    own_of,
    roles_of,
    shipped_sources,
)
from midalign_demo.watcher import Answer, Watcher

MOST_BORROWED = 4  # adapters of visitors that are kept


class Engine:
    """Answers prompts under several adapters.

    Model calls are serialised by `base.lock`; an engine may be shared by threads.
    """

    holds = True  # whether answers can be held to a grammar
    # Of all rows together, padding included: 600 MB of keys and values for the embedded base in float32.
    batch_tokens = 16384

    def __init__(self, base: Base):
        self.base = base
        self.adapters = AdapterSet(base)
        self._generation = Generation(base, self.adapters)
        self._merge_weights: dict[str, tuple[float, float]] = {}
        self._own: dict[str, list[str]] = {}  # by task, the variants that the user named
        self._borrowed: OrderedDict[str, None] = OrderedDict()  # the one used last at the end
        self._borrowing = threading.Lock()

    def add_task(self, task: str, sources: Mapping[str, str]) -> None:
        """Load what a task's variants need, as far as it is given and not loaded yet.

        Args:
            task: name of the task, such as `slot-filling`.
            sources: for the roles `task`, `align` and `joint` a shipped adapter's name, a folder or a
                hub id; none is a must. Under any other name an adapter is a variant of that name.

        Raises:
            InputError: an adapter that is not there or does not fit the base.
        """
        if "task" in sources and "align" in sources:
            self.set_merge(task, align_weight(task, sources))
        self._own[task] = own_of(sources)
        for role in (*ROLES, *self._own[task]):
            name = adapter_name(role, task)
            if role in sources and name not in self.adapters.names:
                self.adapters.load(name, sources[role])

    def has_task(self, task: str, sources: Mapping[str, str]) -> bool:
        """Whether `add_task` would load nothing."""
        wanted = {adapter_name(role, task) for role in (*ROLES, *own_of(sources)) if role in sources}
        return task in self._own and wanted <= set(self.adapters.names)

    def has_borrowed(self, source: str) -> bool:
        """Whether a visitor's adapter is there; if so, it is the one used last from now on."""
        with self._borrowing:
            if source in self._borrowed:
                self._borrowed.move_to_end(source)
            return source in self._borrowed

    def borrow(self, source: str) -> None:
        """Load a visitor's adapter: from then on its source is the name of a variant of any task.

        Only the newest few are kept. Who asks a variant that had to make room meanwhile is told that it isn't there.

        Args:
            source: a folder or a hub id.

        Raises:
            InputError: no such adapter, or one that does not fit the base.
        """
        with self._borrowing:
            if source not in self._borrowed:
                self.adapters.load(_borrowed_name(source), source)
                self._borrowed[source] = None
            self._borrowed.move_to_end(source)
            while len(self._borrowed) > MOST_BORROWED:
                self.adapters.unload(_borrowed_name(self._borrowed.popitem(last=False)[0]))

    def set_merge(self, task: str, align_weight: float, task_weight: float = 1.0) -> None:
        """The weights of a task's `merged` variant where a question names none."""
        self._merge_weights[task] = task_weight, align_weight

    def merge_weights(self, task: str) -> tuple[float, float]:
        """Weights of task and alignment adapter in a task's `merged` variant."""
        return self._merge_weights.get(task, (1.0, 1.0))

    def variants(self, task: str) -> list[str]:
        """The variants that the loaded adapters allow for a task, in the usual order, and the user's own."""
        loaded = set(self.adapters.names)
        usual = [name for name in VARIANTS if {adapter_name(role, task) for role in roles_of([name])} <= loaded]
        return [*usual, *self._own.get(task, ())]

    def adapters_of(self, variant: str, task: str, merge: tuple[float, float] | None = None) -> dict[str, float]:
        """The adapters behind a variant, each with its weight.

        Args:
            merge: weights of task and alignment adapter in `merged`; default: those of `set_merge`.

        Raises:
            InputError: not a variant, or an adapter of it is not loaded.
        """
        if variant in self._borrowed:
            return {_borrowed_name(variant): 1.0}
        check([variant], self._own.get(task, ()))
        if variant not in self.variants(task):
            raise InputError(
                f"variants: {variant!r} has no adapter for {task}; there are {', '.join(self.variants(task))}"
            )
        if variant == "merged":
            weights = merge or self.merge_weights(task)
            return {adapter_name(role, task): weight for role, weight in zip(("task", "align"), weights, strict=True)}
        return {adapter_name(role, task): 1.0 for role in roles_of([variant])}

    def count_tokens(self, text: str) -> int:
        """How many tokens a text has."""
        return len(self.base.encode(text))

    def embed(
        self,
        sentences: Sequence[str],
        weights: Weights,
        *,
        layers: Sequence[int],
        include_bos: bool = False,
        progress: Progress | None = None,
    ) -> dict[int, np.ndarray]:
        """Embeddings of n sentences under adapters: for each layer (n, width), see `midalign_demo.middle.embed`.

        Raises:
            InputError: an adapter that is not loaded, or as there.
        """
        with self.adapters.under(weights):
            return embed(self.base, sentences, layers=layers, include_bos=include_bos, progress=progress)

    def generate(self, rows: Sequence[Row], *, max_new_tokens: int = 96) -> list[Answer]:
        """Answer all rows in one batch, greedily; an answer ends at the end mark, a line break or `max_new_tokens`.

        An answer with a grammar is not cut off there, but brought to an end, for which it gets some tokens more.

        Raises:
            InputError: an adapter that is not loaded, a prompt that is too long, or a grammar that can't be read.
        """
        ready = self.ready(rows, max_new_tokens=max_new_tokens)
        watcher = Watcher(self.base, ready)
        self.run(watcher)
        return watcher.answers()

    def stream(self, rows: Sequence[Row], *, max_new_tokens: int = 96) -> Generator[list[Answer], None, None]:
        """As `generate`, but yields all rows' answers as they grow. Closing the iterator stops the computation.

        Raises:
            InputError: as `generate`.
        """
        snapshots: queue.SimpleQueue[list[Answer] | BaseException | None] = queue.SimpleQueue()
        ready = self.ready(rows, max_new_tokens=max_new_tokens)
        watcher = Watcher(self.base, ready, on_step=lambda: snapshots.put(watcher.answers()))

        def work() -> None:
            try:
                self.run(watcher)
                snapshots.put(watcher.answers())
                snapshots.put(None)
            except BaseException as error:  # handed to the reader, which would otherwise wait for ever
                snapshots.put(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            while (item := snapshots.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            watcher.cancelled.set()
            thread.join()

    def ready(self, rows: Sequence[Row], *, max_new_tokens: int) -> list[Ready]:
        """Rows checked and made ready for `run`, without waiting for the model.

        Raises:
            InputError: as `generate`.
        """
        return [self._generation.ready(row, max_new_tokens) for row in rows]

    def run(self, watcher: Watcher) -> None:
        """Answer a watcher's rows, which may be of several questions, and those that come to it meanwhile, all in one
        batch; it has the answers.
        """
        with self.base.lock:
            self._generation.run(watcher)


def _borrowed_name(source: str) -> str:
    """Apart from the names of tasks and roles, which may be the source's too."""
    return f"visitor:{source}"


def open_engine(
    base: str,
    task: str,
    *,
    sources: Mapping[str, str] | None = None,
    variants: Sequence[str] = VARIANTS,
    dtype: str = "auto",
    device: str = "auto",
    report: Callable[[str], None] = lambda message: None,
) -> Engine:
    """A base with the adapters for a task: the shipped ones where they fit, and those given.

    Args:
        base, dtype, device, report: see `midalign_demo.bases.load`.
        sources: see `Engine.add_task`; each takes the place of the shipped one.
        variants: only the adapters that these need are loaded, and those under names of the user's own.

    Raises:
        InputError: see `midalign_demo.bases.load` and `Engine.add_task`.
    """
    engine = Engine(bases.load(base, dtype=dtype, device=device, report=report))
    available = {**shipped_sources(base, task), **(sources or {})}
    needed = roles_of(variants) | set(own_of(sources or {}))
    engine.add_task(task, {role: source for role, source in available.items() if role in needed})
    return engine
