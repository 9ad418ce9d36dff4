"""Every tab against axe-core's rules (https://github.com/dequelabs/axe-core)."""

from __future__ import annotations

import pytest

# What a tab shows once it is there.
TABS = {
    "Compare": "#command textarea:visible",
    "Embedding map": "#map-view .mm-plot .main-svg",
    "Layers": "#layers-curve .main-svg",
    "Results": "#results-plot .main-svg",
    "About": "#about-figures svg:visible",
}
MAKES = {"Embedding map": "#map-draw", "Layers": "#layers-measure"}  # buttons that fill a tab


def serious(page) -> list[str]:
    """The serious and critical violations, at their first elements."""
    from axe_playwright_python.sync_playwright import Axe

    page.mouse.move(0, 0)
    page.wait_for_timeout(500)  # colours that are on their way are nobody's
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:160]} {node['failureSummary']}"
        for one in found
        for node in one["nodes"][:4]
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("tab", TABS)
def test_no_tab_has_a_serious_violation(open_page, open_tab, tab, scheme):
    page = open_page(query="__theme=dark" if scheme == "dark" else "")
    open_tab(page, tab)
    if tab in MAKES:
        page.click(MAKES[tab])
    page.wait_for_selector(TABS[tab], timeout=60_000)
    assert serious(page) == []


@pytest.mark.browser
def test_an_answer_has_no_serious_violation(open_page):
    page = open_page()
    page.fill("#command textarea", "Wake me up tomorrow at seven")
    page.click("#run")
    page.wait_for_function("document.querySelectorAll('.card[aria-busy=false]').length == 3", timeout=60_000)
    assert serious(page) == []


@pytest.mark.browser
def test_axe_would_find_one(open_page):
    page = open_page()
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=\"data:,\" id=\"bare\">')")
    assert any("image-alt" in found for found in serious(page))
