"""The English translations of labelled texts, and whether each is found at the middle layer: `evaluate --relate`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from midalign_demo.commandline import progress_bar
from midalign_demo.errors import InputError
from midalign_demo.examples import read_examples
from midalign_demo.tasks import slot_filling
from midalign_demo.tasks.question import Example

if TYPE_CHECKING:
    from midalign_demo.engine import Engine


def translation_of(example: Example) -> str | None:
    """The English sentence that says the same as an example's text, where the data has it."""
    if example.question.language == "en":
        return None
    if example.question.task == slot_filling.NAME:
        return example.gold.english
    return example.gold if example.question.target == "en" else None


def pool(arguments: argparse.Namespace, examples: Sequence[Example]) -> list[str]:
    """The English sentences among which translations are looked for: those of all the data, not of one part alone.

    Raises:
        InputError: the data has none.
    """
    if arguments.task == slot_filling.NAME:
        every = read_examples(arguments.task, arguments.path, slots=arguments.slots)
    else:
        every = read_examples(arguments.task, arguments.path, language=arguments.language, target=arguments.target)
    sentences = sorted({english for example in every if (english := translation_of(example))})
    if not sentences or not any(translation_of(example) for example in examples):
        raise InputError(f"relate: {arguments.path} has no English translations of what is evaluated")
    return sentences


def found(engine: Engine, examples: Sequence[Example], variant: str, sentences: Sequence[str]) -> list[bool | None]:
    """For each example whether its translation is the nearest of the sentences under a variant, at the middle layer."""
    from midalign_demo import relation

    places = {english: number for number, english in enumerate(sentences)}
    known = {number: english for number, example in enumerate(examples) if (english := translation_of(example))}
    texts = [examples[number].question.text for number in known]
    weights, layer = engine.adapters_of(variant, examples[0].question.task), engine.base.middle_layer
    tell = progress_bar(f"embedding, {variant}")
    rows = engine.embed([*sentences, *texts], weights, layers=[layer], progress=tell)[layer]
    own = [places[english] for english in known.values()]
    marks = relation.found(rows[len(sentences) :], rows[: len(sentences)], own)
    result: list[bool | None] = [None] * len(examples)
    for number, mark in zip(known, marks, strict=True):
        result[number] = bool(mark)
    return result
