"""docs/results.md, written from the result tables: `python -m midalign_demo.results_page docs/results.md`."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from midalign_demo import languages, tables, tasks
from midalign_demo.correlation import closeness, correlations, layer_of
from midalign_demo.files import replacing
from midalign_demo.provenance import GROUPS
from midalign_demo.tables import RETRIEVAL, ResultTable, Score

_HEAD = """# Results

Written by `python -m midalign_demo.results_page docs/results.md` from the tables in
[midalign_demo/results](../midalign_demo/results), which `midalign results --data DATA --output midalign_demo/results`
makes with the shipped adapters. `DATA` is a folder with the public data sets that each table names. No adapter was
trained or tuned on any text scored here. What it all means: [method.md](method.md).

Languages are *supervised* (in the adapters' task data), *aligned* (only in their parallel text) or *transfer* (in
neither). Intervals are 95 %: of single languages Wilson's for retrieval and from the bootstrap for tasks, of means over
languages from those (the languages taken as given, their errors as independent). How well the base knows a language
is told by its retrieval accuracy with English where that was measured, in the table of most languages."""

_LATIN = "Latn"
_WELL = 0.5  # retrieval accuracy with English from which the base counts as knowing a language


def page(found: Iterable[ResultTable], studies: Iterable[Mapping] = ()) -> str:
    """The whole page, in Markdown.

    Args:
        studies: what `midalign-train trials` wrote.
    """
    parts, found = [_HEAD], list(found)
    widest = max((table for table in found if table.task == RETRIEVAL), key=lambda of: len(of.languages), default=None)
    known = closeness(widest) if widest else {}
    for table in found:
        body = _retrieval(table, known) if table.task == RETRIEVAL else _task(table, known)
        parts += [f"## {table.title}", f"{table.data['name']} ({table.data['licence']}): {table.data['text']}.", *body]
        parts.append(f"```bash\n{table.command}\n```")
    parts += _correlations(found, widest) if widest else []
    for study in studies:
        parts += _study(study)
    return "\n\n".join(parts) + "\n"


def _retrieval(table: ResultTable, known: Mapping[str, float]) -> list[str]:
    layers = tables.by_layer(table, table.rows())
    best = {variant: max(of, key=lambda layer: of[layer]["all"]) for variant, of in layers.items()}
    header = ["layer", *(f"{variant}, {kind}" for variant in table.variants for kind in ("en-x", "all"))]
    rows = [
        [str(layer), *(_share(layers[variant][layer][kind], mark=best[variant] == layer)
                       for variant in table.variants for kind in ("en-x", "all"))]
        for layer in table.layers
    ]  # fmt: skip
    parts = ["By layer; each variant's best is bold.", _markdown(header, rows)]
    layer = best[table.variants[-1]]
    others = _other_scores(table, layer)
    if others:
        parts += [f"Other scores at layer {layer}:", _markdown(["score", *header[1:]], others)]
    scores = tables.with_english(table, layer)
    if scores:
        parts += [f"Pairs with English at layer {layer}:", _groups(table, scores, known, digits=3)]
        parts.append(_by_language(table, scores, digits=3))
    return parts


def _other_scores(table: ResultTable, layer: int) -> list[list[str]]:
    of = {variant: table.result["variants"][variant]["layers"][str(layer)] for variant in table.variants}
    names = [name for name, value in of[table.variants[0]].items() if isinstance(value, dict) and name != "pairs"]
    return [
        [name, *(_share(of[variant][name][kind]) for variant in table.variants for kind in ("en-x", "all"))]
        for name in names
    ]


def _task(table: ResultTable, known: Mapping[str, float]) -> list[str]:
    parts = []
    main = tasks.MODULES[table.task].MAIN_METRIC
    compared = tasks.MODULES[table.task].COMPARED
    for metric in dict.fromkeys([main, *compared]):
        scores = tables.scores(table, metric)
        parts += [f"Mean {metric} over languages:", _groups(table, scores, known, digits=tables.digits(metric))]
    parts += _differences(table, main, known)
    parts.append(f"{main} by language:")
    parts.append(_by_language(table, tables.scores(table, main), digits=tables.digits(main)))
    if "relation" in table.result:
        parts += _relation(table)
    return parts


def _differences(table: ResultTable, main: str, known: Mapping[str, float]) -> list[str]:
    """How variants differ: in the mean over languages, as far as there are several, and over all examples."""
    entries = [found for found in table.result["differences"] if found["variants"][0] != "base" or
               found["variants"][1] == "task"]  # fmt: skip
    parts, scores, lines = [], [], []
    for found in entries:
        name, digits = " - ".join(reversed(found["variants"])), tables.digits(found["metric"])
        low, high = (f"{end:+.{digits}f}" for end in found["interval"])
        by = f"{found['difference']:+.{digits}f} [{low}, {high}] {found['metric']}"
        lines.append(f"- {name}: {by} (p = {found['p']:.3f})")
        if found["metric"] == main:
            scores += [Score(row, name, 0, of["difference"], *of["interval"]) for row, of in found["languages"].items()]
    if len(table.rows()) > 1 and scores:
        groups = _groups(table, scores, known, digits=tables.digits(main), sign="+")
        parts += [f"Differences in {main}, mean over languages, the same examples drawn for both variants:", groups]
    return [*parts, "All examples together, paired randomisation test:", "\n".join(lines)] if lines else parts


def _relation(table: ResultTable) -> list[str]:
    """How scores go with what is found at the middle layer."""
    header = ["variant", "found", "Pearson, languages", "score if found", "if not", "difference within languages"]
    rows = []
    for variant, of in table.result["relation"].items():
        across, within = of["across_languages"], of["within_languages"]
        n = within["found"]["n"] + within["not_found"]["n"]
        pearson = (
            ""
            if across["pearson"] is None
            else f"{across['pearson']:+.2f} (p = {across['pearson_p']:.3f}, n = {across['n']})"
        )
        beyond = "" if within["difference"] is None else f"{within['difference']:+.3f} (p = {within['p']:.3f})"
        parts = [within[name]["score"] for name in ("found", "not_found")]
        rows.append([variant, f"{within['found']['n'] / n:.3f} of {n}", pearson, *map(_share, parts), beyond])
    return [
        "Are texts answered better whose English translation is the nearest at the middle layer, of "
        f"{table.result['pool']} English sentences?",
        _markdown(header, rows),
    ]


def _correlations(found: Sequence[ResultTable], widest: ResultTable) -> list[str]:
    """How scores over all tables go with retrieval in the one of most languages."""
    rows = [
        [one.title, one.of, str(one.found["n"]), *(_correlation(one.found, name) for name in ("pearson", "spearman"))]
        for one in correlations(widest, found)
    ]
    if not rows:
        return []
    return [
        "## Retrieval and tasks across languages",
        "Languages without task data: does a variant's score go with the language's retrieval accuracy with English at "
        f"layer {layer_of(widest)} of the base ({widest.title})? And does what `merged` and `joint` gain over `task` "
        "go with what alignment adds to it?",
        _markdown(["table", "variant or gain", "languages", "Pearson", "Spearman"], rows),
    ]


def _correlation(found: Mapping, name: str) -> str:
    return "" if found[name] is None else f"{found[name]:+.2f} (p = {found[f'{name}_p']:.3f})"


def _study(study: Mapping) -> list[str]:
    """Trials side by side, and how far the others are from the first where that is what was asked."""
    rows = study["rows"]
    columns = list(rows[0]["scores"])
    cells = [[row["trial"], *(_seeds(row["scores"][column]["seeds"]) for column in columns)] for row in rows]
    parts = [f"## {study['title']}", study["text"], _markdown(["trial", *columns], cells)]
    if study["compared"]:
        first = rows[0]["scores"]
        apart = [
            [row["trial"], *(_seeds(np.subtract(row["scores"][column]["seeds"], first[column]["mean"]), "+")
                             for column in columns)]
            for row in rows[1:]
        ]  # fmt: skip
        parts += [f"Difference from {rows[0]['trial']}:", _markdown(["trial", *columns], apart)]
    if any(len(of["seeds"]) > 1 for row in rows for of in row["scores"].values()):
        parts.append("Means over seeds with their 95 % interval (Student's t); one number: one run.")
    return [*parts, f"```bash\n{study['command']}\n```"]


def _seeds(values: Sequence[float], sign: str = "") -> str:
    """A mean over seeds and, where there are several, half its 95 % interval, from Student's t."""
    from scipy import stats

    n = len(values)
    mean = f"{np.mean(values):{sign}.3f}"
    return mean if n == 1 else f"{mean} ± {stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n):.3f}"


