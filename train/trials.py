"""`midalign-train trials`: runs that differ in one choice, and what each comes to on unseen text.

`train.studies` says which; docs/formats.md describes the table that comes of a study.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from midalign_demo import variants
from midalign_demo.commandline import comma_list, report
from midalign_demo.errors import InputError
from midalign_demo.files import replacing
from train.studies import DATA, OUTPUT, STUDIES, Trial

# What needs no second run: documents of the base alone, by command, and scores, by how the adapter was trained.
Known = dict[tuple[str, ...], dict]


def add(kinds) -> None:
    """Describe the command to the parser."""
    parser = kinds.add_parser("trials", help="Compare choices, side by side.", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--data-root", type=Path, required=True, metavar="DIR", help="holds parallel/ and, for tasks, slots/ and ner/"
    )
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
    written: list[str] = []
    known: Known = {}
    for name in arguments.study:
        study = STUDIES[name]
        rows = [_row(name, trial, arguments, known) for trial in study.trials]
        path = arguments.output / f"{name}.json"
        document = {
            "name": name,
            "title": study.title,
            "command": shlex.join(
                ["midalign-train", "trials", "--study", name, "--seeds", ",".join(arguments.seeds),
                 "--data-root", DATA, "--output", OUTPUT]
            ),
            "text": study.text,
            "compared": study.compared,
            "rows": rows,
        }  # fmt: skip
        with replacing(path) as file:
            json.dump(document, file, ensure_ascii=False, indent=1)
            file.write("\n")
        written.append(str(path))
    print(json.dumps({"written": written}) if arguments.json else "\n".join(written))


def _row(study: str, trial: Trial, arguments: argparse.Namespace, known: Known) -> dict:
    """A trial's scores: the mean over seeds, and each seed's."""
    seeds = arguments.seeds[:1] if _once(trial) else arguments.seeds
    found = [_measured(study, trial, seed, arguments, known) for seed in seeds]
    scores = {
        column: {"mean": float(np.mean(values)), "seeds": values}
        for column in found[0]
        for values in [[one[column] for one in found]]
    }
    train = shlex.join(["midalign-train", trial.kind, *trial.options]) if trial.kind else None
    return {"trial": trial.name, "train": train, "scores": scores}


def _once(trial: Trial) -> bool:
    """Whether the seeds make no difference to it: its folder then has none in its name."""
    return trial.once or not trial.kind


def _measured(study: str, trial: Trial, seed: str, arguments: argparse.Namespace, known: Known) -> dict[str, float]:
    """Train a trial under a seed and measure it, as far as that is not done; its scores by column.

    Args:
        known: added to.
    """
    name = re.sub(r"[^\w.-]+", "-", trial.name)
    folder = arguments.output / study / (name if _once(trial) else f"{name}-{seed}")
    kept = folder / "measured.json"
    made_by = [*trial.options, "--seed", seed]
    alike = (STUDIES[study].scores.__name__, str(trial.kind), *made_by)
    if kept.exists():
        found = json.loads(kept.read_text(encoding="utf-8"))
        if found["options"] != made_by:
            raise InputError(f"output: {folder} holds a run with other options; give another folder")
        known[alike] = found["scores"]
        return found["scores"]
    if trial.kind and alike in known:  # several studies have one trial in common
        return known[alike]
    places = {DATA: arguments.data_root, OUTPUT: arguments.output}

    def placed(part: str) -> str:
        name, slash, rest = part.partition("/")
        return str(places[name] / rest) if slash and name in places else part

    adapters = {role: placed(source) for role, source in trial.adapters.items()}
    if trial.kind:
        adapters[trial.variant] = str(folder)
        if not (folder / "adapter_model.safetensors").exists():
            report(f"{study}, {trial.name}, seed {seed}: training")
            begun = ["--resume"] if (folder / "checkpoints").exists() else []
            _call("train", trial.kind, *map(placed, made_by), "--data-root", str(arguments.data_root),
                  "--output", str(folder), *begun)  # fmt: skip

    def measure(command: Sequence[str]) -> dict:
        roles = variants.roles_of(command[command.index("--variants") + 1].split(","))
        if not roles and tuple(command) in known:  # the base is the same in every trial
            return known[tuple(command)]
        parts = [placed(part) for part in command]
        if command[0] == "evaluate":
            parts += ["--answers", str(folder / "answers" / re.sub(r"\W+", "-", command[2]))]
        parts += [part for role, of in adapters.items() if role in roles for part in ("--adapter", f"{role}={of}")]
        document = json.loads(_call("midalign_demo.cli", *parts, "--json"))
        if not roles:
            known[tuple(command)] = document
        return document

    report(f"{study}, {trial.name}, seed {seed}: measuring")
    scores = STUDIES[study].scores(trial, measure)
    with replacing(kept) as file:
        json.dump({"scores": scores, "options": made_by}, file)
    known[alike] = scores
    return scores


def _call(module: str, *arguments: str) -> str:
    """Run a command of ours in a process of its own, which gives back all its memory; what it prints on stdout.

    Raises:
        InputError: it ended with an error, which it has told by itself.
    """
    done = subprocess.run([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise InputError(f"trials: {shlex.join([module, *arguments])} ended with status {done.returncode}")
    return done.stdout
