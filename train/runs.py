"""From a recipe to what a run needs: base, LoRA, schedules of micro-batches, and the adapter's card."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch.utils.data import ConcatDataset, Dataset
from transformers import set_seed

from midalign_demo import adapters, bases, embedded
from midalign_demo.errors import InputError
from midalign_demo.files import replacing
from train import checkpoints, processes
from train.data import JointSchedule
from train.recipe import AlignmentOptions, AlignRecipe, JointRecipe, Recipe, TaskRecipe
from train.sources import alignment_schedule, task_schedule
from train.trainer import lora_weights

_STARTED = "recipe.json"
# What accelerate launch sets where it starts one process, also if it was asked for more than there are GPUs.
_LAUNCHED_ALONE = "ACCELERATE_USE_CPU"


@dataclass
class PreparedRun:
    """What `train.trainer.run` and `save_adapter` take; `before` are the weights that the run starts from."""

    base: bases.Base
    recipe: Recipe
    model: PeftModel
    train: Dataset
    dev: Dataset | None
    data_summary: dict
    before: dict[str, torch.Tensor]


def prepare_run(kind: str, recipe: Recipe, output: Path, *, resume: bool, report: Callable[[str], None]) -> PreparedRun:
    """Load the data, then the base, and put fresh LoRA weights on it.

    Raises:
        InputError: something in the recipe or the data, or an output folder that holds another run.
    """
    processes.start()
    number = processes.count()
    for option in ("lines", "rows"):
        if getattr(recipe, option, number) < number:
            raise InputError(f"{option}: {getattr(recipe, option)} given; {number} processes need at least as many")
    if recipe.average and recipe.init is None:  # a recipe leaves it to the command to name the adapter
        raise InputError("average: there is no adapter to average with; name the one to start from as init")
    with processes.one_after_another():  # which removes what is left of a checkpoint that was cut short
        _check_output(output, resume=resume)
    if resume:
        recipe = _as_started(recipe, output)
    data_root = Path(recipe.data_root) if recipe.data_root else None
    train_data, dev_data, summary = _DATA[kind](recipe, data_root)
    base = bases.load(recipe.base, dtype=recipe.dtype, trainable=True, report=report)
    if isinstance(recipe, AlignmentOptions):
        recipe.layer = base.check_layer(recipe.layer, lowest=1) if recipe.layer is not None else base.middle_layer
    set_seed(recipe.seed)
    model = _with_lora(base, recipe)
    config = model.peft_config["default"]
    config.base_model_name_or_path = embedded.HUB_ID if recipe.base == embedded.NAME else recipe.base
    trainable = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    recipe.dtype = str(base.dtype).removeprefix("torch.")
    if processes.rank() == 0:
        _write_started(recipe, output)
    if number == 1 and _LAUNCHED_ALONE in os.environ and not torch.cuda.is_available():
        report(
            "One process trains: where there is no GPU, accelerate launch starts several only with "
            "--config_file train/launch/ddp.yaml"
        )
    if number > 1 and isinstance(recipe, AlignmentOptions):
        report(
            f"{number} processes share each micro-batch: {recipe.lines} lines, so each sentence has "
            f"{recipe.lines - 1} negatives in a language"
        )
    report(f"Training {trainable:,} LoRA weights in {base.dtype} on {base.device}")
    return PreparedRun(base, recipe, model, train_data, dev_data, summary, lora_weights(model))


def _with_lora(base: bases.Base, recipe: Recipe) -> PeftModel:
    """The base with trainable LoRA weights: fresh ones, or those of the adapter to start from."""
    if recipe.init is not None:
        adapters.check_fits(recipe.init, base)
        model = PeftModel.from_pretrained(base.model, str(adapters.locate(recipe.init)), is_trainable=True)
        config = model.peft_config["default"]
        if (recipe.lora_from, recipe.lora_to) != (1, None):
            raise InputError(f"lora_from, lora_to: the layers are those of the adapter to start from, {recipe.init!r}")
        limited, aligned = config.layers_to_transform, getattr(recipe, "layer", None)
        if limited is not None and aligned is not None and min(limited) >= aligned:
            raise InputError(
                f"init: {recipe.init!r} has no weights up to the aligned layer, {aligned}; they begin at "
                f"{min(limited) + 1}"
            )
        recipe.rank, recipe.alpha, recipe.dropout = config.r, config.lora_alpha, config.lora_dropout
        recipe.target_modules = sorted(config.target_modules)
        return model
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=list(recipe.target_modules),
        layers_to_transform=_lora_layers(recipe, base),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(base.model, config)


def _lora_layers(recipe: Recipe, base: bases.Base) -> list[int] | None:
    """The blocks that get LoRA weights, counted from 0; None for all."""
    # Blocks above the aligned layer get no gradient from it.
    aligned = recipe.layer if isinstance(recipe, AlignmentOptions) else None
    highest = aligned if aligned is not None and isinstance(recipe, AlignRecipe) else base.num_layers
    last = highest if recipe.lora_to is None else recipe.lora_to
    if not recipe.lora_from <= last <= highest:
        raise InputError(f"lora_from, lora_to: layers {recipe.lora_from} to {last} given; there are 1 to {highest}")
    if aligned is not None and recipe.lora_from > aligned:
        raise InputError(f"lora_from: {recipe.lora_from} is above the aligned layer, {aligned}")
    if (recipe.lora_from, last) == (1, base.num_layers):
        return None
    return list(range(recipe.lora_from - 1, last))


def _check_output(output: Path, *, resume: bool) -> None:
    if output.exists() and not output.is_dir():
        raise InputError(f"output: {output} is a file; give a folder")
    if resume:
        if checkpoints.last(output) is None:
            logging.info("No complete checkpoint in %s: starting from the first step", output)
    elif (output / checkpoints.FOLDER).exists() or (output / "adapter_model.safetensors").exists():
        raise InputError(f"output: {output} already holds a run; add --resume to go on with it, or give another folder")


def _write_started(recipe: Recipe, output: Path) -> None:
    """Keep the recipe beside the checkpoints, as it was resolved on the machine where the run began."""
    path = output / checkpoints.FOLDER / _STARTED
    with replacing(path) as file:
        json.dump(dataclasses.asdict(recipe), file, indent=1)


def _as_started(recipe: Recipe, output: Path) -> Recipe:
    """The recipe to go on with: the one given, with what the first start chose by itself.

    Raises:
        InputError: the recipe is not the one that the run was started with.
    """
    path = output / checkpoints.FOLDER / _STARTED
    if not path.is_file():  # killed before its first step
        return recipe
    # A run of an earlier version knows nothing of keys that came since.
    started = {**dataclasses.asdict(type(recipe)()), **json.loads(path.read_text(encoding="utf-8"))}
    chosen = {"dtype": "auto", "layer": None}
    kept_by_init = ("rank", "alpha", "dropout", "target_modules") if recipe.init is not None else ()
    for key, value in dataclasses.asdict(recipe).items():
        if key in kept_by_init:
            continue
        if key in chosen and value == chosen[key]:
            recipe = dataclasses.replace(recipe, **{key: started[key]})
        elif key != "data_root" and value != started[key]:
            raise InputError(f"resume: {key} is {value!r}, but the run in {output} was started with {started[key]!r}")
    return recipe


def _alignment_data(recipe: AlignRecipe, root: Path | None) -> tuple[Dataset, Dataset | None, dict]:
    train, summary = alignment_schedule(recipe, recipe.data, root, steps=recipe.steps * recipe.accumulate)
    dev = alignment_schedule(recipe, recipe.dev, root, steps=recipe.dev_batches, dev=True)[0] if recipe.dev else None
    return train, dev, summary


def _task_data(recipe: TaskRecipe, root: Path | None) -> tuple[Dataset, Dataset | None, dict]:
    train, summary = task_schedule(recipe, recipe.data, root, steps=recipe.steps * recipe.accumulate)
    dev = task_schedule(recipe, recipe.dev, root, steps=recipe.dev_batches, dev=True)[0] if recipe.dev else None
    return train, dev, summary


def _joint_data(recipe: JointRecipe, root: Path | None) -> tuple[Dataset, Dataset | None, dict]:
    steps = recipe.steps * recipe.accumulate
    of_task, of_align = JointSchedule.shares(recipe.mode, recipe.every, steps)
    task, task_summary = task_schedule(recipe, recipe.data, root, steps=of_task)
    align, align_summary = alignment_schedule(recipe, recipe.parallel, root, steps=of_align)
    train = JointSchedule(task, align, mode=recipe.mode, every=recipe.every, steps=steps)
    dev: list[Dataset] = []
    if recipe.dev:
        dev.append(task_schedule(recipe, recipe.dev, root, steps=recipe.dev_batches, dev=True)[0])
    if recipe.parallel_dev:
        dev.append(alignment_schedule(recipe, recipe.parallel_dev, root, steps=recipe.dev_batches, dev=True)[0])
    return train, ConcatDataset(dev) if dev else None, {"task": task_summary, "align": align_summary}


# Each takes the recipe of its kind.
_DATA: dict[str, Callable[..., tuple[Dataset, Dataset | None, dict]]] = {
    "align": _alignment_data,
    "task": _task_data,
    "joint": _joint_data,
}
