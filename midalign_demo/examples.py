"""Labelled data of any task as questions with their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from midalign_demo import hub_data, parallel
from midalign_demo.errors import InputError
from midalign_demo.languages import normalize
from midalign_demo.tasks import json_generation, json_readers, slot_filling, slot_readers, translation
from midalign_demo.tasks.question import Example


def read_examples(
    task: str,
    path: str | Path,
    *,
    language: str | None = None,
    target: str | None = None,
    slots: Sequence[str] | None = None,
    languages: Sequence[str] | None = None,
    split: str | None = None,
    first: int = 1,
    limit: int | None = None,
) -> list[Example]:
    """Read labelled data; docs/formats.md names the forms.

    Args:
        path: a file, a folder, or a data set of the hub, see `midalign_demo.hub_data`.
        language: only this language (for a file that names none, its language); of a translation, the source.
        target: of a translation; may be `en` with `language` None: every other language into it.
        slots: those listed in the prompts of slot filling; default: those in the data.
        languages: only these languages; of translations, the sources. The slots listed stay those of all the data.
        split: of commands, see `midalign_demo.tasks.slot_readers.split_of`.
        first, limit: of each language only so many examples, from this one on, counted from 1.

    Raises:
        InputError: nothing there, a form that does not fit, a language without an example, or no example left.
    """
    if task == slot_filling.NAME:
        examples = _commands(path, language, slots, split)
    elif task == translation.NAME:
        examples = _translations(path, language, target)
    else:
        examples = _documents(path, language, split)
    if languages is not None:
        examples = _only(examples, [normalize(tag) for tag in languages], path)
    seen: dict[Any, int] = {}
    kept = []
    for example in examples:
        group = example.question.language, example.question.target
        seen[group] = seen.get(group, 0) + 1
        if first <= seen[group] < (first + limit if limit else float("inf")):
            kept.append(example)
    if not kept:
        raise InputError(f"{path}: no example left of {len(examples)}, in {_languages_in(seen) or 'no language'}")
    return kept


def _only(examples: list[Example], tags: Sequence[str], path: str | Path) -> list[Example]:
    present = {example.question.language for example in examples}
    missing = [tag for tag in tags if tag not in present]
    if missing:
        there = ", ".join(sorted(tag for tag in present if tag))
        raise InputError(f"languages: {', '.join(missing)} not in {path}, which has {there}")
    return [example for example in examples if example.question.language in tags]


def _languages_in(groups: Mapping[tuple, int]) -> str:
    return ", ".join(sorted({language for language, _ in groups}))


def read_commands(
    path: str | Path, *, language: str | None = None, split: str | None = None
) -> list[slot_filling.Command]:
    """Labelled commands of a file, a folder or the hub, see `midalign_demo.tasks.slot_readers`."""
    if hub_data.is_hub(path):
        found = hub_data.commands(path)
        return [command for command in found if split is None or slot_readers.split_of(command.id) == split]
    named = language if Path(path).is_file() else None
    return slot_readers.read_folder_or_file(path, split=split, language=named)


def read_documents(
    path: str | Path, *, language: str | None = None, split: str | None = None
) -> list[json_readers.Document]:
    """Texts with entities of a file, a folder or the hub, see `midalign_demo.tasks.json_readers`."""
    if hub_data.is_hub(path):
        return hub_data.documents(path)
    return json_readers.read_folder_or_file(path, language=language if Path(path).is_file() else None, split=split)


def read_parallel(path: str | Path, languages: Sequence[str] | None = None, **lines) -> dict[str, list[str]]:
    """Parallel text of a folder, a file or the hub, see `midalign_demo.parallel.read`."""
    if hub_data.is_hub(path):
        return parallel.select(hub_data.parallel_text(path), path, languages, **lines)
    return parallel.read(path, languages, **lines)


def _commands(path: str | Path, language: str | None, slots: Sequence[str] | None, split: str | None) -> list[Example]:
    commands = read_commands(path, language=language, split=split)
    if language:
        commands = [command for command in commands if command.language == language]
        if not commands:
            raise InputError(f"language: {path} has no command in {language!r}")
    inventory = tuple(slot_filling.check_inventory(slots or slot_filling.inventory_of(commands)))
    return [
        Example(slot_filling.Question(command.text, inventory, command.language), command)
        for command in slot_filling.restrict(commands, inventory)
    ]


def _translations(path: str | Path, language: str | None, target: str | None) -> list[Example]:
    corpus = read_parallel(path)
    if language is None and target is None:
        raise InputError("language: none given; name the source, the target, or both (--language de --target en)")
    for tag in (language, target):
        if tag is not None and tag not in corpus:
            raise InputError(f"language: {tag!r} is not in {path}, which has {', '.join(sorted(corpus))}")
    sources = [language] if language else [tag for tag in corpus if tag != target]
    targets = [target] if target else [tag for tag in corpus if tag != language]
    return [
        Example(translation.Question(text, source, to), reference)
        for source in sources
        for to in targets
        if source != to
        for text, reference in zip(corpus[source], corpus[to], strict=True)
    ]


def _documents(path: str | Path, language: str | None, split: str | None) -> list[Example]:
    return [
        Example(json_generation.Question(document.text, document.language, document.types), document.entities)
        for document in read_documents(path, language=language, split=split)
        if not language or document.language == language
    ]
