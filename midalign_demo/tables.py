"""Published result tables: the files in `midalign_demo/results`, see docs/formats.md.

A table holds what `midalign retrieval --json` or `midalign evaluate --json` prints, and beside it what a reader needs
to judge it and to make it again.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from midalign_demo import languages, tasks
from midalign_demo.errors import InputError
from midalign_demo.files import read_text, replacing
from midalign_demo.provenance import GROUPS
from midalign_demo.significance import share_interval

RETRIEVAL = "retrieval"
_BESIDE_METRICS = ("n", "interval")
_PERCENT_METRICS = ("bleu", "chrf")  # sacrebleu counts them from 0 to 100; all others go from 0 to 1


@dataclass(frozen=True)
class ResultTable:
    """A table as its file holds it.

    Attributes:
        name: the file's, without ending.
        title: one line.
        command: what made `result`; `DATA` stands for the folder with the data.
        made: date, ISO 8601.
        version: of midalign.
        base: the base's name.
        adapters: for each `{"role", "name", "sha256"}`.
        data: `{"name", "licence", "text", "sources"}`: which text, and that no adapter was trained or tuned on it.
        languages: for each row of `result` `{"language", "group"}`; a row of a translation is a direction.
        result: the document that the command printed.
    """

    name: str
    title: str
    command: str
    made: str
    version: str
    base: str
    adapters: list[dict]
    data: dict
    languages: dict[str, dict]
    result: dict

    @property
    def task(self) -> str:
        """`retrieval` or the name of a task."""
        return self.result.get("task", RETRIEVAL)

    @property
    def variants(self) -> list[str]:
        return list(self.result["variants"])

    @property
    def layers(self) -> list[int]:
        """The layers of a retrieval table."""
        return [int(layer) for layer in self.result["variants"][self.variants[0]]["layers"]]

    @property
    def metrics(self) -> list[str]:
        """The metrics of a task's table."""
        overall = self.result["variants"][self.variants[0]]["overall"]
        return [name for name in overall if name not in _BESIDE_METRICS]

    def language(self, row: str) -> str:
        """The language of a row; of a direction of translation the source."""
        return self.languages[row]["language"]

    def group(self, row: str) -> str:
        """One of `midalign_demo.provenance.GROUPS`."""
        return self.languages[row]["group"]

    def script(self, row: str) -> str:
        """English name of the script of a row's language."""
        return languages.script_name(self.language(row))

    def row_name(self, row: str) -> str:
        """A row's name in English, with the direction of a translation, or what a tag of private use (`-x-`) says."""
        tag = self.language(row)
        name = languages.name(tag)
        private = tag.partition("-x-")[2]
        return f"{name} ({row})" if tag != row else f"{name}, {private}" if private else name

    def rows(self) -> list[str]:
        """The rows, by group and within it by name."""
        return sorted(
            self.languages, key=lambda row: (GROUPS.index(self.group(row)), languages.name(self.language(row)), row)
        )


@dataclass(frozen=True)
class Score:
    """A number over `n` examples with its 95 % interval.

    `row` is a language or a direction of translation; None for all examples together.
    """

    row: str | None
    variant: str
    n: int
    value: float
    low: float
    high: float


def folder() -> Path:
    """The folder of the tables that come with the package."""
    return Path(str(resources.files("midalign_demo") / "results"))


def paths_in(where: Path) -> list[Path]:
    """The table files of a folder, by name; none if it isn't there."""
    return sorted(where.glob("*.json"))


def read(path: Path) -> ResultTable:
    """Read a table.

    Raises:
        InputError: not a table.
    """
    try:
        found = ResultTable(**json.loads(read_text(path)))
        _check(found)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, InputError) as error:
        raise InputError(f"results: {path} is not a table as docs/formats.md describes it") from error
    return found


def _check(table: ResultTable) -> None:
    """Read every number once, so that no page fails at one later; raises what looking them up raises."""
    if table.task == RETRIEVAL:
        rows = set(table.result["languages"])
        by_layer(table, rows)
        with_english(table, table.layers[0])
        layers = (at for of in table.result["variants"].values() for at in of["layers"].values())
        if any({"all", "en-x"} - at.keys() for at in layers):
            raise ValueError("layers")
    else:
        rows = {row for of in table.result["variants"].values() for row in of["languages"]}
        for metric in {*table.metrics, tasks.MODULES[table.task].MAIN_METRIC}:
            scores(table, metric)
        if any(
            {"variants", "metric", "difference", "interval", "p", "languages"} - found.keys()
            for found in table.result["differences"]
        ):
            raise ValueError("differences")
    if rows != set(table.languages) or {table.group(row) for row in rows} - set(GROUPS):
        raise ValueError("languages")
    if set(table.result["adapters"]) != set(table.variants) or {"name", "licence", "text"} - table.data.keys():
        raise ValueError("adapters or data")
    if any({"role", "name", "sha256"} - adapter.keys() for adapter in table.adapters):
        raise ValueError("adapters")


