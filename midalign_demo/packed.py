"""Weights of linear layers in the order in which oneDNN multiplies by them.

A weight as it lies in a file is brought into that order by every product again. For few rows, and a step of generation
is a product of few rows in every layer, that takes longer than the product itself: in that order few rows are two to
five times as fast in float32 and twice as fast in bfloat16, and many rows gain a little. `python -m benchmarks.machine`
measures it. The operations are those that `torch.compile` puts in for frozen weights.
"""

from __future__ import annotations

import contextlib
import ctypes
import platform
from collections import Counter
from functools import cache

import torch

_ROWS = 16  # that oneDNN is told to expect; the order it chooses serves one row and thousands as well


class PackedLinear(torch.nn.Linear):
    """A frozen linear layer; made by `pack`. Gradients go through it as well, but slowly."""

    _packed: torch.Tensor
    _kept: torch.Tensor | None

    @property
    def weight(self) -> torch.Tensor:
        """As it was, (out, in); put together anew on each use, unless another layer has it as well."""
        return self._packed.to_dense() if self._kept is None else self._kept

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """As `torch.nn.Linear`: (..., in) to (..., out)."""
        if states.requires_grad and torch.is_grad_enabled():  # oneDNN's operation hands none on
            return torch.nn.functional.linear(states, self.weight, self.bias)
        return torch.ops.mkldnn._linear_pointwise(states, self._packed, self.bias, "none", [], "")

    def _save_to_state_dict(self, destination, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[f"{prefix}weight"] = self.weight


def pack(model: torch.nn.Module) -> None:
    """Bring the weights of a model's linear layers into that order, where the CPU and the dtype allow it.

    It takes no more memory, but for weights that serve elsewhere as well, as those of a tied head do: they are copied.
    """
    users = Counter(id(weight) for module in model.modules() for weight in module._parameters.values())
    for module in model.modules():
        # Only torch's own class: another one has reasons of its own to be another one.
        if type(module) is not torch.nn.Linear or not _can_pack(module.weight):
            continue
        weight = module._parameters.pop("weight")
        module.__class__ = PackedLinear
        module._kept = weight.detach() if users[id(weight)] > 1 else None
        module._packed = torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS)
        del weight
    _give_back()


def _give_back() -> None:
    """Let the system have the room of the weights as they were: glibc keeps it, since other things lie behind it."""
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _can_pack(weight: torch.Tensor) -> bool:
    return weight.device.type == "cpu" and weight.dtype in (torch.float32, torch.bfloat16) and _works(weight.dtype)


@cache
def _works(dtype: torch.dtype) -> bool:
    """Whether this build of torch on this CPU does it. Elsewhere than on x86 it was not measured."""
    if platform.machine().lower() not in {"x86_64", "amd64"} or not torch.backends.mkldnn.is_available():
        return False
    try:
        weight, states = torch.ones(8, 8, dtype=dtype), torch.ones(2, 8, dtype=dtype)
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS)
        product = torch.ops.mkldnn._linear_pointwise(states, packed, None, "none", [], "")
        return bool((product == 8).all()) and torch.equal(packed.to_dense(), weight)
    except (RuntimeError, AttributeError, NotImplementedError):  # not of this torch, or not for this CPU
        return False
