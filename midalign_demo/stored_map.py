"""The map that the app shows before it has computed anything: midalign's own sentences, base beside the shipped align.

    python -m midalign_demo.stored_map

makes it from the embedded base and the shipped alignment adapter, in a few minutes, and writes it into the package. It
has to be run again after the adapter or the sentences have changed: a map that was made of others is not shown.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from midalign_demo import adapters, embedded, files, maps
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
    weights = (adapters.locate(ADAPTER) / "adapter_model.safetensors").read_bytes()
    text = json.dumps({tag: list(lines) for tag, lines in corpus.items()}, ensure_ascii=False)
    return {"adapter": hashlib.sha256(weights).hexdigest(), "sentences": hashlib.sha256(text.encode()).hexdigest()}


def read() -> maps.EmbeddingMap | None:
    """The stored map; None where there is none, or one of another adapter or other sentences."""
    if not path().is_file():
        return None
    document = json.loads(path().read_text(encoding="utf-8"))
    try:
        made_of = checksums(own_sentences(document["map"]["languages"]))
    except InputError:  # no such adapter or language any more
        return None
    return maps.EmbeddingMap.from_dict(document["map"]) if document["made_of"] == made_of else None


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
