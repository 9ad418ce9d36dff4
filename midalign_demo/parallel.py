"""Parallel text: sentences aligned line by line in several languages.

Three forms are read: a folder of `<bcp47>.txt`; JSONL with `text_parallel_0`/`text_parallel_1` (the reference
code's names) or with language tags as keys; TSV whose header line names its columns the same way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from midalign_demo import languages as language_tags
from midalign_demo.characters import is_blank
from midalign_demo.errors import InputError
from midalign_demo.files import new_folder, read_jsonl, read_lines

REFERENCE_COLUMNS = ("text_parallel_0", "text_parallel_1")


def read(
    path: str | Path,
    languages: Sequence[str] | None = None,
    *,
    first: int = 1,
    last: int | None = None,
    most_bytes: int | None = None,
) -> dict[str, list[str]]:
    """Read parallel text.

    Args:
        path: a folder, a `.jsonl` or a `.tsv` file.
        languages: tags to read, in this order; default: all there are.
        first, last: the lines to take, counted from 1, both included.
        most_bytes: largest size of a file that is read; default: any.

    Returns:
        For each language its sentences; all lists are equally long.

    Raises:
        InputError: nothing there, a language that is missing or given twice, line counts that differ, a line that
            does not fit, an empty sentence, or a range without lines.
    """
    path, numbers = Path(path), None
    if path.is_dir():
        corpus = _read_folder(path, languages, most_bytes)
    elif path.suffix in (".jsonl", ".tsv"):
        corpus, numbers = _read_table(path, most_bytes)
    else:
        raise InputError(
            f"parallel text: {str(path)!r} is not a folder of <language>.txt files, a .jsonl or a .tsv file"
        )
    return select(corpus, path, languages, first=first, last=last, numbers=numbers)


def select(
    corpus: dict[str, list[str]],
    path: str | Path,
    languages: Sequence[str] | None = None,
    *,
    first: int = 1,
    last: int | None = None,
    numbers: Sequence[int] | None = None,
) -> dict[str, list[str]]:
    """Some languages and lines of a text; see `read`, also for what is checked.

    Args:
        path: where the text comes from, for the messages.
        numbers: of each sentence the line of its file; default: they are counted from 1.
    """
    if languages is not None:
        _check_present(languages, corpus, path)
        corpus = {tag: corpus[tag] for tag in languages}
    counts = {tag: len(lines) for tag, lines in corpus.items()}
    if len(set(counts.values())) != 1:
        raise InputError(f"parallel text: {path} is not aligned, the line counts differ: {counts}")
    total = next(iter(counts.values()))
    if not total:
        raise InputError(f"parallel text: {path} has no sentences")
    last = total if last is None else min(last, total)
    if not 1 <= first <= last:
        raise InputError(f"lines: {first} to {last} is not a range within the {total} lines of {path}")
    corpus = {tag: lines[first - 1 : last] for tag, lines in corpus.items()}
    for tag, lines in corpus.items():
        for number, line in enumerate(lines, start=first):
            if is_blank(line):
                number = numbers[number - 1] if numbers else number
                raise InputError(f"parallel text: line {number} of {tag!r} in {path} is empty")
    return corpus


def _read_folder(folder: Path, languages: Sequence[str] | None, most_bytes: int | None) -> dict[str, list[str]]:
    named = [file for file in sorted(folder.glob("*.txt")) if _is_tag(file.stem)]
    files = _by_tag({file.stem: file for file in named}, folder)
    if not files:
        raise InputError(f"parallel text: {str(folder)!r} holds no <language>.txt file, such as en.txt")
    if languages is not None:
        _check_present(languages, files, folder)
    return {tag: read_lines(files[tag], most_bytes=most_bytes) for tag in languages or files}


def _by_tag(named: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """What has names in a file or folder, by language tags in their usual spelling."""
    found: dict[str, Any] = {}
    for name, value in named.items():
        tag = name if name in REFERENCE_COLUMNS else language_tags.normalize(name)
        if tag in found:
            raise InputError(f"parallel text: {path} has {tag!r} twice, one of them as {name!r}")
        found[tag] = value
    return found


def _check_present(wanted: Sequence[str], present: Collection[str], path: str | Path) -> None:
    missing = [tag for tag in wanted if tag not in present]
    if missing:
        raise InputError(f"languages: {', '.join(missing)} not in {path}, which has {', '.join(sorted(present))}")


def _read_table(path: Path, most_bytes: int | None) -> tuple[dict[str, list[str]], list[int]]:
    """The columns by language, and the line that each row is in."""
    read = _read_tsv if path.suffix == ".tsv" else read_jsonl
    rows = list(read(path, most_bytes=most_bytes))
    if not rows:
        raise InputError(f"parallel text: {path} has no sentences")
    names = [key for key in rows[0][1] if key in REFERENCE_COLUMNS or _is_tag(key)]
    # `id` is Indonesian's tag, but beside two languages it is the record's number.
    columns = [key for key in names if key != "id" or len(names) < 3]
    if len(columns) < 2:
        raise InputError(
            f"parallel text: {path} needs two columns named by language tags, or text_parallel_0 and text_parallel_1"
        )
    for number, row in rows:
        for column in columns:
            if not isinstance(row.get(column), str):
                raise InputError(f"parallel text: line {number} of {path} has no text in {column!r}")
    by_tag = _by_tag({column: [row[column] for _, row in rows] for column in columns}, path)
    return by_tag, [number for number, _ in rows]


def _read_tsv(path: Path, *, most_bytes: int | None) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Line numbers and rows; the first line names the columns. There are no quotes: a tab always ends a cell."""
    names: list[str] = []
    for number, line in enumerate(read_lines(path, most_bytes=most_bytes), start=1):
        cells = line.split("\t")
        if not names:
            names = [cell.strip() for cell in cells]
            twice = next((name for name in names if name and names.count(name) > 1), None)
            if twice is not None:
                raise InputError(f"parallel text: {path} has the column {twice!r} twice")
        elif line.strip():
            if any(cells[len(names) :]):
                raise InputError(
                    f"parallel text: line {number} of {path} has {len(cells)} columns, the first line has {len(names)}"
                )
            yield number, dict(zip_longest(names, cells[: len(names)]))


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
