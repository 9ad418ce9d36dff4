"""Scoring variants on labelled data, all of them in shared batches."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import ModuleType

import numpy as np

from midalign_demo import relation, tasks
from midalign_demo.answers import AnswerStore
from midalign_demo.comparison import answer_limit, row_of
from midalign_demo.engines import AnsweringEngine
from midalign_demo.generation import Row
from midalign_demo.significance import interval, paired_interval, paired_p_value
from midalign_demo.tasks.question import Example, Question

BATCH_ROWS = 96

Progress = Callable[[int, int], None]
# Scores of single answers, for metrics that are their mean.
SegmentScores = Callable[[Sequence[Example], Sequence[str]], Sequence[float]]


def evaluate(
    engine: AnsweringEngine,
    examples: Sequence[Example],
    variants: Sequence[str],
    *,
    grammar: bool | None = None,
    store: AnswerStore | None = None,
    segment_metrics: Mapping[str, SegmentScores] | None = None,
    found: Mapping[str, Sequence[bool | None]] | None = None,
    progress: Progress | None = None,
) -> dict:
    """Each variant's scores, overall and by language, and how sure they and their differences are.

    Args:
        examples: questions of one task.
        grammar: hold the answers to the questions' grammar, where they have one; default: as is usual for the task.
        store: where answers are kept as they come, and those of an earlier run are found.
        segment_metrics: metrics beside the task's own, by name.
        found: for each variant, whether each example's English translation is the nearest to it at the middle layer;
            None for examples without one. See `midalign_demo.relation`.
        progress: called with (rows done, all rows) after each batch.

    Returns:
        `{"variants": {variant: {"overall": {metric: x, "n", "interval": {metric: [low, high]}}, "languages": {tag:
        {..}}}}, "differences": [{"variants": [a, b], "metric", "difference", "interval", "p", "languages": {tag:
        {"difference", "interval"}}}]}`; a difference is b's score minus a's, p from a paired randomisation test. With
        `found` also `{"relation": {variant: {"languages": {tag: {"n", "found"}}, "across_languages",
        "within_languages"}}}`, the last two as `midalign_demo.relation` gives them.
    """
    module = tasks.MODULES[examples[0].question.task]
    rows = {
        variant: [row_of(engine, example.question, variant, grammar=grammar) for example in examples]
        for variant in variants
    }
    limits = [answer_limit(engine, example.question) for example in examples]
    answers = answer_all(engine, rows, limits, store=store, progress=progress)
    statistics = {
        variant: np.array(
            [
                module.statistics(example.question, example.gold, answer)
                for example, answer in zip(examples, answers[variant], strict=True)
            ],
            dtype=float,
        )
        for variant in variants
    }
    segments = {
        variant: {name: np.array(score(examples, answers[variant])) for name, score in (segment_metrics or {}).items()}
        for variant in variants
    }
    groups: dict[str, list[int]] = {}
    for number, example in enumerate(examples):
        groups.setdefault(label_of(example.question), []).append(number)
    related = {
        variant: _related(module, statistics[variant], marks, groups) for variant, marks in (found or {}).items()
    }
    return {
        "variants": {
            variant: {
                "overall": _scored(module, of, segments[variant]),
                "languages": {
                    tag: _scored(module, of[numbers], {name: by[numbers] for name, by in segments[variant].items()})
                    for tag, numbers in sorted(groups.items())
                },
            }
            for variant, of in statistics.items()
        },
        "differences": [
            _difference(module, metric, pair, statistics[pair[0]], statistics[pair[1]], groups)
            for metric in module.COMPARED
            for pair in itertools.combinations(variants, 2)
        ],
        **({"relation": related} if related else {}),
    }


def label_of(question: Question) -> str:
    """The row of a table that a question belongs to: its language, or the direction of a translation."""
    source = question.language or "und"
    return source if question.target is None else f"{source}-{question.target}"


def answer_all(
    engine: AnsweringEngine,
    rows: Mapping[str, Sequence[Row]],
    limits: Sequence[int],
    *,
    store: AnswerStore | None = None,
    progress: Progress | None = None,
) -> dict[str, list[str]]:
    """Every variant's answers, in the order of its rows.

    Batches hold the rows of all variants for questions of similar size, and are the same however often the work was
    interrupted and over however many processes it is split.

    Args:
        limits: each answer's most tokens.
    """
    store = store or AnswerStore()
    count = len(limits)
    prompts = [max(map(engine.count_tokens, {of[number].prompt for of in rows.values()})) for number in range(count)]
    batches = _batches(prompts, limits, len(rows), engine.batch_tokens)
    done = 0
    for number, batch in enumerate(batches):
        cells = [(variant, row) for row in batch for variant in rows]
        if store.wants(number, cells):
            # Each with its own limit: where an answer without end is cut must not depend on what is beside it.
            found = engine.generate([replace(rows[variant][row], limit=limits[row]) for variant, row in cells])
            store.keep(cells, [answer.text for answer in found])
        done += len(cells)
        if progress:
            progress(done, count * len(rows))
    store.gather()
    return {variant: store.all_of(variant, count) for variant in rows}


def _batches(prompts: Sequence[int], limits: Sequence[int], variants: int, most_tokens: int | None) -> list[list[int]]:
    """Numbers of questions, the longest first, in batches that hold a row of each for every variant.

    Args:
        prompts: tokens of each question's longest prompt.
        limits: each answer's most tokens, but for those in which a grammar is brought to its end.
        most_tokens: that a batch comes to, padding included, unless a single question does; None: any number.
    """
    batches: list[list[int]] = []
    longest = (0, 0)
    for number in sorted(range(len(prompts)), key=lambda number: prompts[number] + limits[number], reverse=True):
        added = max(longest[0], prompts[number]), max(longest[1], limits[number])
        many = variants * (len(batches[-1]) + 1) if batches else 0
        if not batches or many > BATCH_ROWS or (most_tokens and many * sum(added) > most_tokens):
            batches.append([])
            added = prompts[number], limits[number]
        batches[-1].append(number)
        longest = added
    return batches


def _metric(module: ModuleType, name: str) -> Callable[[np.ndarray], np.ndarray]:
    """One of a task's metrics, of sums of statistics."""
    return lambda totals: module.scores(totals)[name]


