"""Recipes: everything that determines a training run, as a dataclass, a YAML file or command-line options."""

from __future__ import annotations

import argparse
import dataclasses
import math
import types
import typing
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import yaml

from midalign_demo import bases, languages, tasks
from midalign_demo.errors import InputError

DIRECTIONS = ("both", "one")
PAIRS = ("english", "all")
ANCHORS = ("none", "base")
MODES = ("alternate", "every", "sum")
SCHEDULERS = ("cosine", "inverse_sqrt", "linear", "constant_with_warmup")
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def _option(default, help_text: str, *, choices: tuple | None = None, lowest: float | None = None, below=math.inf):
    metadata = {"help": help_text, "choices": choices, "lowest": lowest, "below": below}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass
class Recipe:
    """What every training run has."""

    base: str = _option(bases.DEFAULT, "base model: gemma3-270m, a folder or a hub id")
    dtype: str = _option("auto", "precision of the base's weights", choices=bases.DTYPES)
    data_root: str | None = _option(None, "folder that relative paths in data and dev start from")
    data: list[str] = _option([], "what to train on")
    dev: list[str] = _option([], "what to measure the dev loss on; none: no early stopping")
    data_notes: list[str] = _option([], "the data's sources and licences, for the adapter's card")
    init: str | None = _option(
        None, "adapter to start from, a shipped one, a folder or a hub id; its rank, modules and layers are kept"
    )
    average: float = _option(
        0.0, "share of the weights that the run started from (init) in those that it ends with, see train.trainer",
        lowest=0, below=1,
    )  # fmt: skip
    rank: int = _option(8, "LoRA rank", lowest=1)
    alpha: int = _option(16, "LoRA alpha", lowest=1)
    dropout: float = _option(0.1, "LoRA dropout", lowest=0)
    target_modules: list[str] = _option(list(PROJECTIONS), "projections that get LoRA weights", choices=PROJECTIONS)
    lora_from: int = _option(1, "first layer that gets LoRA weights", lowest=1)
    lora_to: int | None = _option(
        None, "last layer that gets them; default: the base's last, of an alignment adapter the aligned one", lowest=1
    )
    learning_rate: float = _option(5e-4, "highest learning rate", lowest=0)
    scheduler: str = _option("inverse_sqrt", "learning-rate schedule", choices=SCHEDULERS)
    warmup: float = _option(0.03, "share of the steps that warm up", lowest=0)
    steps: int = _option(200, "optimizer steps", lowest=1)
    accumulate: int = _option(1, "micro-batches in one optimizer step", lowest=1)
    dev_every: int = _option(25, "steps between checkpoints, and dev evaluations where there is dev data", lowest=1)
    dev_batches: int = _option(8, "micro-batches in one dev evaluation", lowest=1)
    patience: int = _option(5, "dev evaluations without improvement before stopping", lowest=1)
    seed: int = _option(1, "random seed")


@dataclass
class AlignmentOptions:
    """What aligning needs beside its text."""

    languages: list[str] | None = _option(
        None, "languages to align with English, as TAG or TAG*N for N times the turns; default: all"
    )
    longest: int | None = _option(None, "leave out lines whose English side has more characters", lowest=1)
    layer: int | None = _option(None, "layer to align; default: the base's middle layer", lowest=1)
    lines: int = _option(32, "lines in a micro-batch", lowest=2)
    views: int = _option(2, "languages of each line in a micro-batch, English included", lowest=2)
    pairs: str = _option("english", "which pairs of views to contrast", choices=PAIRS)
    direction: str = _option("both", "directions of the contrast", choices=DIRECTIONS)
    temperature: float = _option(0.1, "temperature of the contrastive loss", lowest=1e-6)
    centre: bool = _option(False, "subtract each language's mean over the micro-batch before contrasting")
    centroids: float = _option(
        0.0, "weight of the distance between the languages' means, see train.objectives", lowest=0
    )
    token_contrast: float = _option(
        0.0, "weight of the contrast of tokens, which keeps a sentence's tokens apart, see train.tokens", lowest=0
    )
    token_dropout: float = _option(
        0.0, "share of each sentence's tokens left out at random: hides single words from memory", lowest=0, below=1
    )
    preserve: float = _option(0.0, "weight of the drift that the adapter causes, see train.objectives", lowest=0)
    anchor: str = _option(
        "none",
        "base: the others are drawn to where the base without adapter has English; none: English moves as well",
        choices=ANCHORS,
    )
    include_bos: bool = _option(False, "BOS takes part in the mean pooling, as in the reference code")


@dataclass
class AlignRecipe(AlignmentOptions, Recipe):
    """Alignment adapter: contrastive loss on parallel text.

    data: PATH or PATH:FIRST-LAST, see `midalign_demo.parallel`; with *N behind it the text counts N times.
    """


@dataclass
class TaskRecipe(Recipe):
    """Task adapter: the loss on the answers' tokens.

    data: PATH or PATH*N, which counts the file N times; for translation as for an alignment adapter.
    """

    task: str = _option("slot-filling", "task to train", choices=tuple(tasks.MODULES))
    split: bool = _option(
        True,
        "commands: train on the `train` tenths of the data only, see `midalign_demo.tasks.slot_readers.split_of`",
    )
    translate: list[str] | None = _option(
        None, "translation: languages to translate from and into, beside English; default: all in the data"
    )
    rows: int = _option(16, "examples in a micro-batch", lowest=1)


