"""train.processes: two processes come to what one comes to. They are real ones, on loopback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from train import processes
from train.checkpoints import FOLDER as CHECKPOINTS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def joint(base_folder, slots_file, parallel_folder):
    """Arguments of a short run with everything that is added up over a micro-batch, in parts of different size."""
    options = {
        "base": base_folder, "dtype": "float32", "data": slots_file, "dev": slots_file, "rows": 3,
        "parallel": f"{parallel_folder}:1-36", "parallel-dev": f"{parallel_folder}:37-", "lines": 7, "views": 3,
        "pairs": "all", "token-contrast": 1, "centroids": 1, "preserve": 0.3, "token-dropout": 0.1, "dropout": 0,
        "steps": 8, "dev-every": 4, "dev-batches": 2, "learning-rate": 0.01, "accumulate": 2,
    }  # fmt: skip
    return [
        "joint",
        "--json",
        "--centre",
        *(str(part) for key, value in options.items() for part in (f"--{key}", value)),
    ]


def run(arguments: list[str], output: Path, *launcher: str) -> subprocess.CompletedProcess:
    """Training by `python -m train`, or by another command in its place."""
    return subprocess.run(
        [sys.executable, "-m", *(launcher or ["train"]), *arguments, "--output", str(output)],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "DS_ACCELERATOR": "cpu"},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def launched(name: str, module: str = "train") -> list[str]:
    """What starts two processes of this machine's CPU with a configuration of `train/launch`."""
    options = [
        "--config_file",
        f"train/launch/{name}.yaml",
        "--num_processes",
        "2",
        "--main_process_port",
        "0",
    ]
    return ["accelerate.commands.launch", *options, "-m", module]


@pytest.fixture(scope="module")
def alone(joint, tmp_path_factory):
    """The folder that one process writes."""
    output = tmp_path_factory.mktemp("alone")
    done = run(joint, output)
    assert done.returncode == 0, done.stderr
    return output


@pytest.mark.parametrize("name", ["ddp", "fsdp", "deepspeed"])
def test_two_processes_train_what_one_does(name, joint, alone, tmp_path):
    if name == "deepspeed":
        pytest.importorskip("deepspeed", reason="`.ci/deepspeed` installs it")
    done = run(joint, tmp_path / "run", *launched(name, "tests.train.fsdp_on_cpu" if name == "fsdp" else "train"))
    assert done.returncode == 0, done.stderr
    assert "One process trains" not in done.stderr
    assert "2 processes share each micro-batch: 7 lines, so each sentence has 6 negatives in a language" in done.stderr
    results = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(results) == 1  # the first process alone says what came of it
    first, second = (
        json.loads((folder / "training.json").read_text())["history"] for folder in (alone, tmp_path / "run")
    )
    assert len(first) == len(second) == 4
    for entry, other in zip(first, second, strict=True):
        for key in ("loss", "task_loss", "align_loss", "eval_loss", "eval_task_loss", "eval_align_loss", "grad_norm"):
            assert (key in entry) == (key in other)
            if key in entry:
                assert other[key] == pytest.approx(entry[key], rel=1e-4), key
    # A checkpoint's weights aren't rounded to bfloat16 yet; FSDP's holds the base too, under names of its own.
    where, limit = ("", 1e-3) if name == "fsdp" else (f"{CHECKPOINTS}/checkpoint-8", 1e-5)
    weights, others = (load_file(folder / where / "adapter_model.safetensors") for folder in (alone, tmp_path / "run"))
    assert weights.keys() == others.keys()
    furthest = max(float((weights[key] - others[key]).abs().max()) for key in weights)
    assert furthest < limit < 0.01 < max(float(value.abs().max()) for value in weights.values())


def test_it_is_said_where_one_process_was_started_in_the_place_of_several(joint, tmp_path):
    plain = ["accelerate.commands.launch", "--num_processes", "2", "-m", "train"]
    done = run([*joint, "--steps", "1"], tmp_path / "run", *plain)
    assert done.returncode == 0, done.stderr
    told = "One process trains: where there is no GPU, accelerate launch starts several only with --config_file "
    assert (told in done.stderr) == (not torch.cuda.is_available())
    assert "processes share" not in done.stderr or torch.cuda.device_count() > 1


def test_too_few_rows_for_so_many_processes_are_refused(joint, tmp_path):
    done = run([*joint, "--rows", "1"], tmp_path / "run", *launched("ddp"))
    assert done.returncode != 0
    assert "midalign-train: rows: 1 given; 2 processes need at least as many" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_single_process_has_all_rows():
    assert (processes.count(), processes.rank()) == (1, 0)
    assert list(processes.part(5)) == [0, 1, 2, 3, 4]


def test_parts_are_even_and_hold_every_row_once(monkeypatch):
    monkeypatch.setattr(processes, "count", lambda: 3)
    parts = []
    for rank in range(3):
        monkeypatch.setattr(processes, "rank", lambda rank=rank: rank)
        parts.append(list(processes.part(7)))
    assert sorted(sum(parts, [])) == list(range(7))
    assert {len(part) for part in parts} == {2, 3}
