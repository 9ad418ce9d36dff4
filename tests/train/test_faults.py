"""Training on bad data, on a full disk, off into the infinite: a sentence at the end, and the last good state kept."""

import json
import logging
import os
import resource
import subprocess
import sys

import pytest
import torch

from midalign_demo.errors import InputError
from train import checkpoints, checks, cli
from train.data import AlignmentSchedule
from train.sources import read_corpora
from train.trainer import ObjectiveTrainer

WEIGHTS = "adapter_model.safetensors"
ENGLISH = [f"The weather will be fine tomorrow, said old man {number} at the port." for number in range(40)]
GERMAN = [f"Das Wetter wird morgen schön, sagte der {number}. der alten Männer am Hafen." for number in range(40)]


def refused(arguments: list[str], capfd) -> str:
    capfd.readouterr()
    assert cli.main(arguments) == 2
    out, error = capfd.readouterr()
    assert out == ""
    (line,) = [line for line in error.splitlines() if line.startswith("midalign-train: ")]
    assert "Traceback" not in error
    return line


def write(folder, **languages):
    folder.mkdir()
    for tag, lines in languages.items():
        (folder / f"{tag}.txt").write_text("".join(f"{line}\n" for line in lines))
    return folder


@pytest.mark.parametrize(
    ("languages", "said"),
    [
        ({"en": [], "de": []}, "has no sentences"),
        ({"en": ENGLISH[:1], "de": GERMAN[:1]}, "has 1 lines; one micro-batch takes 6 (option lines)"),
        ({"en": ENGLISH[:9], "de": GERMAN[:8]}, "is not aligned, the line counts differ: {'de': 8, 'en': 9}"),
        ({"en": ENGLISH[:1] * 9, "de": GERMAN[:9]}, "has 1 different lines in 'en', the others are copies"),
        ({"en": [*ENGLISH[:7], " "], "de": GERMAN[:8]}, "line 8 of 'en' in"),
        ({"en": ENGLISH}, "none of the languages to align with it"),
    ],
)
def test_data_that_can_not_be_aligned_is_refused(align, tmp_path, capfd, languages, said):
    data = write(tmp_path / "data", **languages)
    assert said in refused(align(tmp_path / "run", data=data, dev=None), capfd)
    assert not (tmp_path / "run").exists()


def test_odd_data_is_warned_of(tmp_path, caplog):
    french = [f"Il fera beau demain, dit le {number}e des vieux hommes du port." for number in range(40)]
    read_corpora([str(write(tmp_path / "odd", en=[*ENGLISH, ENGLISH[0]], de=[*french, french[0]]))], None, None)
    assert "the lines given as 'de' look like 'fr'" in caplog.text
    assert "1 of 41 lines are there more than once" in caplog.text
    caplog.clear()
    read_corpora([str(write(tmp_path / "long", en=["x " * 1500, *ENGLISH], de=["x " * 1500, *GERMAN]))], None, None)
    assert "line 1 of 'en' has 3000 characters; what is beyond 512 tokens is left out" in caplog.text
    caplog.clear()
    read_corpora([str(write(tmp_path / "fine", en=ENGLISH, de=GERMAN))], None, None)
    assert caplog.text == ""


def test_a_task_text_that_no_step_could_hold_is_refused():
    checks.refuse_long(["short"], "x.jsonl")
    with pytest.raises(InputError, match="text 2 of x.jsonl has 10001 characters, at most 10000 are allowed: 'aaa"):
        checks.refuse_long(["short", "a" * 10_001], "x.jsonl")


def test_copies_of_a_line_fill_no_micro_batch():
    corpus = {"en": ["a", "b", "a", "a"], "de": ["a", "b", "c", "d"]}
    assert len(AlignmentSchedule([corpus], lines=2, views=2, steps=3, seed=1)) == 3
    with pytest.raises(InputError, match="has 2 different lines"):
        AlignmentSchedule([corpus], lines=3, views=2, steps=3, seed=1)


