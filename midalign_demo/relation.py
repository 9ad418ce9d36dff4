"""Does retrieval tell how well a text is answered? Across languages, and text by text.

A text is *found* when, at the middle layer, the nearest of many English sentences is its own translation. Liu & Niehues
(2025) relate the share that is found to the task's score across languages; Ravisankar et al. (arXiv 2504.09378) ask it
of single texts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from midalign_demo.retrieval import unit_rows

RESAMPLES = 2000

# Sums of statistics (..., k) -> scores (...).
Score = Callable[[np.ndarray], np.ndarray]


def found(texts: np.ndarray, english: np.ndarray, own: Sequence[int]) -> np.ndarray:
    """Whether each text's nearest English sentence by cosine is its own.

    Args:
        texts: embeddings (n, width).
        english: embeddings (m, width) of m different sentences.
        own: for each text the number of its translation.

    Returns:
        An array (n,) of truth values.
    """
    return (unit_rows(texts) @ unit_rows(english).T).argmax(axis=1) == np.asarray(own)


def across_languages(shares: Sequence[float], scores: Sequence[float]) -> dict:
    """Pearson's and Spearman's correlation of the share of texts found with the score, each language counting once.

    Returns:
        `{"n", "pearson", "pearson_p", "spearman", "spearman_p"}`; None in the place of numbers where there are fewer
        than three languages, or no two that differ.
    """
    from scipy import stats

    document: dict = {"n": len(shares)}
    defined = len(shares) >= 3 and len(set(shares)) > 1 and len(set(scores)) > 1
    for name, measure in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr)):
        result = measure(shares, scores) if defined else None
        document[name] = float(result.statistic) if result else None
        document[f"{name}_p"] = float(result.pvalue) if result else None
    return document


def within_languages(
    rows: np.ndarray, score: Score, is_found: np.ndarray, languages: Sequence[str], *, seed: int = 0
) -> dict:
    """The score of the texts that are found and of those that are not, and their difference within languages.

    Languages that are found often are also answered better, so the plain difference says little of single texts. Here
    the marks are shuffled within each language: the mean difference over shuffles is what languages alone would make,
    and `difference` is what is left beyond it. p is two-sided (a permutation test stratified by language).

    Args:
        rows: statistics of each text (n, k).
        is_found: (n,) truth values.

    Returns:
        `{"found": {"n", "score"}, "not_found": {"n", "score"}, "difference", "p"}`; the difference and p are None where
        no language has texts of both kinds.
    """
    mark = np.asarray(is_found, dtype=float)
    whole = rows.sum(axis=0)
    groups = [np.flatnonzero(np.asarray(languages) == language) for language in sorted(set(languages))]
    document: dict = {}
    for name, kept in (("found", mark == 1), ("not_found", mark == 0)):
        number = int(kept.sum())
        document[name] = {"n": number, "score": float(score(rows[kept].sum(axis=0))) if number else None}
    if not any(0 < mark[group].sum() < len(group) for group in groups):
        return {**document, "difference": None, "p": None}

    def difference(marks: np.ndarray) -> np.ndarray:
        of_found = marks @ rows
        return score(of_found) - score(whole - of_found)

    rng = np.random.default_rng(seed)
    shuffled = np.empty((RESAMPLES, len(mark)))
    for group in groups:
        shuffled[:, group] = rng.permuted(np.tile(mark[group], (RESAMPLES, 1)), axis=1)
    by_chance = difference(shuffled)
    beyond = float(difference(mark) - by_chance.mean())
    as_far = np.abs(by_chance - by_chance.mean()) >= abs(beyond) - 1e-12
    return {**document, "difference": beyond, "p": float((as_far.sum() + 1) / (RESAMPLES + 1))}
