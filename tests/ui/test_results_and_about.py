"""The tabs that show what was measured, and what all this is."""

from __future__ import annotations

import dataclasses
import re
from html import unescape
from importlib.resources import files
from xml.etree import ElementTree

import gradio as gr
import pytest

from midalign_demo import adapters, embedded, provenance, tables
from midalign_demo.ui import about, result_tables
from midalign_demo.ui.results import ResultsTab
from tests import made_tables

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def tab(tmp_path):
    for table in (made_tables.retrieval(), made_tables.slots()):
        tables.write(table, tmp_path)
    with gr.Blocks():
        return ResultsTab(tmp_path)


def shown(tab, name, **changes):
    opened = tab._opened(name)
    filters = ("variants", "groups", "scripts", "rows", "metric", "layer")
    values = {key: opened[key]["value"] for key in filters}
    return tab._shown(name, **{**values, **changes})


def test_a_table_opens_with_everything_in_it(tab):
    said, plot, frame, curve, notes = shown(tab, "made-slots")
    assert (said, curve) == ("", None)
    assert [trace.name for trace in plot.data] == ["task", "merged"]
    assert frame["headers"] == ["language", "variant", "f1", "from", "to", "n", "group", "script"]
    assert frame["data"][0] == ["all examples", "task", 0.5, 0.375, 0.625, 12, "", ""]
    assert frame["data"][-1] == ["Swahili", "merged", 0.375, 0.25, 0.5, 4, "transfer", "Latin"]
    assert "merged − task</th><td>−0.013</td><td>−0.050 to +0.025</td><td>0.40</td>" in notes
    assert "Mean f1 of the 3 languages shown" in notes


@pytest.mark.parametrize(
    ("filters", "languages"),
    [
        ({"groups": ["aligned", "transfer"]}, {"Russian", "Swahili"}),
        ({"scripts": ["Cyrillic"]}, {"Russian"}),
        ({"rows": ["en", "sw"]}, {"English", "Swahili"}),
        ({"rows": ["en", "sw"], "groups": ["transfer"]}, {"Swahili"}),
    ],
)
def test_filters_leave_the_languages_asked_for(tab, filters, languages):
    _, _, frame, _, _ = shown(tab, "made-slots", **filters)
    assert {line[0] for line in frame["data"]} == languages | {"all examples"}


def test_a_variant_can_be_left_out(tab):
    _, plot, frame, _, notes = shown(tab, "made-slots", variants=["merged"], metric="precision")
    assert [trace.name for trace in plot.data] == ["merged"]
    assert {line[1] for line in frame["data"]} == {"merged"}
    assert "merged − task" not in notes


@pytest.mark.parametrize("filters", [{"variants": []}, {"groups": []}, {"groups": ["aligned"], "rows": ["sw"]}])
def test_filters_that_leave_nothing_say_so(tab, filters):
    said, *rest = shown(tab, "made-slots", **filters)
    assert "Nothing is left to show" in said
    assert rest == [None, None, None, ""]


def test_only_layers_that_a_table_holds_are_offered(tab):
    offered = tab._opened("made-retrieval")["layer"]
    assert offered["choices"] == tab._tables["made-retrieval"].layers
    for layer in offered["choices"]:
        _, plot, *_ = shown(tab, "made-retrieval", layer=layer)
        assert f"layer {layer}" in plot.layout.xaxis.title.text
    assert tab._opened("made-slots")["layer"] == {"choices": [], "value": None, "visible": False}


def test_retrieval_opens_at_its_best_layer_with_a_curve_and_its_numbers(tab):
    said, plot, frame, curve, notes = shown(tab, "made-retrieval")
    assert said == ""
    assert "layer 1" in plot.layout.xaxis.title.text
    assert frame["headers"] == ["pair", "base", "align", "languages", "groups"]
    assert frame["data"][0] == ["en-de", 0.6, 0.85, "English – German", "aligned – aligned"]
    assert {trace.legendgroup for trace in curve.data} == {"base", "align"}
    assert "<tr><th scope='row'>1</th><td>0.500</td><td>0.500</td><td>0.750</td><td>0.750</td></tr>" in notes


def test_retrieval_of_some_languages_keeps_english_beside_them(tab):
    _, plot, frame, curve, _ = shown(tab, "made-retrieval", groups=["transfer"], variants=["align"], layer=2)
    assert [line[0] for line in frame["data"]] == ["en-sw", "en-sr-Latn", "sw-sr-Latn"]
    assert frame["headers"][1] == "align"
    assert {trace.legendgroup for trace in curve.data} == {"align"}
    assert plot.data[0].x == (0.5, 0.4)  # Serbian, Swahili
    assert "Nothing is left" in shown(tab, "made-retrieval", rows=["en"])[0]


