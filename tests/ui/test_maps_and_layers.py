"""The tabs that show where sentences lie."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from midalign_demo import embedded, stored_map
from midalign_demo.errors import InputError
from midalign_demo.ui import corpora, words
from midalign_demo.ui.demo import build
from midalign_demo.ui.host import ModelHost
from midalign_demo.ui.look import launch_options
from midalign_demo.ui.map import MapTab
from midalign_demo.ui.store import EmbeddingStore

EVERY = [tag for _, tag in corpora.language_choices()]


def test_midaligns_own_sentences_can_be_narrowed_to_a_topic():
    everything = corpora.corpus_of(["en", "th"])
    travel = corpora.corpus_of(["en", "th"], "travel")
    assert 0 < len(travel["en"]) < len(everything["en"])
    assert set(travel["en"]) < set(everything["en"])
    assert corpora.topics().count("travel") == len(travel["en"])


def test_a_visitors_file_takes_their_place(tmp_path):
    path = tmp_path / "own.tsv"
    path.write_text("de\tsw\nGuten Tag\tHabari\n")
    assert corpora.corpus_of(["en", "th"], file=str(path)) == {"de": ["Guten Tag"], "sw": ["Habari"]}


@pytest.mark.parametrize(
    ("tags", "topic", "said"),
    [
        (["en"], "all", "languages: en given; at least two are needed"),
        ([], "all", "languages: none given"),
        (["en", "tlh"], "all", "tlh not in"),
        (["en", "de"], "poetry", "topic: 'poetry' is not one of all, everyday"),
        ("en", "all", "languages: give a list of tags"),
        ([["en"], {}], "all", "languages: give a list of tags"),
        ([f"en-x-{number}" for number in range(61)], "all", "languages: 61 given; at most 60 are allowed"),
    ],
)
def test_what_can_not_be_looked_at_is_named(tags, topic, said):
    with pytest.raises(InputError, match=said):
        corpora.corpus_of(tags, topic)


def test_too_many_sentences_are_refused(tmp_path):
    path = tmp_path / "long.tsv"
    path.write_text("de\ten\n" + "ja\tyes\n" * (corpora.MOST_SENTENCES // 2 + 1))
    with pytest.raises(InputError, match=f"at most {corpora.MOST_SENTENCES} are allowed"):
        corpora.corpus_of([], file=str(path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("de\ten\nja\t" + "x" * 1001, "^sentences: number 1 in 'en' has 1001 characters; at most 1000 are allowed"),
        ("de\ten\n" + "x" * 5_000_000, "^own.tsv: the file has 5,000,006 bytes, at most 5,000,000 are allowed"),
        ("\t".join(f"en-x-{number}" for number in range(61)) + "\n" + "a\t" * 61, "^languages: 61 given; at most 60"),
        ("de\ten\nja\n", "^parallel text: line 2 of own.tsv has no text in 'en'"),
    ],
)
def test_what_is_wrong_with_a_visitors_file_is_said_without_the_place_it_lies_in(tmp_path, text, said):
    path = tmp_path / "own.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        corpora.corpus_of([], file=str(path))
    assert str(tmp_path) not in str(caught.value)


def test_sentences_are_without_what_is_no_text(tmp_path):
    path = tmp_path / "own.tsv"
    path.write_text("de\ten\nja\x07\t\x1b[31myes\n")
    assert corpora.corpus_of([], file=str(path)) == {"de": ["ja "], "en": [" [31myes"]}
    assert corpora.typed_sentences("de: ja \ud800\n\u200b\nde: \u200b\n")[0] == ("de", "ja \N{REPLACEMENT CHARACTER}")
    assert corpora.typed_sentences("\u200b\n\x00\n") == []
    with pytest.raises(InputError, match="your sentences: give one string"):
        corpora.typed_sentences(["a"])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("de: Guten Morgen", ("de", "Guten Morgen")),
        ("  zh-hant :  早安 ", ("zh-Hant", "早安")),
        ("PS: where is the next railway station?", ("en", "PS: where is the next railway station?")),
        ("No: the next railway station is not here.", ("en", "No: the next railway station is not here.")),
        ("Wo ist der nächste Bahnhof, bitte?", ("de", "Wo ist der nächste Bahnhof, bitte?")),
        ("Re: where is the next railway station?", ("en", "Re: where is the next railway station?")),
        ("xy: where is the next railway station?", ("en", "xy: where is the next railway station?")),
    ],
)
def test_typed_sentences_have_a_language_given_or_guessed(line, expected):
    assert corpora.typed_sentences(f"\n{line}\n\n") == [expected]


def test_there_are_limits_to_what_is_typed():
    assert corpora.typed_sentences(" \n") == []
    with pytest.raises(InputError, match="your sentences: 41 lines; at most 40 are allowed"):
        corpora.typed_sentences("en: a\n" * 41)
    with pytest.raises(InputError, match="line 2 has 301 characters; at most 300"):
        corpora.typed_sentences("a\n" + "x" * 301)


def test_the_store_gives_what_embedding_gives_and_embeds_once(engine):
    from midalign_demo.middle import embed

    store, seen = EmbeddingStore(), []
    corpus = {"en": ["one", "two"], "de": ["eins", "zwei"]}
    for _ in range(2):
        found = store.get(engine, corpus, {"align": 1}, progress=lambda done, n: seen.append(n))
    with engine.adapters.under({"align": 1}):
        expected = embed(engine.base, ["one", "two", "eins", "zwei"], layers=[0, 2, 4])
    for layer, rows in expected.items():
        np.testing.assert_allclose(found[layer], rows, rtol=1e-4, atol=1e-5)
    assert set(seen) == {4}
    assert len(seen) == 1
    more = store.get(engine, {"sw": ["moja", "mbili"], **corpus}, {"align": 1}, progress=lambda _, n: seen.append(n))
    assert seen[-1] == 2  # Swahili alone was missing
    np.testing.assert_array_equal(more[2][2:], found[2])
    assert np.abs(store.get(engine, corpus, {})[2] - found[2]).max() > 0.01


def test_the_store_embeds_no_higher_than_asked_and_looks_ahead(engine):
    store, corpus, seen = EmbeddingStore(), {"en": ["one", "two"], "de": ["eins", "zwei"]}, []

    def get(layers):
        return store.get(engine, corpus, {"align": 1}, layers=layers, progress=lambda done, n: seen.append(n))

    assert (list(get([2])), list(get([1, 0]))) == ([2], [1, 0])
    assert len(seen) == 1
    store.look_ahead(engine, corpus, [{"align": 1}])
    _end_of("look-ahead")
    assert list(get(None)) == [0, 1, 2, 3, 4]
    assert len(seen) == 1


def test_the_store_takes_in_what_was_embedded_elsewhere(engine):
    store, seen = EmbeddingStore(), []
    rows = np.ones((2, 3), dtype=np.float32)
    store.put(["one", "two"], {"align": 1.0}, 2, rows)
    got = store.get(engine, {"en": ["one", "two"]}, {"align": 1}, layers=[2], progress=lambda *of: seen.append(of))
    np.testing.assert_array_equal(got[2], rows)
    assert seen == []
    store.get(engine, {"en": ["one", "two"]}, {"align": 1}, layers=[1], progress=lambda *of: seen.append(of))
    assert len(seen) == 1


def test_a_look_at_a_lower_layer_leaves_the_higher_ones_there(engine):
    store, corpus, seen = EmbeddingStore(), {"en": ["one", "two"]}, []

    def progress(done, n):
        seen.append((done, n))

    higher = store.get(engine, corpus, {}, layers=[3])[3]
    store.put(corpus["en"], {"align": 1.0}, 3, higher)
    store.get(engine, corpus, {"align": 1.0}, layers=[1])
    np.testing.assert_array_equal(store.get(engine, corpus, {"align": 1.0}, layers=[3], progress=progress)[3], higher)
    assert seen == []


def test_long_texts_are_not_looked_ahead_in(engine, monkeypatch):
    store = EmbeddingStore()
    monkeypatch.setattr(store, "get", lambda *arguments: pytest.fail("the model was asked"))
    store.look_ahead(engine, {"en": ["one"] * 101}, [{}])
    assert not [thread for thread in threading.enumerate() if thread.name == "look-ahead"]


def test_whoever_asks_ends_what_is_computed_ahead(engine, monkeypatch):
    store, began, asked = EmbeddingStore(), threading.Event(), []

    def get(engine, corpus, weights, **options):
        asked.append(list(corpus))
        began.set()
        time.sleep(0.2)

    with monkeypatch.context() as patch:
        patch.setattr(store, "get", get)
        store.look_ahead(engine, {"en": ["one"], "de": ["eins"], "sw": ["moja"]}, [{}, {"align": 1}])
        assert began.wait(10)
        for _ in store.get_each(engine, {"th": ["one"]}, [{}]):
            pass
        _end_of("look-ahead")
    assert asked == [["en"], ["th"]]


def _end_of(name: str) -> None:
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(10)


def test_the_store_forgets_what_was_used_longest_ago(engine):
    one = sum(rows.nbytes for rows in EmbeddingStore().get(engine, {"en": ["one"]}, {}).values())
    store = EmbeddingStore(most_bytes=2 * one)
    for tag, line in (("en", "one"), ("de", "eins"), ("en", "one"), ("sw", "moja")):
        store.get(engine, {tag: [line]}, {})
    seen = []
    store.get(engine, {"en": ["one"], "sw": ["moja"]}, {}, progress=lambda done, n: seen.append(n))
    assert seen == []
    store.get(engine, {"de": ["eins"]}, {}, progress=lambda done, n: seen.append(n))
    assert seen == [1]


def test_the_map_endpoint_gives_points_and_what_was_measured(client):
    made = client.predict(languages=["en", "de", "ar"], topic="commands", api_name="/embedding_map")
    n = corpora.topics().count("commands")
    assert made["languages"] == ["en", "de", "ar"]
    assert [part["label"] for part in made["slices"]] == ["base", "align"]
    assert all(len(part["coordinates"]) == 3 * n for part in made["slices"])
    steps = client.predict(languages=["en", "de"], topic="commands", show="strength", api_name="/embedding_map")
    assert [part["label"] for part in steps["slices"]][::4] == ["align x 0", "align x 1"]


def test_the_map_endpoint_shows_sentences_of_the_callers(client):
    made = client.predict(languages=["en", "de"], sentences="sw: Habari\nGood morning", api_name="/embedding_map")
    assert made["sentences"][-2:] == ["Habari", "Good morning"]
    assert [made["languages"][number] for number in made["language"][-2:]] == ["sw", "en"]
    assert (made["added"], len(made["slices"][0]["coordinates"])) == (2, 98)


def test_the_layers_endpoint_has_the_form_of_the_command(client):
    made = client.predict(languages=["en", "de"], variants=["base"], api_name="/layer_curve")
    assert (made["n"], made["languages"]) == (len(corpora.topics()), ["en", "de"])
    assert list(made["variants"]["base"]["layers"]) == ["0", "1", "2", "3", "4"]
    assert 0 <= made["variants"]["base"]["layers"]["2"]["pairs"]["en-de"] <= 1


@pytest.mark.parametrize(
    ("endpoint", "arguments", "said"),
    [
        ("/embedding_map", {"layer": 9}, "9 is not a layer"),
        ("/embedding_map", {"variants": ["joint"]}, "'joint' has no adapter"),
        ("/embedding_map", {"method": "tsne"}, "'tsne' is not one of umap, pca"),
        ("/embedding_map", {"show": "all"}, "'all' is not one of variants, strength, layers"),
        ("/embedding_map", {"sentences": "x" * 400}, "line 1 has 400 characters; at most 300"),
        ("/embedding_map", {"show": "layers", "method": "umap", "languages": EVERY}, "Choose PCA, or fewer"),
        ("/layer_curve", {"languages": ["en"]}, "at least two"),
        ("/layer_curve", {"score": "best"}, "'best' is not one of"),
    ],
)
def test_bad_input_to_the_endpoints_is_named(client, endpoint, arguments, said):
    with pytest.raises(Exception, match=said):
        client.predict(**arguments, api_name=endpoint)


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_a_visitor_draws_a_map_and_looks_at_another_layer(open_page, width):
    page = open_page(width)
    page.click("button[role=tab] >> text=Embedding map")
    page.click("#map-draw")
    page.wait_for_selector("#map-view .mm-plot .main-svg", timeout=60_000)
    cells = page.locator("#map-view .mm-table tbody td")
    assert (cells.nth(0).inner_text(), page.locator("#map-view .mm-table tbody tr").count()) == ("2", 2)
    assert "translation found" in page.locator("#map-view .mm-plot").inner_text()
    page.locator("#map-view").get_by_label("Sentence", exact=True).select_option(index=1)
    assert page.locator("#map-view .mm-panel li").count() == 10
    page.fill("#map-layer input[type=number]", "4")
    page.press("#map-layer input[type=number]", "Enter")
    page.click("#map-draw")
    page.wait_for_function("document.querySelector('.mm-table tbody td')?.innerText == '4'", timeout=60_000)
    assert page.locator("#map-view .mm-panel li").count() == 10  # what was chosen stays chosen


@pytest.mark.browser
def test_a_visitors_own_sentences_join_the_map_and_stay_text(open_page):
    page = open_page()
    page.click("button[role=tab] >> text=Embedding map")
    page.click("#map-own >> text=Your own sentences")
    page.wait_for_selector("#map-typed textarea:visible")
    page.wait_for_timeout(500)  # Gradio sets an opened part's values a moment after it shows them
    page.fill("#map-typed textarea", "de: Guten Morgen <img src=x onerror=window.evil=1></script>")
    page.click("#map-draw")
    page.wait_for_selector("#map-view .mm-legend >> text=your sentences", timeout=60_000)
    page.locator("#map-view").get_by_label("Language", exact=True).select_option("German")
    page.locator("#map-view").get_by_label("Sentence", exact=True).select_option(index=49)
    assert page.locator(".mm-chosen").inner_text().startswith("German · your sentence\nGuten Morgen <img src=x")
    with page.expect_download() as download:
        page.click(".mm-downloads >> text=HTML")
    saved = page.context.browser.new_page()
    saved.set_content(Path(download.value.path()).read_text(encoding="utf-8"))
    saved.wait_for_selector(".mm-plot .main-svg", timeout=60_000)
    assert saved.locator(".mm-legend >> text=your sentences").count() == 1
    for tab in (page, saved):
        assert tab.evaluate("window.evil") is None
    page.fill("#map-typed textarea", "a\n" * (corpora.MOST_ADDED + 1))
    page.click("#map-draw")
    page.wait_for_selector(f"#map-said >> text=at most {corpora.MOST_ADDED} are allowed", timeout=60_000)


@pytest.mark.browser
def test_layers_play_in_the_app(open_page):
    page = open_page()
    page.click("button[role=tab] >> text=Embedding map")
    page.click("#map-show >> text=Layer by layer")
    page.wait_for_selector("#map-view .mm-play:visible", timeout=60_000)
    page.click("#map-view .mm-play")
    page.wait_for_function("document.querySelector('.mm-steps output').innerText === 'layer 4'", timeout=60_000)
    page.wait_for_selector("#map-view .mm-plot >> text=align, layer 4")  # once it has moved there


@pytest.mark.browser
def test_the_stored_map_is_there_before_the_model(browser):
    """Nothing loads this host: the map is not computed."""
    host = ModelHost(embedded.NAME)
    demo = build(host)
    _, url, _ = demo.queue().launch(prevent_thread_lock=True, quiet=True, **launch_options())
    page = browser.new_page()
    page.goto(url)
    page.click("button[role=tab] >> text=Embedding map")
    page.wait_for_selector("#map-view .mm-plot .main-svg", timeout=60_000)
    note = page.locator("#map-view .mm-note").inner_text()
    page.close()
    demo.close()
    assert note.startswith("Stored map of ")
    assert stored_map.COMMAND in note


def test_another_adapter_has_no_stored_map(adapter_folders):
    with gr.Blocks():
        ours = MapTab(ModelHost(embedded.NAME), EmbeddingStore())
        other = MapTab(ModelHost(embedded.NAME, sources={"align": str(adapter_folders["align"])}), EmbeddingStore())
        base = MapTab(ModelHost("another/base"), EmbeddingStore())
    assert len(ours.first_map()) > 10_000
    assert (other.first_map(), base.first_map()) == ("", "")


def test_the_stored_map_has_the_visitors_words():
    with gr.Blocks():
        tab = MapTab(ModelHost(embedded.NAME), EmbeddingStore())
    for tag, direction in (("ar", "rtl"), ("de", "ltr"), ("ar", "rtl")):
        say = words.Words(tag)
        made = json.loads(tab.first_map(say))
        assert made["note"].startswith(words.tables()[tag]["draw_stored"].partition("{")[0])
        assert made["words"] == say.of_map
        assert (made["lang"], made["dir"]) == (tag, direction)
    assert json.loads(tab.first_map())["note"].startswith("Stored map of ")


@pytest.mark.browser
@pytest.mark.parametrize(
    ("locale", "tag", "direction"), [("de-DE", "de", "ltr"), ("ar-EG", "ar", "rtl"), ("sw-KE", "sw", "ltr")]
)
def test_maps_and_layers_speak_the_visitors_language(open_page, open_tab, locale, tag, direction):
    page = open_page(1280, locale=locale)
    say, table = words.Words(tag), words.tables()[tag]
    open_tab(page, say("tab_map"))
    page.click(f"#map-draw >> text={say('draw')}")
    page.wait_for_selector("#map-view .mm-plot .main-svg", timeout=60_000)
    assert say("map_click") in page.inner_text("#map-view .mm-panel")
    assert table["map_found"].split()[0] in page.inner_text("#map-view .mm-plot")
    assert say("draw_layout") in page.inner_text("#map-method")
    assert say("map_look_layers") in page.inner_text("#map-show")
    assert page.get_attribute("#map-view .mm", "dir") == direction
    for part in ("#map-show", "#map-view .mm-panel"):
        assert page.evaluate("part => getComputedStyle(document.querySelector(part)).direction", part) == direction
    assert page.evaluate("getComputedStyle(document.querySelector('#map-view .mm-plot')).direction") == "ltr"
    page.wait_for_selector(f"#status >> text={table['status_ready'].partition('{')[0]}")
    page.wait_for_selector(f"#about >> text={table['footer'].partition('{')[0]}")
    open_tab(page, say("tab_layers"))
    page.click(f"#layers-measure >> text={say('layers_measure')}")
    page.wait_for_selector(f"#layers-above-after >> text={table['map_found'].split()[0]}", timeout=60_000)
    assert say("layers_by_layer") in page.inner_text("#layers-table")
    open_tab(page, say("tab_results"))
    page.wait_for_selector(f"#results-groups >> text={say('results_groups')}")
    assert say("task_slots") in page.inner_text("#results-task")


@pytest.mark.browser
def test_a_visitor_measures_the_layers(open_page):
    page = open_page()
    page.click("button[role=tab] >> text=Layers")
    page.click("#layers-measure")
    page.wait_for_selector("#layers-curve .main-svg", timeout=60_000)
    page.wait_for_selector("#layers-after .main-svg", timeout=60_000)
    assert "By layer" in page.locator("#layers-table").inner_text()
    page.fill("#layers-layer input[type=number]", "3")
    page.press("#layers-layer input[type=number]", "Enter")
    page.wait_for_selector("#layers-above-after >> text=align, layer 3", timeout=60_000)
    page.click("#layers-pairs summary")
    heads = page.locator("#layers-pairs table").first.locator("thead th")
    assert heads.nth(1).inner_text() == "ar"  # Arabic script comes first
    page.click("#layers-order input")
    page.click('[role=option] >> text="Name"')
    page.wait_for_function(
        "document.querySelectorAll('#layers-pairs thead th')[1].textContent === 'am'", timeout=60_000
    )
