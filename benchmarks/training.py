"""Training steps: midalign's losses against the ones that transformers' own models lead to."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch.nn import functional

from benchmarks.harness import Benchmark, Sides
from midalign_demo import bases, embedded
from midalign_demo.bases import Base, decoder_view
from midalign_demo.middle import tokenize
from midalign_demo.sentences import own_sentences
from midalign_demo.tasks.slot_filling import Question, Slot, answer
from train.objectives import answer_loss, contrastive_loss, embed_for_training
from train.recipe import PROJECTIONS

LANGUAGES = ("de", "ru", "zh", "ar", "hi", "sw", "th", "cy", "am", "fr")
BATCH = 32
TEMPERATURE = 0.1
COMMANDS = (
    ("Wecke mich morgen um sieben Uhr", (Slot("datetime", "morgen um sieben Uhr"),)),
    ("Remind me to buy milk on Friday", (Slot("reminder/todo", "buy milk"), Slot("datetime", "on Friday"))),
    ("¿Lloverá mañana en Sevilla?", (Slot("weather/attribute", "Lloverá"), Slot("location", "Sevilla"))),
    ("把客厅的灯打开", (Slot("area", "客厅"), Slot("name", "灯"))),
)  # fmt: skip
EXAMPLES = 16


def _adapted(layers: Sequence[int] | None) -> tuple[Base, PeftModel]:
    """The base in float32 with fresh LoRA weights, whose upper factors are no longer zero."""
    base = bases.load(dtype="float32", trainable=True)
    torch.manual_seed(0)
    config = LoraConfig(r=8, lora_alpha=16, target_modules=list(PROJECTIONS), layers_to_transform=layers)
    model = get_peft_model(base.model, config)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.01)
    return base, model


def _gradients(model: PeftModel) -> torch.Tensor:
    """All gradients in a row; they are cleared."""
    found = torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None])
    model.zero_grad()
    return found


def _same(one: tuple[float, torch.Tensor], other: tuple[float, torch.Tensor]) -> None:
    assert abs(one[0] - other[0]) < 1e-3 * abs(other[0]), f"losses {one[0]} and {other[0]}"
    cosine = functional.cosine_similarity(one[1], other[1], dim=0).item()
    assert cosine > 0.999, f"cosine of the gradients {cosine}"


def _align() -> Sides:
    base, model = _adapted(list(range(embedded.MIDDLE_LAYER)))
    corpus = own_sentences(["en", *LANGUAGES])
    pairs = [pair for tag in LANGUAGES for pair in zip(corpus["en"], corpus[tag], strict=True)][::3]
    batches = [pairs[start : start + BATCH] for start in range(0, len(pairs) - BATCH + 1, BATCH)]
    view = decoder_view(base.model, base.middle_layer)

    def ours() -> tuple[float, torch.Tensor]:
        total = 0.0
        for batch in batches:
            sentences = [sentence for side in zip(*batch, strict=True) for sentence in side]
            pooled = embed_for_training(view, base.middle_layer, tokenize(base, sentences), base).pooled
            loss = contrastive_loss(pooled.split(BATCH), temperature=TEMPERATURE)
            loss.backward()
            total += loss.item()
        return total, _gradients(model)

    def side(sentences: Sequence[str]) -> torch.Tensor:
        batch = base.tokenizer(list(sentences), padding=True, return_tensors="pt")
        states = model(**batch, output_hidden_states=True).hidden_states[base.middle_layer]
        first = batch["attention_mask"].cumsum(1) == 1  # BOS: the tokenizer pads on the left
        mask = (batch["attention_mask"].bool() & ~first).unsqueeze(-1).float()
        return (states * mask).sum(1) / mask.sum(1)

    def plain() -> tuple[float, torch.Tensor]:
        """One forward a side, and all pairs' cosines from an expanded tensor, as the reference code has it."""
        total = 0.0
        for batch in batches:
            one, other = (side(sentences) for sentences in zip(*batch, strict=True))
            scores = functional.cosine_similarity(one.unsqueeze(1), other.unsqueeze(0), dim=-1) / TEMPERATURE
            truth = torch.arange(len(batch))
            loss = (functional.cross_entropy(scores, truth) + functional.cross_entropy(scores.T, truth)) / 2
            loss.backward()
            total += loss.item()
        return total, _gradients(model)

    return Sides(ours, plain, _same)


def _task() -> Sides:
    base, model = _adapted(None)
    examples = [COMMANDS[number % len(COMMANDS)] for number in range(EXAMPLES)]
    prompts = [base.encode_prompt(Question(text).prompt()) for text, _ in examples]
    answers = [[*base.encode(answer(slots)), base.tokenizer.eos_token_id] for _, slots in examples]

    def ours() -> tuple[float, torch.Tensor]:
        loss = answer_loss(base, prompts, answers) / sum(map(len, answers))
        loss.backward()
        return loss.item(), _gradients(model)

    def plain() -> tuple[float, torch.Tensor]:
        """`labels=..`, as the documentation of transformers has it: logits of every token over all words."""
        rows = [prompt + reply for prompt, reply in zip(prompts, answers, strict=True)]
        longest = max(map(len, rows))
        inputs = torch.full((len(rows), longest), base.tokenizer.pad_token_id)
        labels, attention = torch.full_like(inputs, -100), torch.zeros_like(inputs)
        for number, (row, prompt) in enumerate(zip(rows, prompts, strict=True)):
            inputs[number, : len(row)], attention[number, : len(row)] = torch.tensor(row), 1
            labels[number, len(prompt) : len(row)] = torch.tensor(row[len(prompt) :])
        loss = model(input_ids=inputs, attention_mask=attention, labels=labels).loss
        loss.backward()
        return loss.item(), _gradients(model)

    return Sides(ours, plain, _same)


ALL = (
    Benchmark("align-step", "alignment training, 160 pairs in batches of 32, forward and backward", 4.0, _align, 1 / 3),
    Benchmark("task-step", "a task step of 16 commands, forward and backward", 2.0, _task, 1 / 3),
)
