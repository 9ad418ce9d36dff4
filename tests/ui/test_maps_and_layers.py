"""The tabs that show where sentences lie."""

from __future__ import annotations

import pytest

from midalign_demo.errors import InputError
from midalign_demo.ui import corpora
from midalign_demo.ui.store import EmbeddingStore


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


def test_the_store_gives_what_embedding_gives_and_embeds_once(engine):
    import numpy as np

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
    steps = client.predict(languages=["en", "de"], topic="commands", strength=True, api_name="/embedding_map")
    assert [part["label"] for part in steps["slices"]][::4] == ["align x 0", "align x 1"]


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
    page.wait_for_selector("#map-plot .main-svg", timeout=60_000)
    before = page.locator("#map-table td").nth(0).inner_text()
    page.wait_for_selector("#map-layer input[type=number]:visible")
    page.fill("#map-layer input[type=number]", "4")
    page.press("#map-layer input[type=number]", "Enter")
    page.click("#map-draw")
    page.wait_for_function(
        "before => document.querySelector('#map-table td')?.innerText != before", arg=before, timeout=60_000
    )
    assert page.locator("#map-table td").nth(0).inner_text() == "4"


@pytest.mark.browser
def test_a_visitor_measures_the_layers(open_page):
    page = open_page()
    page.click("button[role=tab] >> text=Layers")
    page.click("#layers-measure")
    page.wait_for_selector("#layers-curve .main-svg", timeout=60_000)
    page.wait_for_selector("#layers-after .main-svg", timeout=60_000)
    assert "By layer" in page.locator("#layers-table").inner_text()
