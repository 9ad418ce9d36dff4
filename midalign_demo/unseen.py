"""Labelled examples that no shipped adapter was trained on, and variants scored on a few of them.

They are midalign's own: commands and texts in `assets/unseen`, and for translation its parallel sentences.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from midalign_demo import languages, tasks
from midalign_demo.errors import InputError
from midalign_demo.examples import read_examples
from midalign_demo.sentences import own_folder
from midalign_demo.tasks import json_generation, slot_filling, translation
from midalign_demo.tasks.question import Example

if TYPE_CHECKING:
    from midalign_demo.engines import AnsweringEngine

MOST = 24  # examples that are scored at once; more would keep others waiting
_ENGLISH = "en"


def folder() -> Path:
    """The folder of the labelled commands and texts."""
    return Path(str(resources.files("midalign_demo") / "assets" / "unseen"))


def read(task: str, path: str | Path | None = None) -> list[Example]:
    """The examples of a task; translations are into and out of English.

    Args:
        path: others in their place, see `midalign_demo.examples.read_examples`.

    Raises:
        InputError: no such task, or a file that can't be read.
    """
    if task not in tasks.MODULES:
        raise InputError(f"task: {task!r} is not one of {', '.join(tasks.MODULES)}")
    if task == translation.NAME:
        source = path or own_folder()
        return read_examples(task, source, target=_ENGLISH) + read_examples(task, source, language=_ENGLISH)
    if task == json_generation.NAME:
        return read_examples(task, path or folder() / "texts.jsonl")
    slots = None if path else slot_filling.DEFAULT_INVENTORY  # midalign's own are asked as the app asks
    return read_examples(task, path or folder() / "commands.jsonl", slots=slots)


def sample(examples: Sequence[Example], language: str | None = None, n: int = 8) -> list[Example]:
    """So many of them, always the same: one of each language before the second of any.

    Args:
        language: of the text; None: any.

    Raises:
        InputError: no example in the language, or an n below 1 or above `MOST`.
    """
    if not 1 <= n <= MOST:
        raise InputError(f"n: {n} is not a number from 1 to {MOST}")
    by_language: dict[str, list[Example]] = {}
    for example in examples:
        by_language.setdefault(example.question.language or "und", []).append(example)
    if language:
        tag = languages.normalize(language)
        if tag not in by_language:
            raise InputError(f"language: there is no example in {tag!r}; there are {', '.join(sorted(by_language))}")
        by_language = {tag: by_language[tag]}
    rng = random.Random(0)  # so that everyone who asks for the same gets the same
    queues = [rng.sample(of, len(of)) for of in by_language.values()]
    rng.shuffle(queues)
    rounds = [queue[turn] for turn in range(max(map(len, queues))) for queue in queues if turn < len(queue)]
    return rounds[:n]


def gold_document(example: Example) -> Any:
    """What the answer should say, as JSON values in the form that answers are read into."""
    question, gold = example.question, example.gold
    if question.task == translation.NAME:
        return gold
    line = slot_filling.answer(gold.slots) if question.task == slot_filling.NAME else json_generation.answer(gold)
    return question.read(line)[0]


def score(example: Example, answer: str) -> dict[str, float]:
    """A single answer's metrics: those of the task's module."""
    module = tasks.MODULES[example.question.task]
    totals = np.array(module.statistics(example.question, example.gold, answer), dtype=float)
    return {name: float(value) for name, value in module.scores(totals).items()}


def with_slots(example: Example, names: Sequence[str]) -> Example:
    """The example asked with other slots, and labelled with those alone; other tasks' examples as they are."""
    if not isinstance(example.question, slot_filling.Question):
        return example
    (gold,) = slot_filling.restrict([example.gold], names)
    return Example(replace(example.question, inventory=tuple(names)), gold)


def evaluate_sample(engine: AnsweringEngine, examples: Sequence[Example], variants: Sequence[str]) -> dict:
    """Variants scored on a few examples of one task, with what each of them answered.

    Returns:
        `{"task", "n", "variants": {variant: {metric: x, "n", "interval"}}, "examples": [{"language", "target", "text",
        "gold", "answers": {variant: {"text", metric: x}}}]}`; for the scores over all examples see
        `midalign_demo.evaluation.evaluate`.
    """
    from midalign_demo.answers import AnswerStore
    from midalign_demo.evaluation import evaluate  # torch takes seconds to import

    store = AnswerStore()
    scored = evaluate(engine, examples, variants, store=store)["variants"]
    answers: Mapping[str, list[str]] = {name: store.all_of(name, len(examples)) for name in variants}
    shown = [
        {
            "language": example.question.language,
            "target": example.question.target,
            "text": example.question.text,
            "gold": gold_document(example),
            "answers": {
                name: {"text": answers[name][number], **score(example, answers[name][number])} for name in variants
            },
        }
        for number, example in enumerate(examples)
    ]
    return {
        "task": examples[0].question.task,
        "n": len(examples),
        "variants": {name: of["overall"] for name, of in scored.items()},
        "examples": shown,
    }
