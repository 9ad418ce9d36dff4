"""What this machine can do at most: `python -m benchmarks.machine [--json]`.

Memory read by one pass over 600 MB, and linear layers of the embedded base's size (640 to 2,048), whose 120 different
weights don't fit into any cache together: few rows are limited by reading those, many by multiplying. Each with the
weights as they lie in a file, and in the order that `midalign_demo.packed` brings them into.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from statistics import median

import torch

from midalign_demo.packed import pack

TURNS = 5
ROWS = (1, 5, 32, 90, 512, 1024)
_WIDTHS = (640, 2048)
_WEIGHTS = 120
_WAYS = (
    ("float32", torch.float32, False), ("float32 packed", torch.float32, True),
    ("bfloat16", torch.bfloat16, False), ("bfloat16 packed", torch.bfloat16, True),
)  # fmt: skip


def seconds_of(work: Callable[[], object]) -> float:
    """The median over some turns, after one that does not count."""
    work()
    found = []
    for _ in range(TURNS):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return median(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--json", action="store_true", help="one JSON document")
    args = parser.parse_args()
    numbers = torch.randn(150_000_000)
    document: dict = {"read_gigabytes_per_second": round(numbers.numel() * 4 / seconds_of(numbers.sum) / 1e9, 1)}
    for name, dtype, packed in _WAYS:
        layers = [torch.nn.Linear(*_WIDTHS, bias=False, dtype=dtype).requires_grad_(False) for _ in range(_WEIGHTS)]
        weights = sum(layer.weight.numel() for layer in layers)
        if packed:
            pack(torch.nn.ModuleList(layers))
        document[name] = {}
        for rows in ROWS:
            states = torch.randn(rows, _WIDTHS[0], dtype=dtype)
            seconds = seconds_of(lambda states=states, layers=layers: [layer(states) for layer in layers])
            document[name][rows] = {
                "weights_gigabytes_per_second": round(weights * dtype.itemsize / seconds / 1e9, 1),
                "gigaflops": round(2 * rows * weights / seconds / 1e9),
            }
    if args.json:
        print(json.dumps(document))
        return
    print(f"memory is read at {document['read_gigabytes_per_second']} GB/s")
    for name, *_ in _WAYS:
        for rows, of in document[name].items():
            print(
                f"{name}, {rows} rows: {of['gigaflops']} Gflop/s, weights at {of['weights_gigabytes_per_second']} GB/s"
            )


if __name__ == "__main__":
    main()
