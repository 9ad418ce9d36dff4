"""Do languages that are close to English at the middle layer do better at tasks? From published tables.

Liu & Niehues (2025, section 5) report Pearson correlations of .56 and .70 between retrieval accuracy and transfer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from midalign_demo import tables, tasks
from midalign_demo.relation import across_languages
from midalign_demo.tables import RETRIEVAL, ResultTable

_FEWEST = 5  # languages below which a correlation says nothing
_BEFORE, _AFTER = "base", "align"  # the variants of retrieval whose difference is the gain in alignment
_UNTOUCHED = "task"


@dataclass(frozen=True)
class Correlation:
    """How a task's scores go with retrieval accuracy, over languages without task data.

    Attributes:
        title: of the task's table.
        of: a variant, whose score is held against retrieval under `base`; or `joint - task`, a gain, held against what
            alignment adds to retrieval.
        found: as of `midalign_demo.relation.across_languages`.
    """

    title: str
    of: str
    found: dict


def layer_of(table: ResultTable) -> int:
    """The layer at which the base's languages are closest, of those in a retrieval table."""
    under = tables.by_layer(table, table.rows())[_BEFORE]
    return max(under, key=lambda layer: under[layer]["all"])


def closeness(table: ResultTable, variant: str = _BEFORE) -> dict[str, float]:
    """Each language's retrieval accuracy with English under a variant, at the layer of `layer_of`."""
    found = tables.pairs(table, variant, layer_of(table))
    return {next(tag for tag in pair if tag != "en"): value for pair, value in found.items() if "en" in pair}


def correlations(retrieval: ResultTable, others: Iterable[ResultTable]) -> list[Correlation]:
    """For each task's table, those of its variants and of their gains over `task`.

    Args:
        retrieval: a table with English under `base` and `align`.
        others: tables of tasks; one with fewer than five languages without task data in `retrieval` is left out.
    """
    near = {variant: closeness(retrieval, variant) for variant in (_BEFORE, _AFTER)}
    made = []
    for table in others:
        rows = [
            row for row in table.rows() if table.group(row) != "supervised" and table.language(row) in near[_BEFORE]
        ]
        if table.task == RETRIEVAL or len(rows) < _FEWEST:
            continue
        main = tasks.MODULES[table.task].MAIN_METRIC
        values = {(score.row, score.variant): score.value for score in tables.scores(table, main, rows)}
        before, after = ([near[variant][table.language(row)] for row in rows] for variant in (_BEFORE, _AFTER))
        for variant in table.variants:
            scores = [values[row, variant] for row in rows]
            made.append(Correlation(table.title, variant, across_languages(before, scores)))
        closer = [later - earlier for earlier, later in zip(before, after, strict=True)]
        for variant in table.variants if _UNTOUCHED in table.variants else ():
            if variant in ("merged", "joint"):
                gains = [values[row, variant] - values[row, _UNTOUCHED] for row in rows]
                made.append(Correlation(table.title, f"{variant} - {_UNTOUCHED}", across_languages(closer, gains)))
    return made