def _scored(module: ModuleType, rows: np.ndarray, segments: Mapping[str, np.ndarray]) -> dict:
    whole = {name: float(value) for name, value in module.scores(rows.sum(axis=0)).items()}
    intervals = {name: list(interval(rows, _metric(module, name))) for name in whole}
    for name, scores in segments.items():
        whole[name] = float(scores.mean())
        intervals[name] = list(interval(scores[:, None], lambda totals: totals[..., 0] / len(rows)))
    return {**whole, "n": len(rows), "interval": intervals}


def _related(
    module: ModuleType, rows: np.ndarray, marks: Sequence[bool | None], groups: Mapping[str, Sequence[int]]
) -> dict:
    """How a variant's scores go with what is found at the middle layer."""
    score = _metric(module, module.MAIN_METRIC)
    kept = {tag: [number for number in numbers if marks[number] is not None] for tag, numbers in groups.items()}
    kept = {tag: numbers for tag, numbers in kept.items() if numbers}
    shares = {tag: float(np.mean([marks[number] for number in numbers])) for tag, numbers in kept.items()}
    every = [number for numbers in kept.values() for number in numbers]
    return {
        "languages": {tag: {"n": len(numbers), "found": shares[tag]} for tag, numbers in kept.items()},
        "across_languages": relation.across_languages(
            list(shares.values()), [float(score(rows[numbers].sum(axis=0))) for numbers in kept.values()]
        ),
        "within_languages": relation.within_languages(
            rows[every], score, np.array([marks[number] for number in every]),
            [tag for tag, numbers in kept.items() for _ in numbers],
        ),
    }  # fmt: skip


def _difference(
    module: ModuleType,
    metric: str,
    pair: tuple[str, str],
    first: np.ndarray,
    second: np.ndarray,
    groups: Mapping[str, Sequence[int]],
) -> dict:
    score = _metric(module, metric)

    def between(a: np.ndarray, b: np.ndarray) -> dict:
        difference = float(score(b.sum(axis=0)) - score(a.sum(axis=0)))
        return {"difference": difference, "interval": list(paired_interval(a, b, score))}

    return {
        "variants": list(pair),
        "metric": metric,
        **between(first, second),
        "p": paired_p_value(first, second, score),
        "languages": {tag: between(first[numbers], second[numbers]) for tag, numbers in sorted(groups.items())},
    }
