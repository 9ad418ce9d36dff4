"""The middle layer as a sentence encoder that sentence-transformers loads by itself, without this package."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from midalign_demo import card_head, files
from midalign_demo.errors import InputError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from midalign_demo.adapters import AdapterSet, Weights

# A sentence comes out as it does here if tokenizer and model were exported right; these are tried before it is said so.
_TRIED = ["The kettle is on the stove.", "Der Kessel steht auf dem Herd.", "केतली चूल्हे पर है।", "水壶在炉子上。", "No"]
_LEAST_COSINE = 0.999
_PROMPT = "bos"


def write_encoder(adapters: AdapterSet, weights: Weights, folder: str | Path, *, layer: int | None = None) -> int:
    """Write the base up to a layer, adapters added to its weights, as a folder for `SentenceTransformer(folder)`.

    The blocks above are left out, but for one: transformers gives the states below its topmost block as they are, and
    norms those above. BOS takes part in the computation and not in the mean; sentence-transformers does the same for
    a prompt that is BOS.

    Args:
        adapters: of the base to export.
        weights: adapters to add, each times its weight; none for the base itself.
        layer: default: the base's middle layer.

    Returns:
        The embeddings' width.

    Raises:
        InputError: a layer that the base lacks or whose states are normed, an unknown adapter, a folder that is there
            already, or a tokenizer that sentence-transformers can't use as it is used here.
    """
    base = adapters.base
    layer = base.middle_layer if layer is None else base.check_layer(layer, lowest=1)
    if layer == base.num_layers:
        raise InputError(f"layer: {layer} is the topmost; an encoder is one of layers 1 to {layer - 1}")
    with files.new_folder(Path(folder)) as draft, tempfile.TemporaryDirectory() as parts:
        encoder = _assemble(adapters, weights, layer, Path(parts))
        encoder.save(str(draft), model_name=Path(folder).name, create_model_card=False)
        (draft / "README.md").write_text(_card(adapters, weights, layer, Path(folder).name), encoding="utf-8")
        _check(adapters, weights, layer, draft)
    return encoder.get_embedding_dimension()


def _assemble(adapters: AdapterSet, weights: Weights, layer: int, parts: Path) -> SentenceTransformer:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer, WeightedLayerPooling

    from midalign_demo.middle import MAX_TOKENS

    base = adapters.base
    _write_blocks(adapters, weights, layer, parts)
    _write_tokenizer(base.tokenizer, parts, with_bos=bool(base.bos))
    transformer = Transformer(str(parts), max_seq_length=MAX_TOKENS + len(base.bos))
    width = base.model.config.get_text_config(decoder=True).hidden_size
    only_that_layer = torch.zeros(2)
    only_that_layer[0] = 1
    # hidden_states[layer:] of a model with one block more are two.
    middle = WeightedLayerPooling(width, num_hidden_layers=layer + 1, layer_start=layer)
    middle.layer_weights = torch.nn.Parameter(only_that_layer, requires_grad=False)
    pooling = Pooling(width, "mean", include_prompt=not base.bos)
    prompted = {"prompts": {_PROMPT: base.tokenizer.bos_token}, "default_prompt_name": _PROMPT} if base.bos else {}
    return SentenceTransformer(modules=[transformer, middle, pooling], device="cpu", **prompted)


def _write_blocks(adapters: AdapterSet, weights: Weights, layer: int, parts: Path) -> None:
    """The decoder's first `layer + 1` blocks, adapters added, as a model of its own."""
    import torch

    base = adapters.base
    decoder = base.model.get_decoder()
    config = copy.deepcopy(base.model.config.get_text_config(decoder=True))
    config.num_hidden_layers = layer + 1
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[: layer + 1]
    config.output_hidden_states = True
    with torch.device("meta"):
        part = type(decoder)(config)
    names = {id(module): name for name, module in base.model.named_modules()}
    prefix = names[id(decoder)] + "."
    whole, wanted = adapters.state_with(weights), part.state_dict()
    state = {
        name: tensor for key, tensor in whole.items() if (name := key.removeprefix(prefix)) != key and name in wanted
    }
    part.load_state_dict(state, assign=True)
    part.save_pretrained(parts)


def _write_tokenizer(tokenizer, parts: Path, *, with_bos: bool) -> None:
    """The tokenizer without a BOS of its own: it comes as the prompt, which must not count as a special token."""
    tokenizer.save_pretrained(parts)
    if not with_bos:
        return
    path = parts / "tokenizer.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    whole["post_processor"] = None
    path.write_text(json.dumps(whole, ensure_ascii=False), encoding="utf-8")
    path = parts / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    for key in ("bos_token", "add_bos_token", "chat_template"):
        config.pop(key, None)
    config.update(tokenizer_class="PreTrainedTokenizerFast", padding_side="right", add_bos_token=False)
    path.write_text(json.dumps(config, ensure_ascii=False, indent=1), encoding="utf-8")
    (parts / "special_tokens_map.json").unlink(missing_ok=True)
    (parts / "chat_template.jinja").unlink(missing_ok=True)


def _check(adapters: AdapterSet, weights: Weights, layer: int, draft: Path) -> None:
    """Hold what was written against our own embeddings."""
    import numpy as np
    from sentence_transformers import SentenceTransformer

    from midalign_demo.middle import embed
    from midalign_demo.retrieval import unit_rows

    with adapters.under(weights):
        ours = embed(adapters.base, _TRIED, layers=[layer])[layer]
    theirs = SentenceTransformer(str(draft), device="cpu").encode(_TRIED)
    cosines = (unit_rows(ours) * unit_rows(theirs.astype(np.float32))).sum(axis=1)
    if cosines.min() < _LEAST_COSINE:
        raise InputError(
            f"base: {adapters.base.name} can't be exported: sentence-transformers gives other embeddings (cosine "
            f"{cosines.min():.3f}), since its tokenizer treats BOS in another way"
        )


def _card(adapters: AdapterSet, weights: Weights, layer: int, name: str) -> str:
    base = adapters.base.name
    sources = [adapters.sources[adapter] for adapter in weights]
    tags = ["sentence-transformers", "feature-extraction", "multilingual", "midalign"]
    head = card_head.head_with(
        base, sources, library="sentence-transformers", pipeline="sentence-similarity", tags=tags
    )
    added = " + ".join(f"{weight:g} x {adapter}" for adapter, weight in weights.items()) or "no adapter"
    return f"""{head}
# {name}

Sentence embeddings from the middle of a language model: layer {layer} of `{base}` with {added}, the mean over a
sentence's tokens without BOS. They are not normalised; compare them by cosine.

```python
from sentence_transformers import SentenceTransformer

SentenceTransformer("{name}").encode(["Good morning", "Guten Morgen"])
```

Written by `midalign export-encoder`. The licences of the base and of the adapters hold for it as well.
{card_head.terms(base)}"""
