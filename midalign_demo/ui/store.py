"""Embeddings that the page has asked for, kept for the next look at them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from midalign_demo.ui import words
from midalign_demo.ui.words import Words

if TYPE_CHECKING:
    from midalign_demo.adapters import Weights
    from midalign_demo.engine import Engine
    from midalign_demo.middle import Progress

_MOST_BYTES = 400_000_000


class EmbeddingStore:
    """A language's sentences at all layers under some adapters; the ones used longest ago go first."""

    def __init__(self, most_bytes: int = _MOST_BYTES):
        self._kept: OrderedDict[tuple, dict[int, np.ndarray]] = OrderedDict()
        self._most_bytes = most_bytes
        self._lock = threading.Lock()

    def get(
        self,
        engine: Engine,
        corpus: Mapping[str, Sequence[str]],
        weights: Weights,
        *,
        progress: Progress | None = None,
    ) -> dict[int, np.ndarray]:
        """All layers' embeddings, each (n, width), language after language.

        Args:
            progress: called with (sentences done, sentences to do); not at all if there is nothing to do.
        """
        from midalign_demo.middle import embed  # torch takes seconds to import

        weights = {name: weight for name, weight in weights.items() if weight}
        keys = {tag: (tuple(sorted(weights.items())), tuple(lines)) for tag, lines in corpus.items()}
        with self._lock:
            found = {tag: self._kept[key] for tag, key in keys.items() if key in self._kept}
            for tag in found:
                self._kept.move_to_end(keys[tag])
        missing = {tag: lines for tag, lines in corpus.items() if tag not in found}
        if missing:
            sentences = [line for lines in missing.values() for line in lines]
            layers = range(engine.base.num_layers + 1)
            with engine.adapters.under(weights):
                rows = embed(engine.base, sentences, layers=list(layers), progress=progress)
            at = 0
            for tag, lines in missing.items():
                found[tag] = {layer: rows[layer][at : at + len(lines)] for layer in layers}
                at += len(lines)
            self._keep({keys[tag]: found[tag] for tag in missing})
        return {layer: np.concatenate([found[tag][layer] for tag in corpus]) for layer in found[next(iter(corpus))]}

    def get_each(
        self,
        engine: Engine,
        corpus: Mapping[str, Sequence[str]],
        weights: Sequence[Weights],
        *,
        progress: Callable[..., object] | None = None,
        say: Words = words.ENGLISH,
    ) -> Iterator[dict[int, np.ndarray]]:
        """As `get`, for one set of adapters after the other.

        Args:
            progress: a `gr.Progress`, told the share that is done and, as `desc`, what is going on.
            say: the language of the page.
        """
        for number, chosen in enumerate(weights):

            def tell(done: int, n: int, at: int = number) -> None:
                if progress:
                    desc = say("reading", at=at + 1, all=len(weights))
                    progress((at + done / n) / len(weights), desc=desc)

            yield self.get(engine, corpus, chosen, progress=tell)

    def _keep(self, entries: Mapping[tuple, dict[int, np.ndarray]]) -> None:
        with self._lock:
            self._kept.update(entries)
            sizes = {key: sum(rows.nbytes for rows in layers.values()) for key, layers in self._kept.items()}
            while len(self._kept) > 1 and sum(sizes.values()) > self._most_bytes:
                key, _ = self._kept.popitem(last=False)
                del sizes[key]
