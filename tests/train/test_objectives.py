import random

import pytest
import torch
from peft import LoraConfig, get_peft_model
from sentence_transformers.losses import MultipleNegativesRankingLoss

from midalign_demo.bases import decoder_view
from midalign_demo.middle import embed, tokenize
from train import objectives
from train.objectives import (
    answer_loss,
    centroid_distance,
    contrastive_loss,
    drop_tokens,
    embed_for_training,
)

PROMPTS = ["When?", "Slots: time\nCommand: at noon\nValues:", "Wo ist die Katze?"]
ANSWERS = [" time: noon", " None", " auf dem warmen Dach"]


def vectors(seed: int, n: int = 6, width: int = 5) -> torch.Tensor:
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


def oracle(anchors: torch.Tensor, candidates: torch.Tensor, temperature: float) -> float:
    loss = MultipleNegativesRankingLoss(None, scale=1 / temperature)
    return loss.compute_loss_from_embeddings([anchors, candidates], None).item()


@pytest.mark.parametrize("temperature", [0.05, 0.1, 1.0])
def test_one_direction_is_the_ranking_loss_from_the_other_language_to_english(temperature):
    english, other = vectors(1), vectors(2)
    found = contrastive_loss([english, other], temperature=temperature, direction="one").item()
    assert found == pytest.approx(oracle(other, english, temperature), rel=1e-5)
    assert found != pytest.approx(oracle(english, other, temperature), rel=1e-3)


def test_both_directions_are_the_mean_of_each():
    english, other = vectors(3), vectors(4)
    expected = (oracle(english, other, 0.1) + oracle(other, english, 0.1)) / 2
    assert contrastive_loss([english, other], temperature=0.1).item() == pytest.approx(expected, rel=1e-5)


def test_pairs_with_english_or_every_pair_are_averaged():
    a, b, c = vectors(5), vectors(6), vectors(7)
    loss = {name: contrastive_loss(views).item() for name, views in {"ab": [a, b], "ac": [a, c], "bc": [b, c]}.items()}
    english = contrastive_loss([a, b, c], pairs="english").item()
    assert english == pytest.approx((loss["ab"] + loss["ac"]) / 2, rel=1e-5)
    assert contrastive_loss([a, b, c], pairs="all").item() == pytest.approx(sum(loss.values()) / 3, rel=1e-5)


def test_loss_by_hand():
    # Cosines 1 and 0 at temperature 1: each row is -log(e / (e + 1)).
    same = torch.eye(2)
    expected = torch.log(1 + torch.exp(torch.tensor(-1.0))).item()
    assert contrastive_loss([same, same * 7], temperature=1.0).item() == pytest.approx(expected)


@pytest.fixture
def lora(load_base):
    """A base of a family with LoRA weights that have a gradient."""

    def make(family: str):
        base = load_base(family, trainable=True)
        torch.manual_seed(0)
        config = LoraConfig(r=2, lora_dropout=0.0, target_modules=["q_proj", "v_proj", "down_proj"])
        model = get_peft_model(base.model, config)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if "lora_B" in name:
                    weight.normal_(0, 0.1)
        return base, model

    return make


def gradients(model, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    loss.backward()
    return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}


def assert_same_gradients(found, expected):
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        largest = expected[name].abs().max().item()
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-5 * max(largest, 1e-3))
    assert max(gradient.abs().max() for gradient in found.values()) > 1e-3


@pytest.mark.parametrize("family", ["llama", "gemma2", "gemma3_text", "qwen3"])
@pytest.mark.parametrize("forward_tokens", [40, 1024])
def test_answer_loss_is_the_models_own_loss_with_prompts_masked(lora, family, forward_tokens, monkeypatch):
    monkeypatch.setattr(objectives, "FORWARD_TOKENS", forward_tokens)
    monkeypatch.setattr(objectives, "SCORED_TOKENS", 3)
    base, model = lora(family)
    prompts = [base.encode_prompt(prompt) for prompt in PROMPTS]
    answers = [[*base.encode(answer), 2] for answer in ANSWERS]
    found = answer_loss(base, prompts, answers) / sum(map(len, answers))
    with torch.no_grad():
        assert answer_loss(base, prompts, answers) / sum(map(len, answers)) == found

    rows = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    attention = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    labels = ids.masked_fill(attention == 0, -100)
    for number, prompt in enumerate(prompts):
        labels[number, : len(prompt)] = -100
    expected = model(input_ids=ids, attention_mask=attention, labels=labels).loss
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    assert_same_gradients(gradients(model, found), gradients(model, expected))


def test_logits_are_soft_capped_where_the_family_does_so(lora):
    base, _ = lora("gemma2")
    ids = torch.tensor([[1, 50, 60, 70]])
    with torch.no_grad():
        states = base.model.get_decoder()(input_ids=ids).last_hidden_state
        found, expected = objectives.logits(base, states), base.model(input_ids=ids).logits
    torch.testing.assert_close(found, expected)
    assert found.abs().max() <= 3.0


