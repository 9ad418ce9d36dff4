"""The map that the app shows before it has computed anything: midalign's own sentences, base beside the shipped align.

    python -m midalign_demo.stored_map

makes it from the embedded base and the shipped alignment adapter, in a few minutes, and writes it into the package,
together with the embeddings behind its two ends, from which the app draws maps of some of the languages, by another
method or in three dimensions. It has to be run again after the adapter or the sentences have changed: what was made of
others is not shown.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from midalign_demo import embedded, files, maps, provenance
from midalign_demo.errors import InputError
from midalign_demo.sentences import own_sentences

COMMAND = "python -m midalign_demo.stored_map"
ADAPTER = "align"
LANGUAGES = (
    "en", "de", "fr", "es", "pl", "ru", "uk", "el", "hy", "ka", "tr", "fi", "id", "vi", "sw", "cy",
    "ar", "fa", "he", "hi", "bn", "ta", "th", "zh", "ja", "ko", "am",
)  # fmt: skip
_DECIMALS = 3


def path() -> Path:
    """Where it lies."""
    return Path(str(resources.files("midalign_demo") / "assets" / "stored" / "map.json"))


def checksums(corpus: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """What a stored map is made of: SHA-256 of the shipped alignment adapter and of the sentences."""
    text = json.dumps({tag: list(lines) for tag, lines in corpus.items()}, ensure_ascii=False)
    return {"adapter": provenance.checksum(ADAPTER), "sentences": hashlib.sha256(text.encode()).hexdigest()}


def read() -> maps.EmbeddingMap | None:
    """The stored map; None where there is none, or one of another adapter or other sentences."""
    if not path().is_file():
        return None
    document = json.loads(path().read_text(encoding="utf-8"))
    unchanged = _unchanged(document["map"]["languages"], document["made_of"]) is not None
    return maps.EmbeddingMap.from_dict(document["map"]) if unchanged else None


def _unchanged(languages: Sequence[str], made_of: Mapping[str, str]) -> dict[str, list[str]] | None:
    """Their sentences, if these and the adapter are what something was made of."""
    try:
        corpus = own_sentences(languages)
        return corpus if checksums(corpus) == made_of else None
    except InputError:  # no such adapter or language any more
        return None


@dataclass(frozen=True, eq=False)
class Embedded:
    """A language's sentences as the base, or the base with the adapter, has them at a layer.

    Attributes:
        sentences: n of them.
        weights: the adapters in force, each with its weight.
        layer: the layer.
        rows: shape (n, width), float32; stored with half the digits.
    """

    sentences: Sequence[str]
    weights: Mapping[str, float]
    layer: int
    rows: np.ndarray


def embeddings_path() -> Path:
    """Where the embeddings lie."""
    return path().with_name("embeddings.safetensors")


def read_embeddings() -> list[Embedded]:
    """The stored embeddings; none where there are none, or those of another adapter or other sentences."""
    if not embeddings_path().is_file():
        return []
    with safe_open(embeddings_path(), "numpy") as file:
        about = json.loads(file.metadata()["about"])
        corpus = _unchanged(about["languages"], about["made_of"])
        if corpus is None:
            return []
        tensors = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118 (no dict)
    weights = {"base": {}, ADAPTER: {ADAPTER: 1.0}}
    n = len(next(iter(corpus.values())))
    return [
        Embedded(lines, weights[name], about["layer"], rows[number * n : (number + 1) * n])
        for name, rows in tensors.items()
        for number, lines in enumerate(corpus.values())
    ]


def _write_embeddings(rows: Mapping[str, np.ndarray], layer: int, made_of: Mapping[str, str]) -> None:
    about = {"command": COMMAND, "made_of": made_of, "layer": layer, "languages": LANGUAGES}
    halves = {name: of.astype(np.float16) for name, of in rows.items()}
    with files.replacing(embeddings_path(), binary=True) as file:
        file.write(save(halves, metadata={"about": json.dumps(about)}))


def main() -> None:
    """Make the map and write it."""
    from midalign_demo.commandline import progress_bar, report
    from midalign_demo.engine import open_engine
    from midalign_demo.tasks import slot_filling

    corpus = own_sentences(LANGUAGES)
    made_of = checksums(corpus)
    engine = open_engine(
        embedded.NAME, slot_filling.NAME, sources={"align": ADAPTER}, dtype="float32", device="cpu", report=report
    )
    views = maps.strength_views(engine)
    rows = maps.embeddings(engine, corpus, views, progress=progress_bar("embedding"))
    _write_embeddings({"base": rows[0], ADAPTER: rows[-1]}, views[0].layer, made_of)
    report(f"Laying out {len(rows[0])} points")
    shown = maps.lay_out(corpus, views, rows, method="umap")
    with files.replacing(path()) as file:
        json.dump(
            {"command": COMMAND, "made_of": made_of, "map": shown.to_dict(_DECIMALS)}, file,
            ensure_ascii=False, separators=(",", ":"),
        )  # fmt: skip
    report(f"{path()}: {path().stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
