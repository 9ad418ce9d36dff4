"""midalign_demo.adapter_files: what is found out before an adapter is loaded."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from midalign_demo import adapter_files, adapters
from midalign_demo.errors import InputError
from tests import tiny


@pytest.fixture
def folder(adapter_folders, tmp_path):
    return shutil.copytree(adapter_folders["task"], tmp_path / "adapter")


def change(folder: Path, **values) -> str:
    """Changes an adapter's configuration, `...` takes a key out; the folder's name."""
    path = folder / "adapter_config.json"
    config = {**json.loads(path.read_text()), **values}
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not ...}))
    return str(folder)


def refusal(name: str, base) -> str:
    with pytest.raises(InputError) as caught:
        adapters.check_fits(name, base)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"r": 0}, "has r=0; it has to be a rank from 1 to 1024"), ({"r": 10**9}, "has r=1000000000"),
        ({"r": True}, "has r=True"), ({"r": ...}, "has r=None"), ({"r": 8}, "factors of rank 3 .* says 8"),
        ({"lora_alpha": ...}, "has lora_alpha=None; it has to be a number"), ({"lora_alpha": "6"}, "lora_alpha='6'"),
        ({"lora_alpha": float("nan")}, "lora_alpha=nan"), ({"lora_alpha": float("inf")}, "lora_alpha=inf"),
        ({"alpha_pattern": [1]}, "alpha_pattern="), ({"alpha_pattern": {"(": 1}}, r"'\(' is none"),
        ({"alpha_pattern": {"q_proj": "x"}}, "numbers by pattern"),
        ({"rank_pattern": {"q_proj": 0}}, "ranks by pattern"),
        ({"rank_pattern": {"q_proj": 2}}, "factors of rank 3 for 'model.layers.0.self_attn.q_proj'; .* says 2"),
        ({"target_modules": []}, "target_modules=.*; it has to be a list"),
        ({"target_modules": None}, "target_modules"),
        ({"target_modules": ["q_proj"]}, "which is none of its target_modules, q_proj"),
        ({"layers_to_transform": "x"}, "layers_to_transform='x'"),
        ({"layers_to_transform": [0]}, "which is in none of its layers_to_transform, \\[0\\]"),
        ({"layers_to_transform": 1}, "which is in none of its layers_to_transform, 1"),
        ({"init_lora_weights": "pissa_niter_4"}, "init_lora_weights='pissa_niter_4', for which the base's own weights"),
        ({"target_parameters": ["experts"]}, "only plain LoRA"), ({"layer_replication": [[0, 2]]}, "only plain LoRA"),
        ({"fan_in_fan_out": True}, "only plain LoRA"), ({"lora_bias": True}, "only plain LoRA"),
        ({"peft_type": ["LORA"]}, "only LORA is supported"),
    ],
)  # fmt: skip
def test_a_configuration_that_can_not_be_is_refused_with_the_value(folder, base, values, said):
    with pytest.raises(InputError, match=said):
        adapters.check_fits(change(folder, **values), base)


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b"[" * 100_000, b" " * 1_000_001])
def test_a_configuration_that_is_no_json_object_is_refused(folder, base, content):
    (folder / "adapter_config.json").write_bytes(content)
    assert "adapter_config.json" in refusal(str(folder), base)


def test_weights_are_looked_at_before_any_is_loaded(folder, base, monkeypatch):
    monkeypatch.setattr(adapters, "_load", lambda *_: pytest.fail("loaded"))
    assert "factors of rank 3" in refusal(change(folder, r=8), base)


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (lambda weight: (weight * 10).to(torch.int8), "in I8; allowed are F64, F32, F16, BF16"),
        (lambda weight: weight * float("nan"), "which has values that are no numbers"),
        (lambda weight: weight[None], "which is not a LoRA weight of a linear layer"),
    ],
)
def test_tensors_that_are_no_plain_numbers_are_refused(folder, base, of, said):
    weights = load_file(folder / "adapter_model.safetensors")
    save_file({key: of(weight).contiguous() for key, weight in weights.items()}, folder / "adapter_model.safetensors")
    assert said in refusal(str(folder), base)


def test_a_file_without_tensors_and_pickles_are_no_adapters(folder, base):
    weights = load_file(folder / "adapter_model.safetensors")
    save_file({}, folder / "adapter_model.safetensors")
    assert "holds no weights" in refusal(str(folder), base)
    (folder / "adapter_model.safetensors").unlink()
    torch.save(weights, folder / "adapter_model.bin")
    assert "nor a folder or hub id with adapter_config.json and adapter_model.safetensors" in refusal(str(folder), base)


def test_patterns_of_ranks_and_targets_are_understood(base, base_folder, tmp_path):
    folder = tiny.save_adapter(tmp_path / "pattern", base_folder, rank=2, rank_pattern={"q_proj": 3})
    assert {part.down.shape[0] for part in adapters.check_fits(str(folder), base).values()} == {2, 3}
    assert adapters.check_fits(change(folder, target_modules=r".*_proj"), base)


def test_shipped_files_that_were_altered_are_named(tmp_path, monkeypatch, adapter_folders, base):
    shutil.copytree(adapter_folders["task"], tmp_path / "own")
    file = tmp_path / "own" / "adapter_model.safetensors"
    (tmp_path / adapter_files.SUMS).write_text(f"{'0' * 64}  other/x\n{_sum(file)}  own/{file.name}\n")
    monkeypatch.setattr(adapters, "shipped_folder", lambda: tmp_path)
    assert adapters.check_fits("own", base)
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    assert f"{file} is not the file that came with midalign" in refusal("own", base)


def test_the_sums_are_those_of_the_shipped_adapters():
    # If they are not: run what CONTRIBUTING.md says to after a change of an adapter.
    folder = adapters.shipped_folder()
    listed = [line.partition("  ")[2] for line in (folder / adapter_files.SUMS).read_text().splitlines()]
    assert sorted(listed) == sorted(
        f"{name}/{file}" for name in adapters.shipped() for file in (adapter_files.CONFIG, adapter_files.WEIGHTS)
    )
    for name in adapters.shipped():
        adapter_files.check_unaltered(folder / name)


def _sum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
