"""Answers to the page's examples that come with the package: what visitors see before they ask.

They are made by `midalign stored-answers` and shown only as long as they are what the shipped adapters would answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from midalign_demo import adapters, embedded, files, variants
from midalign_demo.errors import InputError
from midalign_demo.questions import question_of
from midalign_demo.ui import examples

if TYPE_CHECKING:
    from midalign_demo.library import Midalign
    from midalign_demo.ui.host import ModelHost

COMMAND = "midalign stored-answers"
DTYPE = "float32"  # answers in it are the same on every machine, as far as that can be had


def path() -> Path:
    """The file that comes with the package."""
    return Path(str(resources.files("midalign_demo") / "assets" / "stored" / "answers.json"))


def make(midalign: Midalign, progress: Callable[[int, int], object] | None = None) -> dict:
    """Every example of the page, answered by the usual variants.

    Args:
        progress: called with (examples answered, all examples).

    Returns:
        `{"made_by", "base", "dtype", "adapters": {name: checksum}, "answers": [document, ..]}`; the documents are those
        of `midalign_demo.comparison.compare`, without `seconds`, which would tell of the machine they were made on.
    """
    asked = [(task, entry) for task, entries in examples.by_task().items() for entry in entries]
    answers = []
    for number, (task, entry) in enumerate(asked):
        chosen = variants.shown_first(midalign.variants(task))
        document = midalign.compare(
            entry["text"], task, language=entry["language"], target=entry.get("target"), variants=chosen
        )
        for output in document["outputs"]:
            del output["seconds"]
        answers.append(document)
        if progress:
            progress(number + 1, len(asked))
    names = sorted({name for document in answers for name in _adapters_of(document)})
    return {
        "made_by": COMMAND,
        "base": midalign.engine.base.name,
        "dtype": str(midalign.engine.base.dtype).removeprefix("torch."),
        "adapters": {name: adapters.checksum(name) for name in names},
        "answers": answers,
    }


def write(made: dict, to: Path) -> None:
    """Write what `make` returned, one answer a line, so that changes can be read."""
    head = json.dumps({key: value for key, value in made.items() if key != "answers"}, ensure_ascii=False)
    lines = ",\n".join(json.dumps(document, ensure_ascii=False) for document in made["answers"])
    with files.replacing(to) as file:
        file.write(f'{head[:-1]}, "answers": [\n{lines}\n]}}\n')


class StoredAnswers:
    """The stored answers that a host would give as well; none if its base or an adapter is another one.

    Args:
        file: default: the one that comes with the package.
    """

    def __init__(self, host: ModelHost, file: Path | None = None):
        self._documents: dict[tuple, dict] = {}
        file = file or path()
        if host.base != embedded.NAME or host.served is not None or not file.is_file():
            return
        stored = json.loads(files.read_text(file))
        for document in stored["answers"]:
            if _is_current(document, stored["adapters"], host):
                self._documents[_key(document)] = document

    def __len__(self) -> int:
        return len(self._documents)

    def find(self, task: str, text: str, language: str | None, target: str | None = None) -> dict | None:
        """The answers to a question, if they are stored; a language that is not given fits any."""
        if language:
            return self._documents.get((task, text, language, target))
        fitting = (found for key, found in self._documents.items() if key[:2] == (task, text) and key[3] == target)
        return next(fitting, None)


def _key(document: dict) -> tuple:
    return document["task"], document["text"], document["language"], document.get("target")


def _adapters_of(document: dict) -> dict[str, float]:
    """The adapters in a document's answers, with their weight in the merge where they have one."""
    labels = [label.partition("*") for output in document["outputs"] for label in output["adapters"]]
    return {name: float(weight) if star else 1.0 for name, star, weight in labels}


def _is_current(document: dict, checksums: dict[str, str], host: ModelHost) -> bool:
    """Whether the host has the adapters, weights and prompts that the answers were made with."""
    task, by_variant = document["task"], {output["variant"]: output for output in document["outputs"]}
    if list(by_variant) != variants.shown_first(host.variants(task)):
        return False
    sources = host.sources(task)
    named = {variants.adapter_name(role, task): source for role, source in sources.items()}
    merged = by_variant.get("merged")
    try:
        if any(adapters.checksum(named[name]) != checksums.get(name) for name in _adapters_of(document)):
            return False
        if merged and _adapters_of({"outputs": [merged]}).get("align") != variants.align_weight(task, sources):
            return False
        question = question_of(task, document["text"], language=document["language"], target=document.get("target"))
    except (InputError, KeyError):
        return False
    return all(
        output["prompt"] == (question.prompt_with_examples() if name in variants.UNTUNED else question.prompt())
        for name, output in by_variant.items()
    )
