"""Embeddings that the page has asked for, kept for the next look at them."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from midalign_demo.ui import words
from midalign_demo.ui.progress import Tell
from midalign_demo.ui.words import Words

if TYPE_CHECKING:
    from midalign_demo.adapters import Weights
    from midalign_demo.engines import EmbeddingEngine
    from midalign_demo.middle import Progress

_MOST_BYTES = 400_000_000
_MOST_AHEAD = 100  # lines of a language: the model is held for all of them
_BREATH = 0.02  # seconds in which somebody who waits for the model gets it


class EmbeddingStore:
    """A language's sentences at the lower layers under some adapters; the ones used longest ago go first."""

    def __init__(self, most_bytes: int = _MOST_BYTES):
        self._kept: OrderedDict[tuple, dict[int, np.ndarray]] = OrderedDict()
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._ahead = threading.Event()  # set: nothing more is to be computed ahead

    def get(
        self,
        engine: EmbeddingEngine,
        corpus: Mapping[str, Sequence[str]],
        weights: Weights,
        *,
        layers: Collection[int] | None = None,
        progress: Progress | None = None,
    ) -> dict[int, np.ndarray]:
        """Embeddings at some layers, each (n, width), language after language; those below cost nothing, and are kept.

        Args:
            layers: default: all layers.
            progress: called with (sentences done, sentences to do); not at all if there is nothing to do.
        """
        layers = range(engine.base.num_layers + 1) if layers is None else [engine.base.check_layer(at) for at in layers]
        keys = {tag: _key(weights, lines) for tag, lines in corpus.items()}
        with self._lock:
            found = {tag: self._kept[key] for tag, key in keys.items() if set(layers) <= self._kept.get(key, {}).keys()}
            for tag in found:
                self._kept.move_to_end(keys[tag])
        missing = {tag: lines for tag, lines in corpus.items() if tag not in found}
        if missing:
            sentences = [line for lines in missing.values() for line in lines]
            computed = range(max(layers) + 1)
            rows = engine.embed(sentences, weights, layers=computed, progress=progress)
            at = 0
            for tag, lines in missing.items():
                found[tag] = {layer: rows[layer][at : at + len(lines)] for layer in computed}
                at += len(lines)
            self._keep({keys[tag]: found[tag] for tag in missing})
        return {layer: np.concatenate([found[tag][layer] for tag in corpus]) for layer in layers}

    def get_each(
        self,
        engine: EmbeddingEngine,
        corpus: Mapping[str, Sequence[str]],
        weights: Sequence[Weights],
        *,
        layers: Collection[int] | None = None,
        tell: Tell | None = None,
        say: Words = words.ENGLISH,
    ) -> Iterator[dict[int, np.ndarray]]:
        """As `get`, for one set of adapters after the other. Ends what `look_ahead` began.

        Args:
            tell: told how far it is.
            say: the language of the page.
        """
        self._ahead.set()
        for number, chosen in enumerate(weights):

            def progress(done: int, n: int, at: int = number) -> None:
                if tell:
                    tell((at + done / n) / len(weights), say("reading", at=at + 1, all=len(weights)))

            yield self.get(engine, corpus, chosen, layers=layers, progress=progress)

    def look_ahead(
        self, engine: EmbeddingEngine, corpus: Mapping[str, Sequence[str]], weights: Sequence[Weights]
    ) -> None:
        """Begin to embed at all layers, in a thread: who has drawn one layer soon asks for another.

        Not for long texts, for which the model would be busy too long.
        """
        if max(map(len, corpus.values())) > _MOST_AHEAD:
            return
        self._ahead = overtaken = threading.Event()

        def work() -> None:
            for chosen in weights:
                for tag, lines in corpus.items():  # one after the other, so that nobody waits long for the model
                    if overtaken.is_set() or not threading.main_thread().is_alive():
                        return
                    self.get(engine, {tag: lines}, chosen)
                    time.sleep(_BREATH)

        # Not a daemon: torch aborts the process if it is still computing when Python has gone.
        threading.Thread(target=work, name="look-ahead", daemon=False).start()

    def put(self, lines: Sequence[str], weights: Weights, layer: int, rows: np.ndarray) -> None:
        """Take in what was embedded elsewhere: a language's sentences at one layer, shape (n, width)."""
        self._keep({_key(weights, lines): {layer: rows}})

    def _keep(self, entries: Mapping[tuple, dict[int, np.ndarray]]) -> None:
        with self._lock:
            for key, layers in entries.items():  # layers that were there before stay
                self._kept[key] = {**self._kept.get(key, {}), **layers}
                self._kept.move_to_end(key)
            sizes = {key: sum(rows.nbytes for rows in layers.values()) for key, layers in self._kept.items()}
            while len(self._kept) > 1 and sum(sizes.values()) > self._most_bytes:
                key, _ = self._kept.popitem(last=False)
                del sizes[key]


def _key(weights: Weights, lines: Sequence[str]) -> tuple:
    return tuple(sorted((name, weight) for name, weight in weights.items() if weight)), tuple(lines)
