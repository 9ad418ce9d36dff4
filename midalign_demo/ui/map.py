"""The Embedding map tab: where sentences of the same meaning lie, language by language."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import gradio as gr

from midalign_demo import languages, maps
from midalign_demo.errors import InputError
from midalign_demo.projection import METHODS
from midalign_demo.ui import corpora, problems
from midalign_demo.ui.host import FIRST_TASK, ModelHost
from midalign_demo.ui.queue import MODEL_QUEUE
from midalign_demo.ui.store import EmbeddingStore

SIDE_BY_SIDE, STRENGTH = "variants", "strength"
_LOOKS = [("Base and align side by side", SIDE_BY_SIDE), ("Alignment strength, step by step", STRENGTH)]
_INTRO = (
    "Each point is a sentence, placed by the model's middle layer and joined to its translations. Without alignment, "
    "languages tend to be islands; with it, sentences meet by **meaning**. Pick *Alignment strength* and move the "
    "slider to see it happen."
)


class MapTab:
    """Builds the tab inside a `gr.Blocks` context."""

    def __init__(self, host: ModelHost, store: EmbeddingStore):
        self._host, self._store = host, store
        self._build()

    def _build(self) -> None:
        gr.Markdown(_INTRO)
        with gr.Row():
            look = gr.Radio(_LOOKS, value=SIDE_BY_SIDE, label="Show", elem_id="map-look", scale=2)
            method = gr.Radio(
                [(name.upper(), name) for name in reversed(METHODS)], value="pca", label="Layout", scale=1,
                info="PCA is there at once; UMAP shows neighbourhoods better and takes longer.", elem_id="map-method",
            )  # fmt: skip
            colour = gr.Radio(list(maps.COLOUR_BY), value=maps.COLOUR_BY[0], label="Colour", scale=1)
        tags = corpora.languages_dropdown("map-languages")
        with gr.Row():
            layer = gr.Slider(
                0, 64, value=0, step=1, label="Layer", visible=False, elem_id="map-layer",
                info="Meaning is in the middle; words go in below and come out above.",
            )  # fmt: skip
            topic = gr.Dropdown([corpora.ALL_TOPICS, *dict.fromkeys(corpora.topics())], value=corpora.ALL_TOPICS,
                                label="Sentences about", elem_id="map-topic")  # fmt: skip
            dims = gr.Radio([2, 3], value=2, label="Dimensions")
        file = corpora.own_file("map-file")
        draw = gr.Button("Draw the map", variant="primary", elem_id="map-draw")
        said = gr.HTML("", elem_id="map-said", container=False)
        plot = gr.Plot(show_label=False, elem_id="map-plot")
        table = gr.HTML("", elem_id="map-table", container=False)

        inputs = [look, method, colour, tags, layer, topic, dims, file]
        outputs = [said, plot, table, layer]
        wired = {"api_visibility": "private", **MODEL_QUEUE}
        gr.on([draw.click, layer.release, method.input, colour.input, look.input, dims.input, topic.input],
              self._draw, inputs, outputs, **wired)  # fmt: skip
        gr.api(self.embedding_map, api_name="embedding_map", **MODEL_QUEUE)

    def _draw(
        self,
        look: str,
        method: str,
        colour: str,
        tags: list[str],
        layer: int,
        topic: str,
        dims: int,
        file: str | None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 (Gradio's way)
    ) -> tuple:
        """What is said above the map, the map, its table, and the layer's slider."""
        try:
            for stage in self._host.loading_stages():
                progress(0, desc=stage)
            base = self._host.engine_for(FIRST_TASK).base
            chosen = int(layer) or base.middle_layer
            corpus = corpora.corpus_of(tags, topic, file)
            shown = self._map(corpus, look, method=method, dims=int(dims), layer=chosen, progress=progress)
            from midalign_demo.figures import map_figure, strength_figure

            if look == STRENGTH:
                figure = strength_figure(shown, colour_by=colour, frames=False)
            else:
                figure = map_figure(shown, colour_by=colour)
            slider = gr.Slider(minimum=1, maximum=base.num_layers, value=chosen, visible=True)
            return "", figure, _table(shown), slider
        except Exception as error:
            return problems.notice_of(error, "A map could not be drawn"), *[gr.skip()] * 3

    def _map(
        self,
        corpus: dict[str, list[str]],
        look: str,
        *,
        method: str,
        dims: int,
        layer: int,
        variants: Sequence[str] = corpora.DEFAULT_VARIANTS,
        centre: bool = False,
        progress: gr.Progress | None = None,
    ) -> maps.EmbeddingMap:
        engine = self._host.engine_for(FIRST_TASK)
        if look == STRENGTH:
            if "align" not in engine.adapters.names:
                raise InputError(f"strength: there is no alignment adapter for {self._host.base}")
            views = maps.strength_views(engine, layer=layer)
        else:
            offered = [name for name in variants if name in engine.variants(FIRST_TASK)]
            views = maps.variant_views(engine, offered, FIRST_TASK, layer)
        found = self._store.get_each(engine, corpus, [view.weights for view in views], progress=progress)
        rows = [at_layer[view.layer] for view, at_layer in zip(views, found, strict=True)]
        if progress:
            progress(0.99, desc=f"Laying out {sum(map(len, corpus.values()))} points ({method.upper()})")
        return maps.lay_out(corpus, views, rows, method=method, dims=dims, centre=centre)

    def embedding_map(
        self,
        languages: list[str] | None = None,
        variants: list[str] | None = None,
        layer: int | None = None,
        method: str = "pca",
        dims: int = 2,
        topic: str = corpora.ALL_TOPICS,
        strength: bool = False,
        centre: bool = False,
    ) -> dict:
        """The map of midalign's own sentences, as `midalign map --output FILE.json` writes it."""
        with problems.told_to_the_caller():
            self._host.wait()
            base = self._host.engine.base
            checked = base.middle_layer if layer is None else base.check_layer(layer)
            corpus = corpora.corpus_of(languages or list(corpora.DEFAULT_LANGUAGES), topic)
            chosen = variants or list(corpora.DEFAULT_VARIANTS)
            for name in chosen:
                self._host.engine.adapters_of(name, FIRST_TASK)
            look = STRENGTH if strength else SIDE_BY_SIDE
            return self._map(
                corpus, look, method=method, dims=dims, layer=checked, variants=chosen, centre=centre
            ).to_dict()  # fmt: skip


def _table(shown: maps.EmbeddingMap) -> str:
    """What the map shows, for those who cannot see it: accuracy, and what each language's sentences are nearest to."""
    rows = "".join(
        f"<tr><th scope='row'>{escape(part.label)}</th><td>{part.layer}</td>"
        f"<td>{_number(part.retrieval['en-x'])}</td><td>{_number(part.retrieval['all'])}</td>"
        f"<td>{_met(shown, part):.2f}</td></tr>"
        for part in shown.slices
    )
    names = ", ".join(languages.name(tag) for tag in shown.languages)
    return (
        f'<table class="figures"><caption>{len(set(shown.meaning))} sentences in {escape(names)}. Measured in the '
        "original space, not in the picture.</caption><thead><tr><th>variant</th><th>layer</th>"
        "<th>translation found, pairs with English</th><th>translation found, all pairs</th>"
        "<th>nearest neighbour is a translation</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _met(shown: maps.EmbeddingMap, part) -> float:
    """How many points have a translation of theirs as the nearest of all points."""
    nearest = part.neighbours[:, 0]
    return sum(shown.meaning[at] == shown.meaning[other] for at, other in enumerate(nearest)) / len(nearest)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
