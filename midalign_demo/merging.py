"""A weighted sum of LoRA adapters as one plain PEFT adapter."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from midalign_demo import adapters, card_head, card_scores, files, provenance, tables
from midalign_demo.adapters import Factors
from midalign_demo.errors import InputError

_LAYER = re.compile(r"\.(\d+)\.")


def write_sum(weights: Mapping[str, float], folder: Path) -> None:
    """Write the sum of adapters, each times its weight, as a folder that PEFT and vLLM load.

    Its card has the scores of the published result tables, if these have this very sum as a variant.

    The low-rank factors are laid side by side (the rank is the sum of the ranks), so nothing is approximated. Layers
    that only some of the adapters have get zeros for the others.

    Args:
        weights: by shipped adapter's name or folder.

    Raises:
        InputError: fewer than two adapters, one that can't be read, adapters of different bases, or a folder that is
            there already.
    """
    parts = {name: adapters.read_tensors(name, dtype=torch.float32) for name in weights}
    if len(parts) < 2:
        raise InputError("merge: give at least two adapters, such as slot-filling align*0.5")
    configs = {name: adapters.read_config(name) for name in weights}
    bases = sorted({str(config.get("base_model_name_or_path")) for config in configs.values()})
    if len(bases) > 1:
        raise InputError(f"merge: the adapters are for different bases: {', '.join(bases)}")
    ranks = {name: max(pair.down.shape[0] for pair in part.values()) for name, part in parts.items()}
    tensors = {}
    for path, widths in _layers(list(parts.values())).items():
        pairs = [
            _padded(parts[name].get(path), weights[name], ranks[name], widths) for name in weights
        ]  # fmt: skip
        tensors[f"base_model.model.{path}.lora_A.weight"] = torch.cat([down for down, _ in pairs])
        tensors[f"base_model.model.{path}.lora_B.weight"] = torch.cat([up for _, up in pairs], dim=1)
    paths = [key.removeprefix("base_model.model.").rpartition(".lora_")[0] for key in tensors]
    numbers = sorted({int(found[1]) for path in paths if (found := _LAYER.search(path))})
    rank = sum(ranks.values())
    config = {
        **configs[next(iter(weights))],
        "r": rank,
        "lora_alpha": rank,  # the scaling is in the factors already
        "use_rslora": False,
        "rank_pattern": {},
        "alpha_pattern": {},
        "target_modules": sorted({path.rpartition(".")[2] for path in paths}),
        "layers_to_transform": numbers or None,
        "inference_mode": True,
    }
    with files.new_folder(folder) as draft:
        save_file(tensors, draft / "adapter_model.safetensors", metadata={"format": "pt"})
        (draft / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        recorded = [
            {
                "name": Path(name).name,
                "weight": weight,
                "sha256": provenance.checksum(name),
                "training": provenance.record_of(name),
            }
            for name, weight in weights.items()
        ]
        record = {"kind": "sum", "parts": recorded}
        (draft / "training.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (draft / "README.md").write_text(_card(weights, bases[0], rank), encoding="utf-8")
    published = [tables.read(path) for path in tables.paths_in(tables.folder())]
    if card_scores.made_with(str(folder), published):
        card_scores.update(str(folder), published)


def _layers(parts: Sequence[Mapping[str, Factors]]) -> dict[str, tuple[int, int]]:
    """Widths in and out of every linear layer to write: PEFT wants each kind of layer in all the blocks it names."""
    present = {path: (pair.down.shape[1], pair.up.shape[0]) for part in parts for path, pair in part.items()}
    for part in parts:
        for path, pair in part.items():
            if present[path] != (pair.down.shape[1], pair.up.shape[0]):
                raise InputError(f"merge: the adapters differ in the widths of {path!r}; they are for different bases")
    numbers = sorted({found[1] for path in present if (found := _LAYER.search(path))}, key=int)
    wanted = dict(present)
    for path, widths in present.items():
        for number in numbers:
            wanted.setdefault(_LAYER.sub(f".{number}.", path, count=1), widths)
    return wanted


def _padded(
    pair: Factors | None, weight: float, rank: int, widths: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Factors of exactly `rank`, with weight and scaling in the first; zeros where there is nothing."""
    down, up = torch.zeros(rank, widths[0]), torch.zeros(widths[1], rank)
    if pair is not None:
        down[: pair.down.shape[0]] = pair.down * (pair.scaling * weight)
        up[:, : pair.up.shape[1]] = pair.up
    return down, up


def _card(weights: Mapping[str, float], base: str, rank: int) -> str:
    listed = "\n".join(f"- {weight:g} x `{Path(name).name}`" for name, weight in weights.items())
    head = card_head.head_with(
        base, weights, library="peft", tags=["lora", "midalign", "representation-alignment", "merged"]
    )
    return f"""{head}
# Merged adapter

The exact weighted sum of LoRA adapters for `{base}`, of rank {rank}:

{listed}

Their licences and data are named in their own cards, and hold for the sum as well.
{card_head.terms(base)}"""