def _groups(
    table: ResultTable, scores: Sequence[Score], known: Mapping[str, float], *, digits: int, sign: str = ""
) -> str:
    """Means over kinds of languages: how they were trained on, in which script, how well the base knows them.

    Args:
        scores: of variants, or of differences between two.
        known: by language the base's retrieval accuracy with English.
        sign: "+" for differences.
    """
    columns = list(dict.fromkeys(score.variant for score in scores))

    def is_in(group: str, row: str) -> bool:
        return table.group(row) == group

    def is_other(row: str) -> bool:
        return table.group(row) != "supervised"

    def strength(row: str) -> float:
        return known.get(table.language(row), math.nan)  # which is neither above nor below anything

    kinds: dict[str, Callable[[str], bool]] = {"all": lambda row: True}
    kinds |= {group: partial(is_in, group) for group in GROUPS}
    kinds |= {
        "not supervised": is_other,
        "not supervised, Latin script": lambda row: is_other(row) and _is_latin(table, row),
        "not supervised, other scripts": lambda row: is_other(row) and not _is_latin(table, row),
        f"not supervised, retrieval of the base {_WELL} or more": lambda row: is_other(row) and strength(row) >= _WELL,
        f"not supervised, retrieval of the base below {_WELL}": lambda row: is_other(row) and strength(row) < _WELL,
    }
    rows: list[list[str]] = []
    for kind, takes in kinds.items():
        kept = [score for score in scores if score.row is not None and takes(score.row)]
        means = _means(kept)
        cells = [_interval(means.get(name), digits, sign) for name in columns]
        if means and cells not in [row[1:] for row in rows]:  # not the same languages under another name
            rows.append([f"{kind} ({len({score.row for score in kept})})", *cells])
    return _markdown(["languages", *columns], rows)


