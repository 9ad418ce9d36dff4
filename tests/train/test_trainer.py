import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, TrainingArguments

from midalign_demo.bases import decoder_view
from midalign_demo.middle import tokenize
from train import cli
from train.checkpoints import FOLDER as CHECKPOINTS
from train.objectives import Embedded, contrastive_loss, embed_for_training
from train.recipe import AlignRecipe, build
from train.runs import prepare_run
from train.tokens import token_contrast
from train.trainer import ObjectiveTrainer

WEIGHTS = "adapter_model.safetensors"
COMPLETE = "midalign-complete"


def train(arguments: list[str], capfd) -> dict:
    """Runs the command; its standard output must be one JSON document."""
    capfd.readouterr()
    assert cli.main(arguments) == 0
    printed = capfd.readouterr().out
    assert printed.count("\n") == 1
    return json.loads(printed)


def refused(arguments: list[str], capfd) -> str:
    capfd.readouterr()
    assert cli.main(arguments) == 2
    out, error = capfd.readouterr()
    assert out == ""
    lines = [line for line in error.splitlines() if line.startswith("midalign-train: ")]
    assert len(lines) == 1
    return lines[0]


def dev_losses(output: Path) -> list[float]:
    history = json.loads((output / "training.json").read_text())["history"]
    return [entry["eval_loss"] for entry in history if "eval_loss" in entry]


def test_alignment_brings_the_dev_loss_down(align, tmp_path, capfd):
    output = tmp_path / "run"
    summary = train(align(output, steps=24, **{"dev-every": 8}), capfd)
    assert set(summary) == {"output", "steps", "best_step", "dev_loss", "train_loss", "seconds"}
    assert summary["output"] == str(output)
    assert summary["steps"] == 24
    losses = dev_losses(output)
    assert len(losses) == 3
    assert losses[-1] < losses[0]
    assert summary["dev_loss"] == min(losses)
    history = json.loads((output / "training.json").read_text())["history"]
    train_losses = [entry["loss"] for entry in history if "loss" in entry]
    assert train_losses[-1] < 0.9 * train_losses[0]


def test_what_a_run_leaves_is_an_adapter_for_the_layers_up_to_the_aligned_one(
    align, tmp_path, capfd, base_folder, sentences
):
    output = tmp_path / "run"
    train(align(output, layer=1, rank=3), capfd)
    assert {WEIGHTS, "adapter_config.json", "README.md", "training.json", CHECKPOINTS} == {
        path.name for path in output.iterdir()
    }
    config = json.loads((output / "adapter_config.json").read_text())
    assert (config["r"], config["layers_to_transform"], config["inference_mode"]) == (3, [0], True)
    assert config["base_model_name_or_path"] == str(base_folder)
    weights = load_file(output / WEIGHTS)
    assert {re.search(r"layers\.(\d+)", key).group(1) for key in weights} == {"0"}
    assert all(value.dtype == torch.bfloat16 for value in weights.values())
    assert max(value.abs().max() for key, value in weights.items() if "lora_B" in key) > 0

    base = AutoModelForCausalLM.from_pretrained(base_folder, dtype=torch.float32)
    ids = torch.tensor([[1, 70, 80, 90]])
    with torch.no_grad():
        before = base(ids).logits
        after = PeftModel.from_pretrained(base, output)(ids).logits
    assert (after - before).abs().max() > 1e-3


def test_card_and_details_tell_how_the_adapter_was_made(align, tmp_path, capfd, parallel_folder):
    output = tmp_path / "run"
    train(align(output), capfd)
    details = json.loads((output / "training.json").read_text())
    assert details["kind"] == "align"
    assert details["recipe"]["lines"] == 6
    assert details["recipe"]["layer"] == 2
    assert details["data"] == {"languages": ["de", "en", "sw"], "lines": [36]}
    card = (output / "README.md").read_text()
    assert card.startswith("---\nbase_model:")
    assert "datasets:" not in card  # a folder of one's own is no data set of the hub
    assert f"`{parallel_folder}:1-36`" in card
    assert f"{details['dev_loss']:.4f}" in card


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(align, tmp_path, capfd):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(align(tmp_path / name, steps=4, seed=seed), capfd)
    first, same, other = ((tmp_path / name / WEIGHTS).read_bytes() for name in "abc")
    assert first == same
    assert first != other


def test_a_run_without_dev_data_keeps_its_last_weights(align, tmp_path, capfd):
    summary = train(align(tmp_path / "run", dev=None, steps=6), capfd)
    assert summary["dev_loss"] is None
    assert summary["best_step"] == summary["steps"] == 6


