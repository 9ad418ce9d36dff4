"""The Layers tab: at which layer translations find each other, and which languages do."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from html import escape

import gradio as gr

from midalign_demo import languages
from midalign_demo.errors import InputError
from midalign_demo.retrieval import SCORES, retrieval_table
from midalign_demo.ui import cards, corpora
from midalign_demo.ui.host import FIRST_TASK, ModelHost
from midalign_demo.ui.queue import MODEL_QUEUE
from midalign_demo.ui.store import EmbeddingStore

logger = logging.getLogger(__name__)

_VARIANTS = ("base", "align")
_INTRO = (
    "How often is a sentence's nearest neighbour in another language its translation? Layer by layer: low where the "
    "words go in, highest in the **middle**, low again where words come out."
)


class LayersTab:
    """Builds the tab inside a `gr.Blocks` context."""

    def __init__(self, host: ModelHost, store: EmbeddingStore):
        self._host, self._store = host, store
        self._build()

    def _build(self) -> None:
        gr.Markdown(_INTRO)
        with gr.Row():
            tags = gr.Dropdown(
                corpora.language_choices(), value=list(corpora.DEFAULT_LANGUAGES), multiselect=True, label="Languages",
                scale=3, elem_id="layers-languages",
            )  # fmt: skip
            score = gr.Dropdown(list(SCORES), value="cosine", label="Score", scale=1)
        with gr.Accordion("Your own sentences", open=False):
            file = gr.File(
                label="Parallel text: .tsv with a column for each language (first line: en, de, ..) or .jsonl",
                file_types=[".tsv", ".jsonl"],
            )  # fmt: skip
        measure = gr.Button("Measure", variant="primary", elem_id="layers-measure")
        said = gr.HTML("", container=False, elem_id="layers-said")
        curve = gr.Plot(show_label=False, elem_id="layers-curve")
        with gr.Row(equal_height=False):
            with gr.Column(min_width=320):
                gr.Markdown("**Base**, every pair of languages at its best layer")
                before = gr.Plot(show_label=False, elem_id="layers-before")
            with gr.Column(min_width=320):
                gr.Markdown("**Align**, every pair of languages at its best layer")
                after = gr.Plot(show_label=False, elem_id="layers-after")
        table = gr.HTML("", container=False, elem_id="layers-table")
        measure.click(
            self._measure, [tags, score, file], [said, curve, before, after, table], api_visibility="private",
            **MODEL_QUEUE,
        )  # fmt: skip
        gr.api(self.layer_curve, api_name="layer_curve", **MODEL_QUEUE)

    def _measure(
        self,
        tags: list[str],
        score: str,
        file: str | None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 (Gradio's way)
    ) -> tuple:
        skipped = [gr.skip()] * 4
        try:
            while not self._host.wait(0.5):
                progress(0, desc=self._host.stage)
            corpus = corpora.corpus_of(tags, file=file)
            tables = self._tables(corpus, _VARIANTS, score, progress)
            from midalign_demo.figures import heat_map, layer_curve

            measure = "en-x" if "en" in corpus else "all"
            maps = [heat_map(by_layer[_best(by_layer)], list(corpus)) for by_layer in tables.values()]
            maps += [None] * (2 - len(maps))
            return "", layer_curve(tables, measure=measure), *maps, _table(tables)
        except InputError as error:
            return cards.notice(str(error), kind="error"), *skipped
        except Exception:
            logger.exception("Layers could not be measured")
            return cards.notice("Something went wrong; the server's log says what.", kind="error"), *skipped

    def _tables(
        self,
        corpus: dict[str, list[str]],
        variants: Sequence[str],
        score: str,
        progress: gr.Progress | None = None,
    ) -> dict[str, dict[int, dict]]:
        """For each variant and layer a table of `retrieval_table`."""
        engine = self._host.engine_for(FIRST_TASK)
        tables = {}
        offered = [name for name in variants if name in engine.variants(FIRST_TASK)]
        for number, variant in enumerate(offered):

            def tell(done: int, n: int, at: int = number) -> None:
                if progress:
                    progress((at + done / n) / len(offered), desc=f"Reading the sentences, {at + 1} of {len(offered)}")

            rows = self._store.get(engine, corpus, engine.adapters_of(variant, FIRST_TASK), progress=tell)
            n = len(next(iter(corpus.values())))
            tables[variant] = {
                layer: retrieval_table(
                    {tag: at_layer[place * n : (place + 1) * n] for place, tag in enumerate(corpus)}, score=score
                )
                for layer, at_layer in rows.items()
            }
        return tables

    def layer_curve(
        self, languages: list[str] | None = None, variants: list[str] | None = None, score: str = "cosine"
    ) -> dict:
        """Retrieval accuracy of midalign's own sentences by layer, in the form of `midalign retrieval --json`."""
        try:
            self._host.wait(600)
            chosen = variants or list(_VARIANTS)
            for name in chosen:
                self._host.engine.adapters_of(name, FIRST_TASK)
            corpus = corpora.corpus_of(languages or list(corpora.DEFAULT_LANGUAGES))
            tables = self._tables(corpus, chosen, score)
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return {
            "n": len(next(iter(corpus.values()))),
            "languages": list(corpus),
            "variants": {
                variant: {"layers": {str(layer): table for layer, table in by_layer.items()}}
                for variant, by_layer in tables.items()
            },
        }


def _best(by_layer: dict[int, dict]) -> int:
    """The layer with the highest accuracy; not 0, where languages that share words look near."""
    return max((layer for layer in by_layer if layer), key=lambda layer: by_layer[layer]["all"])


def _table(tables: dict[str, dict[int, dict]]) -> str:
    """The curve's numbers, for those who cannot see it, and each language's at the best layer."""
    variants = list(tables)
    layers = list(next(iter(tables.values())))
    head = "".join(f"<th>{escape(variant)}, all pairs</th>" for variant in variants)
    rows = "".join(
        f"<tr><th scope='row'>{layer}</th>"
        + "".join(f"<td>{tables[variant][layer]['all']:.2f}</td>" for variant in variants)
        + "</tr>"
        for layer in layers
    )
    english = "".join(
        f"<tr><th scope='row'>{escape(languages.name(pair.removeprefix('en-').removesuffix('-en')))}</th>"
        + "".join(f"<td>{tables[variant][_best(tables[variant])]['pairs'][pair]:.2f}</td>" for variant in variants)
        + "</tr>"
        for pair in next(iter(next(iter(tables.values())).values()))["pairs"]
        if pair.startswith("en-") or pair.endswith("-en")
    )
    found = "".join(f"<th>{escape(variant)}, layer {_best(tables[variant])}</th>" for variant in variants)
    with_english = (
        "<table class='figures'><caption>With English, by language</caption>"
        f"<thead><tr><th>language</th>{found}</tr></thead><tbody>{english}</tbody></table>"
        if english
        else ""
    )
    return (
        "<div class='tables'><table class='figures'><caption>By layer</caption>"
        f"<thead><tr><th>layer</th>{head}</tr></thead><tbody>{rows}</tbody></table>{with_english}</div>"
    )
