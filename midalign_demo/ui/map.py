"""The Embedding map tab: where sentences of the same meaning lie, language by language."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import gradio as gr

from midalign_demo import embedded, maps, pages, stored_map, variants
from midalign_demo.errors import InputError
from midalign_demo.projection import METHODS
from midalign_demo.ui import corpora, problems
from midalign_demo.ui.host import FIRST_TASK, ModelHost
from midalign_demo.ui.map_view import map_view
from midalign_demo.ui.queue import MODEL_QUEUE
from midalign_demo.ui.store import EmbeddingStore

_SHOWS = [("Base and align", "variants"), ("Alignment strength", "strength"), ("Layer by layer", "layers")]
_INTRO = (
    "Each point is a sentence, placed by what the model makes of it half-way through. Without alignment, languages "
    "tend to be islands; with it, sentences meet by **meaning**. Point at one to see its translations, click it for "
    "its nearest neighbours, or let *Alignment strength* play."
)
_MOST_FOR_UMAP = 6000  # points in all steps together, for which it takes a minute or two
_ADDED = "added"  # a key beside the languages; no language has this tag


class MapTab:
    """Builds the tab inside a `gr.Blocks` context."""

    def __init__(self, host: ModelHost, store: EmbeddingStore):
        self._host, self._store = host, store
        self._build()

    def _build(self) -> None:
        gr.Markdown(_INTRO)
        with gr.Row():
            show = gr.Radio(_SHOWS, value=_SHOWS[0][1], label="Show", elem_id="map-show", scale=2)
            method = gr.Radio(
                [(name.upper(), name) for name in reversed(METHODS)], value="pca", label="Layout", scale=1,
                info="PCA takes a second; UMAP shows neighbourhoods better and takes longer.", elem_id="map-method",
            )  # fmt: skip
            layer = gr.Slider(
                0, 64, value=0, step=1, label="Layer", visible=False, elem_id="map-layer", scale=1,
                info="Meaning is in the middle; words go in below and come out above.",
            )  # fmt: skip
        with gr.Accordion("Languages, topic, dimensions", open=False):
            tags = corpora.languages_dropdown("map-languages")
            with gr.Row():
                topic = gr.Dropdown([corpora.ALL_TOPICS, *dict.fromkeys(corpora.topics())], value=corpora.ALL_TOPICS,
                                    label="Sentences about", elem_id="map-topic")  # fmt: skip
                dims = gr.Radio([2, 3], value=2, label="Dimensions", elem_id="map-dims")
        with gr.Accordion("Your own sentences", open=False, elem_id="map-own"):
            typed = gr.Textbox(
                "",
                label="Sentences to add to the map, one a line", lines=3, max_lines=8, elem_id="map-typed",
                info="With a language tag in front, or the language is guessed.",
                placeholder="de: Guten Morgen, wie geht es dir?",
            )  # fmt: skip
            file = corpora.own_file("map-file")
        draw = gr.Button("Draw the map", variant="primary", elem_id="map-draw")
        said = gr.HTML("", elem_id="map-said", container=False)
        view = map_view(self.first_map, "map-view")

        inputs = [show, method, tags, layer, topic, dims, typed, file]
        outputs = [said, view, layer]
        wired = {"api_visibility": "private", **MODEL_QUEUE}
        gr.on([draw.click, layer.release, method.input, show.input, dims.input, topic.input],
              self._draw, inputs, outputs, **wired)  # fmt: skip
        gr.api(self.embedding_map, api_name="embedding_map", **MODEL_QUEUE)

    def first_map(self) -> str:
        """The stored map, if it is one of the adapter in force."""
        shipped = variants.shipped_sources(embedded.NAME, FIRST_TASK)
        in_force = self._host.base == embedded.NAME and self._host.sources(FIRST_TASK).get("align") == shipped["align"]
        return self._stored if in_force else ""

    @cached_property
    def _stored(self) -> str:
        shown = stored_map.read()
        if shown is None:
            return ""
        note = (
            f"Stored map of {len(shown.languages)} languages at layer {shown.slices[0].layer}, made from the shipped "
            f"adapter by {stored_map.COMMAND}. Draw one of your own choice above."
        )
        return pages.as_json(pages.map_document(shown, show="strength", note=note))

    def _draw(
        self,
        show: str,
        method: str,
        tags: list[str],
        layer: int,
        topic: str,
        dims: int,
        typed: str,
        file: str | None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 (Gradio's way)
    ) -> tuple:
        """What is said above the map, the map, and the layer's slider."""
        try:
            added = corpora.typed_sentences(typed)
            corpus = corpora.corpus_of(tags, topic, file)
            for stage in self._host.loading_stages():
                progress(0, desc=stage)
            base = self._host.engine_for(FIRST_TASK).base
            chosen = int(layer) or base.middle_layer
            shown = self._map(
                corpus, show, method=method, dims=int(dims), layer=chosen, added=added, progress=progress
            )  # fmt: skip
            slider = gr.Slider(minimum=1, maximum=base.num_layers, value=chosen, visible=show != "layers")
            return "", pages.as_json(pages.map_document(shown, show=show)), slider
        except Exception as error:
            return problems.notice_of(error, "A map could not be drawn"), gr.skip(), gr.skip()

    def _map(
        self,
        corpus: dict[str, list[str]],
        show: str,
        *,
        method: str,
        dims: int,
        layer: int | None,
        asked: Sequence[str] = corpora.DEFAULT_VARIANTS,
        centre: bool = False,
        added: Sequence[tuple[str, str]] = (),
        progress: gr.Progress | None = None,
    ) -> maps.EmbeddingMap:
        engine = self._host.engine_for(FIRST_TASK)
        offered = [name for name in asked if name in engine.variants(FIRST_TASK)]
        views = maps.views_for(show, engine, offered, FIRST_TASK, layer)
        count = len(views) * (sum(map(len, corpus.values())) + len(added))
        if method == "umap" and count > _MOST_FOR_UMAP:
            raise InputError(
                f"UMAP: {count} points in all steps together; at most {_MOST_FOR_UMAP} are laid out here. "
                "Choose PCA, or fewer languages or sentences"
            )
        texts = {**corpus, _ADDED: [sentence for _, sentence in added]} if added else corpus
        weights = {tuple(sorted(view.weights.items())): view.weights for view in views}
        each = self._store.get_each(engine, texts, list(weights.values()), progress=progress)
        found = dict(zip(weights, each, strict=True))
        rows = [found[tuple(sorted(view.weights.items()))][view.layer] for view in views]
        if progress:
            progress(0.99, desc=f"Laying out {len(rows[0])} points ({method.upper()})")
        return maps.lay_out(corpus, views, rows, method=method, dims=dims, centre=centre, added=added)

    def embedding_map(
        self,
        languages: list[str] | None = None,
        variants: list[str] | None = None,
        layer: int | None = None,
        method: str = "pca",
        dims: int = 2,
        topic: str = corpora.ALL_TOPICS,
        show: str = "variants",
        centre: bool = False,
        sentences: str = "",
    ) -> dict:
        """The map of midalign's own sentences, as `midalign map --output FILE.json` writes it.

        `sentences` are more to show, one a line, such as `de: Guten Morgen`.
        """
        with problems.told_to_the_caller():
            corpus = corpora.corpus_of(languages or list(corpora.DEFAULT_LANGUAGES), topic)
            added = corpora.typed_sentences(sentences)
            self._host.wait()
            chosen = variants or list(corpora.DEFAULT_VARIANTS)
            for name in chosen:
                self._host.engine.adapters_of(name, FIRST_TASK)
            return self._map(
                corpus, show, method=method, dims=dims, layer=layer, asked=chosen, centre=centre, added=added
            ).to_dict()  # fmt: skip
