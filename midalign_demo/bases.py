"""Which base models there are, and loading one: the embedded one, a hub id or a local folder."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from midalign_demo import embedded
from midalign_demo.cpu import bfloat16_is_faster
from midalign_demo.errors import InputError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

DEFAULT = embedded.NAME
FAMILIES = ("llama", "qwen2", "qwen3", "gemma2", "gemma3", "gemma3_text", "mistral")
DTYPES = ("auto", "bfloat16", "float16", "float32")
_PLACEHOLDER = "midalign\u2063prompt"  # stands for the user's words while a chat template is filled in


@dataclass
class Base:
    """A loaded base model.

    Attributes:
        name: what the user asked for: the embedded base's name, a hub id or a folder.
        model: the causal LM in eval mode; adapters are put onto it by `midalign_demo.adapters`.
        tokenizer: its tokenizer, padding on the left, with a pad token.
        middle_layer: the layer whose embeddings are used where the user names none.
        is_chat: whether prompts go through the tokenizer's chat template.
        reframe: changes the filled-in chat template, for adapters that were trained on another one.
        lock: held around every model call, since adapter state is global to the model.
        tokenizing: held around every call of the tokenizer, which has state as well; never longer than a text takes,
            so that questions can be made ready while the model is busy.
    """

    name: str
    model: PreTrainedModel = field(repr=False)
    tokenizer: PreTrainedTokenizerBase = field(repr=False)
    middle_layer: int
    is_chat: bool
    reframe: Callable[[str], str] = field(default=lambda frame: frame, repr=False)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    tokenizing: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @property
    def num_layers(self) -> int:
        return text_config(self.model).num_hidden_layers

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        return self.model.dtype

    def check_layer(self, layer: int, *, lowest: int = 0) -> int:
        """The layer itself.

        Raises:
            InputError: the base has no such layer.
        """
        if not lowest <= layer <= self.num_layers:
            raise InputError(f"layer: {layer} is not a layer of {self.name}, which has {lowest} to {self.num_layers}")
        return layer

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text, without BOS. Strings that spell special tokens stay text."""
        with self.tokenizing:
            return self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, special tokens left out."""
        with self.tokenizing:
            return self.tokenizer.decode(ids, skip_special_tokens=True)

    @property
    def bos(self) -> list[int]:
        """What the tokenizer puts before a text: `[bos]`, or nothing in families without BOS."""
        with self.tokenizing:
            ids = self.tokenizer("", add_special_tokens=True)["input_ids"][:1]
        return ids if ids == [self.tokenizer.bos_token_id] else []

    def encode_prompt(self, prompt: str, *, system: str | None = None) -> list[int]:
        """Token ids of a whole prompt, ready to be answered.

        Chat models get it as a user's turn in their chat template, pretrained ones as BOS and plain text. In both,
        strings in the prompt that spell special tokens stay text.

        Args:
            system: what comes first in a chat model's template, in our own words; pretrained models have no such thing.
        """
        if not self.is_chat:
            return self.bos + self.encode(prompt)
        turns = [{"role": "system", "content": system}] if system is not None else []
        special = {"add_special_tokens": False}
        with self.tokenizing:
            frame = self.tokenizer.apply_chat_template(
                [*turns, {"role": "user", "content": _PLACEHOLDER}], add_generation_prompt=True, tokenize=False
            )
            frame = self.reframe(frame)
            before, _, after = frame.partition(_PLACEHOLDER)
            return (
                self.tokenizer(before, **special)["input_ids"]
                + self.encode(prompt)
                + self.tokenizer(after, **special)["input_ids"]
            )


def load(
    name: str = DEFAULT,
    *,
    dtype: str = "auto",
    device: str = "auto",
    trainable: bool = False,
    report: embedded.Report = lambda message: None,
) -> Base:
    """Load a base model. Its weights have to be safetensors, and none of its own code is run.

    Args:
        name: `gemma3-270m` (embedded), a folder, or a model id on the Hugging Face hub.
        dtype: one of `DTYPES`; `auto` takes bfloat16 on a GPU that has it and on a CPU where it is
            faster, else float32.
        device: `auto`, or a torch device such as `cpu` or `cuda:0`.
        trainable: whether gradients are to go through the model, which takes its weights as they are; else they may be
            brought into an order in which they are faster, see `midalign_demo.packed`.
        report: called with a line of progress now and then.

    Raises:
        InputError: no such base, one that is not whole, that has pickled weights or code of its own, an architecture
            that is not supported, an unknown dtype.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    from midalign_demo.packed import pack

    if dtype not in DTYPES:
        raise InputError(f"dtype: {dtype!r} is not one of {', '.join(DTYPES)}")
    source = str(embedded.prepare(report)) if name == embedded.NAME else name
    report(f"Loading {name}")
    careful = {"trust_remote_code": False}  # left out, transformers asks on the terminal
    try:
        config = AutoConfig.from_pretrained(source, **careful)
    except Exception as error:  # whatever a config.json that was altered leads to
        if "trust_remote_code" in str(error):
            raise InputError(f"base: {name!r} comes with code of its own, which midalign does not run") from error
        raise InputError(
            f"base: {name!r} is not {embedded.NAME!r}, a folder with a model, or a hub id that can be reached from here"
        ) from error
    if config.model_type not in FAMILIES:
        raise InputError(f"base: {name!r} is of family {config.model_type!r}; supported are {', '.join(FAMILIES)}")
    chosen_device = _device(device)
    transformers_logging.disable_progress_bar()  # one line of ours instead; theirs would also garble a server's log
    try:
        is_embedded = name == embedded.NAME
        tokenizer = (
            embedded.load_tokenizer(Path(source)) if is_embedded else AutoTokenizer.from_pretrained(source, **careful)
        )
        model = AutoModelForCausalLM.from_pretrained(
            source, dtype=_dtype(dtype, chosen_device), use_safetensors=True, **careful
        )
    except Exception as error:  # whatever a file that was cut short or altered leads to: tokenizers raises just this
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(f"base: {name!r} has no complete model in safetensors ({reason})") from error
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    try:
        model.to(chosen_device)
    except (RuntimeError, AssertionError) as error:  # torch knows the device's name, and has none or no room on it
        raise InputError(f"device: {device!r} cannot be used ({str(error).splitlines()[0]})") from error
    model.eval().requires_grad_(False)
    model.get_output_embeddings().register_forward_pre_hook(_contiguous)
    if not trainable:
        pack(model)
    layers = text_config(model).num_hidden_layers
    return Base(
        name=name,
        model=model,
        tokenizer=tokenizer,
        # Half-way is the paper's choice (16 of 32); `midalign retrieval --layers all` finds a base's own.
        middle_layer=embedded.MIDDLE_LAYER if name == embedded.NAME else layers // 2,
        # The embedded base is the pretrained one; its GGUF file carries the chat model's template all the same.
        is_chat=name != embedded.NAME and bool(tokenizer.chat_template),
    )


