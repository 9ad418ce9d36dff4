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
from collections.abc import Iterator, Sequence

import torch
from peft.tuners.lora import LoraLayer
from torch.nn import functional

from midalign_demo.adapters import Weights


class MixedRows:
    """Computes batches whose rows are under different adapters of a model that PEFT has put them on.

    Factors are copied when they are first needed together: make a new object when adapters were loaded or changed.
    """

    def __init__(self, model: torch.nn.Module):
        self._layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
        self._stacks: dict[tuple[str, ...], list[_Stack]] = {}
        self._in_use = False

    @contextlib.contextmanager
    def rows(self, weights: Sequence[Weights]) -> Iterator[None]:
        """Within it, row i of every batch is computed under the adapters `weights[i]`.

        PEFT's own computation has to be off meanwhile (`PeftModel.disable_adapter`), and every call must have
        `len(weights)` rows, or any number if there is one element only. Whatever happens inside, nothing stays behind.
        """
        if self._in_use:
            raise RuntimeError("adapters are in use already: leave the context that put them on first")
        used = tuple(sorted({name for row in weights for name in row}))
        if used not in self._stacks:
            stacks = (_Stack.of(layer, used) for layer in self._layers)
            self._stacks[used] = [stack for stack in stacks if stack is not None]
        columns: dict[tuple, torch.Tensor] = {}  # most layers have the same ones
        with contextlib.ExitStack() as hooks:
            self._in_use = True
            hooks.callback(setattr, self, "_in_use", False)
            for stack in self._stacks[used]:
                if stack.spans not in columns:
                    columns[stack.spans] = stack.columns(weights)
                hook = stack.module.register_forward_hook(_adding(stack, columns[stack.spans]))
                hooks.callback(hook.remove)
            yield


class _Stack:
    """The factors of several adapters on one linear layer, side by side."""

    def __init__(self, module: torch.nn.Module, down: torch.Tensor, up: torch.Tensor, spans: tuple):
        """
        Args:
            down, up: shapes (R, width in) and (width out, R), with R the sum of the adapters' ranks.
            spans: for each adapter its name, rank and scaling, in the order of the columns.
        """
        self.module, self.down, self.up, self.spans = module, down, up, spans

    @classmethod
    def of(cls, layer: LoraLayer, names: Sequence[str]) -> _Stack | None:
        """None for a layer on which these adapters have nothing."""
        present = [name for name in names if name in layer.lora_A]
        if not present:
            return None
        return cls(
            layer.base_layer,
            torch.cat([layer.lora_A[name].weight.detach() for name in present]),
            torch.cat([layer.lora_B[name].weight.detach() for name in present], dim=1),
            tuple((name, layer.r[name], layer.scaling[name]) for name in present),
        )

    def columns(self, weights: Sequence[Weights]) -> torch.Tensor:
        """What each row takes of each column, shape (rows, 1, R)."""
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
