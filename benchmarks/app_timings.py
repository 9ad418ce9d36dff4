"""Seconds from a click to what it shows in the app's tabs: `python -m benchmarks.app_timings [--json]`.

The embedded base is loaded first, and each first map is asked of an app that has embedded nothing yet: at
the middle layer it is drawn from stored embeddings, at any other layer it has to be computed. Needs the extras
`embedded` and `test`, and Chromium. Seconds depend on the machine; what limits them is in docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median

from playwright.sync_api import Browser, Page, sync_playwright

from midalign_demo import bases, projection
from midalign_demo.ui.demo import build
from midalign_demo.ui.host import ModelHost
from midalign_demo.ui.look import launch_options

_PATIENCE = 120_000  # ms
_LOOK = 45  # seconds in which a visitor looks at the first maps, and the app computes all layers


@contextmanager
def _map_tab(browser: Browser, host: ModelHost) -> Iterator[Page]:
    demo = build(host)
    _, url, _ = demo.queue().launch(prevent_thread_lock=True, quiet=True, **launch_options())
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(url)
    page.click("button[role=tab] >> text=Embedding map")
    page.wait_for_selector("#map-view .mm-plot .main-svg", timeout=_PATIENCE)  # the stored map
    yield page
    page.close()
    demo.close()


def _seconds_to_new_map(page: Page, what: str, act: Callable[[], None]) -> float:
    page.evaluate("document.querySelector('#map-view .mm').dataset.old = 1")
    begun = time.perf_counter()
    act()
    page.wait_for_selector("#map-view .mm:not([data-old]) .mm-plot .main-svg", timeout=_PATIENCE)
    seconds = time.perf_counter() - begun
    print(f"{what}: {seconds:.1f} s", file=sys.stderr)
    return seconds


def _draw_layer(page: Page, layer: int) -> None:
    page.fill("#map-layer input[type=number]", str(layer))
    page.press("#map-layer input[type=number]", "Enter")  # else the click comes before the number is taken over
    page.click("#map-draw")


def measure(browser: Browser, host: ModelHost) -> dict[str, float]:
    """Seconds by what was asked for."""
    with _map_tab(browser, host) as page:
        pca = _seconds_to_new_map(page, "first map, PCA", partial(page.click, "#map-draw"))
        computed = _seconds_to_new_map(page, "layer 8, at once", partial(_draw_layer, page, 8))
        time.sleep(_LOOK)
        later = [_seconds_to_new_map(page, f"layer {at}", partial(_draw_layer, page, at)) for at in (5, 14, 17, 2, 11)]
    with _map_tab(browser, host) as page:  # to choose a method is to draw
        method = "#map-method label:has(input):has-text('UMAP')"
        umap = _seconds_to_new_map(page, "first map, UMAP", partial(page.click, method))
    return {
        "first map, PCA": pca,
        "first map, UMAP": umap,
        "layer 8, at once": computed,
        f"any layer, {_LOOK} s later": median(later),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--json", action="store_true", help="one JSON document")
    args = parser.parse_args()
    host = ModelHost(bases.DEFAULT)
    host.start()
    host.wait()
    begun = time.perf_counter()
    projection.warm_up()
    print(f"UMAP compiled: {time.perf_counter() - begun:.1f} s", file=sys.stderr)
    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        seconds = measure(browser, host)
        browser.close()
    if args.json:
        print(json.dumps({name: round(value, 3) for name, value in seconds.items()}))
    else:
        for name, value in seconds.items():
            print(f"{name:24} {value:7.2f} s")


if __name__ == "__main__":
    main()