@pytest.mark.parametrize("family", ["llama", "gemma3_text", "qwen2"])
@pytest.mark.parametrize("forward_tokens", [40, 1024])
def test_embeddings_for_training_have_the_full_models_values_and_gradients(
    lora, sentences, family, forward_tokens, monkeypatch
):
    monkeypatch.setattr(objectives, "FORWARD_TOKENS", forward_tokens)
    base, model = lora(family)
    token_ids = tokenize(base, sentences)
    weights = vectors(8, len(sentences), 32)
    embedded = embed_for_training(decoder_view(base.model, 3), 3, token_ids, base)
    found = embedded.pooled
    skipped = len(base.bos)
    expected = torch.stack(
        [
            model(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states[3][0, skipped:].mean(0)
            for ids in token_ids
        ]
    )
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())
    for ids, tokens, mean in zip(token_ids, embedded.tokens, found, strict=True):
        assert len(tokens) == len(ids) - skipped
        torch.testing.assert_close(tokens.mean(0), mean)
    loss, expected_loss = (found * weights).sum(), (expected * weights).sum()
    assert_same_gradients(gradients(model, loss), gradients(model, expected_loss))


def test_embeddings_for_training_are_those_used_for_measuring(lora, sentences):
    base, _ = lora("llama")
    for include_bos in (False, True):
        found = embed_for_training(
            decoder_view(base.model, 2), 2, tokenize(base, sentences), base, include_bos=include_bos
        ).pooled
        measured = torch.from_numpy(embed(base, sentences, layers=[2], include_bos=include_bos)[2])
        torch.testing.assert_close(found.detach(), measured, rtol=1e-4, atol=1e-5)


def test_no_gradient_reaches_blocks_above_the_aligned_layer(lora, sentences):
    base, model = lora("llama")
    embed_for_training(decoder_view(base.model, 2), 2, tokenize(base, sentences), base).pooled.sum().backward()
    reached = {name.split(".layers.")[1][0] for name, weight in model.named_parameters() if weight.grad is not None}
    assert reached == {"0", "1"}


def test_centring_takes_each_views_own_mean_away():
    first, second = vectors(1), vectors(2)
    shifted = [first + 50.0, second - 70.0]
    torch.testing.assert_close(
        contrastive_loss(shifted, centre=True), contrastive_loss([first, second], centre=True), rtol=1e-3, atol=1e-3
    )
    by_hand = [view - view.mean(0) for view in (first, second)]
    torch.testing.assert_close(contrastive_loss([first, second], centre=True), contrastive_loss(by_hand))


def test_drift_is_zero_without_an_effect_and_grows_with_the_adapters_weights(base, sentences):
    model = get_peft_model(base.model, LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"))
    view, token_ids = decoder_view(base.model, 2), tokenize(base, sentences)

    def drift() -> float:
        every_other = range(0, len(token_ids), 2)
        embedded = embed_for_training(view, 2, token_ids, base, unadapted=model.disable_adapter, measured=every_other)
        torch.testing.assert_close(embedded.pooled, embed_for_training(view, 2, token_ids, base).pooled)
        return float(embedded.drift.relative().detach())

    assert drift() == 0.0  # LoRA's B starts at zero
    found = []
    for scale in (0.05, 0.5):
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if "lora_B" in name:
                    weight.fill_(scale)
        found.append(drift())
    assert 0 < found[0] < found[1]


def test_tokens_are_dropped_at_random_in_about_the_share_and_never_all():
    sentences = [list(range(50)) for _ in range(40)] + [[7]] * 40
    dropped = drop_tokens(sentences, 0.2, random.Random(3))
    assert dropped == drop_tokens(sentences, 0.2, random.Random(3))
    assert dropped != drop_tokens(sentences, 0.2, random.Random(4))
    assert all(ids == sorted(ids) for ids in dropped)
    assert sum(len(ids) for ids in dropped[:40]) == pytest.approx(0.8 * 2000, rel=0.05)
    assert dropped[40:] == [[7]] * 40


def test_bos_is_never_dropped_nor_the_only_token_left():
    sentences = [[1, 5, 6], [1, 7]] * 100
    dropped = drop_tokens(sentences, 0.9, random.Random(0), before=1)
    assert all(ids[0] == 1 and len(ids) > 1 for ids in dropped)


def test_centroid_distance_is_what_centring_leaves_over():
    first, second = vectors(1), vectors(1)
    assert float(centroid_distance([first, second])) == 0
    spread = float((first - first.mean(0)).square().sum(-1).mean())
    step = torch.zeros_like(first)
    step[:, 0] = 3.0
    apart = float(centroid_distance([first, second + step]))
    assert apart == pytest.approx(9.0 / spread, rel=1e-4)
    assert float(centroid_distance([10 * first, 10 * (second + step)])) == pytest.approx(apart, rel=1e-4)
    assert float(centroid_distance([first, second + step, first - step])) == pytest.approx(
        (9.0 + 9.0 + 36.0) / 3 / spread, rel=1e-4
    )


def test_spreading_sentences_out_does_not_bring_centroids_together():
    first = vectors(1).requires_grad_()
    centroid_distance([first, vectors(2) + 1.0]).backward()
    torch.testing.assert_close(first.grad, first.grad[:1].expand_as(first))
