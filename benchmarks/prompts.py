"""Many questions with the same instructions: what they begin with computed once, and no row computed that has ended."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from benchmarks.harness import Benchmark, Sides, check_hardly_differ
from benchmarks.plain import plain_model
from midalign_demo import adapters, variants
from midalign_demo.comparison import answer_limit, row_of
from midalign_demo.engine import Engine, open_engine
from midalign_demo.evaluation import answer_all
from midalign_demo.generation import Row
from midalign_demo.sentences import own_sentences
from midalign_demo.tasks import slot_filling

TASK = slot_filling.NAME
VARIANTS = ("task", "merged", "joint")
LANGUAGES = ("en", "de", "ru", "zh", "ar", "hi", "sw", "th", "cy", "am")
BATCH = 16
ANSWER = 16  # tokens


def _questions(of_each: int) -> list[slot_filling.Question]:
    corpus = own_sentences(LANGUAGES, last=of_each)
    return [slot_filling.Question(text, language=tag) for tag, texts in corpus.items() for text in texts]


class _Plain:
    """The variants with transformers and peft: one adapter at a time, batches as they come."""

    def __init__(self, engine: Engine):
        self.base = engine.base
        self.model = PeftModel.from_pretrained(plain_model(self.base), str(adapters.locate(TASK)), adapter_name="task")
        self.model.load_adapter(str(adapters.locate("align")), adapter_name="align")
        self.model.load_adapter(str(adapters.locate(f"{TASK}-joint")), adapter_name="joint")
        weights = [1.0, variants.MERGE_WEIGHTS[TASK]]
        self.model.add_weighted_adapter(["task", "align"], weights, "merged", combination_type="cat")
        self.model.eval()

    def answers(self, prompts: Sequence[str], variant: str, limits: Sequence[int]) -> list[str]:
        self.model.set_adapter(variant)
        found = []
        for start in range(0, len(prompts), BATCH):
            ids = [self.base.encode_prompt(prompt) for prompt in prompts[start : start + BATCH]]
            inputs = self.base.tokenizer.pad({"input_ids": ids}, return_tensors="pt")
            with torch.inference_mode():
                made = self.model.generate(**inputs, do_sample=False, max_new_tokens=max(limits[start : start + BATCH]))
            texts = self.base.tokenizer.batch_decode(made[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
            found += [text.strip(" ").lstrip("\n").split("\n")[0].strip() for text in texts]
        return found


def _same_answers(ours: dict[str, list[str]], plain: dict[str, list[str]]) -> None:
    pairs = [pair for variant in plain for pair in zip(ours[variant], plain[variant], strict=True)]
    check_hardly_differ(sum(one == other for one, other in pairs) / len(pairs), "answers")


def _evaluate() -> Sides:
    """In float32, as `_prefix`: in bfloat16 an answer in seven turns on a rounding. There the plain way also copies the
    head's weights for each row of a batch, see `midalign_demo.bases`, and would take twice as long again.
    """
    engine = open_engine("gemma3-270m", TASK, variants=VARIANTS, dtype="float32")
    plain = _Plain(engine)
    questions = _questions(3)
    rows = {variant: [row_of(engine, question, variant) for question in questions] for variant in VARIANTS}
    limits = [answer_limit(engine, question) for question in questions]

    def one_adapter_at_a_time() -> dict[str, list[str]]:
        return {name: plain.answers([row.prompt for row in of], name, limits) for name, of in rows.items()}

    return Sides(lambda: answer_all(engine, rows, limits), one_adapter_at_a_time, _same_answers)


def _prefix() -> Sides:
    """Questions one after the other, as they come from a visitor, to the base with its answered examples.

    In float32: of so few answers one that turns on a rounding of bfloat16 would be too many.
    """
    engine = open_engine("gemma3-270m", TASK, variants=["base"], dtype="float32")
    rows = [row_of(engine, question, "base") for question in _questions(2)]
    model = plain_model(engine.base)

    def ours() -> list[str]:
        return [engine.generate([row], max_new_tokens=ANSWER)[0].text for row in rows]

    def plain() -> list[str]:
        return [_whole(engine, model, row) for row in rows]

    def same(one: list[str], other: list[str]) -> None:
        _same_answers({"base": one}, {"base": other})

    return Sides(ours, plain, same)


def _whole(engine: Engine, model: PreTrainedModel, row: Row) -> str:
    """An answer for which the whole prompt is computed; it ends where ours does."""
    tokenizer = engine.base.tokenizer
    ids = torch.tensor([engine.base.encode_prompt(row.prompt)])
    with torch.inference_mode():
        made = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=ANSWER,
            stop_strings=["\n"], tokenizer=tokenizer,
        )  # fmt: skip
    return tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True).strip(" ").split("\n")[0].strip()


ALL = (
    Benchmark("evaluate-prefix", "30 commands under three variants, answered to the end", 3.0, _evaluate),
    Benchmark("prefix-reuse", f"20 commands after three answered examples, {ANSWER} tokens each", 1.5, _prefix),
)
