"""Weights of linear layers in the order in which oneDNN multiplies by them.

A weight as it lies in a file is brought into that order by every product again. For few rows, and a step of generation
is a product of few rows in every layer, that takes longer than the product itself: in that order few rows are two to
five times as fast in float32 and twice as fast in bfloat16, and many rows gain a little. `python -m benchmarks.machine`
measures it. The operations are those that `torch.compile` puts in for frozen weights.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
from collections import Counter
from functools import cache

import torch

MOST_OF_MEMORY = 0.5  # a base with more weights than so much of the machine's memory is left as it is
_ROWS = 16  # that oneDNN is told to expect; the order it chooses serves one row and thousands as well


class PackedLinear(torch.nn.Linear):
    """A frozen linear layer; made by `pack`.

    Gradients go through it, slowly. What is written into its weight is lost, so that adapters can't be merged into it
    in place. A copy of it, or one in another dtype or on another device, is torch's own layer again.
    """

    _packed: torch.Tensor
    _kept: torch.nn.Parameter | None

    @property
    def weight(self) -> torch.nn.Parameter:
        """As it was, (out, in); put together anew on each use, unless another layer has it as well."""
        return self._kept if self._kept is not None else _frozen(self._packed.to_dense())

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """As `torch.nn.Linear`: (..., in) to (..., out)."""
        if states.requires_grad and torch.is_grad_enabled():  # oneDNN's operation hands none on
            return torch.nn.functional.linear(states, self.weight, self.bias)
        return torch.ops.mkldnn._linear_pointwise(states, self._packed, self.bias, "none", [], "")

    def _pack(self, *, keep: bool) -> None:
        """Called on one of torch's own layers whose class has just been changed to this one."""
        weight = self._parameters.pop("weight")
        # Not by assignment, which would make a parameter of it under that name.
        self.__dict__["_kept"] = weight if keep else None
        self._packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), _ROWS)

    def _unpacked(self) -> dict:
        """What torch's own layer has as its attributes."""
        state = {name: value for name, value in self.__dict__.items() if name not in ("_packed", "_kept")}
        return {**state, "_parameters": {"weight": self.weight, **self._parameters}}

    def _apply(self, fn, recurse: bool = True) -> torch.nn.Module:
        self.__setstate__(self._unpacked())
        return self._apply(fn, recurse)

    def __getstate__(self) -> dict:
        return self._unpacked()

    def __setstate__(self, state: dict) -> None:
        self.__class__ = torch.nn.Linear
        self.__dict__.clear()
        self.__dict__.update(state)

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[f"{prefix}weight"] = self.weight if keep_vars else self.weight.detach()


def pack(model: torch.nn.Module) -> None:
    """Bring the weights of a model's linear layers into that order, where CPU, dtype and memory allow it.

    They are this process's own from then on, also those that were read from a file as they were needed. A weight that
    serves elsewhere as well, as that of a tied head does, is there twice.
    """
    # Only torch's own class: another one has reasons of its own to be another one.
    layers = [module for module in model.modules() if type(module) is torch.nn.Linear and _can_pack(module.weight)]
    if sum(layer.weight.nbytes for layer in layers) > MOST_OF_MEMORY * _memory():
        return
    users = Counter(id(weight) for module in model.modules() for weight in module._parameters.values())
    for layer in layers:
        keep = users[id(layer.weight)] > 1
        layer.__class__ = PackedLinear
        layer._pack(keep=keep)
    _give_back()


def _frozen(weight: torch.Tensor) -> torch.nn.Parameter:
    return torch.nn.Parameter(weight, requires_grad=False)


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


def _memory() -> float:
    """Bytes of this machine's memory; without end where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return float("inf")


def _give_back() -> None:
    """Let the system have the room of the weights as they were: glibc keeps it, since other things lie behind it."""
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)
