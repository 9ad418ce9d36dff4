"""Parallel text: sentences aligned line by line in several languages.

Three forms are read: a folder of `<bcp47>.txt`; JSONL with `text_parallel_0`/`text_parallel_1` (the reference
code's names) or with language tags as keys; TSV whose header line names its columns the same way.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from midalign_demo import languages as language_tags
from midalign_demo.errors import InputError
from midalign_demo.files import new_folder, read_jsonl, read_lines

REFERENCE_COLUMNS = ("text_parallel_0", "text_parallel_1")


def read(
    path: str | Path, languages: Sequence[str] | None = None, *, first: int = 1, last: int | None = None
) -> dict[str, list[str]]:
    """Read parallel text.

    Args:
        path: a folder, a `.jsonl` or a `.tsv` file.
        languages: tags to read, in this order; default: all there are.
        first, last: the lines to take, counted from 1, both included.

    Returns:
        For each language its sentences; all lists are equally long.

    Raises:
        InputError: nothing there, a language that is missing, line counts that differ, an empty sentence, or a
            range without lines.
    """
    path = Path(path)
    if path.is_dir():
        corpus = _read_folder(path, languages)
    elif path.suffix in (".jsonl", ".tsv"):
        corpus = _read_table(path)
    else:
        raise InputError(
            f"parallel text: {str(path)!r} is not a folder of <language>.txt files, a .jsonl or a .tsv file"
        )
    return select(corpus, path, languages, first=first, last=last)


def select(
    corpus: dict[str, list[str]],
    path: str | Path,
    languages: Sequence[str] | None = None,
    *,
    first: int = 1,
    last: int | None = None,
) -> dict[str, list[str]]:
    """Some languages and lines of a text; see `read`, also for what is checked.

    Args:
        path: where the text comes from, for the messages.
    """
    if languages is not None:
        _check_present(languages, corpus, path)
        corpus = {tag: corpus[tag] for tag in languages}
    counts = {tag: len(lines) for tag, lines in corpus.items()}
    if len(set(counts.values())) != 1:
        raise InputError(f"parallel text: {path} is not aligned, the line counts differ: {counts}")
    total = next(iter(counts.values()))
    last = total if last is None else min(last, total)
    if not 1 <= first <= last:
        raise InputError(f"lines: {first} to {last} is not a range within the {total} lines of {path}")
    corpus = {tag: lines[first - 1 : last] for tag, lines in corpus.items()}
    for tag, lines in corpus.items():
        for number, line in enumerate(lines, start=first):
            if not line.strip():
                raise InputError(f"parallel text: line {number} of {tag!r} in {path} is empty")
    return corpus


def _read_folder(folder: Path, languages: Sequence[str] | None) -> dict[str, list[str]]:
    files = {language_tags.normalize(file.stem): file for file in sorted(folder.glob("*.txt")) if _is_tag(file.stem)}
    if not files:
        raise InputError(f"parallel text: {str(folder)!r} holds no <language>.txt file, such as en.txt")
    if languages is not None:
        _check_present(languages, files, folder)
    return {tag: read_lines(files[tag]) for tag in languages or files}


def _check_present(wanted: Sequence[str], present: Collection[str], path: str | Path) -> None:
    missing = [tag for tag in wanted if tag not in present]
    if missing:
        raise InputError(f"languages: {', '.join(missing)} not in {path}, which has {', '.join(sorted(present))}")


def _read_table(path: Path) -> dict[str, list[str]]:
    if path.suffix == ".jsonl":
        rows = [record for _, record in read_jsonl(path)]
    else:
        rows = list(csv.DictReader(read_lines(path), delimiter="\t", quoting=csv.QUOTE_NONE))
    names = [key for key in (rows[0] if rows else {}) if key in REFERENCE_COLUMNS or (key and _is_tag(key))]
    # `id` is Indonesian's tag, but beside two languages it is the record's number.
    columns = [key for key in names if key != "id" or len(names) < 3]
    if len(columns) < 2:
        raise InputError(
            f"parallel text: {path} needs two columns named by language tags, or text_parallel_0 and text_parallel_1"
        )
    for number, row in enumerate(rows, start=1):
        for column in columns:
            if not isinstance(row.get(column), str):
                raise InputError(f"parallel text: record {number} of {path} has no text in {column!r}")
    return {
        column if column in REFERENCE_COLUMNS else language_tags.normalize(column): [row[column] for row in rows]
        for column in columns
    }


def _is_tag(text: str) -> bool:
    try:
        language_tags.normalize(text)
    except InputError:
        return False
    return True


def write_folder(corpus: Mapping[str, Sequence[str]], folder: Path) -> None:
    """Write a folder of `<language>.txt`, whole or not at all.

    Raises:
        InputError: the folder is there already.
    """
    with new_folder(folder) as draft:
        for tag, lines in corpus.items():
            (draft / f"{tag}.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
