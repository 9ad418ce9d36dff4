"""train.checkpoints: whole or not there."""

import errno
import logging

import pytest

from midalign_demo.errors import InputError
from train import checkpoints

MARK = "midalign-complete"


def write(output, step: int, *, seconds: float | None = 1.5):
    folder = output / checkpoints.FOLDER / f"checkpoint-{step}"
    (folder / "shards").mkdir(parents=True)
    (folder / "weights").write_bytes(b"weights")
    (folder / "shards" / "one").write_bytes(b"one")
    if seconds is not None:
        checkpoints.mark(folder, seconds)
    return folder


def test_the_latest_whole_one_is_resumed_and_the_others_are_removed(tmp_path):
    folders = {step: write(tmp_path, step, seconds=None if step == 16 else step) for step in (4, 12, 8, 16)}
    assert checkpoints.last(tmp_path) == folders[12]
    assert checkpoints.seconds(folders[12]) == 12
    assert not folders[16].exists()
    assert folders[4].exists()
    assert checkpoints.last(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "weights").write_bytes(b"weight"), "weights was altered or cut short"),
        (lambda folder: (folder / "shards" / "one").write_bytes(b"onf"), "shards/one was altered or cut short"),
        (lambda folder: (folder / "weights").unlink(), "weights is missing"),
        (lambda folder: (folder / MARK).write_text(""), "midalign-complete can't be read"),
        (lambda folder: (folder / MARK).write_text("[1]"), "midalign-complete can't be read"),
        (lambda folder: (folder / MARK).unlink(), "it was not written to its end"),
    ],
)
def test_what_is_not_as_it_was_written_is_named_and_the_one_before_taken(tmp_path, caplog, damage, said):
    before, broken = write(tmp_path, 4), write(tmp_path, 8)
    damage(broken)
    with caplog.at_level(logging.INFO):
        assert checkpoints.last(tmp_path) == before
    assert f"checkpoint-8 is left out: {said}" in caplog.text.replace("its m", "m")
    assert not broken.exists()


def test_marks_of_an_earlier_version_hold_the_seconds_alone(tmp_path):
    folder = write(tmp_path, 4, seconds=None)
    (folder / MARK).write_text("12.5\n")
    assert checkpoints.last(tmp_path) == folder
    assert checkpoints.seconds(folder) == 12.5


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("enforce fail")])
def test_one_that_can_not_be_written_leaves_nothing_but_those_before_it(tmp_path, error):
    parent = tmp_path / checkpoints.FOLDER
    said = "checkpoint-4 can't be written .* MB are free.; there is none before it"
    with pytest.raises(InputError, match=said), checkpoints.writing(parent, 4) as folder:
        folder.mkdir(parents=True)
        raise error
    before = write(tmp_path, 4)
    said = "checkpoint-4 is whole: make room and run the same command with --resume"
    with pytest.raises(InputError, match=said), checkpoints.writing(parent, 8) as folder:
        folder.mkdir()
        raise error
    assert [path.name for path in parent.iterdir()] == [before.name]
