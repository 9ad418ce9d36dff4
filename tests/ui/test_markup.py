"""In a real browser: sentences that hold markup stay text on every tab."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser

EVIL = (
    '<img src=x onerror="window.evil=1"></script><script>window.evil=1</script> **bold** [a](javascript:window.evil=1) '
    "<b>$x^2$</b> {{ 7*7 }}"
)
AS_TEXT = '<img src=x onerror="window.evil=1"></script>'


def is_harmless(page) -> bool:
    """Nothing of it has run, and none of it has become an element."""
    made = page.locator("img[src='x'], a[href^='javascript:window'], b:text-is('$x^2$'), strong:text-is('bold')")
    return page.evaluate("window.evil") is None and made.count() == 0


@pytest.mark.parametrize("task", ["slot-filling", "translation", "json"])
def test_on_the_compare_tab(open_page, task):
    page = open_page(query=f"task={task}")
    page.wait_for_selector("#command textarea")
    page.wait_for_function(f"document.querySelector('#task input[value=\"{task}\"]').checked")
    page.wait_for_timeout(1000)  # what the link asks for is filled in once the page is up
    page.fill("#command textarea", EVIL)
    page.click("#run")
    page.wait_for_selector(".card .state, .notice.error", timeout=60_000)
    page.wait_for_selector(".card:not(.busy), .notice.error", timeout=60_000)
    page.wait_for_selector(".cards details summary", timeout=60_000)
    assert AS_TEXT in page.locator(".cards").text_content()  # the prompt is folded
    assert is_harmless(page)


def test_in_what_the_page_says_of_a_mistake(open_page):
    page = open_page()
    page.wait_for_selector("#language input")
    page.fill("#language input", AS_TEXT)
    page.keyboard.press("Enter")
    page.click("#run")
    page.wait_for_selector(".notice.error", timeout=60_000)
    assert "<img" in page.inner_text(".notice.error")
    assert is_harmless(page)


@pytest.fixture
def own_file(tmp_path):
    path = tmp_path / "own.tsv"
    path.write_text("de\ten\n" + f"{EVIL}\t{EVIL}\n" * 4)
    return path


def test_in_a_file_on_the_map_tab(open_page, open_tab, own_file):
    page = open_page()
    open_tab(page, "Embedding map")
    page.click("#map-own >> text=Your own sentences")
    page.set_input_files("#map-file input[type=file]", own_file)
    page.wait_for_selector("#map-file >> text=own.tsv")
    page.click("#map-draw")
    page.wait_for_function("document.querySelector('#map-view').textContent.includes('onerror')", timeout=60_000)
    page.locator("#map-view").get_by_label("Sentence", exact=True).select_option(index=1)
    assert AS_TEXT in page.locator(".mm-chosen").inner_text()
    assert is_harmless(page)


def test_in_a_file_on_the_layers_tab(open_page, open_tab, own_file):
    page = open_page()
    open_tab(page, "Layers")
    page.locator("text=Your own sentences").locator("visible=true").first.click()
    page.wait_for_selector("#layers-file:visible")
    page.wait_for_timeout(500)  # Gradio sets an opened part's values a moment after it shows them
    page.set_input_files("#layers-file input[type=file]", own_file)
    page.wait_for_selector("#layers-file >> text=own.tsv")
    page.click("#layers-measure")
    page.wait_for_selector("#layers-table table", state="attached", timeout=60_000)
    assert is_harmless(page)