def test_a_killed_run_that_is_resumed_ends_with_the_same_bytes(align, tmp_path, capfd):
    options = {"steps": 60, "dev-every": 20, "accumulate": 2}
    train(align(tmp_path / "whole", **options), capfd)
    broken = tmp_path / "broken"
    first_mark = broken / CHECKPOINTS / "checkpoint-20" / COMPLETE
    process = subprocess.Popen(
        [sys.executable, "-m", "train", *align(broken, **options)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not first_mark.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert first_mark.exists()
    assert not (broken / WEIGHTS).exists()

    summary = train([*align(broken, **options), "--resume"], capfd)
    assert summary["steps"] == 60
    assert (broken / WEIGHTS).read_bytes() == (tmp_path / "whole" / WEIGHTS).read_bytes()
    assert dev_losses(broken) == dev_losses(tmp_path / "whole")


def test_resuming_after_an_incomplete_checkpoint_ends_with_the_same_bytes(align, tmp_path, capfd):
    train(align(tmp_path / "whole", steps=12), capfd)
    cut = tmp_path / "cut"
    train(align(cut, steps=12), capfd)
    last = cut / CHECKPOINTS / "checkpoint-12"
    (last / COMPLETE).unlink()
    (last / WEIGHTS).write_bytes(b"half")
    (cut / WEIGHTS).unlink()
    summary = train([*align(cut, steps=12), "--resume"], capfd)
    assert summary["steps"] == 12
    assert (cut / WEIGHTS).read_bytes() == (tmp_path / "whole" / WEIGHTS).read_bytes()


def test_resuming_without_a_checkpoint_starts_from_the_first_step(align, tmp_path, capfd):
    summary = train([*align(tmp_path / "run", steps=4), "--resume"], capfd)
    assert summary["steps"] == 4


def test_early_stopping_leaves_the_best_steps_weights(align, tmp_path, capfd, monkeypatch):
    scripted = iter([3.0, 1.0, 2.0, 2.5, 9.0, 9.0])
    alignment_loss = ObjectiveTrainer._alignment_loss

    def compute(self, inputs):
        return alignment_loss(self, inputs) if self.model.training else torch.tensor(next(scripted))

    monkeypatch.setattr(ObjectiveTrainer, "_alignment_loss", compute)
    output = tmp_path / "run"
    summary = train(align(output, steps=24, patience=2, **{"dev-batches": 1}), capfd)
    assert (summary["steps"], summary["best_step"], summary["dev_loss"]) == (16, 8, 1.0)
    saved = load_file(output / WEIGHTS)
    best, last = (load_file(output / CHECKPOINTS / f"checkpoint-{step}" / WEIGHTS) for step in (8, 16))
    assert saved.keys() == best.keys()
    assert all(torch.equal(value, best[key].to(torch.bfloat16)) for key, value in saved.items())
    assert any(not torch.equal(value, last[key].to(torch.bfloat16)) for key, value in saved.items())


def test_dropout_is_off_on_dev_data_and_on_again_in_training(align, tmp_path, capfd, monkeypatch):
    modes = []
    compute_loss = ObjectiveTrainer.compute_loss

    def compute(self, model, inputs, **options):
        modes.append(model.training)
        return compute_loss(self, model, inputs, **options)

    monkeypatch.setattr(ObjectiveTrainer, "compute_loss", compute)
    train(align(tmp_path / "run", steps=4, **{"dev-every": 2}), capfd)
    assert modes == [True, True, False, False, True, True, False, False]


def test_an_output_that_holds_a_run_is_refused(align, tmp_path, capfd):
    output = tmp_path / "run"
    train(align(output, steps=4), capfd)
    before = (output / WEIGHTS).read_bytes()
    assert f"output: {output} already holds a run" in refused(align(output, steps=4), capfd)
    assert (output / WEIGHTS).read_bytes() == before
    (tmp_path / "file").write_text("")
    assert "is a file; give a folder" in refused(align(tmp_path / "file"), capfd)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"layer": 9}, "layer: 9 is not a layer"),
        ({"lines": 40}, "36 lines; one micro-batch takes 40"),
        ({"steps": 0}, "steps: 0 is below 1"),
        ({"languages": "fr"}, "languages: fr not in any of"),
        ({"languages": "de*x"}, "'de*x' is not of the form"),
        ({"data": "nowhere"}, "'nowhere' is not a folder"),
        ({"base": "nowhere/at-all"}, "base: 'nowhere/at-all'"),
        ({"lora-from": 3}, "lora_from, lora_to: layers 3 to 2 given; there are 1 to 2"),
        ({"lora-to": 4}, "lora_from, lora_to: layers 1 to 4 given; there are 1 to 2"),
        ({"recipe": "nothing"}, "recipe: 'nothing' is neither a file nor one of"),
        ({"learning-rate": 1e30}, "1e+30 is too high"),
    ],
)
def test_bad_input_is_one_line_and_status_2(align, tmp_path, capfd, changes, expected):
    assert expected in refused(align(tmp_path / "run", **changes), capfd)


