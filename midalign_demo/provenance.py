"""What adapters were trained on, as their `training.json` says: languages, data, whether a text was seen.

The record of a run that started from another adapter's weights holds that adapter's record as `before`; that of a
merged adapter (kind `sum`) those of its `parts`.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from midalign_demo import adapters
from midalign_demo.errors import InputError

# Languages with task data in training / with parallel data only / with neither.
GROUPS = ("supervised", "aligned", "transfer")

_RECORD = "training.json"
_TEXTS = ("data", "dev", "parallel", "parallel_dev")  # the keys of a recipe that name text
_ON_HUB = {
    "NTREX-128": "davidstap/NTREX",
    "TICO-19": "gmnlp/tico19",
    "Universal NER": "universalner/universal_ner",
}
_SOURCE = re.compile(r"(?P<path>[^*]+?)(?::(?P<first>\d+)-(?P<last>\d+))?(?:\*\d+)?")


@dataclass(frozen=True)
class Training:
    """What an adapter was made from.

    Attributes:
        supervised: languages of its task data.
        aligned: languages of its parallel data.
        sources: everything that it was trained or tuned on, as recipes write it: `parallel/ntrex:265-988*4`.
        split: whether of labelled commands only the parts `train` and `dev` were read.
        notes: the names and licences of its data.
        complete: whether all of it is known: also of what the run started from, and of all parts of a sum.
    """

    supervised: frozenset[str] = frozenset()
    aligned: frozenset[str] = frozenset()
    sources: tuple[str, ...] = ()
    split: bool = False
    notes: tuple[str, ...] = field(default=())
    complete: bool = True


def training_of(name: str) -> Training:
    """What an adapter was made from.

    Args:
        name: a shipped adapter's name, a folder or a hub id.

    Raises:
        InputError: no such adapter, or one without a `training.json` of `midalign-train`.
    """
    path = adapters.locate(name) / _RECORD
    try:
        return training_in(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"adapter: {name!r} has no {_RECORD}, which says what it was trained on") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"adapter: {path} is not a record of midalign-train") from error


def record_of(name: str) -> dict | None:
    """An adapter's whole record; None if it has none of ours, as those that others have trained.

    Raises:
        InputError: no such adapter.
    """
    path = adapters.locate(name) / _RECORD
    try:
        training_of(name)  # a record that says nothing is not to be handed on
    except InputError:
        return None
    return json.loads(path.read_text(encoding="utf-8"))


def training_in(record: Mapping) -> Training:
    """What a `training.json` says, with what the run started from or the sum was made of."""
    if record["kind"] == "sum":
        return _together([_training_in(part["training"]) for part in record["parts"]])
    recipe, data = record["recipe"], record["data"]
    of_task = {"task": data, "joint": data.get("task"), "align": None}[record["kind"]]
    of_align = {"task": None, "joint": data.get("align"), "align": data}[record["kind"]]
    own = Training(
        supervised=frozenset(of_task["languages"] if of_task else ()),
        aligned=frozenset(of_align["languages"] if of_align else ()),
        sources=tuple(source for key in _TEXTS for source in recipe.get(key) or ()),
        split=bool(recipe.get("split")),
        notes=tuple(recipe["data_notes"]),
    )
    return own if recipe.get("init") is None else _together([own, _training_in(record.get("before"))])


def _training_in(record: Mapping | None) -> Training:
    return Training(complete=False) if record is None else training_in(record)


def _together(trainings: Sequence[Training]) -> Training:
    labelled = [training for training in trainings if training.supervised]
    return Training(
        supervised=frozenset().union(*(training.supervised for training in trainings)),
        aligned=frozenset().union(*(training.aligned for training in trainings)),
        sources=tuple(dict.fromkeys(source for training in trainings for source in training.sources)),
        split=bool(labelled) and all(training.split for training in labelled),
        notes=tuple(dict.fromkeys(note for training in trainings for note in training.notes)),
        complete=all(training.complete for training in trainings),
    )


def hub_datasets(training: Training) -> list[str]:
    """Hub ids of the data behind an adapter, as far as the hub has it and its notes begin with a name known here."""
    return sorted({hub_id for name, hub_id in _ON_HUB.items() for note in training.notes if note.startswith(name)})


def group_of(tag: str, trainings: Iterable[Training]) -> str:
    """A language's group under adapters: the first of `GROUPS` that holds for one of them."""
    trainings = list(trainings)
    if any(tag in training.supervised for training in trainings):
        return GROUPS[0]
    return GROUPS[1] if any(tag in training.aligned for training in trainings) else GROUPS[2]


def seen(sources: Sequence[str], training: Training, *, held_out_split: bool = False) -> list[str]:
    """Which of the sources hold text that an adapter was trained or tuned on.

    Args:
        sources: as recipes write them: a file or a folder in the data folder, of parallel text with a range of lines.
        held_out_split: whether only the part `test` of labelled commands is taken, see
            `midalign_demo.tasks.slot_readers.split_of`.

    Raises:
        InputError: a source that is not written so.
    """
    kept_apart = held_out_split and training.split
    return [
        source
        for source in sources
        if any(_overlap(_parsed(source), _parsed(used), kept_apart) for used in training.sources)
    ]


def checksum(name: str) -> str:
    """SHA-256 of an adapter's weights, in hexadecimal."""
    with (adapters.locate(name) / "adapter_model.safetensors").open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def notes_of(names: Iterable[str]) -> Mapping[str, list[str]]:
    """The data behind adapters: for each note on data the adapters that were made from it."""
    found: dict[str, list[str]] = {}
    for name in names:
        for note in training_of(name).notes:
            found.setdefault(note, []).append(name)
    return found


def _parsed(source: str) -> tuple[PurePosixPath, float, float]:
    match = _SOURCE.fullmatch(source)
    if match is None:
        raise InputError(f"data: {source!r} is not a path, with :FIRST-LAST or *TIMES behind it or without")
    return PurePosixPath(match["path"]), float(match["first"] or 1), float(match["last"] or math.inf)


def _overlap(one: tuple, other: tuple, kept_apart: bool) -> bool:
    (path, first, last), (used, used_first, used_last) = one, other
    if path != used and path not in used.parents and used not in path.parents:
        return False
    return not kept_apart and first <= used_last and used_first <= last
