import json
import shutil

import numpy as np
import pytest

from midalign_demo import adapters, maps, stored_map
from midalign_demo.sentences import own_sentences


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
    rows = np.random.default_rng(0).normal(size=(96, 4))
    shown = maps.lay_out(corpus, [maps.View("align x 0", {}, 11)], [rows], method="pca")
    document = {"made_of": stored_map.checksums(corpus), "map": shown.to_dict()}
    stored_map.path().write_text(json.dumps(document))
    return tmp_path / "align" / "adapter_model.safetensors"


def test_it_is_read_while_adapter_and_sentences_are_the_same(stored, monkeypatch):
    assert stored_map.read().languages == ["en", "de"]
    changed = {tag: [*lines[:-1], "Another."] for tag, lines in own_sentences(["en", "de"]).items()}
    monkeypatch.setattr(stored_map, "own_sentences", lambda tags: changed)
    assert stored_map.read() is None


def test_one_of_another_adapter_is_not_shown(stored):
    stored.write_bytes(stored.read_bytes() + b"x")
    assert stored_map.read() is None


def test_without_a_file_or_an_adapter_there_is_none(stored):
    shutil.rmtree(stored.parent)
    assert stored_map.read() is None
    stored_map.path().unlink()
    assert stored_map.read() is None
