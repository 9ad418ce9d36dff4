"""How sure a score is: bootstrap intervals and a paired test, from the examples' statistics.

A corpus score (F1, BLEU) is a function of sums over examples; resampling examples is resampling the rows that are
summed. Both tests are scipy's.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np

RESAMPLES = 1000
_CELLS = 20_000_000  # numbers held at once

# Sums of statistics (..., k) -> scores (...).
Score = Callable[[np.ndarray], np.ndarray]


def interval(rows: np.ndarray, score: Score, *, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Percentile bootstrap interval of a corpus score (Efron & Tibshirani 1993, ch. 13).

    Args:
        rows: statistics of each example (n, k).
        level: share of the resampled scores within.

    Returns:
        Lowest and highest score; both are the score itself where there is one example only.
    """
    from scipy import stats  # takes a second to import, which every command would pay

    n = len(rows)
    if n < 2:
        whole = float(score(rows.sum(axis=0)))
        return whole, whole

    def statistic(picked: np.ndarray, axis: int) -> np.ndarray:
        return score(_totals(rows, picked, axis))

    found = stats.bootstrap(
        (np.arange(n),),
        statistic,
        n_resamples=RESAMPLES,
        batch=max(1, _CELLS // rows.size),
        vectorized=True,
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def paired_interval(first: np.ndarray, second: np.ndarray, score: Score) -> tuple[float, float]:
    """Percentile bootstrap interval of the second's score minus the first's, the examples drawn for both at once.

    Args:
        first, second: statistics of the same examples under two variants (n, k) each.
    """
    width = first.shape[1]

    def difference(totals: np.ndarray) -> np.ndarray:
        return score(totals[..., width:]) - score(totals[..., :width])

    return interval(np.hstack([first, second]), difference)


def paired_p_value(first: np.ndarray, second: np.ndarray, score: Score, *, seed: int = 0) -> float:
    """How likely a difference as large as the one seen is, if it made no difference which of the two answered.

    Approximate randomisation (Noreen 1989; Riezler & Maxwell 2005), two-sided: the two answers to each example are
    swapped at random.

    Args:
        first, second: statistics of the same examples under two variants (n, k) each; with one example only, p is 1.
    """
    from scipy import stats

    n = len(first)
    if n < 2:
        return 1.0
    rows = np.concatenate([first, second])

    def statistic(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        return score(_totals(rows, x, axis)) - score(_totals(rows, y, axis))

    found = stats.permutation_test(
        (np.arange(n), np.arange(n, 2 * n)),
        statistic,
        permutation_type="samples",
        n_resamples=RESAMPLES,
        batch=max(1, _CELLS // rows.size),
        vectorized=True,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def share_interval(share: float, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share that was seen in n trials (Wilson 1927); `share * n` need not be whole.

    Of a mean of n numbers between 0 and 1 it is at least as wide as it need be: none varies more than zeros and ones.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def _totals(rows: np.ndarray, picked: np.ndarray, axis: int) -> np.ndarray:
    """Sums of the picked rows along an axis of `picked`."""
    return rows[picked.astype(int)].sum(axis=axis % picked.ndim)
