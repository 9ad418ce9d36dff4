"""The Embedding map tab: where sentences of the same meaning lie, language by language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import gradio as gr

from midalign_demo import embedded, maps, pages, stored_map, variants
from midalign_demo.errors import InputError
from midalign_demo.line import Asker
from midalign_demo.projection import METHODS
from midalign_demo.ui import corpora, problems, progress, words
from midalign_demo.ui.endpoints import endpoint
from midalign_demo.ui.host import FIRST_TASK, ModelHost
from midalign_demo.ui.map_view import map_view
from midalign_demo.ui.progress import Tell
from midalign_demo.ui.queue import MODEL_QUEUE
from midalign_demo.ui.store import EmbeddingStore
from midalign_demo.ui.words import Words, label

_SHOWS = [
    (label("draw_variants"), "variants"),
    (label("map_look_strength"), "strength"),
    (label("map_look_layers"), "layers"),
]
_MOST_FOR_UMAP = 6000  # points in all steps together, for which it takes a minute or two
_ADDED = "added"  # a key beside the languages; no language has this tag


class MapTab:
    """Builds the tab inside a `gr.Blocks` context."""

    def __init__(self, host: ModelHost, store: EmbeddingStore):
        self._host, self._store = host, store
        self._took_in = False
        self._stored: dict[str, str] = {}  # the stored map's documents, by the language of their words
        self._build()

    def _build(self) -> None:
        gr.Markdown(label("draw_intro"))
        with gr.Row():
            show = gr.Radio(_SHOWS, value=_SHOWS[0][1], label=label("draw_show"), elem_id="map-show", scale=2)
            method = gr.Radio(
                [(name.upper(), name) for name in reversed(METHODS)], value="pca", label=label("draw_layout"),
                info=label("draw_layout_why"), scale=1, elem_id="map-method",
            )  # fmt: skip
            layer = gr.Slider(
                0, 64, value=0, step=1, label=label("layer"), visible=False, elem_id="map-layer", scale=1,
                info=label("draw_layer_why"),
            )  # fmt: skip
        with gr.Accordion(label("draw_options"), open=False):
            tags = corpora.languages_dropdown("map-languages")
            with gr.Row():
                topic = gr.Dropdown(
                    corpora.topic_choices(), value=corpora.ALL_TOPICS, label=label("draw_topic"), elem_id="map-topic"
                )
                dims = gr.Radio([2, 3], value=2, label=label("draw_dims"), elem_id="map-dims")
        with gr.Accordion(label("own_sentences"), open=False, elem_id="map-own"):
            typed = gr.Textbox(
                value="",
                label=label("draw_typed"), info=label("draw_typed_why"), lines=3, max_lines=8, elem_id="map-typed",
                placeholder="de: Guten Morgen, wie geht es dir?",
            )  # fmt: skip
            file = corpora.own_file("map-file")
        draw = gr.Button(label("draw"), variant="primary", elem_id="map-draw")
        said = gr.HTML("", elem_id="map-said", container=False)
        view = map_view(self.first_map, "map-view")

        inputs = [show, method, tags, layer, topic, dims, typed, file]
        outputs = [said, view, layer]
        # Who changes something while a map is drawn wants the map of it next.
        wired = {"api_visibility": "private", "trigger_mode": "always_last", **MODEL_QUEUE}
        gr.on([draw.click, layer.release, method.input, show.input, dims.input, topic.input],
              self._draw, inputs, outputs, show_progress="minimal", show_progress_on=said, **wired)  # fmt: skip
        gr.api(endpoint(self.embedding_map), api_name="embedding_map", **MODEL_QUEUE)

    def first_map(self, say: Words = words.ENGLISH) -> str:
        """The stored map, if it is one of the adapter in force, with the words of a language."""
        if not self._has_shipped_adapter:
            return ""
        if say.tag not in self._stored:
            self._stored[say.tag] = _stored_map(say)
        return self._stored[say.tag]

    @property
    def _has_shipped_adapter(self) -> bool:
        shipped = variants.shipped_sources(embedded.NAME, FIRST_TASK)
        return self._host.base == embedded.NAME and self._host.sources(FIRST_TASK).get("align") == shipped["align"]

    def _take_in_stored(self) -> None:
        """Put the stored embeddings where the computed ones are looked for."""
        if not self._took_in and self._has_shipped_adapter:
            for found in stored_map.read_embeddings():
                self._store.put(found.sentences, found.weights, found.layer, found.rows)
        self._took_in = True

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
        request: gr.Request,
    ) -> Iterator[tuple]:
        """What is said above the map, the map, and the layer's slider."""
        say = words.of(request)

        def work(tell: Tell) -> tuple:
            added = corpora.typed_sentences(typed)
            corpus = corpora.corpus_of(tags, topic, file)
            for stage in self._host.loading_stages():
                tell(0, stage)
            base = self._host.engine.base
            chosen = int(layer) or base.middle_layer
            shown = self._map(
                corpus, show, asker=Asker(request.session_hash), method=method, dims=int(dims), layer=chosen,
                added=added, tell=tell, say=say, ahead=True,
            )  # fmt: skip
            its = {"minimum": 1, "maximum": base.num_layers, "visible": show != "layers"}
            if not layer:  # else it may have been moved again by now
                its["value"] = chosen
            slider = gr.Slider(**its)
            return "", pages.as_json(pages.map_document(shown, show=show, words=say.of_map, lang=say.tag)), slider

        try:
            yield from progress.told(work, lambda line: (line, gr.skip(), gr.skip()))
        except Exception as error:
            yield problems.notice_of(error, "A map could not be drawn", say), gr.skip(), gr.skip()

    def _map(
        self,
        corpus: dict[str, list[str]],
        show: str,
        *,
        asker: Asker,
        method: str,
        dims: int,
        layer: int | None,
        asked: Sequence[str] = corpora.DEFAULT_VARIANTS,
        centre: bool = False,
        added: Sequence[tuple[str, str]] = (),
        tell: Tell | None = None,
        say: Words = words.ENGLISH,
        ahead: bool = False,
    ) -> maps.EmbeddingMap:
        """A map; with `ahead` the layers above it are computed from then on."""
        engine = self._host.engine_of(asker)
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
        self._take_in_stored()
        layers = {view.layer for view in views}
        each = self._store.get_each(engine, texts, list(weights.values()), layers=layers, tell=tell, say=say)
        found = dict(zip(weights, each, strict=True))
        rows = [found[tuple(sorted(view.weights.items()))][view.layer] for view in views]
        if tell:
            tell(0.99, say("draw_laying_out", n=len(rows[0]), method=method.upper()))
        shown = maps.lay_out(corpus, views, rows, method=method, dims=dims, centre=centre, added=added)
        if ahead and not self._host.zero:  # there the GPU's time is the visitor's
            self._store.look_ahead(self._host.engine, texts, list(weights.values()))
        return shown

    async def embedding_map(
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

        def work(asker: Asker) -> dict:
            corpus = corpora.corpus_of(languages or list(corpora.DEFAULT_LANGUAGES), topic)
            added = corpora.typed_sentences(sentences)
            engine = self._host.engine_of(asker)
            chosen = variants or list(corpora.DEFAULT_VARIANTS)
            for name in chosen:
                engine.adapters_of(name, FIRST_TASK)
            return self._map(
                corpus, show, asker=asker, method=method, dims=dims, layer=layer, asked=chosen, centre=centre,
                added=added,
            ).to_dict()  # fmt: skip

        return await self._host.visits.ask(work)


def _stored_map(say: Words) -> str:
    shown = stored_map.read()
    if shown is None:
        return ""
    note = say(
        "draw_stored", n=len(shown.languages), layer=shown.slices[0].layer, command=stored_map.COMMAND
    )  # fmt: skip
    return pages.as_json(pages.map_document(shown, show="strength", note=note, words=say.of_map, lang=say.tag))
