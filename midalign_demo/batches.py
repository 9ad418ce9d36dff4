"""Rows of one batch between two steps: some leave it, others come to it, and none is computed again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import DynamicCache

from midalign_demo.bases import Base


@dataclass
class Batch:
    """Rows that are computed together, padded on the left.

    Attributes:
        numbers: of the rows, by which whoever computes them knows them.
        ids: tokens, (rows, columns).
        attention: 1 where there is one, 0 where there is padding, (rows, columns).
        cache: keys and values of the first columns; of all but the last one once a token has been generated.
    """

    numbers: list[int]
    ids: torch.Tensor
    attention: torch.Tensor
    cache: DynamicCache | None

    @classmethod
    def of(cls, base: Base, numbers: Sequence[int], prompts: Sequence[Sequence[int]]) -> Batch:
        """Prompts of which nothing is computed yet."""
        longest = max(map(len, prompts))
        ids = torch.full((len(prompts), longest), base.tokenizer.pad_token_id)
        attention = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, longest - len(prompt) :] = torch.tensor(prompt)
            attention[row, longest - len(prompt) :] = 1
        return cls(list(numbers), ids.to(base.device), attention.to(base.device), None)

    def grown(self, ids: torch.Tensor, cache: DynamicCache) -> Batch:
        """The same rows with the tokens that were generated since: `ids` are the prompts' as well."""
        added = ids.shape[1] - self.ids.shape[1]
        return Batch(self.numbers, ids, torch.nn.functional.pad(self.attention, (0, added), value=1), cache)

    def only(self, places: Sequence[int]) -> Batch:
        """Some of the rows, by their places. The cache is theirs from then on."""
        if len(places) == len(self.numbers):
            return self
        if self.cache is not None:
            self.cache.batch_select_indices(torch.tensor(places, device=self.ids.device))
        return Batch([self.numbers[place] for place in places], self.ids[places], self.attention[places], self.cache)

    def beside(self, other: Batch, base: Base) -> Batch:
        """The rows of both, of each of which a token has been generated; in as many columns as the longest needs."""
        both = (self, other)
        columns = max(int(batch.attention.sum(dim=1).max()) for batch in both)
        fill = base.tokenizer.pad_token_id
        cache = DynamicCache(config=base.model.config)
        caches = [batch.cache for batch in both]
        assert caches[0] is not None and caches[1] is not None
        for layer, (ours, theirs) in enumerate(zip(caches[0].layers, caches[1].layers, strict=True)):
            # A layer that looks back on a few columns alone holds no more of them, and drops here what is beyond.
            keys, values = (
                torch.cat([_last(one, columns - 1, dim=2) for one in sides])
                for sides in ((ours.keys, theirs.keys), (ours.values, theirs.values))
            )
            cache.update(keys, values, layer)
        return Batch(
            [*self.numbers, *other.numbers],
            torch.cat([_last(batch.ids, columns, dim=1, fill=fill) for batch in both]),
            torch.cat([_last(batch.attention, columns, dim=1) for batch in both]),
            cache,
        )


def _last(tensor: torch.Tensor, columns: int, *, dim: int, fill: int = 0) -> torch.Tensor:
    """So many of the last columns along a dimension; where there are fewer, others before them."""
    there = tensor.shape[dim]
    if there >= columns:
        return tensor.narrow(dim, there - columns, columns)
    shape = list(tensor.shape)
    shape[dim] = columns - there
    return torch.cat([tensor.new_full(shape, fill), tensor], dim=dim)
