"""Pictures of every tab on the embedded base: `python docs/screenshots.py` writes them to docs/screenshots/.

Needs the extras `embedded` and `test`, and Chromium (Debian: `apt-get install chromium fonts-noto-core`).
"""

from __future__ import annotations

import argparse
import io
import shutil
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from midalign_demo import bases
from midalign_demo.ui.demo import build
from midalign_demo.ui.host import ModelHost
from midalign_demo.ui.look import launch_options

WIDTHS = {1280: 900, 390: 844}  # pixels, with the height of such a screen
_PATIENCE = 180_000  # ms


def _answered(page: Page) -> None:
    page.wait_for_selector(".card[aria-busy=false]", timeout=_PATIENCE)


def _mapped(page: Page) -> None:
    page.wait_for_selector("#map-view .mm-plot .main-svg", timeout=_PATIENCE)
    page.locator("#map-view").get_by_label("Language", exact=True).select_option("Thai")
    page.locator("#map-view").get_by_label("Sentence", exact=True).select_option(index=3)


def _measured(page: Page) -> None:
    page.click("#layers-measure")
    page.wait_for_selector("#layers-curve .main-svg", timeout=_PATIENCE)
    page.wait_for_selector("#layers-after .main-svg", timeout=_PATIENCE)


def _tabled(page: Page) -> None:
    page.wait_for_selector("#results-plot .main-svg", timeout=_PATIENCE)


def _explained(page: Page) -> None:
    page.wait_for_selector("#about-figures svg:visible", timeout=_PATIENCE)


TABS: dict[str, tuple[str, Callable[[Page], None]]] = {
    "compare": ("Compare", _answered),
    "map": ("Embedding map", _mapped),
    "layers": ("Layers", _measured),
    "results": ("Results", _tabled),
    "about": ("About", _explained),
}


def open_tab(page: Page, name: str) -> None:
    """On a phone most tabs are in a menu."""
    page.wait_for_selector("button[role=tab]:visible", timeout=_PATIENCE)
    listed = page.locator(f"button[role=tab] >> text={name}")
    if listed.count():
        listed.click()
    else:
        page.click(".overflow-menu > button:visible")
        page.click(f".overflow-dropdown button >> text={name}")


def small(png: bytes) -> bytes:
    """The picture with 256 colours, a third of the bytes."""
    kept = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256).save(kept, "PNG", optimize=True)
    return kept.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "screenshots", metavar="FOLDER")
    parser.add_argument("--tabs", nargs="+", choices=TABS, default=list(TABS))
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)

    host = ModelHost(bases.DEFAULT)
    host.start()
    demo = build(host)
    _, url, _ = demo.queue().launch(prevent_thread_lock=True, quiet=True, **launch_options())
    host.wait()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name in args.tabs:
            title, ready = TABS[name]
            for width, height in WIDTHS.items():
                page = browser.new_page(viewport={"width": width, "height": height})
                page.goto(url)
                open_tab(page, title)
                ready(page)
                page.wait_for_timeout(1500)  # fonts and transitions
                path = args.output / f"{name}-{width}.png"
                path.write_bytes(small(page.screenshot(full_page=True)))
                print(path)
                page.close()
        browser.close()
    demo.close()


if __name__ == "__main__":
    main()
