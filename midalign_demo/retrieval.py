"""Retrieval over parallel sentences: how often the nearest sentence in the other language is the translation."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import combinations

import numpy as np

from midalign_demo.errors import InputError

SCORES = ("cosine", "margin", "mexa")
MARGIN_NEIGHBOURS = 4


def retrieval_table(embeddings: Mapping[str, np.ndarray], *, score: str = "cosine", centre: bool = False) -> dict:
    """Retrieval accuracy for every pair of languages.

    Args:
        embeddings: for each language an array (n, width); row i means the same in every language.
        score: `cosine`; `margin`, cosine over the mean cosine of each side's 4 nearest neighbours (Artetxe &
            Schwenk 2019, ratio margin); or `mexa`, how often a pair's cosine is above all others of its row and
            column (Kargaran et al. 2024, arXiv 2410.05873).
        centre: subtract each language's mean first. It needs all of a language's sentences together.

    Returns:
        `{"all": x, "en-x": x or None, "pairs": {"en-de": x, ...}}`; a pair is named in the order of the mapping.

    Raises:
        InputError: fewer than two languages, row counts that differ, or an unknown score.
    """
    if score not in SCORES:
        raise InputError(f"score: {score!r} is not one of {', '.join(SCORES)}")
    if len(embeddings) < 2:
        raise InputError(f"languages: {', '.join(embeddings) or 'none'} given; retrieval needs at least two")
    counts = {language: len(rows) for language, rows in embeddings.items()}
    if len(set(counts.values())) > 1:
        raise InputError(f"sentences: the languages differ in number: {counts}")
    units = {language: unit_rows(rows, centre=centre) for language, rows in embeddings.items()}
    scoring = {"cosine": cosine_accuracy, "margin": margin_accuracy, "mexa": mexa_accuracy}[score]
    n = len(next(iter(units.values())))
    scores = np.empty((n, n), np.result_type(*units.values()))  # one for all: fresh memory costs as much as a pass
    pairs = {f"{a}-{b}": scoring(np.matmul(units[a], units[b].T, out=scores)) for a, b in combinations(units, 2)}
    english = [value for pair, value in zip(combinations(units, 2), pairs.values(), strict=True) if "en" in pair]
    return {
        "en-x": float(np.mean(english)) if english else None,
        "all": float(np.mean(list(pairs.values()))),
        "pairs": pairs,
    }


def by_language(rows: np.ndarray, languages: Collection[str]) -> dict[str, np.ndarray]:
    """Embeddings (languages times n, width) that stand language after language, as (n, width) for each."""
    return dict(zip(languages, np.split(rows, len(languages)), strict=True))


def unit_rows(rows: np.ndarray, *, centre: bool = False) -> np.ndarray:
    """Rows of length one; less their mean first if `centre`."""
    rows = rows - rows.mean(axis=0) if centre else rows
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def cosine_accuracy(cosines: np.ndarray) -> float:
    """Mean of both directions' accuracy from a matrix (n, n) of scores."""
    truth = np.arange(len(cosines))
    forward = (cosines.argmax(axis=1) == truth).mean()
    # Where a column's highest lies takes numpy ten times as long as how high it is, and is asked only if several are.
    best = cosines.max(axis=0)
    alone = np.count_nonzero(cosines == best) == len(cosines)
    backward = (np.diag(cosines) == best if alone else cosines.argmax(axis=0) == truth).mean()
    return float((forward + backward) / 2)


def margin_accuracy(cosines: np.ndarray) -> float:
    """As `cosine_accuracy`, after dividing by the mean cosine of both sentences' nearest neighbours."""
    k = min(MARGIN_NEIGHBOURS, len(cosines))
    row_means = np.sort(np.partition(cosines, -k, axis=1)[:, -k:], axis=1).mean(axis=1)
    column_means = np.sort(np.partition(cosines, -k, axis=0)[-k:], axis=0).mean(axis=0)
    scale = (row_means[:, None] + column_means[None, :]) / 2
    return cosine_accuracy(np.divide(cosines, scale, out=np.zeros_like(cosines), where=scale != 0))


def mexa_accuracy(cosines: np.ndarray) -> float:
    """Share of pairs whose cosine is strictly above every other in its row and in its column."""
    others = cosines.copy()
    np.fill_diagonal(others, -np.inf)
    best_other = np.maximum(others.max(axis=0), others.max(axis=1))
    return float((np.diag(cosines) > best_other).mean())
