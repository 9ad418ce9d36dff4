"""The scores in an adapter's model card, taken from result tables: a section of the text, and the hub's metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard

from midalign_demo import adapters, provenance, tables, tasks, variants
from midalign_demo.errors import InputError
from midalign_demo.files import replacing
from midalign_demo.tables import RETRIEVAL, ResultTable, Score
from midalign_demo.tasks import json_generation, slot_filling, translation

_HEADING = "## Scores"

# What the hub calls the tasks (https://huggingface.co/tasks).
_HUB_TASKS = {
    RETRIEVAL: "sentence-similarity",
    slot_filling.NAME: "token-classification",
    json_generation.NAME: "token-classification",
    translation.NAME: "translation",
}

_COMPARED = (("base", "task"), ("task", "merged"), ("task", "joint"))


def update(name: str, found: Iterable[ResultTable]) -> Path:
    """Write into an adapter's card what tables say of its present weights, in the place of what it said before.

    Args:
        name: a shipped adapter's name or a folder.

    Returns:
        The card.

    Raises:
        InputError: no such adapter, one without a card, or none of the tables was made with these weights.
    """
    path = adapters.locate(name) / "README.md"
    if not path.exists():
        raise InputError(f"adapter: {name!r} has no card: {path} is not there")
    mine = made_with(name, found)
    mine.sort(key=lambda entry: entry[1] not in entry[0].variants)  # those of the adapter alone first
    if not mine:
        raise InputError(f"card: no result table was made with the present weights of {name!r}; run midalign results")
    card = ModelCard.load(path)
    if record := provenance.record_of(name):
        card.data.datasets = provenance.hub_datasets(provenance.training_in(record)) or None
    card.data.model_name = adapters.locate(name).name
    card.data.eval_results = [result for table, role in mine for result in evaluations(table, role)]
    card.text = card.text.replace("\r\n", "\n")
    before, _, after = card.text.partition(f"\n{_HEADING}\n")
    rest = after.partition("\n## ")
    card.text = f"{before.rstrip()}\n\n{section([table for table, _ in mine])}" + ("\n## " + rest[2] if rest[1] else "")
    with replacing(path) as file:
        file.write(str(card))
    return path


def section(mine: Sequence[ResultTable]) -> str:
    """Markdown: each table's overall figures for all its variants, and the command that made them."""
    parts = [_HEADING, "", "On text that no adapter was trained or tuned on; `DATA` is the folder with the data.", ""]
    for table in mine:
        parts += [f"**{table.title}**: {table.data['name']} ({table.data['licence']}), {table.data['text']}.", ""]
        parts += [*(_retrieval(table) if table.task == RETRIEVAL else _task(table)), ""]
        parts += ["```bash", table.command, "```", ""]
    return "\n".join(parts).rstrip() + "\n"


def evaluations(table: ResultTable, role: str) -> list[EvalResult]:
    """The scores of the variant that is the adapter alone, as the hub's `model-index` holds them."""
    if role not in table.variants:
        return []
    if table.task == RETRIEVAL:
        layer = _best_layer(table, role)
        of = tables.by_layer(table, table.rows())[role][layer]
        values = {f"accuracy, {kind}, layer {layer}": value for kind, value in of.items() if value is not None}
    else:
        metric = tasks.MODULES[table.task].MAIN_METRIC
        values = {metric: table.result["variants"][role]["overall"][metric]}
    return [
        EvalResult(
            task_type=_HUB_TASKS[table.task],
            task_name=table.title,
            dataset_type=table.name,
            dataset_name=f"{table.data['name']}, {table.data['text']}",
            metric_type=metric.partition(",")[0],
            metric_name=metric,
            metric_value=round(value, 4),
        )
        for metric, value in values.items()
    ]


def made_with(name: str, found: Iterable[ResultTable]) -> list[tuple[ResultTable, str]]:
    """The tables that were made with an adapter's present weights, each with the variant that is the adapter alone.

    Args:
        name: a shipped adapter's name or a folder; of a sum, those tables count that have it as `merged`.
    """
    weights, record = provenance.checksum(name), provenance.record_of(name) or {}
    parts = {part.get("sha256"): part["weight"] for part in record.get("parts", ())}
    return [(table, role) for table in found if (role := _role(table, weights) or _sum(table, parts)) is not None]


def _role(table: ResultTable, weights: str) -> str | None:
    return next((used["role"] for used in table.adapters if used["sha256"] == weights), None)


def _sum(table: ResultTable, parts: Mapping[str | None, float]) -> str | None:
    """The variant that is the sum of these adapters, by their checksums and weights."""
    task = slot_filling.NAME if table.task == RETRIEVAL else table.task
    known = {variants.adapter_name(used["role"], task): used["sha256"] for used in table.adapters}
    for variant, weights in table.result.get("adapters", {}).items():
        if parts and {known.get(name, name): weight for name, weight in weights.items()} == parts:
            return variant
    return None


def _retrieval(table: ResultTable) -> list[str]:
    found = tables.by_layer(table, table.rows())
    lines = ["| variant | best layer | en-x | all pairs |", "|---|---|---|---|"]
    for variant in table.variants:
        layer = _best_layer(table, variant)
        of = found[variant][layer]
        english = "" if of["en-x"] is None else f"{of['en-x']:.3f}"
        lines.append(f"| {variant} | {layer} | {english} | {of['all']:.3f} |")
    return lines


def _task(table: ResultTable) -> list[str]:
    lines = [f"| variant | {' | '.join(table.metrics)} |", "|---|" + "---|" * len(table.metrics)]
    overall = {metric: {s.variant: s for s in tables.scores(table, metric, rows=())} for metric in table.metrics}
    for variant in table.variants:
        cells = [overall[metric][variant] for metric in table.metrics]
        lines.append(f"| {variant} | {' | '.join(map(_cell, table.metrics, cells))} |")
    for pair in _COMPARED:
        said = [
            f"{found['difference']:+.3f} {found['metric']} (p = {found['p']:.3f})"
            for found in table.result["differences"]
            if tuple(found["variants"]) == pair
        ]
        if said:
            lines += ["", f"{pair[1]} - {pair[0]}, paired randomisation test: {', '.join(said)}."]
    return lines


def _best_layer(table: ResultTable, variant: str) -> int:
    of = tables.by_layer(table, table.rows())[variant]
    return max(of, key=lambda layer: of[layer]["all"])


def _cell(metric: str, score: Score) -> str:
    digits = tables.digits(metric)
    return f"{score.value:.{digits}f} [{score.low:.{digits}f}, {score.high:.{digits}f}]"