def _means(scores: Iterable[Score]) -> Mapping[str, tuple[float, float]]:
    """Each variant's mean over languages, and half the interval's width."""
    found: dict[str, list[Score]] = {}
    for score in scores:
        found.setdefault(score.variant, []).append(score)
    return {
        variant: (
            float(np.mean([score.value for score in of])),
            float(np.sqrt(np.sum([((score.high - score.low) / 2) ** 2 for score in of])) / len(of)),
        )
        for variant, of in found.items()
    }


def _by_language(table: ResultTable, scores: Sequence[Score], *, digits: int) -> str:
    cells = {(score.row, score.variant): score for score in scores if score.row is not None}
    rows = []
    for row in table.rows():
        of = [cells.get((row, variant)) for variant in table.variants]
        if any(of):
            shown = [
                f"{score.value:.{digits}f} [{score.low:.{digits}f}, {score.high:.{digits}f}]" if score else ""
                for score in of
            ]
            rows.append([table.row_name(row), table.group(row), table.script(row), *shown])
    body = _markdown(["language", "group", "script", *table.variants], rows)
    return f"<details><summary>{len(rows)} languages</summary>\n\n{body}\n\n</details>"


def _is_latin(table: ResultTable, row: str) -> bool:
    return languages.script(table.language(row)) == _LATIN


def _interval(found: tuple[float, float] | None, digits: int, sign: str = "") -> str:
    return "" if found is None else f"{found[0]:{sign}.{digits}f} ± {found[1]:.{digits}f}"


def _share(value: float | None, *, mark: bool = False) -> str:
    if value is None:
        return ""
    return f"**{value:.3f}**" if mark else f"{value:.3f}"


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def studies_in(where: Path) -> list[dict]:
    """The tables of trials that lie in the folder `trials` beside the result tables, by name."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted((where / "trials").glob("*.json"))]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m midalign_demo.results_page", description=__doc__)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    found = [tables.read(path) for path in tables.paths_in(tables.folder())]
    with replacing(arguments.output) as file:
        file.write(page(found, studies_in(tables.folder())))


if __name__ == "__main__":
    main()
