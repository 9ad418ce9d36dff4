"""Embeddings at the middle layer, and retrieval from them."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import torch
from sklearn.metrics.pairwise import cosine_similarity

from benchmarks.harness import Benchmark, Sides
from benchmarks.plain import plain_model
from midalign_demo import bases
from midalign_demo.middle import embed
from midalign_demo.retrieval import retrieval_table
from midalign_demo.sentences import own_sentences

LANGUAGES = ("en", "de", "ru", "zh", "ar", "hi", "sw", "th", "cy", "am")
BATCH = 32


def _embed() -> Sides:
    base = bases.load()
    model = plain_model(base)
    texts = [text for of in own_sentences(LANGUAGES).values() for text in of]

    def ours() -> np.ndarray:
        return embed(base, texts)[base.middle_layer]

    def plain() -> np.ndarray:
        """What the documentation of transformers leads to."""
        found = []
        for start in range(0, len(texts), BATCH):
            batch = base.tokenizer(texts[start : start + BATCH], padding=True, return_tensors="pt")
            with torch.inference_mode():
                states = model(**batch, output_hidden_states=True).hidden_states[base.middle_layer]
            mask = batch["attention_mask"].clone()
            mask[torch.arange(len(mask)), mask.argmax(1)] = 0  # BOS, after the padding on the left
            weights = mask.unsqueeze(-1).float()
            found.append((states.float() * weights).sum(1) / weights.sum(1))
        return torch.cat(found).numpy()

    def same(one: np.ndarray, other: np.ndarray) -> None:
        cosines = (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
        assert cosines.min() > 0.999, f"lowest cosine {cosines.min():.4f}"

    return Sides(ours, plain, same)


def _retrieval() -> Sides:
    generator = np.random.default_rng(1)
    layers = [
        {f"l{number}": generator.standard_normal((997, 640)).astype(np.float32) for number in range(35)}
        for _ in range(2)
    ]

    def ours() -> list[float]:
        return [retrieval_table(embeddings)["all"] for embeddings in layers]

    def plain() -> list[float]:
        return [float(np.mean([_accuracy(of[a], of[b]) for a, b in combinations(of, 2)])) for of in layers]

    def same(one: list[float], other: list[float]) -> None:
        np.testing.assert_allclose(one, other, atol=1e-6)

    return Sides(ours, plain, same)


def _accuracy(one: np.ndarray, other: np.ndarray) -> float:
    """Both directions of a pair."""
    cosines, meant = cosine_similarity(one, other), np.arange(len(one))
    return float(((cosines.argmax(1) == meant).mean() + (cosines.argmax(0) == meant).mean()) / 2)


ALL = (
    Benchmark("embed", "midalign's own sentences in ten languages at layer 11, without adapters", 6.0, _embed, 0.25),
    Benchmark("retrieval-table", "retrieval over 35 languages of 997 sentences at two layers", 5.0, _retrieval),
)
