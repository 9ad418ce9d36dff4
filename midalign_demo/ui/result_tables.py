"""What the Results tab says of a table: its numbers as rows and as HTML, and where they come from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from html import escape

from midalign_demo import languages, tables
from midalign_demo.tables import RETRIEVAL, ResultTable, Score
from midalign_demo.tasks import json_generation, slot_filling, translation

# What is measured, in the order in which it is offered, with the keys of its name.
TITLES = {
    RETRIEVAL: "results_retrieval",
    slot_filling.NAME: "task_slots",
    json_generation.NAME: "task_json",
    translation.NAME: "task_translation",
}


def score_rows(table: ResultTable, found: Sequence[Score], metric: str) -> dict:
    """A task's scores for `gr.Dataframe`: a line for each row and variant."""
    digits = tables.digits(metric)
    return {
        "headers": ["language", "variant", metric, "from", "to", "n", "group", "script"],
        "data": [
            [
                "all examples" if score.row is None else table.row_name(score.row),
                score.variant,
                *(round(value, digits) for value in (score.value, score.low, score.high)),
                score.n,
                "" if score.row is None else table.group(score.row),
                "" if score.row is None else table.script(score.row),
            ]
            for score in found
        ],
    }


def pair_rows(table: ResultTable, layer: int, variants: Sequence[str], rows: Collection[str]) -> dict:
    """Retrieval accuracy of pairs of languages for `gr.Dataframe`: a line for each pair, a column for each variant."""
    values = {variant: tables.pairs(table, variant, layer) for variant in variants}
    shown = [pair for pair in values[variants[0]] if tables.is_shown(pair, rows)]
    return {
        "headers": ["pair", *variants, "languages", "groups"],
        "data": [
            [
                "-".join(pair),
                *(round(values[variant][pair], 3) for variant in variants),
                " – ".join(languages.name(tag) for tag in pair),
                " – ".join(table.group(tag) for tag in pair),
            ]
            for pair in shown
        ],
    }


def source(table: ResultTable) -> str:
    """Where a table's numbers come from, as HTML."""
    data = table.data
    weights = {
        variant: " + ".join(f"{name} × {weight:g}" for name, weight in in_force.items()) or "no adapter"
        for variant, in_force in table.result["adapters"].items()
    }
    made_of = "".join(
        f"<tr><th scope='row'>{escape(variant)}</th><td>{escape(of)}</td></tr>" for variant, of in weights.items()
    )
    files = "".join(
        f"<tr><th scope='row'>{escape(adapter['name'])}</th><td><code>{escape(adapter['sha256'])}</code></td></tr>"
        for adapter in table.adapters
    )
    return (
        f"<p class='source'><b>{escape(data['name'])}</b> ({escape(data['licence'])}): {escape(data['text'])}. No "
        f"adapter was trained or tuned on this text. Measured on {escape(table.made)} with midalign "
        f"{escape(table.version)} on {escape(table.base)}.</p>"
        "<details class='source'><summary>Variants and adapters</summary><div class='tables'>"
        f"<table class='figures'><caption>What the variants are made of</caption><tbody>{made_of}</tbody></table>"
        f"<table class='figures'><caption>SHA-256 of the adapters' weights</caption><tbody>{files}</tbody></table>"
        "</div></details>"
    )


def comparison(table: ResultTable, found: Sequence[Score], metric: str) -> str:
    """How variants differ, as HTML: over all examples with the paired test, and in the mean over the rows shown."""
    shown = {score.variant for score in found}
    digits = tables.digits(metric)
    metrics = [entry["metric"] for entry in table.result["differences"]]
    tested = metric if metric in metrics else next(iter(metrics), metric)  # not all are tested
    differences = "".join(
        f"<tr><th scope='row'>{escape(second)} − {escape(first)}</th>"
        f"<td>{_signed(entry['difference'], entry['metric'])}</td>"
        f"<td>{' to '.join(_signed(end, entry['metric']) for end in entry['interval'])}</td>"
        f"<td>{_p(entry['p'])}</td></tr>"
        for entry in table.result["differences"]
        for first, second in [entry["variants"]]
        if {first, second} <= shown and entry["metric"] == tested
    )
    count = len({score.row for score in found if score.row is not None})
    means = "".join(
        f"<tr><th scope='row'>{escape(variant)}</th><td>{value:.{digits}f}</td></tr>"
        for variant, value in tables.mean_over(found).items()
    )
    parts = []
    if differences:
        parts.append(
            f"<table class='figures'><caption>Differences in {escape(tested)} over all {table.result['n']} examples; "
            "p of a paired randomisation test</caption>"
            "<thead><tr><th>variants</th><th>difference</th><th>95 % interval</th><th>p</th></tr></thead>"
            f"<tbody>{differences}</tbody></table>"
        )
    if count > 1:
        parts.append(
            f"<table class='figures'><caption>Mean {escape(metric)} of the {count} languages shown, each counting the "
            "same</caption><thead><tr><th>variant</th><th>mean</th></tr></thead>"
            f"<tbody>{means}</tbody></table>"
        )
    return f"<div class='tables'>{''.join(parts)}</div>"


def layers(means: Mapping[str, Mapping[int, Mapping]]) -> str:
    """Accuracy by layer as HTML: the curve's numbers for those who cannot see it.

    Args:
        means: of `midalign_demo.tables.by_layer`.
    """
    measures = {"en-x": "with English", "all": "all pairs"}
    first = next(iter(means.values()))
    if any(of["en-x"] is None for of in first.values()):
        del measures["en-x"]
    head = "".join(f"<th>{escape(variant)}, {said}</th>" for variant in means for said in measures.values())
    lines = "".join(
        f"<tr><th scope='row'>{layer}</th>"
        + "".join(f"<td>{of[layer][measure]:.3f}</td>" for of in means.values() for measure in measures)
        + "</tr>"
        for layer in first
    )
    return (
        "<details class='source'><summary>The curve as a table</summary><table class='figures'>"
        "<caption>Mean retrieval accuracy by layer, of the languages shown</caption>"
        f"<thead><tr><th>layer</th>{head}</tr></thead><tbody>{lines}</tbody></table></details>"
    )


def missing(where: str) -> str:
    """What to say when there are no tables."""
    return f"There are no result tables in {where} yet. This makes them: midalign results --data DATA --output {where}"


def _signed(value: float, metric: str) -> str:
    return f"{value:+.{tables.digits(metric)}f}".replace("-", "−")


def _p(value: float) -> str:
    return "< 0.01" if value < 0.01 else f"{value:.2f}"
