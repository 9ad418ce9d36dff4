"""How well intents can be told from the middle layer: a probe trained on English, tested on other languages.

A linear classifier sees English embeddings with their intents and is asked for those of other languages (Alain & Bengio
2017, arXiv 1610.01644). Nothing is generated, so it tells what is understood apart from what can be said.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import regex

FOLDS = 5


def fold_of(english: str) -> int:
    """The fold of a sentence by its English wording, so that no translation of a training sentence is tested.

    Case, spaces and punctuation make no difference.
    """
    letters = regex.sub(r"[^\p{L}\p{N}]", "", english.lower())
    return zlib.crc32(letters.encode()) % FOLDS


def right(
    english: np.ndarray, intents: Sequence[str], folds: Sequence[int],
    texts: np.ndarray, wanted: Sequence[str], text_folds: Sequence[int],
) -> np.ndarray:  # fmt: skip
    """For each text whether its intent is the one told, by a probe that saw no sentence of its fold.

    Args:
        english: embeddings (m, width) of English sentences, their intents and folds.
        texts: embeddings (n, width) of sentences in any language, their intents and folds.

    Returns:
        An array (n,) of truth values.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    learnt, tested = np.asarray(intents), np.asarray(wanted)
    learnt_folds, tested_folds = np.asarray(folds), np.asarray(text_folds)
    told = np.zeros(len(texts), dtype=bool)
    for fold in sorted(set(text_folds)):
        seen, asked = learnt_folds != fold, tested_folds == fold
        known = learnt[seen]
        if len(set(known)) < 2:
            told[asked] = tested[asked] == known[0] if len(known) else False
            continue
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, C=0.1))
        told[asked] = probe.fit(english[seen], known).predict(texts[asked]) == tested[asked]
    return told
