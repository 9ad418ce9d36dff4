"""The Layers tab: at which layer translations find each other, and which languages do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

import gradio as gr

from midalign_demo import languages
from midalign_demo.line import Asker
from midalign_demo.retrieval import SCORES, by_language, retrieval_table
from midalign_demo.ui import corpora, problems, progress, words
from midalign_demo.ui.endpoints import endpoint
from midalign_demo.ui.host import FIRST_TASK, ModelHost
from midalign_demo.ui.progress import Tell
from midalign_demo.ui.queue import MODEL_QUEUE
from midalign_demo.ui.store import EmbeddingStore
from midalign_demo.ui.words import Words, label

_ORDERS = [
    (label("layers_by_script"), "script"),
    (label("layers_by_name"), "language"),
    (label("layers_by_accuracy"), "accuracy"),
]


class LayersTab:
    """Builds the tab inside a `gr.Blocks` context."""

    def __init__(self, host: ModelHost, store: EmbeddingStore):
        self._host, self._store = host, store
        self._build()

    def _build(self) -> None:
        gr.Markdown(label("layers_intro"))
        with gr.Row():
            tags = corpora.languages_dropdown("layers-languages", scale=3)
            score = gr.Dropdown(list(SCORES), value="cosine", label=label("layers_score"), scale=1)
        with gr.Accordion(label("own_sentences"), open=False):
            file = corpora.own_file("layers-file")
        measure = gr.Button(label("layers_measure"), variant="primary", elem_id="layers-measure")
        said = gr.HTML("", container=False, elem_id="layers-said")
        curve = gr.Plot(show_label=False, elem_id="layers-curve")
        table = gr.HTML("", container=False, elem_id="layers-table")
        with gr.Row(visible=False) as choices:
            layer = gr.Slider(0, 64, value=0, step=1, label=label("layers_at"), elem_id="layers-layer")
            order = gr.Dropdown(_ORDERS, value="script", label=label("layers_order"), elem_id="layers-order")
        with gr.Row(equal_height=False):
            with gr.Column(min_width=320):
                above_before = gr.HTML("", container=False, elem_id="layers-above-before")
                before = gr.Plot(show_label=False, elem_id="layers-before")
            with gr.Column(min_width=320):
                above_after = gr.HTML("", container=False, elem_id="layers-above-after")
                after = gr.Plot(show_label=False, elem_id="layers-after")
        numbers = gr.HTML("", container=False, elem_id="layers-pairs")
        measured = gr.State(None)  # {"languages": tags, "tables": by variant and layer}

        at_a_layer = [above_before, before, above_after, after, numbers]
        measure.click(
            self._measure, [tags, score, file, order], [said, curve, table, measured, choices, layer, *at_a_layer],
            api_visibility="private", show_progress="minimal", show_progress_on=said, **MODEL_QUEUE,
        )  # fmt: skip
        gr.on([layer.input, order.input], _show_layer, [measured, layer, order], at_a_layer,
              api_visibility="private", show_progress="hidden", trigger_mode="always_last")  # fmt: skip
        gr.api(endpoint(self.layer_curve), api_name="layer_curve", **MODEL_QUEUE)

    def _measure(
        self,
        tags: list[str],
        score: str,
        file: str | None,
        order: str,
        request: gr.Request,
    ) -> Iterator[tuple]:
        """What is said, the curve, its table, what was measured, the choices, the layer, and what is shown at it."""
        say = words.of(request)

        def work(tell: Tell) -> tuple:
            corpus = corpora.corpus_of(tags, file=file)
            for stage in self._host.loading_stages():
                tell(0, stage)
            tables = self._tables(corpus, corpora.DEFAULT_VARIANTS, score, Asker(request.session_hash), tell, say)
            from midalign_demo.figures import layer_curve

            measured = {"languages": list(corpus), "tables": tables}
            best = _best(list(tables.values())[-1])
            slider = gr.Slider(maximum=max(tables["base"]), value=best)
            measure, accuracy = (
                ("en-x", "layers_accuracy_english") if "en" in corpus else ("all", "layers_accuracy_all")
            )
            figure = layer_curve(tables, measure=measure, layer=say("map_layer"), accuracy=say(accuracy))
            shown = _at_layer(measured, best, order, say)
            return "", figure, _table(tables, list(corpus), say), measured, gr.Row(visible=True), slider, *shown

        rest = [gr.skip()] * 10
        try:
            yield from progress.told(work, lambda line: (line, *rest))
        except Exception as error:
            yield problems.notice_of(error, "Layers could not be measured", say), *rest

    def _tables(
        self,
        corpus: dict[str, list[str]],
        variants: Sequence[str],
        score: str,
        asker: Asker,
        tell: Tell | None = None,
        say: Words = words.ENGLISH,
    ) -> dict[str, dict[int, dict]]:
        """For each variant and layer a table of `retrieval_table`."""
        engine = self._host.engine_of(asker)
        tables = {}
        offered = [name for name in variants if name in engine.variants(FIRST_TASK)]
        weights = [engine.adapters_of(name, FIRST_TASK) for name in offered]
        found = self._store.get_each(engine, corpus, weights, tell=tell, say=say)
        for variant, rows in zip(offered, found, strict=True):
            tables[variant] = {
                layer: retrieval_table(by_language(at_layer, corpus), score=score) for layer, at_layer in rows.items()
            }
        return tables

    async def layer_curve(
        self, languages: list[str] | None = None, variants: list[str] | None = None, score: str = "cosine"
    ) -> dict:
        """Retrieval accuracy of midalign's own sentences by layer, in the form of `midalign retrieval --json`."""

        def work(asker: Asker) -> dict:
            engine = self._host.engine_of(asker)
            chosen = variants or list(corpora.DEFAULT_VARIANTS)
            in_force = {name: engine.adapters_of(name, FIRST_TASK) for name in chosen}
            corpus = corpora.corpus_of(languages or list(corpora.DEFAULT_LANGUAGES))
            tables = self._tables(corpus, chosen, score, asker)
            return {
                "n": len(next(iter(corpus.values()))),
                "languages": list(corpus),
                "adapters": in_force,
                "variants": {
                    variant: {"layers": {str(layer): table for layer, table in by_layer.items()}}
                    for variant, by_layer in tables.items()
                },
            }

        return await self._host.visits.ask(work)


