"""An adapter's two files, looked at before anything of them is loaded: the configuration, and the tensors' shapes."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from midalign_demo.errors import InputError

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
SUMS = "SHA256SUMS"  # of the shipped adapters' files, as `sha256sum` writes it

_PREFIX = "base_model.model."  # PEFT writes it before the paths of layers
_HIGHEST_RANK = 1024
_MOST_BYTES = 1_000_000  # of a configuration
_FLOATS = ("F64", "F32", "F16", "BF16")
_LAYER = re.compile(r"\.(\d+)\.")

# What makes an adapter more than a sum of products: it can't be answered in one batch with others, nor summed exactly.
_PLAIN: dict[str, Any] = {
    "use_dora": False, "modules_to_save": None, "bias": "none", "lora_bias": False, "fan_in_fan_out": False,
    "target_parameters": None, "trainable_token_indices": None, "layer_replication": None,
    "alora_invocation_tokens": None, "arrow_config": None, "kasa_config": None, "monteclora_config": None,
    "use_bdlora": None, "use_qalora": False,
}  # fmt: skip
# Initialisations that leave a part of the base's weights to the adapter: it fits the changed base alone.
_CHANGES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")


class Shape(NamedTuple):
    """Of a linear layer's two factors."""

    rank: int
    width_in: int
    width_out: int


