"""What alignment adds to the cost of training a task: joint training against the same steps of the task alone.

Not the shipped recipe, which aligns much, but the trial *joint, a little alignment* of `midalign-train trials --study
slot-filling`, which says what becomes of the gain.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from transformers import TrainingArguments

from benchmarks.harness import Benchmark, Sides
from benchmarks.training import COMMANDS
from midalign_demo.sentences import own_folder
from train import studies
from train.recipe import KINDS, build
from train.runs import prepare_run
from train.trainer import ObjectiveTrainer

_LANGUAGES = ["cy", "de", "es", "fi", "hi", "ja", "ru", "sw", "th", "zh"]
_TRIAL = next(trial for trial in studies.STUDIES["slot-filling"].trials if trial.name == studies.LITTLE)


def _joint_cost() -> Sides:
    folder = tempfile.TemporaryDirectory(prefix="midalign-joint-")
    commands = Path(folder.name) / "commands.jsonl"
    with commands.open("w", encoding="utf-8") as file:
        for number in range(64):
            text, slots = COMMANDS[number % len(COMMANDS)]
            found = [{"slot": slot.name, "values": [slot.value], "surface": True} for slot in slots]
            entry = {"id": f"{number}", "lang": "en", "utt": text, "intent": "none", "slots": found}
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
    given = {name.removeprefix("--").replace("-", "_"): value
             for name, value in zip(_TRIAL.options[::2], _TRIAL.options[1::2], strict=True)}  # fmt: skip
    shape = {name: int(given[name]) for name in ("every", "lines", "views")}
    recipe = build(
        KINDS["joint"], given["recipe"],
        {**shape, "data": [str(commands)], "parallel": [str(own_folder())], "dev": [], "parallel_dev": [],
         "split": False, "languages": _LANGUAGES, "init": given["init"], "steps": shape["every"] + 1},
    )  # fmt: skip
    run = prepare_run("joint", recipe, Path(folder.name) / "run", resume=False, report=lambda message: None)
    arguments = TrainingArguments(output_dir=folder.name, report_to="none", use_cpu=run.base.device.type == "cpu")
    trainer = ObjectiveTrainer(run.base, recipe, run.model, args=arguments)
    run.model.train()
    micro_batches = [run.train[number] for number in range(len(run.train))]

    def losses(objectives: tuple[str, ...]) -> list[float]:
        """Those of the task's micro-batches; gradients are computed and cleared."""
        found = []
        for micro_batch in micro_batches:
            if micro_batch["objective"] not in objectives:
                continue
            loss = trainer.compute_loss(run.model, micro_batch)
            loss.backward()
            run.model.zero_grad()
            if micro_batch["objective"] == "task":
                found.append(loss.item())
        return found

    def same(one: list[float], other: list[float]) -> None:
        assert one == other, f"losses of the task {one} and {other}"

    return Sides(lambda: losses(("task", "align")), lambda: losses(("task",)), same)


ALL = (Benchmark("joint-cost", "four task steps and one of alignment, against the four alone", 0.8, _joint_cost),)
