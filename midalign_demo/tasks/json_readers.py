"""Texts with entities from files: Universal NER's `.iob2`, and JSONL with `{"text", "lang", "json"}`.

Labelled commands (see `midalign_demo.tasks.slot_readers`) are such texts as well: their slots are the types asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from midalign_demo import languages
from midalign_demo.errors import InputError
from midalign_demo.files import files_in, read_jsonl, read_lines
from midalign_demo.tasks import slot_filling, slot_readers
from midalign_demo.tasks.json_generation import ENTITY_TYPES, Entity, entities_of

_SUFFIXES = (".iob2", ".jsonl", ".conll")


@dataclass(frozen=True)
class Document:
    """A text with its gold entities, in the order of the text, and the types that are asked for."""

    language: str
    text: str
    entities: tuple[Entity, ...]
    types: tuple[str, ...] = ENTITY_TYPES


def read(path: str | Path, *, language: str | None = None) -> list[Document]:
    """Read a `.iob2` or `.jsonl` file.

    Args:
        language: tag of texts that name none themselves; default: what the file's name begins with, up to a `_` or
            `.` (`sr-Latn_set.dev.iob2`).

    Raises:
        InputError: not such a file, or a line that does not fit (its number is named).
    """
    path = Path(path)
    if path.suffix == ".iob2":
        documents = _read_iob2(path, language or _tag_of(path))
    elif path.suffix == ".jsonl":
        documents = _read_jsonl(path, language)
    else:
        raise InputError(f"json: {str(path)!r} is neither a .iob2 nor a .jsonl file")
    if not documents:
        raise InputError(f"json: {path} holds no text")
    return documents


def read_folder_or_file(path: str | Path, *, language: str | None = None, split: str | None = None) -> list[Document]:
    """All texts of a file, or of every file with texts or commands in a folder.

    The types asked for with commands are the slots of all of them.

    Args:
        split: of commands only this part, see `midalign_demo.tasks.slot_readers.split_of`.

    Raises:
        InputError: see `read`; a folder without such a file, or a split of texts that are no commands.
    """
    found = files_in(path, _SUFFIXES, "json")
    commands = [file for file in found if holds_commands(file)]
    if split is not None and len(commands) < len(found):
        raise InputError(f"split: {path} has texts that are not in parts, only commands are")
    documents = [document for file in found if file not in commands for document in read(file, language=language)]
    if commands:
        asked = [command for file in commands for command in slot_readers.read(file, language=language)]
        types = tuple(slot_filling.inventory_of(asked))
        kept = asked if split is None else slot_readers.of_split(asked, split, path)
        documents += [_document(command, types) for command in kept]
    return documents


def holds_commands(path: str | Path) -> bool:
    """Whether a file, or the first of a folder's files, is one of labelled commands."""
    path = Path(path)
    if path.is_dir():
        path = next((file for file in sorted(path.iterdir()) if file.suffix in _SUFFIXES), path)
    if path.suffix != ".jsonl" or not path.is_file():
        return path.suffix == ".conll"
    first = next(read_jsonl(path), None)
    return first is not None and "utt" in first[1]


def _document(command: slot_filling.Command, types: tuple[str, ...]) -> Document:
    entities = tuple(Entity(slot.name, slot.value) for slot in command.slots)
    return Document(command.language, command.text, entities, types)


def _tag_of(path: Path) -> str:
    return languages.normalize(path.name.split(".")[0].split("_")[0])


def _read_iob2(path: Path, language: str) -> list[Document]:
    documents = []
    rows: list[tuple[str, str]] = []
    text = None
    # An empty line more, so that the last sentence ends as the others do.
    for number, line in enumerate([*read_lines(path), ""], start=1):
        if not line.strip():
            if rows:
                documents.append(document_of(language, text, rows))
            rows, text = [], None
        elif line.startswith("#"):
            name, _, value = line[1:].partition("=")
            text = value.strip() if name.strip() == "text" else text
        else:
            columns = line.split("\t")
            if len(columns) < 3:
                raise InputError(
                    f"{path}: line {number} has fewer than three tab-separated columns (number, word, tag)"
                )
            rows.append((columns[1], columns[2].strip()))
    return documents


def document_of(language: str, text: str | None, rows: list[tuple[str, str]]) -> Document:
    """A text with its entities as the text spells them: without spaces where it has none.

    Args:
        text: None where there are only the words.
        rows: words with their IOB2 tags.
    """
    text = text or " ".join(word for word, _ in rows)
    entities: list[Entity] = []
    at, start, kind = 0, 0, None
    ends_at = 0
    for word, tag in [*rows, ("", "O")]:
        found = text.find(word, at)
        begin = found if found >= 0 else at
        if kind and not (tag.startswith("I-") and tag[2:] == kind):
            entities.append(Entity(kind, " ".join(text[start:ends_at].split())))
            kind = None
        if tag[:2] in ("B-", "I-") and kind is None:
            start, kind = begin, tag[2:]
        at = ends_at = begin + len(word)
    return Document(language, text, tuple(entity for entity in entities if entity.type in ENTITY_TYPES))


def _read_jsonl(path: Path, language: str | None) -> list[Document]:
    documents = []
    for number, record in read_jsonl(path):
        try:
            text, document = record["text"], record["json"]
            tag = languages.normalize(record["lang"]) if "lang" in record else language or _tag_of(path)
            if not isinstance(text, str) or not isinstance(document, dict):
                raise TypeError
        except InputError as error:
            raise InputError(f"{path}: line {number}: {error}") from error
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: line {number} is not of the form {{text, lang, json: {{..}}}}") from error
        documents.append(Document(tag, text, tuple(entities_of(document))))
    return documents
