"""The embedded base as transformers alone loads it."""

from __future__ import annotations

from transformers import AutoModelForCausalLM, PreTrainedModel

from midalign_demo import embedded
from midalign_demo.bases import Base


def plain_model(base: Base) -> PreTrainedModel:
    """The same weights in the same dtype, and nothing of midalign on them."""
    folder = str(embedded.prepare(lambda message: None))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=base.dtype, trust_remote_code=False)
    model.generation_config.pad_token_id = base.tokenizer.pad_token_id
    for weight in model.parameters():
        weight.sum()  # reads it from the file: else that would count as memory that the work needs
    return model.to(base.device).eval().requires_grad_(False)