def test_bad_options_are_one_line_and_status_2(tmp_path, capfd):
    for arguments in (["align"], ["joints", "--output", "x"], ["align", "--output", "x", "--steps", "many"]):
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        assert caught.value.code == 2
        assert len(capfd.readouterr().err.splitlines()) == 1


def test_a_task_adapter_learns_its_answers(tmp_path, capfd, base_folder, slots_file):
    output = tmp_path / "run"
    arguments = [
        "task", "--output", str(output), "--json", "--base", str(base_folder), "--dtype", "float32",
        "--data", f"{slots_file}*2", "--dev", str(slots_file), "--rows", "4", "--steps", "24", "--dev-every", "8",
        "--dev-batches", "1", "--learning-rate", "0.01",
    ]  # fmt: skip
    summary = train(arguments, capfd)
    losses = dev_losses(output)
    assert losses[-1] < 0.9 * losses[0]
    assert summary["dev_loss"] == min(losses)
    details = json.loads((output / "training.json").read_text())
    assert details["kind"] == "task"
    assert details["data"]["languages"] == ["de", "en"]
    layers = {re.search(r"layers\.(\d+)", key).group(1) for key in load_file(output / WEIGHTS)}
    assert layers == {"0", "1", "2", "3"}
    assert "# Task adapter" in (output / "README.md").read_text()


def test_a_task_adapter_can_be_kept_to_some_layers(tmp_path, capfd, base_folder, slots_file):
    output, other = tmp_path / "run", tmp_path / "other"
    arguments = [
        "task", "--json", "--base", str(base_folder), "--dtype", "float32", "--data", str(slots_file), "--rows", "4",
        "--steps", "1",
    ]  # fmt: skip
    train([*arguments, "--output", str(output), "--lora-from", "2", "--lora-to", "3"], capfd)
    assert {re.search(r"layers\.(\d+)", key).group(1) for key in load_file(output / WEIGHTS)} == {"1", "2"}
    further = [*arguments, "--output", str(other), "--init", str(output)]
    assert "the layers are those of the adapter to start from" in refused([*further, "--lora-from", "2"], capfd)


def test_bad_task_data_is_refused(tmp_path, capfd, base_folder, slots_file):
    common = ["task", "--output", str(tmp_path / "run"), "--base", str(base_folder), "--data"]
    assert "is not of the form" in refused([*common, f"{slots_file}*x"], capfd)
    assert "one micro-batch takes 500" in refused([*common, str(slots_file), "--rows", "500"], capfd)
    assert "No such file" in refused([*common, str(tmp_path / "none.jsonl")], capfd)


def test_resuming_with_another_recipe_is_refused(align, tmp_path, capfd):
    output = tmp_path / "run"
    train(align(output), capfd)
    line = refused([*align(output, steps=12), "--resume"], capfd)
    assert line.endswith(f"resume: steps is 12, but the run in {output} was started with 8")


def test_resuming_keeps_the_precision_that_the_run_began_in(align, tmp_path, capfd, monkeypatch):
    output = tmp_path / "run"
    train(align(output, dtype="auto"), capfd)
    before = json.loads((output / "training.json").read_text())["recipe"]["dtype"]
    other = {"float32": True, "bfloat16": False}[before]
    monkeypatch.setattr("midalign_demo.bases.bfloat16_is_faster", lambda: other)
    train([*align(output, dtype="auto"), "--resume"], capfd)
    assert json.loads((output / "training.json").read_text())["recipe"]["dtype"] == before


def test_a_run_can_start_from_an_adapter(align, tmp_path, capfd):
    train(align(tmp_path / "first", steps=16, rank=3), capfd)
    train(align(tmp_path / "second", steps=2, init=tmp_path / "first", **{"learning-rate": 1e-6}), capfd)
    first, second = (load_file(tmp_path / name / WEIGHTS) for name in ("first", "second"))
    assert first.keys() == second.keys()
    for key, value in first.items():
        assert torch.allclose(value.float(), second[key].float(), atol=1e-3)
    assert dev_losses(tmp_path / "second")[0] < dev_losses(tmp_path / "first")[0]


