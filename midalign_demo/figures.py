"""Plotly figures of maps and retrieval tables, from plain data; they know neither models nor the app.

All have a transparent background and greys that can be read on white and on black, and fit a phone's width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from midalign_demo import labels, languages
from midalign_demo.errors import InputError
from midalign_demo.maps import COLOUR_BY, EmbeddingMap, Slice

MEASURES = ("all", "en-x")
ORDERS = ("script", "language", "accuracy")  # of a heat map's languages

# Okabe & Ito's colours for all kinds of colour vision (https://jfly.uni-koeln.de/color/); their black is grey here.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#999999")
SYMBOLS = ("circle", "diamond", "square", "cross", "x", "circle-open", "diamond-open", "square-open")  # 3-D has these
INK = "#7b8290"  # equally far from white and from black
RULE = "rgba(123, 130, 144, .35)"
_CLEAR = "rgba(0, 0, 0, 0)"
_COLUMNS = 2  # a phone has room for two maps side by side
_PANEL_HEIGHT = 340
_NARROW = 360  # pixels within a phone's width, for which heights are reckoned
_LEGEND_ROW = 21
_MOST_LEGEND_ROWS = 7  # it scrolls then
_MANY_POINTS = 400
# Rarely of use here, and in the way of the titles on a phone. The last would upload what the user wrote.
_BUTTONS_REMOVED = ["select", "lasso", "autoscale", "zoomin", "zoomout", "sendcharttocloud"]
_CAMERA = {"eye": {"x": 1.2, "y": 1.2, "z": 0.8}}  # as near as a cube fits
ADDED = ("#C2185B", "star")  # colour and symbol of sentences that a visitor added
_ADDED_IN_SPACE = "cross"  # 3-D has no stars


@dataclass(frozen=True)
class Group:
    """Points of one colour.

    Attributes:
        name: as the legend has it, not escaped.
        colour, symbol: in Plotly's terms.
        points: their numbers.
    """

    name: str
    colour: str
    symbol: str
    points: list[int]


def groups(shown: EmbeddingMap, colour_by: str) -> list[Group]:
    """A map's points by colour; added sentences are a group of their own, the last.

    Args:
        colour_by: `language`, `script` or `meaning`. Beyond eight groups the markers' form tells them apart as well.

    Raises:
        InputError: another `colour_by`.
    """
    if colour_by == "language":
        names = [languages.name(tag) for tag in shown.languages]
        keys = [names[number] for number in shown.language]
    elif colour_by == "script":
        names = [languages.script_name(tag) for tag in shown.languages]
        keys = [names[number] for number in shown.language]
    elif colour_by == "meaning":
        texts = shown.translations("en" if "en" in shown.languages else shown.languages[0])
        keys = [
            f"{meaning + 1} {labels.shortened(text or '', 18)}"
            for meaning, text in zip(shown.meaning, texts, strict=True)
        ]
    else:
        raise InputError(f"colour by: {colour_by!r} is not one of {', '.join(COLOUR_BY)}")
    parallel = len(shown.sentences) - shown.added
    found: dict[str, list[int]] = {}
    for point, key in enumerate(keys[:parallel]):
        found.setdefault(key, []).append(point)
    result = [
        Group(name, PALETTE[at % len(PALETTE)], SYMBOLS[at // len(PALETTE) % len(SYMBOLS)], points)
        for at, (name, points) in enumerate(found.items())
    ]
    if shown.added:
        colour, symbol = ADDED
        own = list(range(parallel, parallel + shown.added))
        result.append(Group("your sentences", colour, _ADDED_IN_SPACE if shown.dims == 3 else symbol, own))
    return result


def map_figure(shown: EmbeddingMap, *, colour_by: str = "language") -> go.Figure:
    """A map's slices on the same axes, each under its name, layer and retrieval accuracy.

    Two are side by side; in 3-D they stand one below the other.

    Args:
        shown: in 2 or 3 dimensions.
        colour_by: as `groups`.

    Raises:
        InputError: another `colour_by`.
    """
    coloured = groups(shown, colour_by)
    columns = min(_COLUMNS, len(shown.slices)) if shown.dims == 2 else 1  # half a phone's width would cut a cube off
    rows = -(-len(shown.slices) // columns)
    kind = "scene" if shown.dims == 3 else "xy"
    figure = make_subplots(
        rows=rows, cols=columns, specs=[[{"type": kind}] * columns] * rows, horizontal_spacing=0.03,
        vertical_spacing=0.16 / rows, subplot_titles=[_title(part) for part in shown.slices],
    )  # fmt: skip
    for number, part in enumerate(shown.slices):
        for trace in _traces(shown, part, coloured, legend=number == 0):
            figure.add_trace(trace, row=number // columns + 1, col=number % columns + 1)
    figure.update_annotations(font={"size": 13}, yshift=4)
    _finish_map(figure, shown, coloured, _PANEL_HEIGHT * rows)
    return figure


def layer_curve(
    tables: Mapping[str, Mapping[int, Mapping] | Mapping[str, Mapping]],
    *,
    measure: str = "all",
    layer: str = "layer",
    accuracy: str | None = None,
) -> go.Figure:
    """Retrieval accuracy over the layers, a line for each variant, with its best layer marked.

    Args:
        tables: for each variant and layer a table of `midalign_demo.retrieval.retrieval_table`.
        measure: `all` pairs or `en-x`.
        layer, accuracy: what the axes are called, in another language than English.

    Raises:
        InputError: another measure, or no English in the tables.
    """
    if measure not in MEASURES:
        raise InputError(f"measure: {measure!r} is not one of {', '.join(MEASURES)}")
    figure = go.Figure()
    for number, (variant, by_layer) in enumerate(tables.items()):
        points = sorted((int(layer), table[measure]) for layer, table in by_layer.items())
        if any(value is None for _, value in points):
            raise InputError("measure: 'en-x' needs English among the languages")
        layers, values = zip(*points, strict=True)
        best = int(np.argmax(values))
        name, colour = labels.escaped(variant), PALETTE[number % len(PALETTE)]
        figure.add_trace(
            go.Scatter(
                x=layers,
                y=values,
                name=name,
                mode="lines+markers",
                legendgroup=name,
                line={"color": colour, "width": 2.5},
                marker={"size": 6, "symbol": SYMBOLS[number % len(SYMBOLS)]},
                hovertemplate=f"<b>{name}</b><br>{layer} %{{x}}: %{{y:.3f}}<extra></extra>",
            )  # fmt: skip
        )
        figure.add_trace(
            go.Scatter(
                x=[layers[best]],
                y=[values[best]],
                mode="markers+text",
                legendgroup=name,
                showlegend=False,
                text=[f"{layer} {layers[best]}: {values[best]:.2f}"],
                textposition="top center",
                hoverinfo="skip",
                textfont={"size": 12, "color": INK},
                cliponaxis=False,
                marker={"size": 15, "symbol": "star", "color": colour},
            )  # fmt: skip
        )
    pairs = {"all": "all pairs", "en-x": "pairs with English"}[measure]
    axis = {"gridcolor": RULE, "zeroline": False, "fixedrange": True}
    shown = sorted({int(layer) for by_layer in tables.values() for layer in by_layer})
    step = max(1, round((shown[-1] - shown[0]) / 9))
    figure.update_xaxes(title=layer, range=[shown[0] - 0.5, shown[-1] + 0.5], tick0=0, dtick=step, tickangle=0, **axis)
    figure.update_yaxes(
        title=accuracy or f"retrieval accuracy, {pairs}", range=[0, 1.08], tickvals=[0, 0.25, 0.5, 0.75, 1], **axis
    )
    finish(figure, 300, {"l": 56, "r": 16, "t": 24, "b": 84})
    figure.update_layout(legend={"y": -0.16, "yanchor": "top"})
    return figure


def pair_accuracy(table: Mapping, one: str, other: str) -> float:
    """Retrieval accuracy of two languages, in whichever order the table has them.

    Args:
        table: of `midalign_demo.retrieval.retrieval_table`.

    Raises:
        InputError: a pair that the table lacks.
    """
    key = next((key for key in (f"{one}-{other}", f"{other}-{one}") if key in table["pairs"]), None)
    if key is None:
        raise InputError(f"languages: the table has no pair of {one!r} and {other!r}")
    return table["pairs"][key]


def in_order(table: Mapping, tags: Sequence[str], order: str) -> list[str]:
    """Languages by script and then name, by name, or by their mean accuracy with the others, highest first.

    Raises:
        InputError: an unknown order, or as `pair_accuracy`.
    """
    if order not in ORDERS:
        raise InputError(f"order: {order!r} is not one of {', '.join(ORDERS)}")

    def key(tag: str) -> tuple:
        if order == "accuracy":
            return (-float(np.mean([pair_accuracy(table, tag, other) for other in tags if other != tag])),)
        return (languages.script_name(tag) if order == "script" else "", languages.name(tag))

    return sorted(tags, key=key)


def heat_map(table: Mapping, tags: Sequence[str], *, order: str = "script") -> go.Figure:
    """Retrieval accuracy of every pair of languages.

    Args:
        table: of `midalign_demo.retrieval.retrieval_table`.
        tags: the languages to show.
        order: as `in_order`; by script there are lines between scripts.

    Raises:
        InputError: as `in_order`.
    """
    ordered = in_order(table, tags, order)
    names = [languages.name(tag) for tag in ordered]
    values = np.full((len(ordered), len(ordered)), np.nan)
    for row, one in enumerate(ordered):
        for column, other in enumerate(ordered):
            if row != column:
                values[row, column] = pair_accuracy(table, one, other)
    scripts = [languages.script_name(tag) for tag in ordered]
    text = [[f"{one} – {other}<br>{here} – {there}" for other, there in zip(names, scripts, strict=True)]
            for one, here in zip(names, scripts, strict=True)]  # fmt: skip
    places = list(range(len(ordered)))
    figure = go.Figure(
        go.Heatmap(
            x=ordered, y=places, z=values, zmin=0, zmax=1, colorscale="Cividis", xgap=1, ygap=1, customdata=text,
            hovertemplate="%{customdata}<br>%{z:.3f}<extra></extra>", hoverongaps=False,
            colorbar={"orientation": "h", "thickness": 12, "y": 0, "yanchor": "top", "ypad": 44, "nticks": 6},
        )
    )  # fmt: skip
    for place in places[1:]:
        if order == "script" and scripts[place] != scripts[place - 1]:
            line = {"color": INK, "width": 1.5}
            figure.add_shape(type="line", x0=-0.5, x1=len(places) - 0.5, y0=place - 0.5, y1=place - 0.5, line=line)
            figure.add_shape(type="line", y0=-0.5, y1=len(places) - 0.5, x0=place - 0.5, x1=place - 0.5, line=line)
    size = 11 if len(places) <= 20 else 9
    ticks = {"showgrid": False, "zeroline": False, "fixedrange": True, "ticks": "", "tickfont": {"size": size}}
    figure.update_xaxes(type="category", tickangle=-90, **ticks)  # Plotly leaves out those for which it has no room
    figure.update_yaxes(tickvals=places, ticktext=names, autorange="reversed", automargin=True, **ticks)
    finish(figure, max(200, (18 if len(places) <= 20 else 13) * len(places)), {"l": 8, "r": 8, "t": 8, "b": 100})
    return figure


def _traces(shown: EmbeddingMap, part: Slice, coloured: Sequence[Group], *, legend: bool) -> list:
    """The lines between translations, then a trace for each group."""
    make = go.Scatter3d if shown.dims == 3 else go.Scatter
    n = len(shown.sentences)
    lines = make(
        **_place(_spokes(shown, part)), mode="lines", hoverinfo="skip",
        line={"color": RULE if shown.dims == 2 else INK, "width": 1},  # WebGL draws no translucent lines
        name="translations", legendgroup="translations", showlegend=legend,
        visible=True if n <= _MANY_POINTS else "legendonly",
    )  # fmt: skip
    size = (9 if n <= 100 else 6.5 if n <= _MANY_POINTS else 4.5) * (0.4 if shown.dims == 3 else 1)
    points = [
        make(
            **_place(part.coordinates[group.points]), mode="markers", name=labels.escaped(group.name),
            legendgroup=str(number), showlegend=legend, hoverinfo="skip",
            marker={
                "size": 2 * size if group.colour == ADDED[0] else size, "color": group.colour, "opacity": 0.85,
                "symbol": group.symbol, "line": {"width": 0.5, "color": INK},
            },
        )
        for number, group in enumerate(coloured)
    ]  # fmt: skip
    return [lines, *points]


def _place(coordinates: np.ndarray) -> dict[str, np.ndarray]:
    return {axis: coordinates[:, number] for number, axis in enumerate("xyz"[: coordinates.shape[1]])}


def _spokes(shown: EmbeddingMap, part: Slice) -> np.ndarray:
    """From the middle of each meaning's points a line to each of them; rows of NaN lift the pen."""
    meaning = np.array(shown.meaning)
    middles = {number: np.median(part.coordinates[meaning == number], axis=0) for number in set(shown.meaning)}
    gap = np.full(shown.dims, np.nan)
    return np.array([row for number, own in zip(shown.meaning, part.coordinates, strict=True)
                     for row in (middles[number], own, gap)])  # fmt: skip


