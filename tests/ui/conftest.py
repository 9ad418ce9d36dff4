"""The app as its users meet it: over HTTP, and in a browser. The model is a tiny random one."""

from __future__ import annotations

import os
import shutil

import pytest

from midalign_demo import tables
from midalign_demo.ui.demo import build
from midalign_demo.ui.host import ModelHost
from midalign_demo.ui.look import launch_options
from tests import made_tables

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def app_url(base_folder, adapter_folders, tmp_path_factory):
    sources = {role: str(folder) for role, folder in adapter_folders.items()}
    host = ModelHost(str(base_folder), sources=sources, dtype="float32", device="cpu")
    results = tmp_path_factory.mktemp("results")
    for table in (made_tables.retrieval(), made_tables.slots()):
        tables.write(table, results)
    demo = build(host, results=results)
    _, url, _ = demo.queue().launch(prevent_thread_lock=True, quiet=True, **launch_options())
    host.start()  # after the page is up, as with a large model
    yield url
    demo.close()


@pytest.fixture(scope="session")
def client(app_url):
    from gradio_client import Client

    return Client(app_url, verbose=False)


@pytest.fixture(scope="session")
def browser():
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        if os.environ.get("MIDALIGN_REQUIRE_BROWSER"):
            pytest.fail("MIDALIGN_REQUIRE_BROWSER is set, and there is no Chromium")
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, app_url):
    """Opens the page at a width; at the end nothing may have failed in it.

    Also with a query, in a browser of another language, or another app's page.
    """
    opened = []

    def open_at(width: int = 1280, query: str = "", locale: str = "en-US", url: str = app_url):
        page = browser.new_page(viewport={"width": width, "height": 900}, locale=locale)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"{url}?{query}" if query else url)
        opened.append((page, problems, width))
        return page

    yield open_at
    for page, problems, width in opened:
        wide = page.evaluate("document.documentElement.scrollWidth")
        page.close()
        assert problems == []
        assert wide <= width


@pytest.fixture
def open_tab():
    """Opens one of a page's tabs; on a phone most are in a menu."""

    def open_named(page, name: str) -> None:
        page.wait_for_selector("button[role=tab]:visible", timeout=60_000)
        menu = page.locator(".overflow-menu > button:visible")
        listed = page.locator(f"button[role=tab] >> text={name}")
        if listed.count() == 0 and menu.count():
            menu.click()
            page.click(f".overflow-dropdown button >> text={name}")
        else:
            listed.click()

    return open_named
