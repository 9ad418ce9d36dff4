"""The two training objectives: the contrastive alignment loss and the task's; for tokens see `train.tokens`."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch.nn import functional

from midalign_demo.bases import Base, text_config
from midalign_demo.middle import batches_by_length, hidden_states, mean_pool, pad
from train import processes

# Tokens, padding included, of one forward. The rows of a batch go through in groups of similar length, so that a
# long one does not pad the others; the loss still spans the whole batch.
FORWARD_TOKENS = 1024
# Answer tokens whose scores over the vocabulary are held at a time.
SCORED_TOKENS = 32


def contrastive_loss(
    views: Sequence[torch.Tensor],
    *,
    temperature: float = 0.1,
    direction: str = "both",
    pairs: str = "all",
    centre: bool = False,
) -> torch.Tensor:
    """InfoNCE over translations, averaged over pairs of views.

    In the pair (a, b), row i of a should be nearer to row i of b than to any other row of b:
    `-log softmax_j(cos(a_i, b_j) / temperature)` at j = i (van den Oord et al. 2018; Liu & Niehues 2025, eq. 1).

    Args:
        views: two or more tensors (n, width); row i means the same in each.
        temperature: divides the cosines.
        direction: `both`, or `one` as in the reference code: given a sentence of the later view (another
            language), find the one of the earlier view.
        pairs: `english`, only pairs with the first view; `all`, every pair.
        centre: subtract each view's mean over the batch first. All states share a large common part; without this,
            the loss goes down fastest by destroying it, and the layers above need it. See `centroid_distance` for
            what is then left over.

    Returns:
        A scalar.
    """
    if centre:
        views = [view - view.mean(dim=0, keepdim=True) for view in views]
    units = [functional.normalize(view, dim=-1) for view in views]
    losses = []
    for a, b in view_pairs(len(units), pairs):
        scores = units[a] @ units[b].T / temperature
        truth = torch.arange(len(scores), device=scores.device)
        losses.append(functional.cross_entropy(scores.T, truth))
        if direction == "both":
            losses.append(functional.cross_entropy(scores, truth))
    return torch.stack(losses).mean()


def view_pairs(views: int, pairs: str) -> list[tuple[int, int]]:
    """Which views are contrasted: `english`, each with the first; `all`, every two."""
    return [(a, b) for a, b in itertools.combinations(range(views), 2) if pairs == "all" or a == 0]


def centroid_distance(views: Sequence[torch.Tensor]) -> torch.Tensor:
    """How far apart languages lie as a whole: the part that `contrastive_loss(centre=True)` does not see.

    The mean over pairs of views of the squared distance of their means (the languages' centroids, Libovický et al.
    2020), over the mean squared distance of sentences from their own view's mean. The gradient is the numerator's:
    spreading the sentences out is no way to bring it down.

    Args:
        views: two or more tensors (n, width); row i means the same in each.

    Returns:
        A scalar; 0 where all means agree.
    """
    centroids = torch.stack([view.mean(dim=0) for view in views])
    spread = torch.stack([(view - view.mean(dim=0)).square().sum(dim=-1).mean() for view in views]).mean().detach()
    return torch.pdist(centroids).square().mean() / spread


def drop_tokens(
    token_ids: Sequence[list[int]], share: float, rng: random.Random, *, before: int = 0
) -> list[list[int]]:
    """The sentences without about `share` of their tokens, each left out independently; never all of a sentence.

    Args:
        before: how many tokens at the start stand for no word and stay, such as BOS.
    """
    kept = []
    for ids in token_ids:
        words = [token for token in ids[before:] if rng.random() >= share]
        kept.append(ids[:before] + (words or ids[before:]))
    return kept


@dataclass(frozen=True)
class Drift:
    """What the drift is made of: sums over tokens, to which those of other sentences can be added.

    Attributes:
        moved: squared distances between the tokens' states with and without the adapter, a scalar with gradient.
        sums: how many tokens, the squared lengths of their states without the adapter, and these states themselves
            (2 + width,).
    """

    moved: torch.Tensor
    sums: torch.Tensor

    def relative(self) -> torch.Tensor:
        """How far the adapter moves the tokens' states: the mean squared distance over the states' variance without it.

        A scalar. 0 is an adapter that does nothing, 1 one that moves tokens as far as they lie apart.
        """
        tokens, squares, states = self.sums[0], self.sums[1], self.sums[2:]
        return self.moved / (squares - states.square().sum() / tokens).float()


@dataclass(frozen=True)
class Embedded:
    """Sentences as training sees them, with gradient, in float32.

    Attributes:
        pooled: mean over each sentence's tokens (n, width).
        tokens: for each sentence the states of its tokens (length, width), BOS only if it is pooled.
        drift: of the sentences that it is measured on.
    """

    pooled: torch.Tensor
    tokens: list[torch.Tensor]
    drift: Drift


def embed_for_training(
    view: torch.nn.Module,
    layer: int,
    token_ids: Sequence[list[int]],
    base: Base,
    *,
    include_bos: bool = False,
    unadapted: Callable[[], AbstractContextManager] | None = None,
    measured: Collection[int] = (),
) -> Embedded:
    """Embeddings of n sentences with gradient.

    Args:
        view: the decoder up to `layer`, from `decoder_view`.
        unadapted: makes a context in which the model computes without the adapter; needed to measure the drift.
        measured: the sentences whose drift is measured, which costs a forward more.
    """
    order: list[int] = []
    pooled, tokens = [], []
    moved = torch.zeros((), device=base.device)
    # In float64: a variance is the difference of two sums that are much larger.
    sums = torch.zeros(2 + view.config.hidden_size, device=base.device, dtype=torch.float64)
    for rows in batches_by_length([len(ids) for ids in token_ids], FORWARD_TOKENS):
        inputs, attention, mask = pad([token_ids[row] for row in rows], base, include_bos=include_bos)
        [(_, states)] = hidden_states(view, [layer], input_ids=inputs, attention_mask=attention)
        own = states[mask.bool()].float().split(mask.sum(dim=1).tolist())
        chosen = [at for at, row in enumerate(rows) if row in measured]
        if chosen:
            assert unadapted is not None  # who measures the drift gives it
            with torch.no_grad(), unadapted():
                [(_, before)] = hidden_states(view, [layer], input_ids=inputs[chosen], attention_mask=attention[chosen])
            before = before[mask[chosen].bool()].float()
            moved = moved + (torch.cat([own[at] for at in chosen]) - before).square().sum()
            of_each = before.double()
            sums[0] += len(before)
            sums[1] += of_each.square().sum()
            sums[2:] += of_each.sum(dim=0)
        pooled.append(mean_pool(states, mask))
        tokens.extend(own)
        order.extend(rows)
    places = sorted(range(len(order)), key=order.__getitem__)
    return Embedded(
        pooled=torch.cat(pooled)[torch.tensor(places, device=base.device)],
        tokens=[tokens[place] for place in places],
        drift=Drift(moved, sums),
    )


def answer_loss(base: Base, prompts: Sequence[list[int]], answers: Sequence[list[int]]) -> torch.Tensor:
    """Cross-entropy of the answers' tokens given their prompts, summed up.

    Divided by the number of these tokens it is the causal LM's own loss with every prompt token masked, but logits are
    computed at answer tokens only, a few at a time: over a vocabulary of 262,144 words they would otherwise cost more
    than the decoder, and need more memory.

    Args:
        prompts: token ids of each prompt, BOS included.
        answers: token ids of each answer, EOS included.

    Returns:
        A scalar.
    """
    decoder = base.model.get_decoder()
    rows = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
    total = torch.zeros((), device=base.device)
    for group in batches_by_length([len(row) for row in rows], FORWARD_TOKENS):
        inputs, attention, _ = pad([rows[row] for row in group], base, include_bos=True)
        states = decoder(input_ids=inputs, attention_mask=attention, use_cache=False).last_hidden_state
        predicts = torch.zeros_like(attention, dtype=torch.bool)
        for at, row in enumerate(group):  # the state at each token predicts the next one
            predicts[at, len(prompts[row]) - 1 : len(rows[row]) - 1] = True
        targets = torch.tensor([token for row in group for token in answers[row]], device=base.device)
        # A head whose weights are shared out is gathered from all processes at each call: they have to make as many.
        summed = _ScoredInParts.apply if processes.count() == 1 else _scored
        total = total + summed(states[predicts], targets, base)
    return total


def _scored(states: torch.Tensor, targets: torch.Tensor, base: Base) -> torch.Tensor:
    """The summed cross-entropy of tokens (n) given states (n, width)."""
    return functional.cross_entropy(logits(base, states).float(), targets, reduction="sum")


class _ScoredInParts(torch.autograd.Function):
    """As `_scored`, a few tokens at a time.

    The gradient is computed along with the loss, so that no part's scores have to be kept for it. The head gets none.
    """

    @staticmethod
    def forward(ctx, states: torch.Tensor, targets: torch.Tensor, base: Base) -> torch.Tensor:
        total = torch.zeros((), device=states.device)
        differentiated, gradients = ctx.needs_input_grad[0], []
        for part, truth in zip(states.split(SCORED_TOKENS), targets.split(SCORED_TOKENS), strict=True):
            with torch.set_grad_enabled(differentiated):
                part = part.detach().requires_grad_(differentiated)
                loss = _scored(part, truth, base)
            if differentiated:
                gradients.append(torch.autograd.grad(loss, part)[0])
            total += loss.detach()
        if gradients:
            ctx.save_for_backward(torch.cat(gradients))
        return total

    @staticmethod
    def backward(ctx, scale: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (gradients,) = ctx.saved_tensors
        return gradients * scale, None, None


def logits(base: Base, states: torch.Tensor) -> torch.Tensor:
    """Scores over the vocabulary: (tokens, width) -> (tokens, vocabulary), soft-capped where the family does so."""
    scores = base.model.get_output_embeddings()(states)
    cap = getattr(text_config(base.model), "final_logit_softcapping", None)
    return scores if cap is None else torch.tanh(scores / cap) * cap
