"""The app: a page with its tabs, and launching it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from midalign_demo import bases, embedded, projection
from midalign_demo.ui import cards, words, zero_gpu
from midalign_demo.ui.about import AboutTab
from midalign_demo.ui.compare import CompareTab
from midalign_demo.ui.endpoints import endpoint
from midalign_demo.ui.host import ModelHost
from midalign_demo.ui.labelled import LabelledExamples
from midalign_demo.ui.layers import LayersTab
from midalign_demo.ui.look import launch_options
from midalign_demo.ui.map import MapTab
from midalign_demo.ui.queue import PLACES, answer_queue
from midalign_demo.ui.results import ResultsTab
from midalign_demo.ui.steps import COMPARE, MAP, Steps
from midalign_demo.ui.store import EmbeddingStore
from midalign_demo.ui.words import Words, label

if TYPE_CHECKING:
    from midalign_demo.served import ServedEngine

_TITLE = "midalign"
_METHOD = "*Middle-Layer Representation Alignment* ([Liu & Niehues, ACL 2025](https://arxiv.org/abs/2502.14830))"


def build(
    host: ModelHost,
    *,
    labelled: Mapping[str, str] | None = None,
    results: Path | None = None,
    map_opened: Callable[[], None] | None = None,
) -> gr.Blocks:
    """The page. The host may still be loading.

    Args:
        labelled: labelled examples of the owner's by task, see `LabelledExamples`.
        results: folder of result tables; default: those of the package.
        map_opened: called whenever a visitor opens the embedding map.
    """
    unseen = LabelledExamples(host, labelled)
    with words.Page(title=_TITLE, analytics_enabled=False) as demo:
        with gr.Row(elem_id="top"):
            gr.Markdown(f"# {_TITLE}", elem_id="name")
            gr.Markdown(label("intro"), elem_id="intro")
        status = gr.HTML(_status(host, words.ENGLISH), elem_id="status", container=False)
        steps = Steps()
        store = EmbeddingStore()
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab(label("tab_compare"), id=COMPARE):
                compare = CompareTab(host, unseen)
            with gr.Tab(label("tab_map"), id=MAP, elem_id="tab-map") as map_tab:
                MapTab(host, store)
            with gr.Tab(label("tab_layers"), id="layers", elem_id="tab-layers"):
                LayersTab(host, store)
            with gr.Tab(label("tab_results"), id="results", elem_id="tab-results"):
                ResultsTab(results)
            with gr.Tab(label("tab_about"), id="about-method"):
                AboutTab()
        steps.lead_on(tabs, compare)
        gr.api(endpoint(unseen.evaluate_sample), api_name="evaluate_sample", **answer_queue(host))
        footer = gr.Markdown(_footer(host, words.ENGLISH), elem_id="about")

        ticker = gr.Timer(1.0)
        tick = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}

        def told(request: gr.Request) -> tuple:
            return _status(host, words.of(request)), gr.Timer(active=host.is_loading)

        def greeted(request: gr.Request) -> tuple:
            say = words.of(request)
            return _status(host, say), _footer(host, say)

        if map_opened:
            map_tab.select(map_opened, None, None, **tick)
        ticker.tick(told, None, [status, ticker], **tick)
        demo.load(greeted, None, [status, footer], **tick)
        demo.load(None, None, None, js=words.TELL_LANGUAGE, **tick)
        demo.load(compare.restore, None, compare.page, **tick)
        demo.unload(compare.answering.stop)
    return demo


def launch(
    *,
    host: str | None = None,
    port: int | None = None,
    share: bool = False,
    base: str = bases.DEFAULT,
    sources: Mapping[str, str] | None = None,
    labelled: Mapping[str, str] | None = None,
    served: ServedEngine | None = None,
    visitor_adapters: bool = False,
    announce: Callable[[str], None] = print,
    **options: str,
) -> None:
    """Start loading the model, open the page, and serve it until interrupted.

    Args:
        host, port, share: as Gradio takes them.
        labelled: as `build` takes it.
        announce: called with the page's address once it can be opened.
        base, sources, options: as `midalign_demo.engine.open_engine` takes them.
        served, visitor_adapters: see `ModelHost`.
    """
    model = ModelHost(
        base, sources=sources, served=served, zero=zero_gpu.prepare(), visitor_adapters=visitor_adapters, **options
    )
    model.start()
    demo = build(model, labelled=labelled, map_opened=_once(partial(_warm_up, model))).queue(max_size=PLACES)
    _, local_url, share_url = demo.launch(
        server_name=host, server_port=port, share=share, show_error=True, quiet=True, prevent_thread_lock=True,
        **launch_options(),
    )  # fmt: skip
    announce(share_url or local_url)
    sys.stdout.flush()
    demo.block_thread()


def _once(work: Callable[[], None]) -> Callable[[], None]:
    """Does the work in a thread of its own when it is called first, and nothing later."""
    not_yet = threading.Lock()

    def begin() -> None:
        if not_yet.acquire(blocking=False):
            threading.Thread(target=work, name="once", daemon=True).start()

    return begin


def _warm_up(host: ModelHost) -> None:
    """What the first UMAP would wait for; after the model, which people wait for first."""
    if host.wait():
        projection.warm_up()


def _status(host: ModelHost, say: Words) -> str:
    if host.problem:
        return cards.notice(host.problem, kind="error")
    if host.is_loading:
        stage = f"\u2068{host.stage}\u2069"  # in English, so its direction is kept apart from the page's
        return cards.notice(say("status_loading", stage=stage), kind="wait", seconds=host.seconds)
    engine = host.engine
    loaded = ", ".join(engine.adapters.names) or say("none")
    dtype = str(engine.base.dtype).removeprefix("torch.")
    ready = say("status_ready", base=host.base, dtype=dtype, device=engine.base.device, adapters=loaded)
    return cards.notice(ready) + _served(host, say)


def _served(host: ModelHost, say: Words) -> str:
    """Who answers, where it is not the base that is loaded."""
    if host.served is None:
        return ""
    models = ", ".join(f"{variant} = {model}" for variant, model in host.served.models.items())
    return cards.notice(say("status_served", url=host.served.url, models=models))


def _footer(host: ModelHost, say: Words) -> str:
    licence = f" {embedded.LICENCE_NOTE}" if host.base == embedded.NAME else ""
    return say("footer", method=_METHOD) + licence