def write(table: ResultTable, where: Path) -> Path:
    """Write a table into a folder, whole or not at all; its path."""
    path = where / f"{table.name}.json"
    with replacing(path) as file:
        json.dump(dataclasses.asdict(table), file, ensure_ascii=False, indent=1)
        file.write("\n")
    return path


def scores(table: ResultTable, metric: str, rows: Collection[str] | None = None) -> list[Score]:
    """A task's scores: each variant's of all examples, then those of the rows.

    Args:
        rows: only these; default: all.

    Raises:
        InputError: the table lacks the metric.
    """
    if metric not in table.metrics:
        raise InputError(f"metric: {metric!r} is not one of {', '.join(table.metrics)}")
    found = []
    for row in (None, *table.rows()):
        if row is None or rows is None or row in rows:
            for variant, of in table.result["variants"].items():
                cell = of["overall"] if row is None else of["languages"][row]
                found.append(Score(row, variant, cell["n"], cell[metric], *cell["interval"][metric]))
    return found


def with_english(table: ResultTable, layer: int, rows: Collection[str] | None = None) -> list[Score]:
    """Retrieval accuracy of each language's pair with English at a layer; none where English is not in the table.

    The interval is Wilson's for the share of n sentences that are found; the mean of two directions varies less.

    Args:
        rows: only these languages; default: all.
    """
    n, found = table.result["n"], []
    values = {variant: pairs(table, variant, layer) for variant in table.variants}
    for row in table.rows():
        pair = next((pair for pair in values[table.variants[0]] if set(pair) == {row, "en"}), None)
        if pair is not None and (rows is None or row in rows):
            for variant, of in values.items():
                found.append(Score(row, variant, n, of[pair], *share_interval(of[pair], n)))
    return found


def pairs(table: ResultTable, variant: str, layer: int) -> dict[tuple[str, str], float]:
    """Retrieval accuracy of every pair of languages under a variant at a layer."""
    values = table.result["variants"][variant]["layers"][str(layer)]["pairs"]
    tags = table.result["languages"]
    # A tag may hold a hyphen, so a pair's name is put together, never taken apart.
    return {
        (one, other): values[f"{one}-{other}"]
        for at, one in enumerate(tags)
        for other in tags[at + 1 :]
    }  # fmt: skip


def by_layer(table: ResultTable, rows: Collection[str]) -> dict[str, dict[int, dict]]:
    """For each variant and layer the mean accuracy over the pairs of some languages, and over their pairs with English.

    Args:
        rows: languages. English is always one of them where the table has it.

    Returns:
        `{variant: {layer: {"all": x, "en-x": x or None}}}`; empty where no pair is left.
    """
    found: dict[str, dict[int, dict]] = {}
    for variant in table.variants:
        for layer in table.layers:
            kept = {pair: value for pair, value in pairs(table, variant, layer).items() if is_shown(pair, rows)}
            if kept:
                english = [value for pair, value in kept.items() if "en" in pair]
                found.setdefault(variant, {})[layer] = {
                    "all": float(np.mean(list(kept.values()))),
                    "en-x": float(np.mean(english)) if english else None,
                }
    return found


def is_shown(pair: tuple[str, str], rows: Collection[str]) -> bool:
    """Whether both languages are among the rows; English always is."""
    return all(tag in rows or tag == "en" for tag in pair)


def highest(metric: str) -> float:
    """The highest score there can be."""
    return 100.0 if metric in _PERCENT_METRICS else 1.0


def digits(metric: str) -> int:
    """How many decimals of a score are worth showing."""
    return 1 if highest(metric) > 1 else 3


def mean_over(found: Collection[Score]) -> Mapping[str, float]:
    """Each variant's plain mean over rows, each of which counts the same however many examples it has."""
    values: dict[str, list[float]] = {}
    for score in found:
        if score.row is not None:
            values.setdefault(score.variant, []).append(score.value)
    return {variant: float(np.mean(of)) for variant, of in values.items()}
