"""Tiny random models, tokenizers and adapters, written to folders as real ones are."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GenerationConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

LAYERS = 4
WIDTH = 32
SPECIALS = ["<pad>", "<bos>", "<eos>", "<turn>", "</turn>"]
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<turn>{{ message['role'] }}: {{ message['content'] }}</turn>"
    "{% endfor %}{% if add_generation_prompt %}<turn>model: {% endif %}"
)

_SHAPE = {
    "hidden_size": WIDTH,
    "intermediate_size": 48,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "initializer_range": 0.25,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_SLIDING = ["sliding_attention", "full_attention"] * (LAYERS // 2)

# The sliding windows are shorter than the sentences used in the tests, so that they matter.
CONFIGS = {
    "llama": lambda: LlamaConfig(**_SHAPE),
    "qwen2": lambda: Qwen2Config(**_SHAPE),
    "qwen3": lambda: Qwen3Config(**_SHAPE, head_dim=8),
    "gemma2": lambda: Gemma2Config(
        **_SHAPE, head_dim=8, sliding_window=6, query_pre_attn_scalar=8, final_logit_softcapping=3.0
    ),
    "gemma3_text": lambda: Gemma3TextConfig(
        **_SHAPE, head_dim=8, sliding_window=6, query_pre_attn_scalar=8, layer_types=_SLIDING
    ),
    "mistral": lambda: MistralConfig(**_SHAPE, head_dim=8, sliding_window=6),
}


def tokenizer(*, bos: bool = True, chat: bool = False) -> PreTrainedTokenizerFast:
    """One token a byte, and a few special ones."""
    symbols = [*SPECIALS, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    backend = Tokenizer(models.BPE(vocab={symbol: number for number, symbol in enumerate(symbols)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(SPECIALS)
    if bos:
        backend.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        clean_up_tokenization_spaces=False,
    )
    if chat:
        wrapped.chat_template = CHAT_TEMPLATE
    return wrapped


def random_model(family: str, *, seed: int = 0, **changes):
    torch.manual_seed(seed)
    config = CONFIGS[family]()
    config.vocab_size = len(tokenizer())
    for key, value in changes.items():
        setattr(config, key, value)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32)


def save_base(folder: Path, family: str = "llama", *, chat: bool = False, model=None, **changes) -> Path:
    """A folder with model and tokenizer; families named qwen have no BOS, as the real ones."""
    model = random_model(family, **changes) if model is None else model
    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=2, pad_token_id=0)
    model.save_pretrained(folder)
    tokenizer(bos=not family.startswith("qwen"), chat=chat).save_pretrained(folder)
    return folder


def save_adapter(
    folder: Path,
    base_folder: Path,
    *,
    rank: int = 2,
    alpha: int = 4,
    seed: int = 0,
    size: float = 0.15,
    layers: list[int] | None = None,
    **config,
) -> Path:
    """A LoRA adapter with random weights in both factors, so that it changes what the base says."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    settings = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        target_modules=modules,
        layers_to_transform=layers,
        task_type="CAUSAL_LM",
        **config,
    )
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base_folder, dtype=torch.float32), settings)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_" in name:
                weight.normal_(0, size)
    model.save_pretrained(folder)
    return folder


def scripted_model(successors: dict[str, str]):
    """A Llama whose next token depends on the last one alone: blocks add nothing, and the head is a table.

    Args:
        successors: for a last character (one byte, or the name of a special token) the one that follows.
    """
    model = random_model("llama", tie_word_embeddings=False)
    vocabulary = tokenizer().get_vocab()
    encode = {**vocabulary, "\n": vocabulary["Ċ"], " ": vocabulary["Ġ"]}
    with torch.no_grad():
        for block in model.model.layers:
            block.self_attn.o_proj.weight.zero_()
            block.mlp.down_proj.weight.zero_()
        rows = torch.nn.functional.normalize(torch.randn(len(vocabulary), WIDTH), dim=-1)
        model.model.embed_tokens.weight.copy_(rows)
        model.lm_head.weight.zero_()
        for last, following in successors.items():
            model.lm_head.weight[encode[following]] += rows[encode[last]]
    return model
