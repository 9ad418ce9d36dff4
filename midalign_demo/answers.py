"""Answers kept on disk as they come, so that an evaluation that was cut short goes on where it ended."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from midalign_demo.errors import InputError
from midalign_demo.files import replacing

_SETTINGS = "settings.json"

Cell = tuple[str, int]  # a variant and the number of a question


class AnswerStore:
    """Answers by variant and question, in memory and, if a folder is given, on disk.

    In a folder each process writes a file of its own, a line an answer, and reads those of all. A last line that a
    kill cut short is no answer.
    """

    def __init__(self, folder: Path | None = None, settings: Mapping | None = None, *, rank: int = 0, world: int = 1):
        """
        Args:
            folder: made if it isn't there.
            settings: everything that the answers depend on.
            rank, world: this process's number and how many share the work.

        Raises:
            InputError: the folder holds the answers of another evaluation.
        """
        self._answers: dict[Cell, str] = {}
        self._folder, self._rank, self._world = folder, rank, world
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            _agree(folder, dict(settings or {}))
            self.read()

    def read(self) -> None:
        """Take in what all processes have written so far."""
        for path in sorted(self._folder.glob("answers-*.jsonl")) if self._folder else ():
            for at, line in enumerate(path.read_text(encoding="utf-8").split("\n")[:-1], start=1):
                try:
                    variant, number, text = json.loads(line)
                except (TypeError, ValueError, RecursionError) as error:
                    raise InputError(f"answers: line {at} of {path} was not written by an evaluation") from error
                self._answers[variant, number] = text

    def wants(self, batch: int, cells: Sequence[Cell]) -> bool:
        """Whether a batch is this process's to answer, and not answered yet."""
        return batch % self._world == self._rank and any(cell not in self._answers for cell in cells)

    def keep(self, cells: Sequence[Cell], texts: Sequence[str]) -> None:
        """Add a batch's answers; they are on disk when this returns."""
        self._answers.update(zip(cells, texts, strict=True))
        if self._folder is None:
            return
        path = self._folder / f"answers-{self._rank}.jsonl"
        _drop_rest(path)
        lines = [json.dumps([*cell, text], ensure_ascii=False) for cell, text in zip(cells, texts, strict=True)]
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write("".join(f"{line}\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())

    def gather(self) -> None:
        """Take in the answers of all processes; each waits here for the others."""
        if self._world > 1:
            from accelerate.utils import gather_object

            self._answers.update(gather_object(list(self._answers.items())))

    def all_of(self, variant: str, count: int) -> list[str]:
        """A variant's answers to questions 0 to count - 1."""
        return [self._answers[variant, number] for number in range(count)]


def _drop_rest(path: Path) -> None:
    """Cut off what follows the last whole line."""
    if path.is_file():
        with path.open("rb+") as file:
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)


def _agree(folder: Path, settings: dict) -> None:
    path = folder / _SETTINGS
    text = json.dumps(settings, indent=1, sort_keys=True, ensure_ascii=False)
    if path.is_file():
        kept = json.loads(path.read_text(encoding="utf-8"))
        given = json.loads(text)
        for key in sorted({*kept, *given}):
            if kept.get(key) != given.get(key):
                raise InputError(
                    f"answers: {folder} holds answers of another evaluation: "
                    f"{key} was {kept.get(key)!r} and is {given.get(key)!r}"
                )
        return
    if any(folder.glob("answers-*.jsonl")):
        raise InputError(f"answers: {folder} holds answers but no {_SETTINGS}; give a new folder")
    with replacing(path) as file:
        file.write(text)
