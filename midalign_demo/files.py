"""Files: read with errors that name the line, written whole or not at all."""

from __future__ import annotations

import codecs
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from midalign_demo.characters import has_lone_surrogate
from midalign_demo.errors import InputError

_UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: str | Path, *, most_bytes: int | None = None) -> str:
    """A text file's content: UTF-8 with or without byte-order mark, or UTF-16 with one.

    Args:
        most_bytes: largest size that is read at all; default: any.

    Raises:
        InputError: it is missing, too large, can't be read, is in another encoding, or holds NUL, which no text does.
    """
    if "\0" in str(path):
        raise InputError(f"{str(path)!r} can't be the name of a file")
    try:
        _check_size(Path(path), most_bytes)
        content = Path(path).read_bytes()  # read_text() would make line feeds of other line ends
        encoding = "utf-16" if content.startswith(_UTF_16_MARKS) else "utf-8-sig"
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        name = "UTF-16, as its first bytes say" if encoding == "utf-16" else "UTF-8"
        raise InputError(f"{path}: not {name} (byte {error.start}, line {line})") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    if (at := text.find("\0")) >= 0:
        raise InputError(
            f"{path}: line {text.count(chr(10), 0, at) + 1} holds NUL; save it as UTF-8, or as UTF-16 with a "
            "byte-order mark"
        )
    return text


def _check_size(path: Path, most_bytes: int | None) -> None:
    size = path.stat().st_size
    if most_bytes is not None and size > most_bytes:
        raise InputError(f"{path}: the file has {size:,} bytes, at most {most_bytes:,} are allowed")


def read_lines(path: str | Path, *, most_bytes: int | None = None) -> list[str]:
    """Lines of a text file, split at line feeds only: other Unicode separators may stand inside a sentence.

    Windows' line ends count as line feeds, and so do those of old Macs in a file that has no others.
    """
    text = read_text(path, most_bytes=most_bytes).replace("\r\n", "\n")
    if "\n" not in text:
        text = text.replace("\r", "\n")
    lines = text.split("\n")
    return lines[:-1] if lines and not lines[-1] else lines


def read_jsonl(path: str | Path, *, most_bytes: int | None = None) -> Iterator[tuple[int, dict]]:
    """Line numbers, counted from 1, and records of a JSONL file; blank lines are passed over.

    Raises:
        InputError: as `read_text`; or a line that is not a JSON object, or holds half a surrogate pair.
    """
    for number, line in enumerate(read_lines(path, most_bytes=most_bytes), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}: line {number} is not JSON ({error.msg})") from error
        except (ValueError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else "a number of too many digits"
            raise InputError(f"{path}: line {number} is not JSON that can be read ({reason})") from error
        if not isinstance(record, dict):
            raise InputError(f"{path}: line {number} is not a JSON object")
        if "\\u" in line and has_lone_surrogate(json.dumps(record, ensure_ascii=False)):
            raise InputError(f"{path}: line {number} holds half a surrogate pair, which is no character")
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
