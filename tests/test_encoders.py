"""midalign_demo.encoders: another encoder beside the variants. One of ours, exported, tells what is to come out."""

import json

import pytest

from midalign_demo import encoders
from midalign_demo.adapters import AdapterSet
from midalign_demo.encoder import write_encoder
from midalign_demo.errors import InputError


@pytest.fixture
def third_layer(base, tmp_path):
    """Layer 3 of the tiny base, as a sentence-transformers model."""
    write_encoder(AdapterSet(base), {}, tmp_path / "third", layer=3)
    return tmp_path / "third"


def test_retrieval_of_another_encoder_stands_beside_the_variants(
    document, output, tiny_model, parallel_folder, third_layer
):
    options = ("--variants", "base", "--layers", "3", "--limit", "9", "--score", "cosine,mexa", *tiny_model)
    found = document("retrieval", parallel_folder, *options, "--encoder", third_layer)
    ours = found["variants"]["base"]["layers"]["3"]
    assert found["encoders"] == {"third": ours}
    assert "encoders" not in document("retrieval", parallel_folder, *options)
    lines = output("retrieval", parallel_folder, *options, "--encoder", third_layer).splitlines()
    assert f"third: en-x {ours['en-x']:.3f}, all {ours['all']:.3f}" in lines
    assert f"third: en-x {ours['mexa']['en-x']:.3f}, all {ours['mexa']['all']:.3f}" in lines


def test_a_map_has_a_panel_for_another_encoder(output, tiny_model, parallel_folder, third_layer, tmp_path):
    target = tmp_path / "map.json"
    options = ("--method", "pca", "--layer", "3", "--limit", "6", "--variants", "base", *tiny_model)
    lines = output("map", parallel_folder, "--output", target, "--encoder", third_layer, *options).splitlines()
    first, second = json.loads(target.read_text(encoding="utf-8"))["slices"]
    assert (first["layer"], second["layer"]) == (3, None)
    assert second["label"] == "third"
    assert second["retrieval"] == first["retrieval"]
    assert second["neighbours"] == first["neighbours"]
    assert lines[1].startswith("third: retrieval accuracy all ")
    page = tmp_path / "map.html"
    output("map", parallel_folder, "--output", page, "--encoder", third_layer, *options)
    assert '"third"' in page.read_text(encoding="utf-8")


def test_what_is_no_encoder_is_refused(refused, tiny_model, parallel_folder, tmp_path, third_layer):
    arguments = ("retrieval", parallel_folder, "--limit", "4", *tiny_model)
    (tmp_path / "empty").mkdir()
    line = refused(*arguments, "--encoder", tmp_path / "empty")
    assert f"encoder: '{tmp_path / 'empty'}' can't be loaded by sentence-transformers" in line
    assert "encoder: '' is neither a folder nor a hub id" in refused(*arguments, "--encoder", "")
    assert len(refused(*arguments, "--encoder", "x" * 100_000)) < 1000
    (tmp_path / "other").mkdir()
    third_layer.rename(tmp_path / "other" / "base")
    assert "encoder: 'base' is the name of two things" in refused(*arguments, "--encoder", tmp_path / "other" / "base")
    line = refused(
        "map", parallel_folder, "--output", tmp_path / "m.json", "--show", "strength", "--encoder", "x", *tiny_model
    )
    assert "encoder: given, but the map shows strength" in line


def test_pickles_and_an_encoders_own_code_are_refused(third_layer, tmp_path):
    ran = tmp_path / "ran"
    (third_layer / "evil.py").write_text(f"open({str(ran)!r}, 'w')\nclass Own: pass\n")
    modules = json.loads((third_layer / "modules.json").read_text())
    (third_layer / "modules.json").write_text(json.dumps([*modules, {**modules[-1], "type": "evil.Own"}]))
    with pytest.raises(InputError, match="can't be loaded by sentence-transformers"):
        encoders.load(str(third_layer))
    assert not ran.exists()
    (third_layer / "2_Dense").mkdir()
    (third_layer / "2_Dense" / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(InputError, match="pytorch_model.bin is a pickle, which midalign does not read"):
        encoders.load(str(third_layer))


def test_encoders_of_one_name_are_refused():
    with pytest.raises(InputError, match="'LaBSE' is the name of two"):
        encoders.check(["sentence-transformers/LaBSE", "mine/LaBSE"], ["base"])
    assert encoders.check(["sentence-transformers/LaBSE"], ["base"]) == ["sentence-transformers/LaBSE"]
