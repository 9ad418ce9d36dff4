"""A base with adapters added to its weights: a model of its own, for transformers, vLLM or llama.cpp's converter."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING

from midalign_demo import card_head, files

if TYPE_CHECKING:
    from midalign_demo.adapters import AdapterSet, Weights


def write_model(adapters: AdapterSet, weights: Weights, folder: str | Path) -> None:
    """Write weights, in the base's precision, configuration and tokenizer into a folder.

    Args:
        adapters: of the base to write.
        weights: adapters to add, each times its weight; none for the base itself.

    Raises:
        InputError: an unknown adapter, or a folder that is there already.
    """
    import torch

    base = adapters.base
    state = adapters.state_with(weights)
    with torch.device("meta"):
        whole = type(base.model)(copy.deepcopy(base.model.config))
    whole.load_state_dict(state, assign=True)
    whole.tie_weights()
    whole.generation_config = copy.deepcopy(base.model.generation_config)
    with files.new_folder(Path(folder)) as draft:
        whole.save_pretrained(draft)
        base.tokenizer.save_pretrained(draft)
        (draft / "README.md").write_text(_card(adapters, weights, Path(folder).name), encoding="utf-8")


def _card(adapters: AdapterSet, weights: Weights, name: str) -> str:
    base = adapters.base.name
    sources = [adapters.sources[adapter] for adapter in weights]
    head = card_head.head_with(
        base, sources, library="transformers", pipeline="text-generation", tags=["multilingual", "midalign"]
    )
    added = " + ".join(f"{weight:g} x `{adapter}`" for adapter, weight in weights.items()) or "no adapter"
    return f"""{head}
# {name}

`{base}` with {added} added to its weights. Written by `midalign export-model`. The licences of the base and of the
adapters hold for it as well.
{card_head.terms(base)}"""
