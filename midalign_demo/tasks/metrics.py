"""Scores from counts that add up over examples."""

from __future__ import annotations

import numpy as np


def micro_f1(right: np.ndarray, found: np.ndarray, wanted: np.ndarray) -> dict[str, np.ndarray]:
    """F1, precision and recall over all answers together (micro average); 1 where nothing was wanted nor found.

    Args:
        right, found, wanted: sums over examples, of any and the same shape.
    """
    nothing = (found == 0) & (wanted == 0)

    def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
        return np.where(nothing, 1.0, np.divide(part, whole, out=np.zeros(np.shape(part)), where=whole > 0))

    right, found, wanted = (np.asarray(counts, dtype=float) for counts in (right, found, wanted))
    return {"f1": ratio(2 * right, found + wanted), "precision": ratio(right, found), "recall": ratio(right, wanted)}