def test_a_loss_that_is_no_number_ends_the_run_and_names_the_last_good_weights(align, tmp_path, capfd, monkeypatch):
    of_alignment = ObjectiveTrainer._alignment_loss

    def fails_after_six(self, inputs):
        return of_alignment(self, inputs) * (float("nan") if self.state.global_step >= 6 else 1)

    monkeypatch.setattr(ObjectiveTrainer, "_alignment_loss", fails_after_six)
    line = refused(align(tmp_path / "run"), capfd)
    kept = tmp_path / "run" / checkpoints.FOLDER / "checkpoint-4"
    assert "the loss is nan at step 6; 0.01 is too high" in line
    assert line.endswith(f"or from the last good weights with --init {kept}")
    monkeypatch.undo()
    assert cli.main(align(tmp_path / "again", init=kept)) == 0


def test_weights_that_are_no_numbers_are_never_kept(align, tmp_path, capfd, monkeypatch):
    step = ObjectiveTrainer.training_step

    def breaks(self, model, *arguments):
        loss = step(self, model, *arguments)
        if self.state.global_step == 7:
            with torch.no_grad():
                next(weight for weight in model.parameters() if weight.requires_grad).fill_(float("inf"))
        return loss

    monkeypatch.setattr(ObjectiveTrainer, "training_step", breaks)
    line = refused(align(tmp_path / "run", dev=None), capfd)
    assert "there are weights that are no numbers at step 8" in line
    assert [folder.name for folder in (tmp_path / "run" / checkpoints.FOLDER).glob("checkpoint-*")] == ["checkpoint-4"]
    assert not (tmp_path / "run" / WEIGHTS).exists()


def test_a_dev_loss_that_is_no_number_ends_the_run(align, tmp_path, capfd, monkeypatch):
    of_alignment = ObjectiveTrainer._alignment_loss

    def breaks(self, inputs):
        bad = not self.model.training and self.state.global_step > 4
        return of_alignment(self, inputs) * (float("nan") if bad else 1)

    monkeypatch.setattr(ObjectiveTrainer, "_alignment_loss", breaks)
    line = refused(align(tmp_path / "run"), capfd)
    assert "the dev loss is nan at step 8" in line
    assert line.endswith("checkpoint-4")


@pytest.mark.parametrize("most", [20_000, 62_000])
def test_a_disk_without_room_ends_in_a_sentence_and_the_run_goes_on_with_room(align, tmp_path, capfd, most):
    """The limit on a file's size stands for the disk's: the second lets adapters through, but no optimiser's state."""
    arguments = align(tmp_path / "run", steps=4)
    done = subprocess.run(
        [sys.executable, "-m", "train", *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}, capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("midalign-train: ")]
    assert "checkpoint-4 can't be written" in line
    assert "MB are free); there is none before it: make room and run the same command with --resume" in line
    assert not list((tmp_path / "run" / checkpoints.FOLDER).glob("checkpoint-*"))
    assert cli.main([*arguments, "--resume"]) == 0
    assert cli.main(align(tmp_path / "whole", steps=4)) == 0
    assert (tmp_path / "run" / WEIGHTS).read_bytes() == (tmp_path / "whole" / WEIGHTS).read_bytes()


def test_an_adapter_that_can_not_be_written_is_made_again_from_its_checkpoints(align, tmp_path, capfd, monkeypatch):
    output = tmp_path / "run"
    (output / ".writing-killed").mkdir(parents=True)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("train.trainer._write_adapter", full)
    line = refused(align(output), capfd)
    assert f"the adapter can't be written to {output} (No space left on device; " in line
    monkeypatch.undo()
    assert cli.main([*align(output), "--resume"]) == 0
    assert json.loads((output / "training.json").read_text())["steps"] == 8
    assert not list(output.glob(".writing-*"))


def test_what_is_warned_of_is_on_stderr_alone(align, tmp_path, capfd):
    data = write(tmp_path / "data", en=[*ENGLISH, ENGLISH[0]], de=[*GERMAN, GERMAN[0]])
    logging.getLogger().handlers.clear()
    assert cli.main(align(tmp_path / "run", data=data, dev=None, steps=4)) == 0
    out, error = capfd.readouterr()
    assert json.loads(out)["steps"] == 4
    assert "warning: " in error