def _title(part: Slice) -> str:
    english = "" if part.retrieval["en-x"] is None else f"en-x {part.retrieval['en-x']:.2f} · "
    layer = "" if part.layer is None else f", layer {part.layer}"
    return f"<b>{labels.escaped(part.label)}</b>{layer}<br>{english}all {part.retrieval['all']:.2f}"


def _finish_map(figure: go.Figure, shown: EmbeddingMap, coloured: Sequence[Group], height: int) -> None:
    """The same axes in all panels, without ticks; a note on what the numbers are; room for the legend."""
    points = np.concatenate([part.coordinates for part in shown.slices])
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.06 * np.maximum(high - low, 1e-6)
    box = {"showticklabels": False, "showgrid": False, "zeroline": False, "ticks": ""}
    ranges = [[float(a), float(b)] for a, b in zip(low - margin, high + margin, strict=True)]
    if shown.dims == 3:
        edges = {**box, "title": {"text": ""}, "showbackground": False, "showline": True, "linecolor": INK}
        axes = {
            f"{axis}axis": {**edges, "showspikes": False, "range": span}
            for axis, span in zip("xyz", ranges, strict=True)
        }
        figure.update_scenes(**axes, aspectmode="cube", dragmode="orbit", bgcolor=_CLEAR, camera=_CAMERA)
    else:
        frame = {**box, "showline": True, "mirror": True, "linecolor": RULE, "automargin": False}
        figure.update_xaxes(range=ranges[0], **frame)
        figure.update_yaxes(range=ranges[1], **frame)
    meanings = len(set(shown.meaning)) - shown.added
    note = f"Retrieval accuracy in the original space; chance {1 / meanings:.2f}"
    figure.add_annotation(
        text=note, x=0, y=0, xref="paper", yref="paper", xanchor="left", yanchor="top", yshift=-4,
        showarrow=False, font={"size": 11},
    )  # fmt: skip
    above, legend = 24, _LEGEND_ROW * min(_legend_rows(coloured), _MOST_LEGEND_ROWS) + 12
    finish(figure, height, {"l": 4, "r": 4, "t": 52, "b": above + legend})
    figure.update_layout(legend={"y": -above / height, "yanchor": "top", "maxheight": legend, "tracegroupgap": 0})
    if shown.dims == 3 or len(shown.sentences) > _MANY_POINTS:
        figure.update_layout(legend={"itemsizing": "constant"})  # markers of their own size could not be told apart


def _legend_rows(coloured: Sequence[Group]) -> int:
    """About how many rows a legend has on a phone."""
    rows, used = 1, 0.0
    for name in ["translations", *(group.name for group in coloured)]:
        width = 48 + 6 * len(name)
        rows, used = (rows + 1, width) if used and used + width > _NARROW else (rows, used + width)
    return rows


def finish(figure: go.Figure, height: int, margin: dict) -> None:
    """Look and size; `height` is that of the panels, without margins."""
    figure.update_layout(
        height=height + margin["t"] + margin["b"], margin=margin, paper_bgcolor=_CLEAR, plot_bgcolor=_CLEAR,
        hovermode="closest", uirevision="kept",
        font={"family": "system-ui, 'Noto Sans', sans-serif", "size": 12, "color": INK},
        hoverlabel={"align": "left", "bgcolor": "#ffffff", "bordercolor": INK,
                    "font": {"color": "#1f2430", "size": 12}},
        legend={"orientation": "h", "x": 0, "font": {"size": 11}},
        modebar={"bgcolor": _CLEAR, "color": RULE, "activecolor": INK, "remove": _BUTTONS_REMOVED},
    )  # fmt: skip
