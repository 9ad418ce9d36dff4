"""Files: read with errors that name the line, written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from midalign_demo.errors import InputError


def read_text(path: str | Path) -> str:
    """A UTF-8 file's text, with or without BOM.

    Raises:
        InputError: it is missing, can't be read, or isn't UTF-8.
    """
    try:
        return Path(path).read_bytes().decode("utf-8-sig")  # read_text() would make line feeds of other line ends
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start})") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error


def read_lines(path: str | Path) -> list[str]:
    """Lines of a text file, split at line feeds only: other Unicode separators may stand inside a sentence."""
    lines = read_text(path).replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines and not lines[-1] else lines


def read_jsonl(path: str | Path) -> Iterator[tuple[int, dict]]:
    """Line numbers, counted from 1, and records of a JSONL file; blank lines are passed over.

    Raises:
        InputError: as `read_text`; or a line that is not a JSON object.
    """
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}: line {number} is not JSON ({error.msg})") from error
        if not isinstance(record, dict):
            raise InputError(f"{path}: line {number} is not a JSON object")
        yield number, record


def files_in(path: str | Path, suffixes: Sequence[str], what: str) -> list[Path]:
    """A file itself, or a folder's files with these suffixes, by name.

    Args:
        what: the kind of data, for the message.

    Raises:
        InputError: a folder without such a file.
    """
    path = Path(path)
    if not path.is_dir():
        return [path]
    found = [file for file in sorted(path.iterdir()) if file.suffix in suffixes]
    if not found:
        kinds = " or ".join([*filter(None, [", ".join(suffixes[:-1])]), suffixes[-1]])
        raise InputError(f"{what}: {str(path)!r} holds no {kinds} file")
    return found


@contextmanager
def replacing(path: Path, *, binary: bool = False) -> Iterator[IO]:
    """A file that takes `path`'s place when the block ends, and leaves nothing behind when it fails.

    Args:
        binary: whether bytes are written to it; else text.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        encoding, newline = (None, None) if binary else ("utf-8", "\n")
        with os.fdopen(handle, "wb" if binary else "w", encoding=encoding, newline=newline) as file:
            yield file
        os.chmod(draft, 0o644)
        os.replace(draft, path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """An empty folder to fill, which becomes `path` when the block ends, and is removed when it fails.

    Raises:
        InputError: `path` is there already.
    """
    if path.exists():
        raise InputError(f"output: {path} is there already; give a folder that is not")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}-"))
    try:
        yield draft
        for file in [draft, *draft.rglob("*")]:
            file.chmod(0o755 if file.is_dir() else 0o644)  # drafts and safetensors are only their owner's to read
        os.replace(draft, path)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
