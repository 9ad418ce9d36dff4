import json
import shutil

import numpy as np
import pytest

from midalign_demo import adapters, embedded, maps, stored_map
from midalign_demo.engine import open_engine
from midalign_demo.middle import embed
from midalign_demo.retrieval import retrieval_table
from midalign_demo.sentences import own_sentences
from midalign_demo.tasks import slot_filling


def test_the_stored_map_is_one_of_the_shipped_adapter_and_sentences():
    shown = stored_map.read()
    assert shown is not None, f"the shipped adapter or the sentences have changed: run `{stored_map.COMMAND}`"
    assert shown.sentences == [line for lines in own_sentences(shown.languages).values() for line in lines]
    assert len(shown.languages) >= 24
    assert [part.label for part in shown.slices] == [f"align x {weight:g}" for weight in maps.STRENGTHS]
    assert shown.slices[-1].retrieval["all"] > shown.slices[0].retrieval["all"]
    assert stored_map.path().stat().st_size < 1_000_000


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A stored map of two languages and a made-up adapter: its file, and the adapter's weights."""
    corpus = own_sentences(["en", "de"])
    shutil.copytree(adapters.locate("align"), tmp_path / "align")
    monkeypatch.setattr(stored_map, "ADAPTER", str(tmp_path / "align"))
    monkeypatch.setattr(stored_map, "path", lambda: tmp_path / "map.json")
    monkeypatch.setattr(stored_map, "LANGUAGES", ("en", "de"))
    rows = np.random.default_rng(0).normal(size=(96, 4))
    shown = maps.lay_out(corpus, [maps.View("align x 0", {}, 11)], [rows], method="pca")
    document = {"made_of": stored_map.checksums(corpus), "map": shown.to_dict()}
    stored_map.path().write_text(json.dumps(document))
    stored_map._write_embeddings({"base": rows, stored_map.ADAPTER: rows}, 11, stored_map.checksums(corpus))
    return tmp_path / "align" / "adapter_model.safetensors"


def test_the_stored_embeddings_are_those_of_the_map():
    shown, found = stored_map.read(), stored_map.read_embeddings()
    assert len(found) == 2 * len(shown.languages)
    assert {one.layer for one in found} == {shown.slices[0].layer}
    for part, weights in ((shown.slices[0], {}), (shown.slices[-1], {"align": 1.0})):
        own = [one for one in found if one.weights == weights]
        assert [line for one in own for line in one.sentences] == shown.sentences
        table = retrieval_table({tag: one.rows for tag, one in zip(shown.languages, own, strict=True)})
        assert table["all"] == pytest.approx(part.retrieval["all"], abs=0.002)  # stored with half the digits


@pytest.mark.base
def test_the_stored_embeddings_are_what_the_base_gives():
    engine = open_engine(embedded.NAME, slot_filling.NAME, variants=["align"], dtype="float32", device="cpu")
    found = stored_map.read_embeddings()
    for weights in ({}, {"align": 1.0}):
        one = next(one for one in found if one.weights == weights)
        with engine.adapters.under(weights):
            rows = embed(engine.base, one.sentences[:3], layers=[one.layer])[one.layer]
        np.testing.assert_allclose(one.rows[:3], rows, rtol=2e-3, atol=2e-3 * np.abs(rows).std())


def test_it_is_read_while_adapter_and_sentences_are_the_same(stored, monkeypatch):
    assert stored_map.read().languages == ["en", "de"]
    assert [one.rows.shape for one in stored_map.read_embeddings()] == [(48, 4)] * 4
    changed = {tag: [*lines[:-1], "Another."] for tag, lines in own_sentences(["en", "de"]).items()}
    monkeypatch.setattr(stored_map, "own_sentences", lambda tags: changed)
    assert stored_map.read() is None
    assert stored_map.read_embeddings() == []


def test_one_of_another_adapter_is_not_shown(stored):
    stored.write_bytes(stored.read_bytes() + b"x")
    assert stored_map.read() is None
    assert stored_map.read_embeddings() == []


def test_without_a_file_or_an_adapter_there_is_none(stored):
    shutil.rmtree(stored.parent)
    assert stored_map.read() is None
    assert stored_map.read_embeddings() == []
    stored_map.path().unlink()
    assert stored_map.read() is None
