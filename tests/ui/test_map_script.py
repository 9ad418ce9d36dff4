"""What runs in the browser, on the page that `midalign map` writes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from midalign_demo import pages
from midalign_demo.maps import EmbeddingMap, View, lay_out
from midalign_demo.ui import words

pytestmark = pytest.mark.browser

EVIL = "<img src=x onerror=window.evil=1><b>$x^2$</b>"
CORPUS = {"en": ["a cat", "a door", EVIL], "ru": ["кошка", "дверь", "дождь"], "ar": ["قطة", "باب", "مطر"]}
WEIGHTS = (0, 0.5, 1)


def made_map(dims: int = 2, show: str = "strength", labels=None) -> EmbeddingMap:
    random = np.random.default_rng(3)
    labels = labels or ([f"align x {weight:g}" for weight in WEIGHTS] if show == "strength" else ["base", "align"])
    views = [View(label, {}, 11) for label in labels]
    rows = [random.normal(size=(10, 6)) for _ in views]
    return lay_out(CORPUS, views, rows, method="pca", dims=dims, added=[("de", f"Guten Morgen {EVIL}")])


@pytest.fixture
def open_map(browser, tmp_path):
    """Opens a map's page without a network; at the end nothing may have failed in it, and no user's HTML have run.

    Also of a document without some of its parts.
    """
    opened = []

    def open_at(shown: EmbeddingMap, *, show: str = "strength", width: int = 1280, without=(), **options):
        target = tmp_path / "map.html"
        document = pages.map_document(shown, show=show, **options)
        kept = {key: part for key, part in document.items() if key not in without}
        target.write_text(pages.map_page(pages.as_json(kept)))
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, accept_downloads=True)
        page = context.new_page()
        page.set_default_timeout(60_000)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda line: line.type == "error" and problems.append(line.text))
        page.goto(target.as_uri(), wait_until="commit")
        page.wait_for_selector(".mm-plot .main-svg")
        opened.append((page, problems, width))
        return page

    yield open_at
    for page, problems, width in opened:
        wide = page.evaluate("document.documentElement.scrollWidth")
        ran = page.evaluate("window.evil") or page.locator(".mm img").count()
        page.context.close()
        assert problems == []
        assert wide <= width
        assert not ran


# Where a point is on the screen, and the panel's point there.
PLACE = """([panel, point]) => {
  const plot = document.querySelector('.mm-plot'), suffix = panel ? String(panel + 1) : '';
  const x = plot._fullLayout['xaxis' + suffix], y = plot._fullLayout['yaxis' + suffix];
  const frame = plot.getBoundingClientRect();
  const trace = plot.data.find((trace) => trace.xaxis === 'x' + suffix && trace.customdata?.includes(point));
  const at = trace.customdata.indexOf(point);
  return [frame.left + x._offset + x.l2p(trace.x[at]), frame.top + y._offset + y.l2p(trace.y[at])];
}"""
TRACES = "(meta) => document.querySelector('.mm-plot').data.filter((t) => t.meta === meta).map((t) => t.x)"


def test_a_click_lists_the_neighbours_and_marks_them_in_both_maps(open_map):
    shown = made_map()
    page = open_map(shown)
    assert page.evaluate(TRACES, "near 0") == [[], []]
    x, y = page.evaluate(PLACE, [1, 3])
    page.mouse.move(x, y)
    page.wait_for_selector(".mm-tip:visible")
    tip = page.locator(".mm-tip").inner_text()
    assert tip.startswith("Russian\nкошка\na cat")
    threads = page.evaluate(TRACES, "thread")
    assert [len([value for value in found if value is not None]) for found in threads] == [6, 6]  # three ends each
    page.mouse.click(x, y)
    page.wait_for_selector(".mm-panel li")
    lists = [items.locator("li").all_inner_texts() for items in page.locator(".mm-panel ol").all()]
    for part, found in zip((shown.slices[0], shown.slices[-1]), lists, strict=True):
        assert len(found) == 5
        for line, other, cosine in zip(found, part.neighbours[3], part.cosines[3], strict=True):
            assert abs(float(re.search(r"(\d+\.\d)°", line)[1]) - np.degrees(np.arccos(min(cosine, 1)))) < 0.06
            assert shown.sentences[other] in line
            assert ("✓" in line) == (shown.meaning[other] == 0)
    for at, part in enumerate((shown.slices[0], shown.slices[-1])):
        marked = page.evaluate(TRACES, f"near {at}")
        for panel, xs in zip((shown.slices[0], shown.slices[-1]), marked, strict=True):
            np.testing.assert_allclose(xs, panel.coordinates[part.neighbours[3], 0], atol=1e-3)


def test_sentences_can_be_chosen_without_a_pointer_and_neighbours_followed(open_map):
    page = open_map(made_map())
    page.get_by_label("Language", exact=True).select_option("Arabic")
    choice = page.get_by_label("Sentence", exact=True)
    assert choice.locator("option").all_inner_texts() == ["choose one", "قطة", "باب", "مطر"]
    choice.select_option("باب")
    assert "a door" in page.locator(".mm-chosen").inner_text()
    assert page.locator(".mm-chosen .mm-sentence").evaluate("node => getComputedStyle(node).direction") == "rtl"
    first = page.locator(".mm-panel li button").first
    followed = first.locator(".mm-sentence").inner_text()
    first.focus()
    page.keyboard.press("Enter")
    page.wait_for_function(
        "wanted => document.querySelector('.mm-chosen .mm-sentence').innerText === wanted", arg=followed
    )
    page.click(".mm-chosen button")
    assert page.locator(".mm-panel li").count() == 0


def test_play_goes_through_all_steps_and_ends(open_map):
    shown = made_map()
    page = open_map(shown)
    assert not page.locator(".mm-play").is_visible()
    page.click("button >> text=Alignment strength")
    slider = page.locator(".mm-steps input")
    assert (slider.input_value(), slider.get_attribute("max")) == ("0", "2")
    page.click(".mm-play")
    assert "Pause" in page.locator(".mm-play").inner_text()
    page.wait_for_function("document.querySelector('.mm-steps output').innerText === 'weight of align 1'")
    page.wait_for_function("document.querySelector('.mm-play').innerText.includes('Play')")
    drawn = page.evaluate("document.querySelector('.mm-plot').data.filter((t) => t.customdata).flatMap((t) => t.x)")
    np.testing.assert_allclose(sorted(drawn), sorted(shown.slices[-1].coordinates[:, 0]), atol=1e-3)
    assert "align x 1" in page.locator(".mm-plot").inner_text()
    slider.focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("document.querySelector('.mm-steps output').innerText === 'weight of align 0.5'")


def test_colours_and_filters_need_no_new_computation(open_map):
    shown = made_map(show="variants")
    page = open_map(shown, show="variants")
    names = page.locator(".mm-legend .mm-chip").all_inner_texts
    assert [name.strip()[2:] for name in names()] == ["English", "Russian", "Arabic", "your sentences"]
    both = (shown.slices[0].retrieval["all"], shown.slices[0].pairs["en-ru"])
    assert f"{both[0]:.2f} all pairs" in page.locator(".mm-plot").inner_text()
    page.get_by_role("checkbox", name="Arabic").uncheck()
    page.wait_for_function("document.querySelector('.mm-count').innerText.startsWith('7 of 10')")
    assert f"{both[1]:.2f} all pairs" in page.locator(".mm-plot").inner_text()
    assert page.locator(".mm-table tbody td").nth(2).inner_text() == f"{both[1]:.2f}"
    page.get_by_label("Colour by").select_option("script")
    assert [name.strip()[2:] for name in names()] == ["Latin", "Cyrillic", "Arabic", "your sentences"]
    page.get_by_label("Find").fill("ДВЕРЬ")
    page.wait_for_function("document.querySelector('.mm-count').innerText.endsWith('1 sentences match')")
    bright = (
        "document.querySelector('.mm-plot').data.filter((t) => t.name && t.xaxis == 'x').flatMap((t) => t.customdata)"
    )
    assert sorted(page.evaluate(bright)) == [1, 4]  # its translations; the Arabic one stays hidden


def fixed_texts(page) -> str:
    """What the map says when nothing has been done with it yet."""
    hints = page.locator(".mm [aria-label], .mm [placeholder]").evaluate_all(
        "found => found.map((one) => `${one.ariaLabel} ${one.placeholder}`)"
    )
    return " ".join([page.locator(".mm").inner_text(), *hints])


@pytest.mark.parametrize(("tag", "side"), [("de", "left"), ("ar", "right"), ("zh", "left")])
def test_a_map_speaks_the_language_of_its_words(open_map, tag, side):
    say = words.Words(tag)
    page = open_map(made_map(), width=390, words=say.of_map, lang=tag)
    said = fixed_texts(page)
    for key in ("map_find", "map_find_hint", "map_lines", "map_click", "map_choose", "map_download", "map_own_all",
                "map_head_nearest", "map_look_strength", "map_table"):  # fmt: skip
        assert say(key) in said, key
    assert say("map_show_by", colour=say("map_by_language")) in said
    assert say("map_shown", shown=10, all=10) in said
    assert say("map_panel", name="align", layer=11) in said
    page.locator("[data-look=strength]").click()
    assert say("map_play") in page.locator(".mm-play").inner_text()
    assert say("map_weight", name="align") in page.locator(".mm-steps output").inner_text()
    english = {text for key, text in pages.english().items() if len(text) > 12 and text not in say.of_map.values()}
    assert not [text for text in english if text in said]
    assert page.locator(".mm").get_attribute("lang") == tag
    assert page.evaluate("document.querySelector('.mm-plot')._fullLayout.annotations[0].xanchor") == side
    wide = page.evaluate(
        "Math.max(...[...document.querySelectorAll('.annotation-text')].map((t) => t.getBBox().width))"
    )
    assert wide <= page.evaluate("document.querySelector('.mm-plot').clientWidth")


def test_a_document_without_words_is_shown_in_english(open_map):
    page = open_map(made_map(), without=("words", "lang", "dir"))
    said = fixed_texts(page)
    for key in ("map_find_hint", "map_lines", "map_click", "map_head_all", "map_table"):
        assert pages.english()[key] in said, key
    assert "10 of 10 points shown" in said


def test_what_is_downloaded(open_map):
    shown = made_map()
    page = open_map(shown)
    found = {}
    for name in ("PNG", "JSON", "TSV"):
        with page.expect_download() as download:
            page.click(f".mm-downloads >> text={name}")
        found[name] = Path(download.value.path()).read_bytes()
    assert found["PNG"].startswith(b"\x89PNG")
    assert EmbeddingMap.from_dict(json.loads(found["JSON"])).sentences == shown.sentences
    head, *rows = [line.split("\t") for line in found["TSV"].decode().splitlines()]
    assert len(head) == 3 + 2 * 3
    assert [row[2] for row in rows] == shown.sentences


@pytest.mark.parametrize("dims", [2, 3])
def test_a_phone_shows_one_panel_below_the_other(open_map, dims):
    page = open_map(made_map(dims), width=390)
    edges = page.evaluate(
        "['', '2'].map((s) => { const l = document.querySelector('.mm-plot')._fullLayout;"
        " return (l['scene' + s]?.domain ?? {x: l['xaxis' + s].domain, y: l['yaxis' + s].domain}) })"
    )
    assert edges[0]["x"] == edges[1]["x"] == [0, 1]
    assert edges[1]["y"][1] < edges[0]["y"][0]
    page.get_by_label("Sentence", exact=True).select_option(index=1)
    assert page.locator(".mm-panel li").count() == 10
