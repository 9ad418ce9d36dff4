"""ZeroGPU Spaces: what needs the GPU runs in a process that is forked for it and has it for as long.

Hugging Face's package `spaces` does that to functions given to `spaces.GPU`. It is there on a Space and nowhere else.
Such a function's arguments and results travel between the two processes; what it changes is lost. So the engine is
loaded before the page is served, and only the calls that compute are given away.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from midalign_demo.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from midalign_demo.adapters import Weights
    from midalign_demo.engine import Engine
    from midalign_demo.generation import Row
    from midalign_demo.watcher import Answer


def prepare() -> bool:
    """Whether this is a ZeroGPU Space. To be called before torch is imported, which `spaces` has to come before."""
    if importlib.util.find_spec("spaces") is None:
        return False
    import spaces

    return bool(spaces.config.Config.zero_gpu)


class ZeroEngine:
    """An engine on a ZeroGPU Space: as the one that it is made from, but for where it computes."""

    def __init__(self, engine: Engine):
        """Before the page is served: `spaces` looks then for what will need the GPU."""
        self._engine = engine
        self._generate = on_gpu(engine.generate)
        self._stream = on_gpu(engine.stream)
        self._embed = on_gpu(engine.embed)
        os.register_at_fork(after_in_child=self._renew_locks)

    def _renew_locks(self) -> None:
        """A fork may come while another thread counts tokens: the copy of its lock would never be released."""
        self._engine.base.lock, self._engine.base.tokenizing = threading.RLock(), threading.RLock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def generate(self, rows: Sequence[Row], *, max_new_tokens: int = 96) -> list[Answer]:
        return self._generate(rows, max_new_tokens=max_new_tokens)

    def stream(self, rows: Sequence[Row], *, max_new_tokens: int = 96) -> Generator[list[Answer], None, None]:
        yield from self._stream(rows, max_new_tokens=max_new_tokens)

    def embed(
        self, sentences: Sequence[str], weights: Weights, *, layers: Sequence[int], progress: object = None
    ) -> dict[int, np.ndarray]:
        """Without word of how far it is, which could not be heard from there."""
        return self._embed(sentences, weights, layers=layers)


def on_gpu(function: Callable) -> Callable:
    """The function with a GPU for as long as it runs. Bad input, which `spaces` would not let through, is as ever."""
    import spaces

    if inspect.isgeneratorfunction(function):

        def each(*args: Any, **options: Any) -> Iterator:
            try:
                for value in function(*args, **options):
                    yield value, None
            except InputError as error:
                yield None, str(error)

        far = spaces.GPU(each)

        def here(*args: Any, **options: Any) -> Iterator:
            for value, problem in far(*args, **options):
                yield _unless(problem, value)

        return here

    def once(*args: Any, **options: Any) -> tuple:
        try:
            return function(*args, **options), None
        except InputError as error:
            return None, str(error)

    far_once = spaces.GPU(once)

    def here_once(*args: Any, **options: Any) -> Any:
        value, problem = far_once(*args, **options)
        return _unless(problem, value)

    return here_once


def _unless(problem: str | None, value: Any) -> Any:
    if problem is not None:
        raise InputError(problem)
    return value
