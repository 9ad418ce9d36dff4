"""Scoring variants on labelled data, all of them in shared batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from midalign_demo.comparison import answer_limit, slot_filling_row
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
        inventory: slots listed in the prompts; others are not scored. Default: those that occur in the commands.
        progress: called with (rows done, all rows) after each batch.

    Returns:
        `{variant: {"overall": {"f1", "precision", "recall", "n"}, "languages": {"de": {..}}}}`.
    """
    names = list(inventory or slot_filling.inventory_of(commands))
    commands = slot_filling.restrict(commands, names)
    rows = {
        variant: [slot_filling_row(engine, command.text, variant, names) for command in commands]
        for variant in variants
    }
    answers = answer_all(engine, rows, [answer_limit(engine, command.text) for command in commands], progress)
    return {
        variant: _by_language(commands, [slot_filling.parse(text, names)[0] for text in answers[variant]])
        for variant in variants
    }


def answer_all(
    engine: Engine,
    rows: Mapping[str, Sequence[Row]],
    limits: Sequence[int],
    progress: Progress | None = None,
) -> dict[str, list[str]]:
    """Every variant's answers, in the order of its rows.

    Batches hold the rows of all variants for questions of similar length; `limits` are each answer's most tokens.
    """
    count = len(next(iter(rows.values())))
    result = {variant: [""] * count for variant in rows}
    order = sorted(range(count), key=lambda number: max(len(of[number].prompt) for of in rows.values()), reverse=True)
    size = max(1, BATCH_ROWS // len(rows))
    for start in range(0, count, size):
        cells = [(variant, number) for number in order[start : start + size] for variant in rows]
        limit = max(limits[number] for _, number in cells)
        answers = engine.generate([rows[variant][number] for variant, number in cells], max_new_tokens=limit)
        for (variant, number), answer in zip(cells, answers, strict=True):
            result[variant][number] = answer.text
        if progress:
            progress(min(start + size, count) * len(rows), count * len(rows))
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