def test_a_run_can_end_half_way_between_where_it_began_and_where_it_got(align, tmp_path, capfd):
    train(align(tmp_path / "first", rank=3), capfd)
    further = {"init": tmp_path / "first", "learning-rate": 0.01}
    train(align(tmp_path / "far", **further), capfd)
    train(align(tmp_path / "half", average=0.5, **further), capfd)
    first, far, half = (load_file(tmp_path / name / WEIGHTS) for name in ("first", "far", "half"))
    for key, value in half.items():
        torch.testing.assert_close(value.float(), (first[key].float() + far[key].float()) / 2, rtol=0.02, atol=1e-4)
    assert max((far[key].float() - first[key].float()).abs().max() for key in far) > 0.01
    assert "average: there is no adapter to average with" in refused(align(tmp_path / "none", average=0.5), capfd)


@pytest.mark.parametrize("mode", ["alternate", "every", "sum"])
def test_a_joint_adapter_learns_both_objectives(tmp_path, capfd, base_folder, slots_file, parallel_folder, mode):
    output = tmp_path / "run"
    options = {
        "base": base_folder, "dtype": "float32", "data": slots_file, "dev": slots_file, "mode": mode, "every": 2,
        "parallel": f"{parallel_folder}:1-36", "parallel-dev": f"{parallel_folder}:37-", "rows": 4, "lines": 6,
        "steps": 36, "dev-every": 12, "dev-batches": 2, "learning-rate": 0.01, "languages": "de,sw",
        "token-contrast": 0.5,
    }  # fmt: skip
    parts = [str(part) for key, value in options.items() for part in (f"--{key}", value)]
    train(["joint", "--output", str(output), "--json", *parts], capfd)
    history = json.loads((output / "training.json").read_text())["history"]
    for name in ("task_loss", "align_loss", "eval_task_loss", "eval_align_loss"):
        values = [entry[name] for entry in history if name in entry]
        assert len(values) == 3
        assert values[-1] < values[0]
    for entry in history:
        if "eval_loss" in entry:
            assert entry["eval_loss"] == pytest.approx(entry["eval_task_loss"] + entry["eval_align_loss"])
    weights = load_file(output / WEIGHTS)
    assert any(".layers.3." in name for name in weights)  # above the aligned layer the task has weights


def test_a_joint_run_needs_parallel_text(tmp_path, capfd, base_folder, slots_file):
    error = refused(["joint", "--output", str(tmp_path / "run"), "--data", str(slots_file)], capfd)
    assert "parallel: no parallel text given" in error


def test_a_joint_run_needs_weights_below_the_aligned_layer(tmp_path, capfd, base_folder, slots_file, parallel_folder):
    arguments = ["joint", "--output", str(tmp_path / "run"), "--base", str(base_folder), "--data", str(slots_file)]
    options = ["--parallel", str(parallel_folder), "--rows", "4", "--lines", "6", "--lora-from", "3", "--layer", "2"]
    assert "lora_from: 3 is above the aligned layer, 2" in refused([*arguments, *options], capfd)


@pytest.mark.parametrize("preserve", [0.0, 0.5])
def test_with_the_base_as_anchor_english_is_where_the_base_has_it(base_folder, parallel_folder, tmp_path, preserve):
    options = {
        "base": str(base_folder), "dtype": "float32", "data": [str(parallel_folder)], "lines": 6, "views": 3,
        "anchor": "base", "dropout": 0.0, "preserve": preserve, "token_contrast": 1.0, "pairs": "all",
    }  # fmt: skip
    recipe = build(AlignRecipe, None, options)
    prepared = prepare_run("align", recipe, tmp_path, resume=False, report=print)
    base, model = prepared.base, prepared.model
    with torch.no_grad():  # fresh LoRA weights do nothing
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.1)
    trainer = ObjectiveTrainer(base, recipe, model, args=TrainingArguments(str(tmp_path), use_cpu=True))
    batch = prepared.train[0]
    loss = trainer._alignment_loss(batch)
    loss.backward()
    assert all(weight.grad.abs().max() > 0 for name, weight in model.named_parameters() if "lora_A" in name)

    def embedded(sentences: list[str], **drift) -> Embedded:
        token_ids = tokenize(base, sentences)
        return embed_for_training(decoder_view(base.model, recipe.layer), recipe.layer, token_ids, base, **drift)

    english, *others = batch["sentences"]
    with model.disable_adapter():
        views = [embedded(english)]
    views += [embedded(sentences) for sentences in others]
    expected = contrastive_loss([view.pooled for view in views]) + token_contrast([view.tokens for view in views])
    if preserve:  # of every third line, English under the adapter among them
        every = [view[row] for view in batch["sentences"] for row in (0, 3)]
        drift = embedded(every, unadapted=model.disable_adapter, measured=range(len(every))).drift
        expected = expected + preserve * drift.relative()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)