def read_config(path: Path, name: str) -> dict:
    """The content of an `adapter_config.json`.

    Args:
        name: the adapter's, for messages.

    Raises:
        InputError: not JSON, not a plain LoRA adapter, or a value that can't be.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"adapter: {path} has more than {_MOST_BYTES:,} bytes, which no configuration has")
        config = json.loads(path.read_text(encoding="utf-8"))
    except (RecursionError, ValueError) as error:  # of UTF-8, of JSON, or numbers of thousands of digits
        raise InputError(f"adapter: {path} is not JSON") from error
    if not isinstance(config, dict):
        raise InputError(f"adapter: {path} is not a JSON object")
    if config.get("peft_type") != "LORA":
        raise InputError(f"adapter: {name!r} is of type {config.get('peft_type')!r}; only LORA is supported")
    for key, plain in _PLAIN.items():
        if config.get(key, plain) not in (plain, [], None):
            raise InputError(
                f"adapter: {name!r} has {key}={config[key]!r}; only plain LoRA ({key}={plain!r}) is supported"
            )
    if str(config.get("init_lora_weights")).lower().startswith(_CHANGES_BASE):
        raise InputError(
            f"adapter: {name!r} has init_lora_weights={config['init_lora_weights']!r}, for which the base's own "
            "weights were changed; convert it with "
            "PEFT's save_pretrained(.., path_initial_model_for_weight_conversion=..)"
        )
    _check_values(config, name)
    return config


def _check_values(config: Mapping[str, Any], name: str) -> None:
    def refuse(key: str, wanted: str):
        raise InputError(f"adapter: {name!r} has {key}={repr(config.get(key))[:60]}; it has to be {wanted}")

    if not _is_whole(config.get("r")) or not 1 <= config["r"] <= _HIGHEST_RANK:
        refuse("r", f"a rank from 1 to {_HIGHEST_RANK}")
    if not _is_number(config.get("lora_alpha")):
        refuse("lora_alpha", "a number")
    for key, fits, wanted in (("rank_pattern", _is_whole, "ranks"), ("alpha_pattern", _is_number, "numbers")):
        patterns = config.get(key) or {}
        if not isinstance(patterns, dict) or not all(fits(value) and value > 0 for value in patterns.values()):
            refuse(key, f"{wanted} by pattern")
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error:
                refuse(key, f"{wanted} by pattern, and {pattern[:60]!r} is none")
    targets = config.get("target_modules")
    listed = isinstance(targets, list) and targets and all(isinstance(one, str) for one in targets)
    if not isinstance(targets, str) and not listed:
        refuse("target_modules", "a list of layers' names, or a pattern")
    layers = config.get("layers_to_transform")
    if layers is not None and not all(map(_is_whole, layers if isinstance(layers, list) else [layers])):
        refuse("layers_to_transform", "a list of layers' numbers")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def of_pattern(config: Mapping[str, Any], key: str, module: str, usual: float) -> float:
    """What `rank_pattern` or `alpha_pattern` says of a layer; PEFT matches so, and takes the first that fits."""
    patterns = config.get(key) or {}
    return next((value for pattern, value in patterns.items() if re.match(rf"(.*\.)?({pattern})$", module)), usual)


def read_shapes(path: Path, config: Mapping[str, Any], name: str) -> dict[str, Shape]:
    """The factors' shapes by the path of the linear layer that they belong to; the file's head tells, no more is read.

    Raises:
        InputError: a file that is cut short, tensors that are not pairs of factors of plain numbers, or that the
            configuration speaks of otherwise.
    """
    from safetensors import SafetensorError, safe_open

    found: dict[str, dict[str, list[int]]] = {}
    try:
        with safe_open(path, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118 (it is no mapping)
                part = file.get_slice(key)
                module, letter = module_of(key)
                if letter is None or len(part.get_shape()) != 2:
                    raise InputError(f"adapter: {name!r} holds {key!r}, which is not a LoRA weight of a linear layer")
                if part.get_dtype() not in _FLOATS:
                    raise InputError(
                        f"adapter: {name!r} holds {key!r} in {part.get_dtype()}; allowed are {', '.join(_FLOATS)}"
                    )
                found.setdefault(module, {})[letter] = part.get_shape()
    except SafetensorError as error:
        raise InputError(f"adapter: {path} is not a whole safetensors file ({error})") from error
    if not found:
        raise InputError(f"adapter: {path} holds no weights")
    return {module: _shape(module, pair, config, name) for module, pair in found.items()}


def module_of(key: str) -> tuple[str, str | None]:
    """The linear layer that a tensor belongs to, and `A` or `B`; None for other tensors."""
    module, _, part = key.removeprefix(_PREFIX).rpartition(".lora_")
    return module, part[0] if part in ("A.weight", "B.weight") else None


def _shape(module: str, pair: Mapping[str, list[int]], config: Mapping[str, Any], name: str) -> Shape:
    if len(pair) < 2 or pair["A"][0] != pair["B"][1]:
        raise InputError(f"adapter: {name!r} has no pair of factors of one rank for {module!r}")
    rank = int(of_pattern(config, "rank_pattern", module, config["r"]))
    if pair["A"][0] != rank:
        raise InputError(
            f"adapter: {name!r} has factors of rank {pair['A'][0]} for {module!r}; its configuration says {rank}"
        )
    targets = config["target_modules"]
    if isinstance(targets, list) and not any(module == one or module.endswith(f".{one}") for one in targets):
        raise InputError(
            f"adapter: {name!r} has weights for {module!r}, which is none of its target_modules, "
            f"{', '.join(sorted(targets))[:200]}"
        )
    layers, number = config.get("layers_to_transform"), _LAYER.search(module)
    if layers is not None and number and int(number[1]) not in ([layers] if isinstance(layers, int) else layers):
        raise InputError(
            f"adapter: {name!r} has weights for {module!r}, which is in none of its layers_to_transform, {layers}"
        )
    return Shape(rank, pair["A"][1], pair["B"][0])


def check_unaltered(folder: Path) -> None:
    """Hold a shipped adapter's files against the sums beside its folder.

    Raises:
        InputError: a file that is not the one that came with midalign.
    """
    sums = folder.parent / SUMS
    for line in sums.read_text(encoding="utf-8").splitlines():
        wanted, _, named = line.partition("  ")
        file = sums.parent / named
        if file.parent == folder and hashlib.sha256(file.read_bytes()).hexdigest() != wanted:
            raise InputError(f"adapter: {file} is not the file that came with midalign; install midalign again")