def _show_layer(measured: Mapping | None, layer: int, order: str, request: gr.Request) -> list:
    return _at_layer(measured, layer, order, words.of(request))


def _at_layer(measured: Mapping | None, layer: int, order: str, say: Words) -> list:
    """Of one layer, for the first two variants what stands above a heat map and the heat map; then their numbers."""
    from midalign_demo.figures import heat_map

    if measured is None:
        return [gr.skip()] * 5
    tags, shown = measured["languages"], []
    tables = {variant: by_layer[int(layer)] for variant, by_layer in measured["tables"].items()}
    for variant, table in tables.items():
        found = {"all": format(table["all"], ".2f")}
        if table["en-x"] is not None:
            found["english"] = format(table["en-x"], ".2f")
        above = say("map_panel", name=f"<b>{escape(variant)}</b>", layer=int(layer))
        measured_there = say("map_found_english" if "english" in found else "map_found", **found)
        shown += [f"<p class='above'>{above}<br>{measured_there}</p>", heat_map(table, tags, order=order)]
    shown += ["", None] * (2 - len(tables))
    return [*shown, _pairs(tables, tags, order, say)]


def _pairs(tables: Mapping[str, Mapping], tags: Sequence[str], order: str, say: Words) -> str:
    """The heat maps' numbers, for those who cannot see them; folded."""
    from midalign_demo.figures import in_order, pair_accuracy

    parts = []
    for variant, table in tables.items():
        ordered = in_order(table, tags, order)
        head = "".join(f"<th scope='col'>{escape(tag)}</th>" for tag in ordered)
        rows = "".join(
            f"<tr><th scope='row'>{escape(languages.name(one))}</th>"
            + "".join(
                f"<td>{'' if one == other else format(pair_accuracy(table, one, other), '.2f')}</td>"
                for other in ordered
            )
            + "</tr>"
            for one in ordered
        )
        parts.append(
            f"<table class='figures'><caption>{say('layers_pairs', variant=escape(variant))}</caption>"
            f"<thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )
    inside = f"<div class='scroll' tabindex='0'>{''.join(parts)}</div>"
    return f"<details><summary>{say('layers_numbers')}</summary>{inside}</details>"


def _best(by_layer: dict[int, dict]) -> int:
    """The layer with the highest accuracy; not 0, where languages that share words look near."""
    return max((layer for layer in by_layer if layer), key=lambda layer: by_layer[layer]["all"])


def _table(tables: dict[str, dict[int, dict]], tags: Sequence[str], say: Words) -> str:
    """The curve's numbers, for those who cannot see it, and each language's at the best layer."""
    from midalign_demo.figures import pair_accuracy

    variants = list(tables)
    layers = list(next(iter(tables.values())))
    head = "".join(f"<th>{say('layers_all', variant=escape(variant))}</th>" for variant in variants)
    rows = "".join(
        f"<tr><th scope='row'>{layer}</th>"
        + "".join(f"<td>{tables[variant][layer]['all']:.2f}</td>" for variant in variants)
        + "</tr>"
        for layer in layers
    )
    best = {variant: of[_best(of)] for variant, of in tables.items()}
    english = "".join(
        f"<tr><th scope='row'>{escape(languages.name(tag))}</th>"
        + "".join(f"<td>{pair_accuracy(best[variant], 'en', tag):.2f}</td>" for variant in variants)
        + "</tr>"
        for tag in tags
        if "en" in tags and tag != "en"
    )
    found = "".join(
        f"<th>{say('map_panel', name=escape(variant), layer=_best(tables[variant]))}</th>" for variant in variants
    )
    with_english = (
        f"<table class='figures'><caption>{say('layers_english')}</caption>"
        f"<thead><tr><th>{say('map_by_language')}</th>{found}</tr></thead><tbody>{english}</tbody></table>"
        if english
        else ""
    )
    return (
        f"<div class='tables'><table class='figures'><caption>{say('layers_by_layer')}</caption>"
        f"<thead><tr><th>{say('map_layer')}</th>{head}</tr></thead><tbody>{rows}</tbody></table>{with_english}</div>"
    )
