"""The head of a card (README.md): the metadata that the hub reads, of whatever is written with adapters in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import yaml

from midalign_demo import embedded, provenance
from midalign_demo.errors import InputError
from midalign_demo.provenance import Training


def head(
    base: str,
    *,
    library: str,
    tags: Sequence[str],
    languages: Iterable[str] = (),
    datasets: Sequence[str] = (),
    pipeline: str | None = None,
) -> str:
    """The metadata, as YAML between two rules.

    Args:
        base: a base's name, hub id or folder.
        library, tags, languages, datasets, pipeline: as the hub's model cards have them; what is empty is left out.
    """
    own = base in (embedded.NAME, embedded.HUB_ID)
    metadata = {
        "base_model": embedded.HUB_ID if own else base,
        "library_name": library,
        "pipeline_tag": pipeline,
        "tags": list(tags),
        "language": sorted(set(languages)),
        "datasets": list(datasets),
        "license": "gemma" if own else None,
    }
    kept = {key: value for key, value in metadata.items() if value}
    return f"---\n{yaml.safe_dump(kept, sort_keys=False, allow_unicode=True)}---\n"


def head_with(
    base: str, sources: Iterable[str], *, library: str, tags: Sequence[str], pipeline: str | None = None
) -> str:
    """As `head`, with the languages and data behind adapters, as far as these say them.

    Args:
        sources: shipped adapters' names, folders or hub ids.
    """
    trainings = [training for source in sources if (training := _training_of(source)) is not None]
    return head(
        base,
        library=library,
        tags=tags,
        languages=[tag for training in trainings for tag in (*training.supervised, *training.aligned)],
        datasets=sorted({name for training in trainings for name in provenance.hub_datasets(training)}),
        pipeline=pipeline,
    )


def terms(base: str) -> str:
    """What the base's licence wants said with everything made from it, as a paragraph; empty for other bases."""
    return f"\n{embedded.LICENCE_NOTE}.\n" if base in (embedded.NAME, embedded.HUB_ID) else ""


def _training_of(source: str) -> Training | None:
    try:
        return provenance.training_of(source)
    except InputError:  # another's adapter, which says nothing of it
        return None
