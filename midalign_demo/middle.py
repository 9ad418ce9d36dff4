"""Sentences -> embeddings at a middle layer.

A sentence goes in bare, without prompt or chat template. The decoder runs up to the highest layer asked
for and no further, and no logits are computed. A sentence's embedding at layer L is the mean of the
`hidden_states[L]` of its tokens. BOS is left out of the mean unless asked for: at the middle of many models
its norm is several times that of the other tokens, and it drowns the sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from midalign_demo.bases import Base, decoder_view
from midalign_demo.errors import InputError

MAX_TOKENS = 512
BATCH_TOKENS = 512  # on a CPU; larger batches fall out of its caches and take half as long again
GPU_BATCH_TOKENS = 16384

Progress = Callable[[int, int], None]


def embed(
    base: Base,
    sentences: Sequence[str],
    *,
    layers: Sequence[int] | None = None,
    include_bos: bool = False,
    batch_tokens: int | None = None,
    progress: Progress | None = None,
) -> dict[int, np.ndarray]:
    """Embeddings of sentences at one or several layers, under whatever adapters are active on the base.

    Args:
        sentences: n sentences; each is cut at 512 tokens.
        layers: layers to read, 0 (input embeddings) to the number of blocks; default: the base's middle layer.
        include_bos: whether BOS is part of the mean (the reference code's way).
        batch_tokens: tokens, padding included, that go through the model at once; default: what suits the device.
        progress: called with (sentences done, n) after each batch.

    Returns:
        For each layer an array (n, width), float32, not normalised.

    Raises:
        InputError: an empty sentence (its number is named), no layers, or a layer that the base doesn't have.
    """
    wanted = sorted({base.check_layer(layer) for layer in (layers if layers is not None else [base.middle_layer])})
    if not wanted:
        raise InputError("layers: none given")
    with base.tokenizing:
        token_ids = tokenize(base, sentences)
    view = decoder_view(base.model, wanted[-1])
    width = view.config.hidden_size
    result = {layer: np.empty((len(sentences), width), dtype=np.float32) for layer in wanted}
    done = 0
    if batch_tokens is None:
        batch_tokens = BATCH_TOKENS if base.device.type == "cpu" else GPU_BATCH_TOKENS
    for rows in batches_by_length([len(ids) for ids in token_ids], batch_tokens):
        inputs, attention, pooled = pad([token_ids[row] for row in rows], base, include_bos=include_bos)
        with base.lock, torch.inference_mode():
            for layer, states in hidden_states(view, wanted, input_ids=inputs, attention_mask=attention):
                result[layer][rows] = mean_pool(states, pooled).cpu().numpy()
        done += len(rows)
        if progress:
            progress(done, len(sentences))
    return result


def hidden_states(
    view: torch.nn.Module, layers: Sequence[int], **inputs: torch.Tensor
) -> list[tuple[int, torch.Tensor]]:
    """Run a view of the decoder and keep the outputs of some layers, each (rows, length, width).

    `output_hidden_states=True` is not used: transformers then leaves capturing hooks on the blocks for good, and
    the view shares its blocks with the full model, which would record every layer twice ever after.
    """
    kept: list[tuple[int, torch.Tensor]] = []
    handles = [
        view.layers[layer - 1].register_forward_hook(
            lambda module, args, output, layer=layer: kept.append(
                (layer, output[0] if isinstance(output, tuple) else output)
            )
        )
        for layer in layers
        if layer > 0
    ]
    if 0 in layers and len(view.layers):  # what enters block 1
        handles.append(view.layers[0].register_forward_pre_hook(lambda module, args: kept.append((0, args[0]))))
    try:
        output = view(use_cache=False, **inputs)
    finally:
        for handle in handles:
            handle.remove()
    if not len(view.layers):
        kept.append((0, output.last_hidden_state))
    return kept


def tokenize(base: Base, sentences: Sequence[str]) -> list[list[int]]:
    """Token ids of each sentence, BOS first where the base has one; special-token strings stay text.

    Raises:
        InputError: a sentence without any text.
    """
    check_sentences(sentences)
    if not sentences:
        return []
    encoded = base.tokenizer(
        list(sentences), add_special_tokens=False, split_special_tokens=True, truncation=True, max_length=MAX_TOKENS
    )["input_ids"]
    bos = base.bos
    return [bos + ids for ids in encoded]


def check_sentences(sentences: Sequence[str]) -> None:
    """
    Raises:
        InputError: a sentence without any text.
    """
    for number, sentence in enumerate(sentences, start=1):
        if not sentence.strip():
            raise InputError(f"sentence {number}: {sentence!r} is empty; each sentence needs some text")


def pad(
    token_ids: Sequence[list[int]], base: Base, *, include_bos: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pad on the right.

    Returns:
        Token ids, attention mask and pooling mask, each (rows, longest). The pooling mask is the attention
        mask, less BOS unless `include_bos`.
    """
    longest = max(len(ids) for ids in token_ids)
    inputs = torch.full((len(token_ids), longest), base.tokenizer.pad_token_id)
    attention = torch.zeros((len(token_ids), longest), dtype=torch.long)
    for row, ids in enumerate(token_ids):
        inputs[row, : len(ids)] = torch.tensor(ids)
        attention[row, : len(ids)] = 1
    pooled = attention.clone()
    if base.bos and not include_bos:
        pooled[:, 0] = 0
    return inputs.to(base.device), attention.to(base.device), pooled.to(base.device)


def mean_pool(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean over the tokens where the mask is 1, in float32: (rows, length, width), (rows, length) -> (rows, width)."""
    weights = mask.unsqueeze(-1).to(torch.float32)
    return (states.to(torch.float32) * weights).sum(1) / weights.sum(1)


def batches_by_length(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Row numbers in batches of similar length, each at most `batch_tokens` when padded (one row at least)."""
    rows = sorted(range(len(lengths)), key=lambda row: lengths[row], reverse=True)
    while rows:
        size = max(1, batch_tokens // max(1, lengths[rows[0]]))
        yield rows[:size]
        rows = rows[size:]
