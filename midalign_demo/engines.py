"""What may stand where an engine is asked for: `Engine` itself, one on a ZeroGPU Space, or for answers a server."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np

    from midalign_demo.adapters import AdapterSet, Weights
    from midalign_demo.bases import Base
    from midalign_demo.generation import Row
    from midalign_demo.middle import Progress
    from midalign_demo.watcher import Answer


class AnsweringEngine(Protocol):
    """Answers questions; each method is described at `midalign_demo.engine.Engine`."""

    @property
    def holds(self) -> bool:
        """Whether answers can be held to a grammar."""

    @property
    def batch_tokens(self) -> int | None:
        """Tokens that all rows of a batch should come to at most, padding included; None: it does not matter."""

    def variants(self, task: str) -> list[str]: ...

    def adapters_of(self, variant: str, task: str, merge: tuple[float, float] | None = None) -> dict[str, float]: ...

    def count_tokens(self, text: str) -> int: ...

    def generate(self, rows: Sequence[Row], *, max_new_tokens: int = 96) -> list[Answer]: ...

    def stream(self, rows: Sequence[Row], *, max_new_tokens: int = 96) -> Generator[list[Answer], None, None]: ...


class EmbeddingEngine(Protocol):
    """Embeds sentences; each method is described at `midalign_demo.engine.Engine`."""

    @property
    def base(self) -> Base: ...

    @property
    def adapters(self) -> AdapterSet: ...

    def adapters_of(self, variant: str, task: str, merge: tuple[float, float] | None = None) -> dict[str, float]: ...

    def embed(
        self, sentences: Sequence[str], weights: Weights, *, layers: Sequence[int], progress: Progress | None = None
    ) -> dict[int, np.ndarray]: ...
