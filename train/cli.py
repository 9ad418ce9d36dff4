"""`midalign-train align|task|joint|data|trials`: train an adapter, make data to train on, or compare choices.

Also `python -m train`.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import logging
import os
import sys
from pathlib import Path

from midalign_demo import provenance
from midalign_demo.commandline import Parser
from midalign_demo.commandline import run as run_command
from train import trials
from train.make_data import add as add_data
from train.make_data import make as make_data
from train.recipe import KINDS, Recipe, add_options, build


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    arguments = vars(_parser().parse_args(argv))
    other = {"data": make_data, "trials": trials.run}.get(arguments["kind"])
    if other is not None:
        return run_command("midalign-train", lambda: other(argparse.Namespace(**arguments)))
    kind, recipe_name = arguments.pop("kind"), arguments.pop("recipe")
    output, resume, as_json = Path(arguments.pop("output")), arguments.pop("resume"), arguments.pop("json")

    def command() -> None:
        summary = _train(kind, build(KINDS[kind], recipe_name, arguments), output, resume=resume)
        if summary is None:
            return
        if as_json:
            print(json.dumps(summary))
        else:
            dev = (
                ""
                if summary["dev_loss"] is None
                else f", dev loss {summary['dev_loss']:.4f} at step {summary['best_step']}"
            )
            print(f"{summary['output']}: {summary['steps']} steps{dev}, {summary['seconds']:.0f} s")

    return run_command("midalign-train", command)


def _parser() -> Parser:
    parser = Parser(prog="midalign-train", description="Train a LoRA adapter, or make data to train on.")
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind, recipe in KINDS.items():
        sub = kinds.add_parser(kind, help=(recipe.__doc__ or "").split("\n")[0], description=recipe.__doc__)
        sub.add_argument(
            "--recipe", metavar="FILE", help="YAML file, or the name of a shipped recipe; options override it"
        )
        sub.add_argument("--output", required=True, metavar="DIR", help="folder for the adapter and its checkpoints")
        sub.add_argument("--resume", action="store_true", help="go on from the last checkpoint in DIR")
        sub.add_argument("--json", action="store_true", help="print one JSON document on stdout")
        add_options(sub, recipe)
    add_data(kinds)
    trials.add(kinds)
    return parser


def _train(kind: str, recipe: Recipe, output: Path, *, resume: bool) -> dict | None:
    """Train and save; what is printed of it, in the first of several processes."""
    from train import processes
    from train.card import card
    from train.runs import prepare_run  # torch and transformers take seconds to import
    from train.trainer import average, lora_weights, run, save_adapter

    first = os.environ.get("RANK", "0") == "0"
    logging.basicConfig(level=logging.INFO if first else logging.ERROR, format="%(message)s", stream=sys.stderr)
    for noisy in ("httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    before = provenance.record_of(recipe.init) if recipe.init is not None else None
    with contextlib.redirect_stdout(sys.stderr):  # the trainer prints its log there; stdout is for the result alone
        prepared = prepare_run(kind, recipe, output, resume=resume, report=logging.info)
        result = run(
            prepared.base, prepared.recipe, prepared.model, prepared.train, prepared.dev, output, resume=resume
        )
        weights = lora_weights(prepared.model)
    processes.end()
    if not first:
        return None
    if prepared.recipe.average:
        weights = average(weights, prepared.before, prepared.recipe.average)
    # Where the data lay on this machine is nobody's business.
    prepared.recipe.data_root = None
    details = {"kind": kind, "recipe": dataclasses.asdict(prepared.recipe), "data": prepared.data_summary, **result}
    if recipe.init is not None:
        details["before"] = before
    save_adapter(prepared.model, weights, output, card=card(kind, details), details=details)
    kept = ("steps", "best_step", "dev_loss", "train_loss", "seconds")
    return {"output": str(output), **{key: result[key] for key in kept}}


if __name__ == "__main__":
    sys.exit(main())
