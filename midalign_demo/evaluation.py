"""Scoring variants on labelled data, all of them in shared batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from midalign_demo.engine import Engine, Row
from midalign_demo.tasks import slot_filling

BATCH_ROWS = 32

Progress = Callable[[int, int], None]


def evaluate_slot_filling(
    engine: Engine,
    commands: Sequence[slot_filling.Command],
    variants: Sequence[str],
    *,
    inventory: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> dict:
    """Slot filling F1, precision and recall of each variant, overall and by language.

    Args:
        inventory: slots listed in the prompts; default: those that occur in the commands.
        progress: called with (rows done, all rows) after each batch.

    Returns:
        `{variant: {"overall": {"f1", "precision", "recall", "n"}, "languages": {"de": {..}}}}`.
    """
    names = list(inventory or slot_filling.inventory_of(commands))
    answers = answer_all(
        engine,
        [slot_filling.prompt(command.text, names) for command in commands],
        slot_filling.NAME,
        variants,
        progress,
    )
    return {
        variant: _by_language(commands, [slot_filling.parse(text, names)[0] for text in answers[variant]])
        for variant in variants
    }


def answer_all(
    engine: Engine, prompts: Sequence[str], task: str, variants: Sequence[str], progress: Progress | None = None
) -> dict[str, list[str]]:
    """Every variant's answer to every prompt. Batches hold prompts of similar length, each under all variants."""
    adapters = {variant: engine.adapter_of(variant, task) for variant in variants}
    result = {variant: [""] * len(prompts) for variant in variants}
    order = sorted(range(len(prompts)), key=lambda number: len(prompts[number]), reverse=True)
    size = max(1, BATCH_ROWS // len(variants))
    for start in range(0, len(order), size):
        cells = [(number, variant) for number in order[start : start + size] for variant in variants]
        answers = engine.generate([Row(prompts[number], adapters[variant]) for number, variant in cells])
        for (number, variant), answer in zip(cells, answers, strict=True):
            result[variant][number] = answer.text
        if progress:
            progress(min(start + size, len(order)) * len(variants), len(order) * len(variants))
    return result


def _by_language(commands: Sequence[slot_filling.Command], predictions: Sequence[list[slot_filling.Slot]]) -> dict:
    groups: dict[str, list[int]] = {}
    for number, command in enumerate(commands):
        groups.setdefault(command.language, []).append(number)

    def scored(numbers: Sequence[int]) -> dict:
        return {
            **slot_filling.score([commands[n] for n in numbers], [predictions[n] for n in numbers]),
            "n": len(numbers),
        }

    return {
        "overall": scored(range(len(commands))),
        "languages": {tag: scored(numbers) for tag, numbers in sorted(groups.items())},
    }
