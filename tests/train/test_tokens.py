"""train.tokens."""

import math

import pytest
import torch

from train.tokens import token_contrast


def states(seed: int, *lengths: int, width: int = 6) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(length, width, generator=generator) for length in lengths]


def by_hand(one: list[torch.Tensor], other: list[torch.Tensor], temperature: float) -> float:
    """Sentence by sentence and token by token."""
    means = [torch.cat(view).mean(0) for view in (one, other)]
    losses = []
    for a, b in zip(one, other, strict=True):
        a, b = a - means[0], b - means[1]
        a, b = a / a.norm(dim=1, keepdim=True), b / b.norm(dim=1, keepdim=True)
        cosines = (a @ b.T).tolist()
        for i, row in enumerate(cosines):
            j = max(range(len(row)), key=row.__getitem__)
            column = [line[j] for line in cosines]
            if max(range(len(column)), key=column.__getitem__) == i:
                for scores in (row, column):
                    whole = sum(math.exp(score / temperature) for score in scores)
                    losses.append(-math.log(math.exp(row[j] / temperature) / whole))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_loss_by_hand_over_sentences_of_different_lengths(temperature):
    one, other = states(1, 3, 7, 1), states(2, 4, 5, 2)
    found = token_contrast([one, other], temperature=temperature).item()
    assert found == pytest.approx(by_hand(one, other, temperature), rel=1e-4)


def test_pairs_of_views_are_averaged():
    a, b, c = states(1, 3, 4), states(2, 5, 2), states(3, 4, 4)
    ab, ac, bc = (token_contrast([x, y]).item() for x, y in ((a, b), (a, c), (b, c)))
    assert token_contrast([a, b, c]).item() == pytest.approx((ab + ac + bc) / 3, rel=1e-5)
    assert token_contrast([a, b, c], pairs="english").item() == pytest.approx((ab + ac) / 2, rel=1e-5)


def test_tokens_that_fall_together_cost_and_the_gradient_moves_them_apart():
    apart = [torch.eye(4), torch.eye(4) * 2]
    together = [tokens.mean(0, keepdim=True) + 0.01 * tokens for tokens in (torch.eye(4), -torch.eye(4))]
    assert token_contrast([apart, apart]).item() < 0.01
    assert token_contrast([together, together]).item() > token_contrast([apart, apart]).item()
    noises = states(5, 4, 4, width=4)
    moved = [(tokens + 0.3 * noise).requires_grad_() for tokens, noise in zip(apart, noises, strict=True)]
    before = token_contrast([moved, apart])
    before.backward()
    after = [tokens.detach() - 0.5 * tokens.grad for tokens in moved]
    assert token_contrast([after, apart]).item() < before.item()
