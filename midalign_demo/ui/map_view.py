"""The interactive map as a component of the page; `midalign_demo/assets/page/` has what runs in the browser."""

from __future__ import annotations

import json
from collections.abc import Callable

import gradio as gr

from midalign_demo import pages
from midalign_demo.ui import words
from midalign_demo.ui.words import Words

# Plotly is fetched from the app itself, when there is a map to draw; the page works without a network.
_START = """
let loading = null;
function plotly() {
  loading ??= new Promise((resolve, reject) => {
    const tag = document.createElement("script");
    tag.src = (window.gradio_config?.root ?? "") + "/gradio_api/file=" + PLOTLY;
    tag.onload = () => resolve(window.Plotly);
    tag.onerror = () => { loading = null; reject(new Error("plotly.js could not be loaded")); };
    document.head.append(tag);
  });
  return loading;
}
const page = async (text) => (await server.map_page()).replace(PLACEHOLDER, () => text);
const map = midalignMap(element.firstElementChild, { plotly, page });
const show = (text) => text && map.show(JSON.parse(text));
watch("value", () => show(props.value));
if (props.value) show(props.value);
else server.first_map().then((text) => props.value || show(text));
"""


def map_view(first: Callable[[Words], str], elem_id: str) -> gr.HTML:
    """A component whose value is a document of `midalign_demo.pages` as JSON.

    Args:
        first: what is shown until there is a value; asked when the component is first on screen, so that a page
            that opens on another tab need not carry it, with the visitor's words. An empty text for nothing.
    """
    gr.set_static_paths(pages.plotly_file())
    start = (
        f"const PLOTLY = {json.dumps(pages.plotly_file().as_posix())}, PLACEHOLDER = {json.dumps(pages.PLACEHOLDER)};"
    )

    # The script calls both by their names, and Gradio hands on an argument whether there is one or not.
    def map_page(_: object, request: gr.Request) -> str:
        say = words.of(request)
        return pages.map_page(words=say.of_map, lang=say.tag)

    def first_map(_: object, request: gr.Request) -> str:
        return first(words.of(request))

    return gr.HTML(
        "", html_template='<div class="map-root"></div>', apply_default_css=False, container=False, elem_id=elem_id,
        js_on_load=f"{pages.script()}\n{start}{_START}", server_functions=[map_page, first_map],
    )  # fmt: skip
