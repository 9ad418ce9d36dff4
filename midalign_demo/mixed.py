"""Rows of one batch under different adapters, without a loop over the adapters.

PEFT answers a mixed batch by splitting it up again in each of a model's linear layers, an adapter at a time. Here the
low-rank factors of all adapters in use lie side by side in one pair of matrices per layer, and a row keeps only the
columns of its own adapters, times their weights:

    y = W x + B ((A x) * c_row)

which is W x + sum over adapters i of w_i s_i B_i A_i x, as in PEFT (s: LoRA's scaling, w: the adapter's weight in the
row). A merge of adapters is thus a row with more than one weight, exact and without factors of its own.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch.nn import functional

from midalign_demo.adapters import Factors, Weights

MOST_STACKS = 4  # sets of adapters whose factors are kept side by side; each is a copy of them


class MixedRows:
    """Computes batches of a model whose rows are under different adapters, by hooks on its linear layers."""

    def __init__(self, model: torch.nn.Module):
        self._model = model
        self._adapters: dict[str, Mapping[str, Factors]] = {}
        self._stacks: OrderedDict[tuple[str, ...], list[_Stack]] = OrderedDict()
        self._in_use = False

    @property
    def names(self) -> list[str]:
        return list(self._adapters)

    def add(self, name: str, factors: Mapping[str, Factors]) -> None:
        """Take in an adapter, given by the paths of linear layers."""
        device = self._model.device
        self._adapters[name] = {
            path: Factors(pair.down.to(device), pair.up.to(device), pair.scaling) for path, pair in factors.items()
        }
        self._forget_stacks(name)

    def remove(self, name: str) -> None:
        """Let an adapter go that was taken in."""
        del self._adapters[name]
        self._forget_stacks(name)

    def _forget_stacks(self, name: str) -> None:
        for used in [used for used in self._stacks if name in used]:
            del self._stacks[used]

    @contextlib.contextmanager
    def rows(self, weights: Sequence[Weights]) -> Iterator[None]:
        """Within it, row i of every batch is computed under the adapters `weights[i]`.

        Every call must have `len(weights)` rows, or any number if there is one element only. Whatever happens inside,
        nothing stays behind.
        """
        if self._in_use:
            raise RuntimeError("adapters are in use already: leave the context that put them on first")
        used = tuple(sorted({name for row in weights for name in row}))
        stacks = self._stacks[used] = self._stacks.pop(used, []) or self._stack(used)  # to be the newest
        while len(self._stacks) > MOST_STACKS:
            self._stacks.popitem(last=False)
        columns: dict[tuple, torch.Tensor] = {}  # most layers have the same ones
        with contextlib.ExitStack() as hooks:
            self._in_use = True
            hooks.callback(setattr, self, "_in_use", False)
            for stack in stacks:
                if stack.spans not in columns:
                    columns[stack.spans] = stack.columns(weights)
                hook = stack.module.register_forward_hook(_adding(stack, columns[stack.spans]))
                hooks.callback(hook.remove)
            yield

    def sum_of(self, weights: Weights) -> dict[str, torch.Tensor]:
        """The sum of adapters, each times its weight, as one (out, in) matrix for each linear layer's path."""
        total: dict[str, torch.Tensor] = {}
        for name, weight in weights.items():
            for path, pair in self._adapters[name].items():
                change = pair.up.float() @ pair.down.float() * (pair.scaling * weight)
                total[path] = total[path] + change if path in total else change
        return total

    def _stack(self, names: Sequence[str]) -> list[_Stack]:
        return [
            _Stack(module, {name: self._adapters[name][path] for name in names if path in self._adapters[name]})
            for path, module in self._model.named_modules()
            if any(path in self._adapters[name] for name in names)
        ]


class _Stack:
    """The factors of several adapters on one linear layer, side by side."""

    def __init__(self, module: torch.nn.Module, factors: Mapping[str, Factors]):
        self.module = module
        self.down = torch.cat([pair.down for pair in factors.values()])
        self.up = torch.cat([pair.up for pair in factors.values()], dim=1)
        # Name, rank and scaling of each adapter, in the order of the columns.
        self.spans = tuple((name, pair.down.shape[0], pair.scaling) for name, pair in factors.items())

    def columns(self, weights: Sequence[Weights]) -> torch.Tensor:
        """What each row takes of each column, shape (rows, 1, sum of ranks)."""
        rows = [
            [row.get(name, 0.0) * scaling for name, rank, scaling in self.spans for _ in range(rank)]
            for row in weights
        ]  # fmt: skip
        return torch.tensor(rows, dtype=self.down.dtype, device=self.down.device).unsqueeze(1)


def _adding(stack: _Stack, columns: torch.Tensor):
    def add(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        reduced = functional.linear(inputs[0].to(stack.down.dtype), stack.down) * columns
        # As in PEFT the sum is made in the adapters' precision and then rounded to the base's.
        return (output + functional.linear(reduced, stack.up)).to(output.dtype)

    return add
