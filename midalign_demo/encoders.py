"""Other sentence encoders beside a base's layers: whatever sentence-transformers loads, such as LaBSE."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from midalign_demo import hub
from midalign_demo.errors import InputError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")


def load(source: str) -> SentenceTransformer:
    """An encoder from a folder or the hub. Its weights have to be safetensors, and none of its own code is run.

    Raises:
        InputError: there is none, it can't be had, or it has pickled weights.
    """
    if not source.strip():  # which would be a model without any module
        raise InputError("encoder: '' is neither a folder nor a hub id such as sentence-transformers/LaBSE")
    from sentence_transformers import SentenceTransformer  # takes seconds to import

    try:
        folder = Path(source) if Path(source).is_dir() else hub.fetched_encoder(source)
        for file in sorted(folder.rglob("*")):
            if file.suffix in _PICKLED and not list(file.parent.glob("*.safetensors")):
                raise ValueError(f"{file.relative_to(folder)} is a pickle, which midalign does not read")
        return SentenceTransformer(
            str(folder), trust_remote_code=False, model_kwargs={"use_safetensors": True}, local_files_only=True
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:  # whatever a broken folder leads to
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(f"encoder: {source[:200]!r} can't be loaded by sentence-transformers: {reason}") from error


def name_of(source: str) -> str:
    """What an encoder is called beside others: the last part of its id or path."""
    return Path(source).name


def check(sources: Sequence[str], taken: Sequence[str]) -> list[str]:
    """The sources themselves.

    Args:
        taken: names that something else has, such as variants.

    Raises:
        InputError: two of the same name.
    """
    names = [*taken, *map(name_of, sources)]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"encoder: {name!r} is the name of two things shown; rename a folder")
    return list(sources)


def embed(source: str, sentences: Sequence[str]) -> np.ndarray:
    """Embeddings of n sentences (n, width), float32.

    Raises:
        InputError: as `load`.
    """
    return np.asarray(load(source).encode(list(sentences), show_progress_bar=False), dtype=np.float32)