def test_a_table_says_where_it_comes_from():
    html = result_tables.source(made_tables.slots())
    assert "Made-up data</b> (CC0 1.0): lines 1-4. No adapter was trained or tuned on this text." in html
    assert "slot-filling × 1 + align × 0.3" in html
    assert "ab" * 32 in html


def test_words_of_a_table_are_shown_and_never_run():
    made = made_tables.slots()
    table = dataclasses.replace(made, data={**made.data, "name": EVIL}, adapters=[{"name": EVIL, "sha256": EVIL}])
    html = result_tables.source(table)
    assert EVIL not in html
    assert EVIL in unescape(html)


def test_a_folder_without_tables_says_how_to_make_them(tmp_path):
    with gr.Blocks() as page:
        ResultsTab(tmp_path)
    said = " ".join(str(part.get("props", {}).get("value")) for part in page.config["components"])
    assert f"midalign results --data DATA --output {tmp_path}" in said


def test_a_damaged_table_is_named_and_the_others_are_shown(tmp_path):
    tables.write(made_tables.slots(), tmp_path)
    (tmp_path / "broken.json").write_text("{}")
    with gr.Blocks() as page:
        ResultsTab(tmp_path)
    values = [str(part.get("props", {}).get("value")) for part in page.config["components"]]
    assert any("broken.json is not a table" in value for value in values)
    assert made_tables.slots().command in values


@pytest.mark.parametrize("name", ["method-training.svg", "method-merging.svg"])
def test_the_drawings_can_be_read_out(name):
    root = ElementTree.fromstring((files("midalign_demo") / "ui" / name).read_text(encoding="utf-8"))
    svg = "{http://www.w3.org/2000/svg}"
    named = [root.find(f"{svg}{part}").get("id") for part in ("title", "desc")]
    assert root.get("role") == "img"
    assert root.get("aria-labelledby").split() == named
    assert f"layers 1 to {embedded.MIDDLE_LAYER}" in re.sub(r"\s+", " ", root.find(f"{svg}desc").text)


def test_about_names_the_terms_of_base_and_data():
    html = unescape(about._terms())
    assert embedded.LICENCE_NOTE.partition("https")[0] in html
    for name in adapters.shipped():
        for note in provenance.training_of(name).notes:
            assert note in html


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_a_visitor_looks_at_the_results(open_page, open_tab, width):
    page = open_page(width)
    open_tab(page, "Results")
    page.wait_for_selector("#results-plot .main-svg", timeout=60_000)
    assert made_tables.retrieval().command in page.inner_text("#results-command")
    page.click("#results-task >> text=Slot filling")
    page.wait_for_function(
        "command => document.querySelector('#results-command').innerText.includes(command)",
        arg=made_tables.slots().command,
    )
    page.wait_for_selector("#results-plot >> text=Swahili")
    page.click("#results-groups >> text=transfer")
    page.wait_for_selector("#results-plot >> text=Swahili", state="detached")
    page.wait_for_selector("#results-plot >> text=Russian")
    page.wait_for_function("!document.querySelector('#results-frame').innerText.includes('Swahili')")
    assert "Mean f1 of the 2 languages shown" in page.inner_text("#results-notes")


@pytest.mark.browser
def test_a_table_is_sorted_by_a_column(open_page, open_tab):
    page = open_page()
    open_tab(page, "Results")
    first = "document.querySelector('#results-frame .virtual-row')?.innerText"
    page.wait_for_function(f"{first}?.includes('en-de')", timeout=60_000)
    page.hover("#results-frame th[title=base]")
    # Not a click: a page that still settles moves away under the pointer, and the button is there only under it.
    page.dispatch_event("#results-frame th[title=base] .cell-menu-button", "click")
    page.click("[role=menu] >> text=Sort ascending")
    page.wait_for_function(f"{first}.includes('en-sw')")  # the lowest


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_a_visitor_reads_what_this_is(open_page, open_tab, width):
    page = open_page(width)
    open_tab(page, "About")
    page.wait_for_selector("#about-figures svg:visible", timeout=60_000)
    assert page.locator("#about-figures svg:visible").count() == 2
    boxes = [box.bounding_box() for box in page.locator("#about-figures svg").all()]
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
    assert "NTREX-128" in page.inner_text("#about-terms")
