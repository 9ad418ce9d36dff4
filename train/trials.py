"""`midalign-train trials`: short runs that differ in one choice, and what each comes to on unseen text.

A study is a set of trials; docs/formats.md describes its table. The runs start from fresh weights and are much shorter
than the shipped adapter's: they compare choices, and do not show what can be reached.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from midalign_demo import embedded
from midalign_demo.commandline import comma_list, report
from midalign_demo.errors import InputError
from midalign_demo.files import replacing

DATA = "DATA"  # stands for the folder with the data in the commands

# The same sentences for all: news that nothing was trained on, in languages of which no trial aligns the second ten.
_ALIGNED = ("cy", "de", "es", "fi", "hi", "ja", "ru", "sw", "th", "zh")
_UNALIGNED = ("ar", "bn", "cs", "fa", "fil", "he", "ka", "kk", "nl", "te")
_TEST = ("--limit", "100")

_SHORT = ("--recipe", "align", "--steps", "40", "--lines", "24", "--views", "2", "--dev-every", "40")


@dataclass(frozen=True)
class Trial:
    """One run of a study.

    Attributes:
        name: what it differs in.
        options: of `midalign-train KIND`, without data folder, seed and output.
        layer: the layer aligned, at which retrieval is measured.
        aligned: the languages aligned with English.
    """

    name: str
    options: tuple[str, ...]
    layer: int = embedded.MIDDLE_LAYER
    aligned: tuple[str, ...] = _ALIGNED


_PAPER = (
    "--temperature", "0.1", "--no-centre", "--preserve", "0", "--token-dropout", "0", "--pairs", "english",
    "--direction", "one",
)  # fmt: skip


def _align(
    name: str, *options: str, lines: str = "265-988", languages: Sequence[str] = _ALIGNED, layer: int | None = None
) -> Trial:
    data = ("--data", f"parallel/ntrex:{lines}", "--languages", ",".join(languages))
    at = () if layer is None else ("--layer", str(layer))
    return Trial(name, (*_SHORT, *data, *at, *options), layer or embedded.MIDDLE_LAYER, tuple(languages))


STUDIES: dict[str, tuple[Trial, ...]] = {
    "layer": tuple(_align(str(layer), layer=layer) for layer in (4, 8, 11, 14, 18)),
    "temperature": tuple(_align(value, "--temperature", value) for value in ("0.02", "0.07", "0.2", "0.5")),
    "pairs": tuple(
        _align(str(count), lines=f"265-{264 + count}") for count in (50, 200, 724)
    ),
    "languages": tuple(
        _align(" ".join(five), languages=five)
        for five in (("de", "hi", "ko", "ru", "sw"), ("el", "es", "ja", "ta", "tr"), ("cy", "fi", "th", "uk", "zh"))
    ),
    "objective": (
        _align("two languages in a micro-batch"),
        _align("four, as shipped", "--views", "4"),
        _align("as in the paper's code", *_PAPER, "--include-bos"),
        _align("the same without BOS", *_PAPER),
        _align("with tokens contrasted", "--token-contrast", "1"),
    ),
}  # fmt: skip


def add(kinds) -> None:
    """Describe the command to the parser."""
    parser = kinds.add_parser("trials", help="Compare choices in short runs.", description=__doc__.split("\n")[0])
    parser.add_argument("--data-root", type=Path, required=True, metavar="DIR", help="holds parallel/ntrex")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where adapters and tables go")
    parser.add_argument(
        "--study", nargs="+", choices=tuple(STUDIES), default=tuple(STUDIES), metavar="NAME",
        help=f"only these, of {', '.join(STUDIES)}",
    )  # fmt: skip
    parser.add_argument("--seeds", type=comma_list, default=["1"], help="such as 1,2,3; default: 1")
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")


def run(arguments: argparse.Namespace) -> None:
    """Run studies, and write the table of each once it is complete. What an earlier run made is not made again."""
    if not all(seed.isdecimal() for seed in arguments.seeds) or not arguments.seeds:
        raise InputError(f"seeds: {','.join(arguments.seeds)!r} is not a list of whole numbers such as 1,2,3")
    written = []
    for study in arguments.study:
        rows = [_row(trial, arguments.output / study, arguments) for trial in STUDIES[study]]
        path = arguments.output / f"{study}.json"
        document = {
            "name": study,
            "command": shlex.join(
                ["midalign-train", "trials", "--study", study, "--seeds", ",".join(arguments.seeds),
                 "--data-root", DATA, "--output", "OUTPUT"]
            ),
            "text": "NTREX-128 (CC BY-SA 4.0), news, lines 1-100",
            "unaligned": list(_UNALIGNED),
            "rows": rows,
        }  # fmt: skip
        with replacing(path) as file:
            json.dump(document, file, ensure_ascii=False, indent=1)
            file.write("\n")
        written.append(str(path))
    print(json.dumps({"written": written}) if arguments.json else "\n".join(written))


def _row(trial: Trial, folder: Path, arguments: argparse.Namespace) -> dict:
    """A trial's scores: under each variant the mean over seeds, and each seed's."""
    found = [_measured(trial, folder, seed, arguments) for seed in arguments.seeds]
    scores = {
        variant: {
            kind: {"mean": float(np.mean(values)), "seeds": values}
            for kind in found[0][variant]
            for values in [[one[variant][kind] for one in found]]
        }
        for variant in ("base", "align")
    }
    command = shlex.join(["midalign-train", "align", *trial.options])
    return {"trial": trial.name, "layer": trial.layer, "aligned": list(trial.aligned), "train": command, **scores}


def _measured(trial: Trial, folder: Path, seed: str, arguments: argparse.Namespace) -> dict:
    """Train a trial under a seed and measure it, as far as that is not done; retrieval accuracy by variant."""
    name = re.sub(r"[^\w.-]+", "-", trial.name)
    adapter = folder / f"{name}-{seed}"
    kept = adapter / "measured.json"
    made_by = [*trial.options, "--seed", seed]
    if kept.exists():
        found = json.loads(kept.read_text(encoding="utf-8"))
        if found.pop("options") != made_by:
            raise InputError(f"output: {adapter} holds a run with other options; give another folder")
        return found
    if not (adapter / "adapter_model.safetensors").exists():
        report(f"{trial.name}, seed {seed}: training")
        begun = ["--resume"] if (adapter / "checkpoints").exists() else []
        _call("train", "align", *made_by, "--data-root", str(arguments.data_root),
              "--output", str(adapter), *begun)  # fmt: skip
    report(f"{trial.name}, seed {seed}: measuring")
    tags = sorted({*trial.aligned, *_UNALIGNED})
    document = json.loads(
        _call("midalign_demo.cli", "retrieval", str(arguments.data_root / "parallel" / "ntrex"),
              "--languages", ",".join(["en", *tags]), *_TEST, "--variants", "base,align", "--layers", str(trial.layer),
              "--adapter", f"align={adapter}", "--dtype", "float32", "--json")
    )  # fmt: skip
    found = {}
    for variant, of in document["variants"].items():
        table = of["layers"][str(trial.layer)]
        pairs = {tag: table["pairs"][f"en-{tag}"] for tag in tags}
        found[variant] = {
            "aligned": float(np.mean([pairs[tag] for tag in trial.aligned])),
            "unaligned": float(np.mean([pairs[tag] for tag in _UNALIGNED])),
            "all": table["all"],
        }
    with replacing(kept) as file:
        json.dump({**found, "options": made_by}, file)
    return found


def _call(module: str, *arguments: str) -> str:
    """Run a command of ours in a process of its own, which gives back all its memory; what it prints on stdout.

    Raises:
        InputError: it ended with an error, which it has told by itself.
    """
    done = subprocess.run([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise InputError(f"trials: {shlex.join([module, *arguments])} ended with status {done.returncode}")
    return done.stdout
