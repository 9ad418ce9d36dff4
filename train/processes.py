"""One micro-batch over several processes, as `accelerate launch` starts them.

Every process reads the same micro-batch, computes its part of the rows and gathers the other parts' results. So
negatives come from the whole micro-batch, and all processes come to the same loss. DistributedDataParallel takes the
mean of the processes' gradients; `gather` therefore gives each process its part of the gradient times their number, and
the mean is what one process with all rows would get.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed
from torch.distributed.tensor import DTensor


def start() -> None:
    """Meet the other processes, if `accelerate launch` or its like has started several."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        from accelerate import PartialState

        PartialState(cpu=not torch.cuda.is_available())


def end() -> None:
    """Part from them."""
    if count() > 1:
        from accelerate import PartialState

        PartialState().destroy_process_group()


def count() -> int:
    """How many processes there are; 1 outside `accelerate launch` and its like."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """This process's number, from 0."""
    return distributed.get_rank() if count() > 1 else 0


@contextmanager
def one_after_another() -> Iterator[None]:
    """What the first process does within is done before the others begin with it."""
    if rank() > 0:
        distributed.barrier()
    yield
    if rank() == 0 and count() > 1:
        distributed.barrier()


def wait_for_all() -> None:
    """Go on once all processes have come here."""
    if count() > 1:
        distributed.barrier()


def part(rows: int) -> range:
    """This process's part of so many rows: one after the other, as even as can be."""
    return range(rows * rank() // count(), rows * (rank() + 1) // count())


def gather(values: torch.Tensor) -> torch.Tensor:
    """The rows of all processes (n_0 + n_1 + .., ...), in the processes' order, from those of each (n_i, ...).

    Values are the same in every process; gradients go to this process's own rows.
    """
    return values if count() == 1 else _Gather.apply(values)


def whole(values: torch.Tensor) -> torch.Tensor:
    """A weight, put together from the parts that FSDP leaves each process with."""
    return values.full_tensor() if isinstance(values, DTensor) else values


def total(value: torch.Tensor) -> torch.Tensor:
    """The sum of a tensor over all processes, with gradient."""
    return gather(value[None]).sum(dim=0)


class _Gather(torch.autograd.Function):
    """Padded to the longest part, since all must send as much."""

    @staticmethod
    def forward(ctx, values: torch.Tensor) -> torch.Tensor:
        lengths = [torch.zeros(1, dtype=torch.long, device=values.device) for _ in range(count())]
        distributed.all_gather(lengths, torch.tensor([len(values)], device=values.device))
        rows = [int(length) for length in lengths]
        sent = values.new_zeros(max(rows), *values.shape[1:])
        sent[: len(values)] = values
        received = [torch.empty_like(sent) for _ in rows]
        distributed.all_gather(received, sent)
        start = sum(rows[: rank()])
        ctx.own = slice(start, start + len(values))
        return torch.cat([part[:length] for part, length in zip(received, rows, strict=True)])

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:
        return gradient[ctx.own] * count()
