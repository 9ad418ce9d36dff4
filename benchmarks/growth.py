"""How cost grows with what is asked for: `python -m benchmarks.growth [NAME ...] [--json]`.

Each curve does the same work at growing sizes, in turns, three times over, and gives the median time of each size as a
multiple of the smallest one's. The exponent is the slope between the two largest sizes on logarithmic scales: at 1
twice as much costs twice the time, below 1 less. Needs the extras `embedded` and `test`.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch

from midalign_demo import bases
from midalign_demo.comparison import row_of
from midalign_demo.engine import Engine, open_engine
from midalign_demo.middle import embed, tokenize
from midalign_demo.retrieval import retrieval_table
from midalign_demo.sentences import own_sentences
from midalign_demo.tasks import slot_filling
from midalign_demo.variants import VARIANTS
from train.objectives import contrastive_loss

TURNS = 3
LANGUAGES = ("en", "de", "ru", "zh", "ar", "hi", "sw", "th", "cy", "am")
TOKENS = 16


@dataclass(frozen=True)
class Curve:
    """Attributes:
    name, what: what grows, short and in a sentence.
    sizes: growing.
    prepare: makes the work, which is given a size; not measured.
    """

    name: str
    what: str
    sizes: Sequence[int]
    prepare: Callable[[], Callable[[int], object]]


def measure(curve: Curve) -> dict:
    """`{"name", "what", "sizes", "cost", "exponent"}`."""
    work = curve.prepare()
    for size in (curve.sizes[0], curve.sizes[-1]):  # memory is had and caches are filled
        work(size)
    seconds: dict[int, list[float]] = {size: [] for size in curve.sizes}
    for _ in range(TURNS):
        for size in curve.sizes:
            begun = time.perf_counter()
            work(size)
            seconds[size].append(time.perf_counter() - begun)
    found = [median(seconds[size]) for size in curve.sizes]
    exponent = math.log(found[-1] / found[-2]) / math.log(curve.sizes[-1] / curve.sizes[-2])
    return {
        "name": curve.name,
        "what": curve.what,
        "sizes": list(curve.sizes),
        "cost": [round(one / found[0], 2) for one in found],
        "exponent": round(exponent, 2),
    }


def _engine() -> Engine:
    return open_engine("gemma3-270m", slot_filling.NAME)


def _answer(engine: Engine, texts: Sequence[str], variants: Sequence[str]) -> None:
    rows = [row_of(engine, slot_filling.Question(text), variant) for text in texts for variant in variants]
    engine.generate(rows, max_new_tokens=TOKENS)


def _prompts() -> Callable[[int], object]:
    engine, texts = _engine(), own_sentences(["en"])["en"]
    return lambda count: _answer(engine, texts[:count], ["task"])


def _variants() -> Callable[[int], object]:
    engine, texts = _engine(), own_sentences(["en"])["en"]
    order = ("task", "merged", "joint", "align", "base")
    assert set(order) == set(VARIANTS)
    return lambda count: _answer(engine, texts[:1], order[:count])


def _sentences() -> Callable[[int], object]:
    base = bases.load()
    texts = [text for line in zip(*own_sentences(LANGUAGES).values(), strict=True) for text in line]
    return lambda count: embed(base, texts[:count])


def _layers() -> Callable[[int], object]:
    base = bases.load()
    texts = own_sentences(LANGUAGES, last=10)
    lines = [text for of in texts.values() for text in of]
    return lambda layer: embed(base, lines, layers=[layer])


def _languages() -> Callable[[int], object]:
    rng = np.random.default_rng(1)
    rows = {f"l{number}": rng.standard_normal((500, 640)).astype(np.float32) for number in range(40)}
    return lambda count: retrieval_table(dict(list(rows.items())[:count]))


def _retrieved() -> Callable[[int], object]:
    rng = np.random.default_rng(1)
    rows = {f"l{number}": rng.standard_normal((2000, 640)).astype(np.float32) for number in range(6)}
    return lambda count: retrieval_table({tag: of[:count] for tag, of in rows.items()})


def _pairs() -> Callable[[int], object]:
    rng = torch.Generator().manual_seed(1)
    views = [torch.randn(512, 640, generator=rng).requires_grad_() for _ in range(4)]

    def work(lines: int) -> None:
        contrastive_loss([view[:lines] for view in views], temperature=0.07).backward()

    return work


def _tokens() -> Callable[[int], object]:
    base = bases.load()
    text = " ".join(own_sentences(["en"])["en"])
    ids = tokenize(base, [text])[0]
    texts = {length: base.decode(ids[1 : length + 1]) for length in (64, 128, 256, 512, 1024)}
    return lambda length: embed(base, [texts[length]])


CURVES = (
    Curve("prompts", f"prompts under one variant, up to {TOKENS} tokens each", (1, 2, 4, 8, 16), _prompts),
    Curve("variants", f"variants of one prompt, up to {TOKENS} tokens each", (1, 2, 3, 4, 5), _variants),
    Curve("sentences", "sentences embedded at the middle layer", (40, 80, 160, 320), _sentences),
    Curve("tokens", "tokens of one sentence embedded at the middle layer", (64, 128, 256, 512, 1024), _tokens),
    Curve("layer", "the layer at which 100 sentences are embedded", (3, 6, 11, 18), _layers),
    Curve("languages", "languages of a retrieval table, 500 sentences each", (5, 10, 20, 40), _languages),
    Curve("retrieved", "sentences of a retrieval table of six languages", (250, 500, 1000, 2000), _retrieved),
    Curve("pairs", "lines of a contrastive loss in four languages", (32, 64, 128, 256, 512), _pairs),
)  # fmt: skip


def main() -> None:
    names = [curve.name for curve in CURVES]
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}; default: all")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    args = parser.parse_args()
    if unknown := set(args.names) - set(names):
        parser.error(f"NAME: {', '.join(sorted(unknown))} is not one of {', '.join(names)}")
    found = [measure(curve) for curve in CURVES if not args.names or curve.name in args.names]
    if args.json:
        print(json.dumps({"curves": found}))
        return
    for one in found:
        steps = ", ".join(f"{size}: {cost:g}" for size, cost in zip(one["sizes"], one["cost"], strict=True))
        print(f"{one['name']} ({one['what']}): {steps}; exponent at the end {one['exponent']:g}")


if __name__ == "__main__":
    main()
