import numpy as np
import pytest
from huggingface_hub import ModelCard
from sentence_transformers import SentenceTransformer, util

from midalign_demo.adapters import AdapterSet
from midalign_demo.encoder import write_encoder
from midalign_demo.errors import InputError
from midalign_demo.middle import embed
from tests import tiny


@pytest.mark.parametrize("family", sorted(tiny.CONFIGS))
def test_sentence_transformers_gives_the_same_embeddings(family, load_base, sentences, tmp_path):
    base = load_base(family)
    folder = tmp_path / "encoder"
    assert write_encoder(AdapterSet(base), {}, folder, layer=2) == tiny.WIDTH
    found = SentenceTransformer(str(folder), device="cpu").encode(sentences)
    np.testing.assert_allclose(found, embed(base, sentences, layers=[2])[2], rtol=1e-4, atol=1e-5)


def test_adapters_are_part_of_it(base, adapter_folders, sentences, tmp_path):
    adapters = AdapterSet(base)
    for name, folder in adapter_folders.items():
        adapters.load(name, str(folder))
    weights = {"task": 1.0, "align": 0.3}
    with adapters.under(weights):
        expected = embed(base, sentences, layers=[3])[3]
    plain = embed(base, sentences, layers=[3])[3]
    assert np.abs(expected - plain).max() > 1e-3
    write_encoder(adapters, weights, tmp_path / "encoder", layer=3)
    encoder = SentenceTransformer(str(tmp_path / "encoder"), device="cpu")
    np.testing.assert_allclose(encoder.encode(sentences), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(embed(base, sentences, layers=[3])[3], plain)  # the base itself is as it was
    hits = util.semantic_search(encoder.encode(sentences), encoder.encode(sentences), top_k=1)
    assert [hit[0]["corpus_id"] for hit in hits] == list(range(len(sentences)))


def test_only_layers_below_the_norm_are_exported(base, tmp_path):
    with pytest.raises(InputError, match="^layer: 4 is the topmost; an encoder is one of layers 1 to 3$"):
        write_encoder(AdapterSet(base), {}, tmp_path / "encoder", layer=4)
    with pytest.raises(InputError, match="^layer: 9 is not a layer of "):
        write_encoder(AdapterSet(base), {}, tmp_path / "encoder", layer=9)
    assert not (tmp_path / "encoder").exists()


def test_the_command_writes_a_folder_and_never_over_one(tiny_model, document, refused, tmp_path):
    folder = tmp_path / "encoder"
    written = document("export-encoder", str(folder), "--layer", "2", *tiny_model)
    assert written == {"output": str(folder), "layer": 2, "width": tiny.WIDTH, "adapters": {"align": 1.0}}
    assert SentenceTransformer(str(folder), device="cpu").encode(["Do"]).shape == (1, tiny.WIDTH)
    card = ModelCard.load(folder / "README.md")
    assert (card.data.base_model, card.data.library_name) == (tiny_model[1], "sentence-transformers")
    assert card.data.pipeline_tag == "sentence-similarity"
    assert "is there already" in refused("export-encoder", str(folder), "--layer", "2", *tiny_model)