def _contiguous(head: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """The last states of several rows, as transformers cuts them out, lie apart in memory, for which torch copies all
    of the head's weights once a row if they are in bfloat16: 335 MB each for the embedded base.

    Those of a single row are contiguous by torch's own account, and it copies all the same: it goes by the strides. Not
    so a head that is packed; those of bases that are trained, or on other CPUs, aren't.
    """
    return tuple(states.new_empty(states.shape).copy_(states) if _has_gaps(states) else states for states in inputs)


def _has_gaps(states: torch.Tensor) -> bool:
    """Whether states (rows, columns, width) can't be seen as (rows * columns, width) by their strides."""
    return any(
        stride != inner * size
        for stride, inner, size in zip(states.stride(), states.stride()[1:], states.shape[1:], strict=False)
    )


def text_config(model: PreTrainedModel):
    """The config of the text decoder (Gemma 3's larger models wrap it in a multimodal one)."""
    return model.config.get_text_config(decoder=True)


def decoder_view(model: PreTrainedModel, layer: int) -> torch.nn.Module:
    """The decoder up to and including block `layer`, without its final norm, sharing all weights.

    Its `last_hidden_state` is the full model's `hidden_states[layer]`. The view follows adapters that are
    on the model, since the blocks are the same objects.

    Args:
        model: a causal LM, with or without PEFT layers inside (pass the base model, not the PeftModel).
        layer: 0 (embeddings only) to the number of blocks.
    """
    import torch

    decoder = model.get_decoder()
    view = copy.copy(decoder)
    view._modules = dict(decoder._modules)
    view.layers = torch.nn.ModuleList(decoder.layers[:layer])
    view.norm = torch.nn.Identity()
    return view


def _device(device: str) -> torch.device:
    import torch

    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        return torch.device(device)
    except RuntimeError as error:
        raise InputError(f"device: {device!r} is not a torch device such as 'auto', 'cpu' or 'cuda:0'") from error


def _dtype(dtype: str, device: torch.device) -> torch.dtype:
    import torch

    if dtype != "auto":
        return getattr(torch, dtype)
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if device.type == "cpu" and bfloat16_is_faster():
        return torch.bfloat16
    return torch.float32