@dataclass
class JointRecipe(AlignmentOptions, TaskRecipe):
    """Joint adapter: the task's loss and the contrastive loss, taking turns or added up.

    data: as for a task adapter; parallel: as the data of an alignment adapter.
    """

    parallel: list[str] = _option([], "parallel text to align on")
    parallel_dev: list[str] = _option([], "parallel text to measure the dev loss on, beside dev")
    mode: str = _option(
        "alternate",
        "alternate: task and alignment micro-batches in turn, as in the reference code; every: one alignment "
        "micro-batch after `every` of the task; sum: both losses in one step, the contrastive one times align_weight",
        choices=MODES,
    )
    every: int = _option(3, "mode every: task micro-batches before one of alignment", lowest=1)
    align_weight: float = _option(1.0, "weight of the alignment loss", lowest=0)


_TAG_LISTS = {"languages", "translate"}  # keys that hold language tags

KINDS: dict[str, type[Recipe]] = {"align": AlignRecipe, "task": TaskRecipe, "joint": JointRecipe}


def add_options(parser: argparse.ArgumentParser, kind: type[Recipe]) -> None:
    """One command-line option for each key of the recipe; unset ones are absent from the parsed namespace."""
    hints = typing.get_type_hints(kind)
    for key in dataclasses.fields(kind):
        value_type, many = _value_type(hints[key.name])
        flag = "--" + key.name.replace("_", "-")
        extra: dict = {"help": key.metadata["help"], "default": argparse.SUPPRESS}
        if value_type is bool:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, **extra)
        else:
            metavar = key.name.upper()
            parser.add_argument(flag, type=value_type, nargs="+" if many else None, metavar=metavar, **extra)


def build(kind: type[Recipe], recipe: str | None, options: dict) -> Recipe:
    """A recipe from a YAML file (or the name of a shipped one), with options laid over it.

    Raises:
        InputError: no such recipe, an unknown key, or a value that is not allowed.
    """
    values = _read_yaml(recipe) if recipe else {}
    known = {key.name for key in dataclasses.fields(kind)}
    for key in values:
        if key not in known:
            raise InputError(f"recipe: {key!r} in {recipe} is not one of {', '.join(sorted(known))}")
    for key in _TAG_LISTS & options.keys():  # `--languages de,sw` as the other commands have it
        options = {**options, key: [tag for part in options[key] for tag in part.split(",") if tag]}
    result = kind(**{**values, **options})
    _check(result)
    return result


def _read_yaml(recipe: str) -> dict:
    shipped = files("train") / "recipes" / f"{recipe}.yaml"
    source = shipped if shipped.is_file() else Path(recipe)
    try:
        values = yaml.safe_load(source.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(f"recipe: {recipe} is not UTF-8 (byte {error.start})") from error
    except OSError as error:
        names = sorted(
            entry.name.removesuffix(".yaml")
            for entry in (files("train") / "recipes").iterdir()
            if entry.name.endswith(".yaml")
        )
        raise InputError(f"recipe: {recipe!r} is neither a file nor one of {', '.join(names)}") from error
    except yaml.YAMLError as error:
        raise InputError(f"recipe: {recipe} is not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(values, dict):
        raise InputError(f"recipe: {recipe} must hold `key: value` lines")
    return values


def _check(recipe: Recipe) -> None:
    hints = typing.get_type_hints(type(recipe))
    for key in dataclasses.fields(recipe):
        value, (value_type, many) = getattr(recipe, key.name), _value_type(hints[key.name])
        if value is None and type(None) in typing.get_args(hints[key.name]):
            continue
        if many and not isinstance(value, list):
            raise InputError(f"{key.name}: {value!r} is not a list")
        items = value if many else [value]
        if value_type is float:
            items = [
                float(item) if isinstance(item, int | float) and not isinstance(item, bool) else item for item in items
            ]
            if not many:
                setattr(recipe, key.name, items[0])
        for item in items:
            if type(item) is not value_type:
                raise InputError(f"{key.name}: {item!r} is not of type {value_type.__name__}")
            if key.metadata["choices"] and item not in key.metadata["choices"]:
                raise InputError(f"{key.name}: {item!r} is not one of {', '.join(key.metadata['choices'])}")
            if key.metadata["lowest"] is not None and not item >= key.metadata["lowest"]:
                raise InputError(f"{key.name}: {item} is below {key.metadata['lowest']}")
            if key.metadata["below"] < math.inf and not item < key.metadata["below"]:
                raise InputError(f"{key.name}: {item} is not below {key.metadata['below']}")
    if not recipe.data:
        raise InputError("data: no file or folder given to train on")
    if isinstance(recipe, JointRecipe) and not recipe.parallel:
        raise InputError("parallel: no parallel text given to align on")
    for name in _TAG_LISTS:
        for entry in getattr(recipe, name, None) or ():
            languages.normalize(entry.partition("*")[0])


def _value_type(hint) -> tuple[type, bool]:
    """The type of a field's value, and whether it is a list of them."""
    if isinstance(hint, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    if typing.get_origin(hint) is list:
        return typing.get_args(hint)[0], True
    return hint, False
