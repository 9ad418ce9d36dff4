"""What prompts begin with in common, computed once.

Prompts of a task differ in the user's text alone, which comes last: names of slots, a schema or answered examples stand
before it. The keys and values that attention needs of such a beginning depend on nothing that follows. So they are
computed when a second prompt begins alike, kept, and put before every further one.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import DynamicCache

from midalign_demo.adapters import AdapterSet, Weights
from midalign_demo.bases import Base, text_config

SHORTEST = 16  # tokens; for fewer a forward pass of their own costs more than it spares
MOST_TOKENS = 4096  # kept in all; 150 MB for the embedded base in float32
MOST_LAST = 256  # prompts remembered to see whether the next one begins alike

Key = tuple[tuple[tuple[str, float], ...], tuple[int, ...]]  # adapters in force, and a prompt's first tokens
States = list[tuple[torch.Tensor, torch.Tensor]]  # a layer's keys and values, (1, heads, tokens, width) each


@dataclass(frozen=True)
class Beginning:
    """The first tokens of a prompt under some adapters, and what was computed of them."""

    tokens: tuple[int, ...]
    states: States


_NONE = Beginning((), [])


class Prefixes:
    """Beginnings of prompts, kept by adapters in force and first tokens. Whoever calls holds the base's lock.

    Prompts that don't share so much as `SHORTEST` tokens have nothing to spare one another: they may be of different
    tasks in one batch.
    """

    def __init__(self, base: Base, adapters: AdapterSet):
        self._base, self._adapters = base, adapters
        self._kept: OrderedDict[tuple[Key, tuple[int, ...]], Beginning] = OrderedDict()
        self._last: OrderedDict[Key, Sequence[int]] = OrderedDict()
        self._changes = adapters.changes

    def cache(self, prompts: Sequence[Sequence[int]], weights: Sequence[Weights]) -> DynamicCache | None:
        """What need not be computed again of a batch of prompts that are padded on the left.

        Args:
            prompts: token ids of each row.
            weights: adapters in force in each row.

        Returns:
            Keys and values of as many columns as all rows have them of; None where that is none. A row whose beginning
            reaches further computes the rest of it again, in columns that would else hold padding.
        """
        if self._changes != self._adapters.changes:
            self._kept.clear()
            self._last.clear()
            self._changes = self._adapters.changes
        keys: list[Key] = [
            (tuple(sorted(row.items())), tuple(ids[:SHORTEST])) for ids, row in zip(prompts, weights, strict=True)
        ]
        begun = {key: self._shared(key, [ids for ids, its in zip(prompts, keys, strict=True) if its == key])
                 for key in dict.fromkeys(keys)}  # fmt: skip
        rest = max(len(ids) - len(begun[key].tokens) for ids, key in zip(prompts, keys, strict=True))
        columns = max(map(len, prompts)) - rest
        if columns < SHORTEST:
            return None
        return self._side_by_side([begun[key] for key in keys], [max(0, len(ids) - rest) for ids in prompts], columns)

    def _shared(self, key: Key, prompts: Sequence[Sequence[int]]) -> Beginning:
        """What prompts that begin alike under the same adapters begin with, as far as it pays."""
        alike = prompts[0][: min(map(len, prompts)) - 1]  # of each prompt a token at least has to be computed
        alike = alike[: min(_common(alike, ids) for ids in prompts)]
        window = getattr(text_config(self._base.model), "sliding_window", None)
        if window:  # caches keep no more of a layer that sees no further
            alike = alike[: window - 1]
        last = self._last.get(key, ())
        self._last[key] = prompts[0]
        self._last.move_to_end(key)
        if len(self._last) > MOST_LAST:  # visitors may name any weight of an adapter
            self._last.popitem(last=False)
        kept = max(
            (one for (its, _), one in self._kept.items() if its == key),
            key=lambda one: _common(one.tokens, alike), default=_NONE,
        )  # fmt: skip
        found = _common(kept.tokens, alike)
        wanted = len(alike) if len(prompts) > 1 else _common(alike, last)
        if wanted - found >= SHORTEST:
            return self._compute(key, alike[:wanted])
        if found < SHORTEST:
            return _NONE
        self._kept.move_to_end((key, kept.tokens))
        return Beginning(kept.tokens[:found], kept.states)

    def _compute(self, key: Key, tokens: Sequence[int]) -> Beginning:
        cache = DynamicCache(config=self._base.model.config)
        with self._adapters.rows([dict(key[0])]), torch.inference_mode():
            self._base.model.get_decoder()(
                input_ids=torch.tensor([tokens], device=self._base.device), past_key_values=cache, use_cache=True
            )
        made = Beginning(tuple(tokens), [(layer.keys, layer.values) for layer in cache.layers])
        self._kept[key, made.tokens] = made
        while sum(len(of) for _, of in self._kept) > MOST_TOKENS and len(self._kept) > 1:
            self._kept.popitem(last=False)
        return made

    def _side_by_side(self, begun: Sequence[Beginning], counts: Sequence[int], columns: int) -> DynamicCache:
        """A cache of the rows' first tokens, as many of each as `counts` says, padded on the left."""
        cells = list(zip(map(id, begun), counts, strict=True))
        different = {cell: (one, cell[1]) for cell, one in zip(cells, begun, strict=True)}
        places = {cell: place for place, cell in enumerate(different)}
        rows = torch.tensor([places[cell] for cell in cells], device=self._base.device)
        layers = next(one.states for one in begun if one.states)
        cache = DynamicCache(config=self._base.model.config)
        for layer, sides in enumerate(layers):
            padded = [like.new_zeros(len(different), like.shape[1], columns, like.shape[3]) for like in sides]
            for place, (one, count) in enumerate(different.values()):
                for side, to in enumerate(padded):
                    if count:
                        to[place, :, columns - count :] = one.states[layer][side][0, :, :count]
            cache.update(padded[0][rows], padded[1][rows], layer)
        return cache


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two prompts begin with in common."""
    return len(os.path.commonprefix([list(one), list(other)]))
