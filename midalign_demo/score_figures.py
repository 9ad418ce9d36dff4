"""Plotly figures of result tables: scores of languages and variants with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from midalign_demo import figures, labels
from midalign_demo.tables import Score

_ROW_GAP = 12  # pixels between languages
_VARIANT_HEIGHT = 11
_HEADING_HEIGHT = 26
_LONGEST_NAME = 26


def score_figure(
    found: Sequence[Score],
    *,
    names: Mapping[str, str],
    groups: Mapping[str, str],
    variants: Sequence[str],
    title: str,
    highest: float = 1.0,
) -> go.Figure:
    """A line for each language, on it a mark for each variant with its 95 % interval; languages of a group together.

    Args:
        found: scores, at least one; a row comes where it is first named, and the score of all examples on top.
        names, groups: of the rows.
        variants: all of the table, so that a variant keeps its colour when others are left out.
        title: what is measured.
        highest: the highest score there can be.
    """
    shown = [variant for variant in variants if any(score.variant == variant for score in found)]
    row_height = _ROW_GAP + _VARIANT_HEIGHT * len(shown)
    places, headings, deepest = _places(found, groups, _HEADING_HEIGHT / row_height)
    figure = go.Figure()
    for number, variant in enumerate(shown):
        own = [score for score in found if score.variant == variant]
        at = (number - (len(shown) - 1) / 2) * 0.72 / len(shown)
        style = variants.index(variant)
        figure.add_trace(
            go.Scatter(
                x=[score.value for score in own],
                y=[places[score.row] + at for score in own],
                name=labels.escaped(variant),
                mode="markers",
                marker={
                    "size": 8,
                    "color": figures.PALETTE[style % len(figures.PALETTE)],
                    "symbol": figures.SYMBOLS[style % len(figures.SYMBOLS)],
                },
                error_x={
                    "array": [score.high - score.value for score in own],
                    "arrayminus": [score.value - score.low for score in own],
                    "thickness": 1.5,
                    "width": 3,
                },
                customdata=[_said(score, names, highest) for score in own],
                hovertemplate="%{customdata}<extra></extra>",
            )
        )
    for group, place in headings.items():
        figure.add_annotation(
            text=f"<b>{labels.escaped(group)}</b>", x=0, xref="paper", xanchor="left", y=place, yanchor="middle",
            showarrow=False, font={"size": 11},
        )  # fmt: skip
        figure.add_hline(y=place - _HEADING_HEIGHT / row_height / 2, line={"color": figures.RULE, "width": 1})
    figure.update_yaxes(
        tickvals=list(places.values()),
        ticktext=["<b>all examples</b>" if row is None else _name(names[row]) for row in places],
        range=[deepest, -0.5], automargin=True, showgrid=False, zeroline=False, fixedrange=True, ticks="",
    )  # fmt: skip
    figure.update_xaxes(
        title=title, range=[-0.02 * highest, 1.02 * highest], gridcolor=figures.RULE, zeroline=False, fixedrange=True
    )
    figures.finish(figure, round((deepest + 0.5) * row_height), {"l": 8, "r": 12, "t": 36, "b": 48})
    figure.update_layout(legend={"y": 1, "yanchor": "bottom"}, showlegend=True)
    return figure


def _places(
    found: Sequence[Score], groups: Mapping[str, str], heading: float
) -> tuple[dict[str | None, float], dict[str, float], float]:
    """Where the middles of the rows and of the groups' headings are from the top, in rows; and the end of them all.

    Args:
        heading: how high one is.
    """
    rows = list(dict.fromkeys(score.row for score in found if score.row is not None))
    places: dict[str | None, float] = {None: 0.0} if any(score.row is None for score in found) else {}
    headings: dict[str, float] = {}
    below = float(len(places))
    for group in dict.fromkeys(groups[row] for row in rows):
        headings[group] = below - 0.5 + heading / 2
        below += heading
        for row in (row for row in rows if groups[row] == group):
            places[row] = below
            below += 1
    return places, headings, below - 0.5


def _name(name: str) -> str:
    return labels.escaped(labels.shortened(name, _LONGEST_NAME))


def _said(score: Score, names: Mapping[str, str], highest: float) -> str:
    digits = 1 if highest > 1 else 3
    name = "all examples" if score.row is None else names[score.row]
    return (
        f"<b>{labels.escaped(name)}</b>, {labels.escaped(score.variant)}<br>{score.value:.{digits}f} "
        f"[{score.low:.{digits}f}, {score.high:.{digits}f}], n = {score.n}"
    )
