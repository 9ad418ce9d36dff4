"""Labelled commands from files: midalign's JSONL (see docs/formats.md) and xSID's `.conll`."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace
from pathlib import Path

import regex

from midalign_demo import languages
from midalign_demo.errors import InputError
from midalign_demo.files import files_in, read_jsonl, read_lines
from midalign_demo.tasks.slot_filling import Command, Slot
from midalign_demo.tasks.spans import Span, find

SPLITS = ("train", "dev", "test")


def split_of(command_id: str) -> str:
    """The part of the data a command belongs to: `dev` and `test` get a tenth each, `train` the rest.

    Decided by a checksum of the id up to its last `:` or `/`, so that paraphrases of one block, and all languages of
    a parallel data set, fall into the same part.
    """
    group = re.sub(r"[:/][^:/]*$", "", command_id)
    return {0: "dev", 1: "test"}.get(zlib.crc32(group.encode()) % 10, "train")


def read(path: str | Path, *, language: str | None = None, split: str | None = None) -> list[Command]:
    """Read labelled commands: `.jsonl` (see docs/formats.md) or `.conll` in xSID's form.

    Args:
        language: tag of commands that name none themselves; default: the file's name.
        split: only this part of the data, see `split_of`.

    Raises:
        InputError: not such a file, or a line that does not fit (its number is named).
    """
    path = Path(path)
    if path.suffix == ".jsonl":
        commands = _read_jsonl(path, language)
    elif path.suffix == ".conll":
        commands = _read_conll(path, language or languages.normalize(path.stem))
    else:
        raise InputError(f"slot filling: {str(path)!r} is neither a .jsonl nor a .conll file")
    if not commands:
        raise InputError(f"slot filling: {path} holds no command")
    return commands if split is None else of_split(commands, split, path)


def read_folder_or_file(path: str | Path, *, language: str | None = None, split: str | None = None) -> list[Command]:
    """All commands of a file, or of every `.jsonl` and `.conll` in a folder.

    Raises:
        InputError: see `read`; or a folder without such a file, or none with a command of the split.
    """
    found = files_in(path, (".jsonl", ".conll"), "slot filling")
    commands = [command for file in found for command in read(file, language=language)]
    return commands if split is None else of_split(commands, split, path)


def of_split(commands: list[Command], split: str, path: str | Path) -> list[Command]:
    """The commands of a part of the data.

    Raises:
        InputError: no such part, or no command in it.
    """
    if split not in SPLITS:
        raise InputError(f"split: {split!r} is not one of {', '.join(SPLITS)}")
    kept = [command for command in commands if split_of(command.id) == split]
    if not kept:
        raise InputError(f"slot filling: {path} holds no command of the {split} split")
    return kept


def _read_jsonl(path: Path, language: str | None) -> list[Command]:
    commands = []
    for number, record in read_jsonl(path):
        try:
            text = record["utt"]
            named = [(slot["slot"], slot["values"]) for slot in record["slots"] if slot.get("surface", True)]
            strings = [text, *(part for name, values in named for part in (name, *values))]
            if not all(isinstance(part, str) for part in strings) or any(type(values) is str for _, values in named):
                raise TypeError
            tag = languages.normalize(record.get("lang") or language or path.stem)
            command_id = str(record.get("id", f"{path.stem}-{number}"))
            english, intent = record.get("english"), record.get("intent")
            if not isinstance(english, str | None) or not isinstance(intent, str | None):
                raise TypeError
        except InputError as error:
            raise InputError(f"{path}: line {number}: {error}") from error
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path}: line {number} is not of the form {{id, lang, utt, slots: [{{slot, values}}]}}"
            ) from error
        commands.append(replace(_command(command_id, tag, text, named), english=english, intent=intent))
    return commands


def _command(command_id: str, language: str, text: str, named: list[tuple[str, list[str]]]) -> Command:
    """A command from slots with alternative values, of which the one in the text is taken, as the text spells it.

    A slot none of whose values is in the text is left out: there is nothing to be filled in.
    """
    placed: list[tuple[Span, Slot]] = []
    taken: dict[str, list[Span]] = {}
    for name, values in named:
        spans = (find(value, text, taken.setdefault(name, [])) for value in values)
        span = next((span for span in spans if span), None)
        if span:
            taken[name].append(span)
            placed.append((span, Slot(name, text[slice(*span)])))
    return Command(command_id, language, text, tuple(slot for _, slot in sorted(placed, key=lambda item: item[0])))


def _read_conll(path: Path, language: str) -> list[Command]:
    commands = []
    lines = read_lines(path)
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("#"):
            if line.count("\t") < 3:
                raise InputError(
                    f"{path}: line {number} has fewer than four tab-separated columns (number, word, intent, tag)"
                )
            tag = line.rpartition("\t")[2].strip()
            if tag != "O" and not re.fullmatch(r"[BI]-.+", tag):
                raise InputError(
                    f"{path}: line {number} has the tag {tag[:60]!r}, which is none of O, B-SLOT and I-SLOT"
                )
    blocks = [block for block in re.split(r"\n\s*\n", "\n".join(lines).strip()) if block]
    for number, block in enumerate(blocks, start=1):
        comments = dict(line[1:].split("=", 1) for line in block.split("\n") if line.startswith("#") and "=" in line)
        comments = {key.strip(): value.strip() for key, value in comments.items()}
        rows = [line.split("\t") for line in block.split("\n") if line and not line.startswith("#")]
        text = _natural(comments.get("text") or " ".join(row[1] for row in rows))
        command_id = comments.get("id", str(number))
        named = [(name, [value]) for name, value in _entities(rows)]
        commands.append(
            replace(
                _command(command_id, language, text, named),
                english=comments.get("text-en"),
                intent=comments.get("intent"),
            )
        )
    return commands


def _entities(rows: list[list[str]]) -> list[tuple[str, str]]:
    entities: list[tuple[str, list[str]]] = []
    previous = "O"
    for row in rows:
        tag = row[-1].strip()
        if tag.startswith("B-") or (tag.startswith("I-") and previous[2:] != tag[2:]):
            entities.append((tag[2:], [row[1]]))
        elif tag.startswith("I-"):
            entities[-1][1].append(row[1])
        previous = tag
    return [(name, _natural(" ".join(tokens))) for name, tokens in entities]


def _natural(text: str) -> str:
    """Without the spaces between Chinese and Japanese characters: xSID's Japanese has them, and no one writes them."""
    between = r"(?<=[\p{Han}\p{Hiragana}\p{Katakana}ー。、？！0-9]) (?=[\p{Han}\p{Hiragana}\p{Katakana}ー。、？！0-9])"
    return regex.sub(between, "", text) if regex.search(r"[\p{Han}\p{Hiragana}\p{Katakana}]", text) else text
