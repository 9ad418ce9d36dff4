"""What a recipe's `data` and `dev` name, read into schedules of micro-batches."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from midalign_demo import hub_data
from midalign_demo.errors import InputError
from midalign_demo.examples import read_commands, read_documents, read_parallel
from midalign_demo.tasks import json_generation, json_readers, slot_filling, translation
from train.checks import refuse_long, warn_of
from train.data import AlignmentSchedule, TaskSchedule, anchor_of
from train.recipe import AlignRecipe, JointRecipe, TaskRecipe

_DEV_SEED = 12345  # dev micro-batches are the same whatever the run's seed


def alignment_schedule(
    recipe: AlignRecipe | JointRecipe, sources: list[str], root: Path | None, *, steps: int, dev: bool = False
) -> tuple[AlignmentSchedule, dict]:
    """Micro-batches of parallel sentences, and what they are drawn from.

    Raises:
        InputError: see `read_corpora` and `AlignmentSchedule`.
    """
    weights = dict(split_times(entry) for entry in recipe.languages) if recipe.languages is not None else None
    tags = list(weights) if weights is not None else None
    corpora = [keep_short(corpus, recipe.longest) for corpus in read_corpora(sources, root, tags)]
    schedule = AlignmentSchedule(
        corpora, lines=recipe.lines, views=recipe.views, steps=steps,
        seed=_DEV_SEED if dev else recipe.seed, weights=None if dev else weights,
    )  # fmt: skip
    trained = sorted({tag for corpus in corpora for tag in corpus})
    return schedule, {"languages": trained, "lines": [len(next(iter(corpus.values()))) for corpus in corpora]}


def task_schedule(
    recipe: TaskRecipe, sources: list[str], root: Path | None, *, steps: int, dev: bool = False
) -> tuple[TaskSchedule, dict]:
    """Micro-batches of a task's examples, and what they are drawn from.

    Raises:
        InputError: see the readers of the task's data.
    """
    read = {slot_filling.NAME: _commands, json_generation.NAME: _documents, translation.NAME: _translations}
    records, to_example, summary = read[recipe.task](recipe, sources, root, dev)
    schedule = TaskSchedule(records, to_example, rows=recipe.rows, steps=steps, seed=_DEV_SEED if dev else recipe.seed)
    return schedule, summary


def _commands(recipe: TaskRecipe, sources: list[str], root: Path | None, dev: bool):
    """Commands, each with the slots that its prompt may list."""
    listed = _inventories(recipe, root)
    found: list[tuple[slot_filling.Command, list[str]]] = []
    counts: dict[str, int] = {}
    for source in sources:
        path, times = split_times(source)
        file = resolve(path, root)
        commands = read_commands(file, split=_split(recipe, dev))
        refuse_long((command.text for command in commands), source)
        found.extend([(command, listed[_folder_of(file)]) for command in commands] * times)
        counts[source] = len(commands)

    def to_example(record: tuple[slot_filling.Command, list[str]], rng: random.Random) -> tuple[str, str]:
        return slot_filling.training_example(*record, rng)

    return found, to_example, {"languages": sorted({command.language for command, _ in found}), "commands": counts}


def _documents(recipe: TaskRecipe, sources: list[str], root: Path | None, dev: bool):
    """Texts with entities; of commands, those of their part, each with the types that its prompt may list."""
    listed = _inventories(recipe, root)
    found: list[json_readers.Document] = []
    counts: dict[str, int] = {}
    for source in sources:
        path, times = split_times(source)
        file = resolve(path, root)
        types = listed.get(_folder_of(file))
        documents = read_documents(file, split=_split(recipe, dev) if types else None)
        refuse_long((document.text for document in documents), source)
        found.extend([replace(document, types=tuple(types)) if types else document for document in documents] * times)
        counts[source] = len(documents)

    def to_example(document: json_readers.Document, rng: random.Random) -> tuple[str, str]:
        return json_generation.training_example(document.text, document.entities, document.types, rng)

    return found, to_example, {"languages": sorted({document.language for document in found}), "texts": counts}


def _inventories(recipe: TaskRecipe, root: Path | None) -> dict[str, list[str]]:
    """By folder the slots of all commands that a recipe names, so that dev prompts list what training prompts do."""
    names: dict[str, set[str]] = {}
    for file in {resolve(split_times(source)[0], root) for source in [*recipe.data, *recipe.dev]}:
        if recipe.task == slot_filling.NAME or json_readers.holds_commands(file):
            names.setdefault(_folder_of(file), set()).update(slot_filling.inventory_of(read_commands(file)))
    return {folder: sorted(found) for folder, found in names.items()}


def _folder_of(file: Path | str) -> str:
    return str(file if hub_data.is_hub(file) or Path(file).is_dir() else Path(file).parent)


def _split(recipe: TaskRecipe, dev: bool) -> str | None:
    return ("dev" if dev else "train") if recipe.split else None


def _translations(recipe: TaskRecipe, sources: list[str], root: Path | None, dev: bool):
    """Lines in all their languages; the direction is drawn anew each time, half of them into the anchor language."""
    corpora = read_corpora(sources, root, recipe.translate)
    for corpus in corpora:
        refuse_long((line for lines in corpus.values() for line in lines), ", ".join(sources))
    found = [
        {tag: lines[row] for tag, lines in corpus.items()}
        for corpus in corpora
        for row in range(len(next(iter(corpus.values()))))
    ]

    def to_example(line: dict[str, str], rng: random.Random) -> tuple[str, str]:
        anchor = anchor_of(line)
        other = rng.choice([tag for tag in line if tag != anchor])
        source, target = (other, anchor) if rng.random() < 0.5 else (anchor, other)
        return translation.Question(line[source], source, target).prompt(), translation.answer(line[target])

    tags = sorted({tag for corpus in corpora for tag in corpus})
    return found, to_example, {"languages": tags, "lines": [len(next(iter(corpus.values()))) for corpus in corpora]}


def read_corpora(
    sources: Sequence[str], root: Path | None, languages: Sequence[str] | None
) -> list[dict[str, list[str]]]:
    """Read parallel texts written as `PATH` or `PATH:FIRST-LAST` (lines counted from 1, both included).

    A trailing `*N` takes the text N times.

    Args:
        root: the folder that relative paths start from; default: the working directory.
        languages: tags to keep beside the anchor; each corpus may have only some of them.

    Raises:
        InputError: see `midalign_demo.parallel.read`; or a language that no corpus has.
    """
    corpora = []
    for source in sources:
        name, times = split_times(source)
        match = re.fullmatch(r"(.+?)(?::(\d+)-(\d*))?", name)  # a range of lines behind the path
        if match is None:
            raise InputError(f"data: {source!r} names no file or folder")
        path, first, last = match.groups()
        corpus = read_parallel(resolve(path, root), first=int(first or 1), last=int(last) if last else None)
        if languages is not None:
            corpus = {tag: lines for tag, lines in corpus.items() if tag == anchor_of(corpus) or tag in languages}
        warn_of(corpus, source)
        corpora.extend([corpus] * times)
    missing = [tag for tag in languages or () if not any(tag in corpus for corpus in corpora)]
    if missing:
        raise InputError(f"languages: {', '.join(missing)} not in any of {', '.join(sources)}")
    return corpora


def split_times(entry: str) -> tuple[str, int]:
    """`X*3` -> `("X", 3)`; `X` -> `("X", 1)`.

    Raises:
        InputError: what follows the star is not a whole number above 0.
    """
    name, star, times = entry.partition("*")
    if star and not (times.isdecimal() and int(times) > 0):
        raise InputError(f"{entry!r} is not of the form X or X*N with N a whole number above 0")
    return name, int(times or 1)


def resolve(path: str, root: Path | None) -> Path | str:
    """The path, from `root` where it is relative; names of data sets of the hub stay as they are."""
    return path if hub_data.is_hub(path) else Path(root or ".", path).expanduser()


def keep_short(corpus: dict[str, list[str]], longest: int | None) -> dict[str, list[str]]:
    """Only the lines whose English side has at most `longest` characters; all if None."""
    if longest is None:
        return corpus
    kept = [row for row, line in enumerate(corpus[anchor_of(corpus)]) if len(line) <= longest]
    return {tag: [lines[row] for row in kept] for tag, lines in corpus.items()}
