"""From a recipe to what a run needs: base, LoRA, schedules of micro-batches, and the adapter's card."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from peft import LoraConfig, PeftModel, get_peft_model
from torch.utils.data import Dataset
from transformers import set_seed

from midalign_demo import adapters, bases, embedded
from midalign_demo.errors import InputError
from midalign_demo.tasks import slot_filling, slot_readers
from train.data import AlignmentSchedule, TaskSchedule, keep_short, read_corpora, resolve, split_times
from train.recipe import AlignRecipe, Recipe, TaskRecipe
from train.trainer import CHECKPOINTS, last_checkpoint

_STARTED = "recipe.json"
_DEV_SEED = 12345  # dev micro-batches are the same whatever the run's seed


@dataclass
class PreparedRun:
    """What `train.trainer.run` and `save_adapter` take."""

    base: bases.Base
    recipe: Recipe
    model: PeftModel
    train: Dataset
    dev: Dataset | None
    data_summary: dict


def prepare_run(kind: str, recipe: Recipe, output: Path, *, resume: bool, report: Callable[[str], None]) -> PreparedRun:
    """Load the data, then the base, and put fresh LoRA weights on it.

    Raises:
        InputError: something in the recipe or the data, or an output folder that holds another run.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError(f"WORLD_SIZE: {os.environ['WORLD_SIZE']} processes given; training runs in one")
    _check_output(output, resume=resume)
    if resume:
        recipe = _as_started(recipe, output)
    data_root = Path(recipe.data_root) if recipe.data_root else None
    if kind == "align":
        train_data, dev_data, summary = _alignment_data(recipe, data_root)
    else:
        train_data, dev_data, summary = _task_data(recipe, data_root)
    base = bases.load(recipe.base, dtype=recipe.dtype, report=report)
    if isinstance(recipe, AlignRecipe):
        recipe.layer = base.check_layer(recipe.layer, lowest=1) if recipe.layer is not None else base.middle_layer
    set_seed(recipe.seed)
    model = _with_lora(base, recipe)
    config = model.peft_config["default"]
    config.base_model_name_or_path = embedded.HUB_ID if recipe.base == embedded.NAME else recipe.base
    trainable = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    recipe.dtype = str(base.dtype).removeprefix("torch.")
    _write_started(recipe, output)
    report(f"Training {trainable:,} LoRA weights in {base.dtype} on {base.device}")
    return PreparedRun(base, recipe, model, train_data, dev_data, summary)


def _with_lora(base: bases.Base, recipe: Recipe) -> PeftModel:
    """The base with trainable LoRA weights: fresh ones, or those of the adapter to start from."""
    if recipe.init is not None:
        adapters.check_fits(recipe.init, base)
        model = PeftModel.from_pretrained(base.model, str(adapters.locate(recipe.init)), is_trainable=True)
        config = model.peft_config["default"]
        needed = getattr(recipe, "layer", None) or base.num_layers
        limited = config.layers_to_transform
        if limited is not None and not set(range(needed)) <= set(limited):
            raise InputError(f"init: {recipe.init!r} has weights in {len(limited)} layers, this run needs {needed}")
        recipe.rank, recipe.alpha, recipe.dropout = config.r, config.lora_alpha, config.lora_dropout
        recipe.target_modules = sorted(config.target_modules)
        return model
    # Blocks above the aligned layer get no gradient: no weights for them.
    layers = list(range(recipe.layer)) if isinstance(recipe, AlignRecipe) else None
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=list(recipe.target_modules),
        layers_to_transform=layers,
        task_type="CAUSAL_LM",
    )
    return get_peft_model(base.model, config)


def _check_output(output: Path, *, resume: bool) -> None:
    if output.exists() and not output.is_dir():
        raise InputError(f"output: {output} is a file; give a folder")
    if resume:
        if last_checkpoint(output) is None:
            logging.info("No complete checkpoint in %s: starting from the first step", output)
    elif (output / CHECKPOINTS).exists() or (output / "adapter_model.safetensors").exists():
        raise InputError(f"output: {output} already holds a run; add --resume to go on with it, or give another folder")


def _write_started(recipe: Recipe, output: Path) -> None:
    """Keep the recipe beside the checkpoints, as it was resolved on the machine where the run began."""
    path = output / CHECKPOINTS / _STARTED
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(dataclasses.asdict(recipe), indent=1), encoding="utf-8")
    os.replace(draft, path)


def _as_started(recipe: Recipe, output: Path) -> Recipe:
    """The recipe to go on with: the one given, with what the first start chose by itself.

    Raises:
        InputError: the recipe is not the one that the run was started with.
    """
    path = output / CHECKPOINTS / _STARTED
    if not path.is_file():  # killed before its first step
        return recipe
    started = json.loads(path.read_text(encoding="utf-8"))
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
    weights = dict(split_times(entry) for entry in recipe.languages) if recipe.languages is not None else None
    tags = list(weights) if weights is not None else None
    shape = {"lines": recipe.lines, "views": recipe.views}
    corpora = [keep_short(corpus, recipe.longest) for corpus in read_corpora(recipe.data, root, tags)]
    train = AlignmentSchedule(
        corpora, steps=recipe.steps * recipe.accumulate, seed=recipe.seed, weights=weights, **shape
    )
    dev = None
    if recipe.dev:
        dev_corpora = [keep_short(corpus, recipe.longest) for corpus in read_corpora(recipe.dev, root, tags)]
        dev = AlignmentSchedule(dev_corpora, steps=recipe.dev_batches, seed=_DEV_SEED, **shape)
    trained_tags = sorted({tag for corpus in corpora for tag in corpus})
    return train, dev, {"languages": trained_tags, "lines": [len(next(iter(corpus.values()))) for corpus in corpora]}


def _task_data(recipe: TaskRecipe, root: Path | None) -> tuple[Dataset, Dataset | None, dict]:
    inventories: dict[str, list[str]] = {}
    train, summary = _labelled_commands(recipe.data, root, "train" if recipe.split else None, inventories)
    schedule = TaskSchedule(
        train, _example_maker(inventories), rows=recipe.rows, steps=recipe.steps * recipe.accumulate, seed=recipe.seed
    )
    dev = None
    if recipe.dev:
        commands, _ = _labelled_commands(recipe.dev, root, "dev" if recipe.split else None, inventories)
        dev = TaskSchedule(
            commands, _example_maker(inventories), rows=recipe.rows, steps=recipe.dev_batches, seed=_DEV_SEED
        )
    return schedule, dev, summary


def _labelled_commands(
    sources: list[str], root: Path | None, split: str | None, inventories: dict[str, list[str]]
) -> tuple[list[tuple[str, slot_filling.Command]], dict]:
    """Commands, each with the folder it comes from, whose files share one slot inventory (added to `inventories`)."""
    found: list[tuple[str, slot_filling.Command]] = []
    counts: dict[str, int] = {}
    for source in sources:
        path, times = split_times(source)
        file = resolve(path, root)
        commands = slot_readers.read_folder_or_file(file, split=split)
        group = str(file if file.is_dir() else file.parent)
        inventories[group] = sorted({*inventories.get(group, []), *slot_filling.inventory_of(commands)})
        found.extend([(group, command) for command in commands] * times)
        counts[source] = len(commands)
    languages = sorted({command.language for _, command in found})
    return found, {"languages": languages, "commands": counts}


def _example_maker(inventories: dict[str, list[str]]):
    def to_example(record: tuple[str, slot_filling.Command], rng: random.Random) -> tuple[str, str]:
        group, command = record
        return slot_filling.training_example(command, inventories[group], rng)

    return to_example
