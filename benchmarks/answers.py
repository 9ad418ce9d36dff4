"""Answers of several variants: one mixed batch against one variant after the other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from benchmarks.harness import Benchmark, Sides, check_hardly_differ
from benchmarks.plain import plain_model
from midalign_demo import adapters, bases, variants
from midalign_demo.adapters import AdapterSet
from midalign_demo.tasks import slot_filling

TASK = slot_filling.NAME
TOKENS = 48
COMMANDS = (
    "Wecke mich morgen um sieben Uhr", "Remind me to buy milk on Friday", "明日の朝七時に起こしてください",
    "¿Lloverá mañana en Sevilla?", "Поставь будильник на шесть утра", "Play some jazz in the kitchen",
    "ذكرني غدا بشراء الحليب", "把客厅的灯打开",
)  # fmt: skip


class _Variants:
    """The same variants in both ways, on one base in one dtype."""

    def __init__(self, names: Sequence[str]):
        self.names = names
        self.base = bases.load()
        self._set = AdapterSet(self.base)
        weight = variants.MERGE_WEIGHTS[TASK]
        self._weights = {"base": {}, "task": {TASK: 1.0}, "align": {"align": 1.0},
                         "merged": {TASK: 1.0, "align": weight}, "joint": {f"{TASK}-joint": 1.0}}  # fmt: skip
        used = {name for variant in names for name in self._weights[variant]}
        for name in sorted(used):
            self._set.load(name, name)
        self._peft = self._with_peft(plain_model(self.base), sorted(used), weight)

    def _with_peft(self, model: PreTrainedModel, used: Sequence[str], weight: float) -> PeftModel:
        # PEFT's names of adapters are parts of module paths and hold no hyphens here.
        peft = PeftModel.from_pretrained(model, str(adapters.locate(used[0])), adapter_name=used[0].replace("-", "_"))
        for name in used[1:]:
            peft.load_adapter(str(adapters.locate(name)), adapter_name=name.replace("-", "_"))
        if "merged" in self.names:
            both = [TASK.replace("-", "_"), "align"]
            peft.add_weighted_adapter(both, [1.0, weight], "merged", combination_type="cat")
        return peft.eval()

    def inputs(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        prompts = [slot_filling.Question(text).prompt() for text in texts]
        ids = [self.base.encode_prompt(prompt) for prompt in prompts]
        padded = self.base.tokenizer.pad({"input_ids": ids}, return_tensors="pt")
        return {"input_ids": padded["input_ids"], "attention_mask": padded["attention_mask"]}

    def in_one_batch(self, texts: Sequence[str]) -> torch.Tensor:
        """Token ids (texts times variants, TOKENS), a text's variants one after the other."""
        inputs = {name: rows.repeat_interleave(len(self.names), 0) for name, rows in self.inputs(texts).items()}
        weights = [self._weights[name] for _ in texts for name in self.names]
        with self._set.rows(weights), torch.inference_mode():
            return self._generated(self.base.model, inputs)

    def one_after_the_other(self, texts: Sequence[str]) -> torch.Tensor:
        """As `in_one_batch`, a batch of all texts for each variant."""
        inputs, found = self.inputs(texts), []
        for name in self.names:
            with torch.inference_mode():
                if name == "base":
                    with self._peft.disable_adapter():
                        found.append(self._generated(self._peft, inputs))
                    continue
                adapter = {"task": TASK, "joint": f"{TASK}-joint"}.get(name, name)
                self._peft.set_adapter(adapter.replace("-", "_"))
                found.append(self._generated(self._peft, inputs))
        return torch.stack(found, dim=1).flatten(0, 1)

    @staticmethod
    def _generated(model: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        # The end mark is no token at all: with `min_new_tokens` each step would go over all scores once more.
        none = model.get_input_embeddings().num_embeddings
        made = model.generate(**inputs, do_sample=False, eos_token_id=none, max_new_tokens=TOKENS)
        assert made.shape[1] == inputs["input_ids"].shape[1] + TOKENS
        return made[:, inputs["input_ids"].shape[1] :]


def _same_answers(end: int, ours: torch.Tensor, plain: torch.Tensor) -> None:
    """What a model says after `end`, the end mark, is no answer."""
    before = (plain == end).long().cumsum(dim=1) <= (plain == end).long()  # the first end mark included
    check_hardly_differ((ours == plain)[before].float().mean().item(), "tokens")


def _prepare(names: Sequence[str], texts: Sequence[str]) -> Sides:
    both = _Variants(names)
    same = partial(_same_answers, both.base.model.generation_config.eos_token_id)
    return Sides(lambda: both.in_one_batch(texts), lambda: both.one_after_the_other(texts), same)


def _one() -> Sides:
    return _prepare(variants.VARIANTS, COMMANDS[:1])


def _many() -> Sides:
    return _prepare(("base", "task", "align", "merged"), COMMANDS)


ALL = (
    Benchmark("compare-one", f"one prompt under five variants, {TOKENS} tokens each", 4.0, _one),
    Benchmark("compare-many", f"eight prompts under four variants, {TOKENS} tokens each", 2.0, _many),
)
