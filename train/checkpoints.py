"""A run's checkpoints: whole or not there. What a kill, a full disk or anything else left half done is never resumed.

transformers writes a checkpoint file by file, and takes old ones away in the same manner. So each is marked once all of
it is on disk, and the mark holds the sums of its files: one whose mark is missing or wrong is none.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from midalign_demo.errors import InputError
from midalign_demo.files import replacing

FOLDER = "checkpoints"
_MARK = "midalign-complete"

logger = logging.getLogger(__name__)


def mark(folder: Path, seconds: float) -> None:
    """Declare a checkpoint whole.

    Args:
        seconds: of training so far.
    """
    sums = {}
    for file in sorted(folder.rglob("*")):  # DeepSpeed keeps the optimiser's shards in a folder
        if file.is_file() and file.name != _MARK:
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
                sums[file.relative_to(folder).as_posix()] = hashlib.file_digest(handle, "sha256").hexdigest()
    with replacing(folder / _MARK) as written:
        json.dump({"seconds": round(seconds, 1), "files": sums}, written)


def seconds(folder: Path) -> float:
    """Of training until a checkpoint that is whole."""
    return _read_mark(folder)["seconds"]


def last(output: Path) -> Path | None:
    """The latest whole checkpoint of a run, or None; others are removed."""
    whole = []
    for folder in (output / FOLDER).glob("checkpoint-*"):
        problem = _problem(folder)
        if problem is None:
            whole.append(folder)
        else:
            logger.info("%s is left out: %s", folder.name, problem)
            shutil.rmtree(folder)
    return max(whole, key=lambda folder: int(folder.name.rpartition("-")[2]), default=None)


@contextmanager
def writing(parent: Path, step: int) -> Iterator[Path]:
    """Around the writing of a step's checkpoint, whose folder it gives.

    Raises:
        InputError: the disk has no room; nothing of the checkpoint is left, and those before it are as they were.
    """
    folder = parent / f"checkpoint-{step}"
    try:
        yield folder
    except (OSError, RuntimeError, SafetensorError) as error:  # torch.save raises RuntimeError
        why = reason(error, parent)
        shutil.rmtree(folder, ignore_errors=True)
        before = last(parent.parent)
        kept = f"{before.name} is whole" if before else "there is none before it"
        raise InputError(
            f"output: checkpoint-{step} can't be written to {parent} ({why}); {kept}: make room and run the same "
            "command with --resume"
        ) from error


def reason(error: Exception, folder: Path) -> str:
    """Why something could not be written, and how much room there is."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())[:120]
    return f"{said}; {shutil.disk_usage(folder).free // 1_000_000} MB are free"


def _problem(folder: Path) -> str | None:
    """What keeps a checkpoint from being whole."""
    try:
        sums = _read_mark(folder)["files"]
    except OSError:
        return "it was not written to its end"
    except (ValueError, KeyError, TypeError):
        return f"its {_MARK} can't be read"
    for name, wanted in sums.items():
        try:
            with (folder / name).open("rb") as handle:
                found = hashlib.file_digest(handle, "sha256").hexdigest()
        except OSError:
            return f"{name} is missing"
        if found != wanted:
            return f"{name} was altered or cut short"
    return None


def _read_mark(folder: Path) -> dict:
    content = json.loads((folder / _MARK).read_text(encoding="utf-8"))
    # Runs begun with an earlier version have marks with the seconds alone.
    return {"seconds": content, "files": {}} if isinstance(content, float) else content
