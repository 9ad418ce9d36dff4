"""Alignment token by token: what keeps the tokens of a sentence apart while sentences come together.

A contrast of sentence means is won as well by moving all tokens of a sentence to one place; what a task has to copy
then can't be told from its neighbours. Here each token is drawn to the token of the translation that is its mutual
nearest neighbour, and away from the translation's other tokens: the self-training objective for word alignment of
Dou & Neubig (EACL 2021), with mutual nearest neighbours in the place of thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from train.objectives import view_pairs


def token_contrast(
    views: Sequence[Sequence[torch.Tensor]], *, temperature: float = 0.1, pairs: str = "all"
) -> torch.Tensor:
    """Mean of `-log softmax(cos / temperature)` at mutually nearest tokens of translations, in both directions.

    Cosines are taken after the mean over all tokens of a view is subtracted: all states share a large common part. The
    softmax is over the tokens of the one sentence that is the translation.

    Args:
        views: two or more languages, each with the states (length, width) of the tokens of n sentences; sentence i
            means the same in each.
        pairs: as for `train.objectives.contrastive_loss`.

    Returns:
        A scalar.
    """
    units = [_unit_tokens(view) for view in views]
    losses = [_pair(units[a], units[b], temperature) for a, b in view_pairs(len(views), pairs)]
    return torch.stack(losses).mean()


def _unit_tokens(view: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Centred rows of length one (n, longest, width), and where there is a token (n, longest)."""
    mean = torch.cat(list(view)).mean(dim=0)
    padded = pad_sequence([functional.normalize(tokens - mean, dim=-1) for tokens in view], batch_first=True)
    lengths = torch.tensor([len(tokens) for tokens in view], device=padded.device)
    return padded, torch.arange(padded.shape[1], device=padded.device) < lengths[:, None]


def _pair(
    one: tuple[torch.Tensor, torch.Tensor], other: tuple[torch.Tensor, torch.Tensor], temperature: float
) -> torch.Tensor:
    (a, in_a), (b, in_b) = one, other
    there = in_a[:, :, None] & in_b[:, None, :]
    # Not minus infinity: a padding row of nothing else would give NaN.
    scores = (a @ b.transpose(1, 2) / temperature).masked_fill(~there, -1e4)
    with torch.no_grad():
        nearest_in_b = scores == scores.amax(dim=2, keepdim=True)
        nearest_in_a = scores == scores.amax(dim=1, keepdim=True)
        mutual = nearest_in_a & nearest_in_b & there
    forward, backward = scores.log_softmax(dim=2), scores.log_softmax(dim=1)
    return -(forward[mutual] + backward[mutual]).mean() / 2
