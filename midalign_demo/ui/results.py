"""The Results tab: the published tables, as charts and sortable tables, with the command that made each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from midalign_demo import figures, score_figures, tables, tasks
from midalign_demo.errors import InputError
from midalign_demo.provenance import GROUPS
from midalign_demo.tables import RETRIEVAL, ResultTable
from midalign_demo.ui import cards, result_tables, words
from midalign_demo.ui.words import Words, label

_QUIET = {"api_visibility": "private", "show_progress": "hidden", "queue": False}


class ResultsTab:
    """Builds the tab inside a `gr.Blocks` context. It needs no model.

    Args:
        folder: of the tables; default: that of the package.
    """

    def __init__(self, folder: Path | None = None):
        self._folder = folder or tables.folder()
        self._tables: dict[str, ResultTable] = {}
        self._problems: list[str] = []
        for path in tables.paths_in(self._folder):
            try:
                self._tables[path.stem] = tables.read(path)
            except InputError as error:
                self._problems.append(str(error))
        self._build()

    def _build(self) -> None:
        gr.Markdown(label("results_intro"))
        for problem in self._problems:
            gr.HTML(cards.notice(problem, kind="error"), elem_classes="flush")
        if not self._tables:
            none = cards.notice(result_tables.missing(str(self._folder)))
            gr.HTML(none, elem_classes="flush", elem_id="results-none")
            return
        measured = sorted({table.task for table in self._tables.values()}, key=list(result_tables.TITLES).index)
        names = self._names(measured[0])
        first = self._opened(names[0])
        task = gr.Radio(
            [(label(result_tables.TITLES[task]), task) for task in measured],
            value=measured[0],
            label=label("task"),
            elem_id="results-task",
        )
        name = gr.Dropdown(self._choices(names), value=names[0], label=label("results_table"), elem_id="results-table")
        with gr.Row():
            variants = gr.CheckboxGroup(label=label("variants"), elem_id="results-variants", **first["variants"])
            groups = gr.CheckboxGroup(label=label("results_groups"), elem_id="results-groups", **first["groups"])
        with gr.Row():
            scripts = gr.Dropdown(
                label=label("results_scripts"), multiselect=True, elem_id="results-scripts", **first["scripts"]
            )
            rows = gr.Dropdown(
                label=label("results_languages"), multiselect=True, elem_id="results-languages", **first["rows"]
            )
            metric = gr.Dropdown(label=label("results_metric"), elem_id="results-metric", **first["metric"])
            # Not a slider: a table need not hold every layer.
            layer = gr.Dropdown(label=label("layer"), elem_id="results-layer", **first["layer"])
        source = gr.HTML(first["source"], elem_classes="flush", elem_id="results-source")
        command = gr.Code(
            first["command"], language="shell", interactive=False, wrap_lines=True, show_line_numbers=False, lines=1,
            label=label("results_command"), buttons=["copy"],
            elem_id="results-command",
        )  # fmt: skip
        filters = [name, variants, groups, scripts, rows, metric, layer]
        said, plot, frame, curve, notes = self._shown(*(
            first[key]["value"] for key in ("name", "variants", "groups", "scripts", "rows", "metric", "layer")
        ))  # fmt: skip
        outputs = [
            gr.HTML(said, elem_classes="flush", elem_id="results-said"),
            gr.Plot(plot, show_label=False, elem_id="results-plot"),
            gr.Dataframe(
                frame, label=label("results_frame"), interactive=False, max_height=420,
                buttons=["copy", "fullscreen"], elem_id="results-frame",
            ),
            gr.Plot(curve, show_label=False, visible=curve is not None, elem_id="results-curve"),
            gr.HTML(notes, elem_classes="flush", elem_id="results-notes"),
        ]  # fmt: skip
        task.input(self._first_of, task, name, **_QUIET)
        opened = [variants, groups, scripts, rows, metric, layer, source, command, *outputs]
        name.change(self._open, name, opened, **_QUIET)
        for one in filters[1:]:
            one.input(self._show, filters, outputs, **_QUIET)

    def _names(self, task: str) -> list[str]:
        return [name for name, table in self._tables.items() if table.task == task]

    def _choices(self, names: Sequence[str]) -> list[tuple[str, str]]:
        return [(self._tables[name].title, name) for name in names]

    def _first_of(self, task: str) -> gr.Dropdown:
        names = self._names(task)
        return gr.Dropdown(self._choices(names), value=names[0])

    def _opened(self, name: str) -> dict:
        """The filters of a table, set to show all of it; where it comes from."""
        table = self._tables[name]
        rows = table.rows()
        groups = [group for group in GROUPS if any(table.group(row) == group for row in rows)]
        is_retrieval = table.task == RETRIEVAL
        layers = table.layers if is_retrieval else []
        metrics = [] if is_retrieval else table.metrics
        return {
            "name": {"value": name},
            "variants": {"choices": table.variants, "value": table.variants},
            "groups": {"choices": groups, "value": groups},
            "scripts": {"choices": sorted({table.script(row) for row in rows}), "value": []},
            "rows": {"choices": [(table.row_name(row), row) for row in rows], "value": []},
            "metric": {"choices": metrics, "value": _main_metric(table), "visible": len(metrics) > 1},
            "layer": {
                "choices": layers, "value": _best_layer(table) if is_retrieval else None, "visible": len(layers) > 1,
            },
            "source": result_tables.source(table),
            "command": table.command,
        }  # fmt: skip

    def _open(self, name: str, request: gr.Request) -> list:
        opened = self._opened(name)
        kept = ("name", "variants", "groups", "scripts", "rows", "metric", "layer")
        return [
            gr.CheckboxGroup(**opened["variants"]),
            gr.CheckboxGroup(**opened["groups"]),
            gr.Dropdown(**opened["scripts"]),
            gr.Dropdown(**opened["rows"]),
            gr.Dropdown(**opened["metric"]),
            gr.Dropdown(**opened["layer"]),
            opened["source"],
            opened["command"],
            *self._show(**{key: opened[key]["value"] for key in kept}, request=request),
        ]

    def _show(
        self,
        name: str,
        variants: list[str],
        groups: list[str],
        scripts: list[str],
        rows: list[str],
        metric: str | None,
        layer: int | None,
        request: gr.Request,
    ) -> list:
        filters = (name, variants, groups, scripts, rows, metric, layer)
        said, plot, frame, curve, notes = self._shown(*filters, say=words.of(request))
        plots = [gr.Plot(made, visible=made is not None) for made in (plot, curve)]
        return [said, plots[0], gr.Dataframe(frame, visible=frame is not None), plots[1], notes]

    def _shown(
        self,
        name: str,
        variants: list[str],
        groups: list[str],
        scripts: list[str],
        rows: list[str],
        metric: str | None,
        layer: int | None,
        *,
        say: Words = words.ENGLISH,
    ) -> tuple:
        """A notice, the chart, the table, the curve over layers (of retrieval alone) and notes; None for none."""
        table = self._tables[name]
        kept = [
            row
            for row in table.rows()
            if table.group(row) in groups
            and (not scripts or table.script(row) in scripts)
            and (not rows or row in rows)
        ]
        variants = [variant for variant in table.variants if variant in variants]
        if variants and kept:
            shown = None
            if table.task == RETRIEVAL and layer is not None:
                shown = _retrieval(table, variants, kept, layer)
            elif table.task != RETRIEVAL and metric is not None:
                shown = _scores(table, variants, kept, metric)
            if shown is not None:
                return "", *shown
        return cards.notice(say("results_nothing")), None, None, None, ""


def _scores(table: ResultTable, variants: list[str], rows: list[str], metric: str) -> tuple:
    found = [score for score in tables.scores(table, metric, rows) if score.variant in variants]
    plot = score_figures.score_figure(
        found,
        names={row: table.row_name(row) for row in rows},
        groups={row: table.group(row) for row in rows},
        variants=table.variants,
        title=metric,
        highest=tables.highest(metric),
    )
    rows_of_frame = result_tables.score_rows(table, found, metric)
    return plot, rows_of_frame, None, result_tables.comparison(table, found, metric)


def _retrieval(table: ResultTable, variants: list[str], rows: list[str], layer: int) -> tuple | None:
    means = tables.by_layer(table, rows)
    if not means:  # one language alone makes no pair
        return None
    found = [score for score in tables.with_english(table, layer, rows) if score.variant in variants]
    plot = None
    if found:
        plot = score_figures.score_figure(
            found,
            names={row: table.row_name(row) for row in rows},
            groups={row: table.group(row) for row in rows},
            variants=table.variants,
            title=f"accuracy with English at layer {layer}",
        )
    # Drawn for all variants, so that each keeps its colour when others are left out.
    curve = figures.layer_curve(means, measure="en-x" if found else "all")
    curve.data = [trace for trace in curve.data if trace.legendgroup in variants]
    by_layer = result_tables.layers({variant: means[variant] for variant in variants})
    return plot, result_tables.pair_rows(table, layer, variants, rows), curve, by_layer


def _best_layer(table: ResultTable) -> int:
    """The layer at which the last variant of the table has its highest mean accuracy."""
    of = table.result["variants"][table.variants[-1]]["layers"]
    return int(max(of, key=lambda layer: of[layer]["all"]))


def _main_metric(table: ResultTable) -> str | None:
    return None if table.task == RETRIEVAL else tasks.MODULES[table.task].MAIN_METRIC
