import importlib.util
import json
import shutil

import numpy as np
import plotly.graph_objects as go
import pytest

from midalign_demo import cli, pages, parallel, sentences
from midalign_demo.maps import EmbeddingMap
from midalign_demo.middle import embed
from midalign_demo.retrieval import retrieval_table

LINES = ("--first", "3", "--limit", "4")


def test_a_map_as_data(output, tiny_model, parallel_folder, tmp_path, base):
    target = tmp_path / "new" / "map.json"
    options = ("--languages", "en,sw,DE", "--method", "pca", "--layer", "3", *LINES, *tiny_model)
    printed = output("map", parallel_folder, "--output", target, "--json", *options)
    assert printed.count("\n") == 1
    shown = EmbeddingMap.from_dict(json.loads(target.read_text(encoding="utf-8")))
    corpus = parallel.read(parallel_folder, ["en", "sw", "de"], first=3, last=6)
    assert shown.sentences == [line for lines in corpus.values() for line in lines]
    assert (shown.method, shown.dims, shown.centred) == ("pca", 2, False)
    base_table = retrieval_table({tag: embed(base, lines, layers=[3])[3] for tag, lines in corpus.items()})
    expected = [
        {"label": part.label, "layer": 3, **{key: part.retrieval[key] for key in ("en-x", "all")}}
        for part in shown.slices
    ]  # fmt: skip
    assert [part.label for part in shown.slices] == ["base", "align"]
    assert shown.slices[0].retrieval["all"] == base_table["all"]
    assert not np.allclose(shown.slices[0].cosines, shown.slices[1].cosines, atol=1e-3)
    assert json.loads(printed) == {"output": str(target), "n": 4, "languages": ["en", "sw", "de"], "slices": expected}


def test_a_map_as_a_page(output, tiny_model, parallel_folder, tmp_path):
    target = tmp_path / "map.html"
    options = ("--dims", "3", "--method", "pca", "--colour-by", "script", "--centre", *LINES, *tiny_model)
    printed = output("map", parallel_folder, "--output", target, *options)
    page = target.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "plotly.js v" in page
    written = json.loads(page.partition('id="document">')[2].partition("</script>")[0])
    assert (written["colour_by"], written["map"]["dims"], written["map"]["centred"]) == ("script", 3, True)
    *lines, last = printed.splitlines()
    assert last == str(target)
    assert [line.split(":")[0] for line in lines] == ["base, layer 2", "align, layer 2"]
    assert [path.name for path in tmp_path.iterdir()] == ["map.html"]


@pytest.mark.parametrize(
    ("show", "expected"),
    [("strength", [(f"align x {weight:g}", 2) for weight in (0, 0.25, 0.5, 0.75, 1)]),
     ("layers", [("base", layer) for layer in (4, 3, 2, 1, 0)] + [("align", layer) for layer in range(5)])],
)  # fmt: skip
def test_steps_of_a_map(document, tiny_model, parallel_folder, tmp_path, show, expected):
    target = tmp_path / "map.html"
    options = ("--show", show, "--method", "pca", "--languages", "en,de", *LINES, *tiny_model)
    printed = document("map", parallel_folder, "--output", target, *options)
    assert [(part["label"], part["layer"]) for part in printed["slices"]] == expected
    written = json.loads(target.read_text().partition('id="document">')[2].partition("</script>")[0])
    assert len(written["looks"][-1]["step_names"]) == 5


def test_the_middle_layer_and_umap_unless_told(output, tiny_model, parallel_folder, tmp_path):
    options = ("--languages", "en,de", "--limit", "2", "--variants", "base", *tiny_model)
    output("map", parallel_folder, "--output", tmp_path / "map.json", *options)
    document = json.loads((tmp_path / "map.json").read_text())
    assert (document["method"], document["dims"], document["slices"][0]["layer"]) == ("umap", 2, 2)


def test_too_few_points_for_umap_are_told(capsys, tiny_model, parallel_folder, tmp_path):
    options = ("--languages", "en,de", "--limit", "1", "--variants", "base", *tiny_model)
    assert cli.main([str(part) for part in ("map", parallel_folder, "--output", tmp_path / "map.json", *options)]) == 0
    assert "Laid out by pca: too few points for umap" in capsys.readouterr().err
    assert json.loads((tmp_path / "map.json").read_text())["method"] == "pca"


def test_without_a_folder_it_takes_the_own_sentences(
    output, tiny_model, parallel_folder, tmp_path, monkeypatch, base_folder
):
    folder = tmp_path / "sentences"
    shutil.copytree(parallel_folder, folder)
    (folder / "topics.json").write_text("[]")
    monkeypatch.setattr(sentences, "own_folder", lambda: folder)
    options = ("--method", "pca", "--variants", "base", "--json", *tiny_model)
    found = json.loads(output("map", "--output", tmp_path / "map.json", *LINES, *options))
    assert (found["n"], found["languages"]) == (4, ["de", "en", "sw"])
    found = json.loads(output("map", "--output", tmp_path / "map.json", "--languages", "sw,en", *options))
    assert (found["n"], found["languages"]) == (48, ["sw", "en"])


def test_own_sentences_are_read_from_the_package(parallel_folder, tmp_path, monkeypatch):
    assert sentences.own_folder().parts[-3:] == ("midalign_demo", "assets", "sentences")
    monkeypatch.setattr(sentences, "own_folder", lambda: parallel_folder)
    assert sentences.own_sentences(["sw"], first=2, last=3) == parallel.read(parallel_folder, ["sw"], first=2, last=3)


def test_a_picture_is_written_by_kaleido(output, tiny_model, parallel_folder, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "kaleido" or find(name))
    monkeypatch.setattr(go.Figure, "to_image", lambda figure, format, scale: f"{format} {figure.layout.width}".encode())
    options = ("--method", "pca", "--variants", "base", *LINES, *tiny_model)
    output("map", parallel_folder, "--output", tmp_path / "map.png", *options)
    assert (tmp_path / "map.png").read_bytes() == b"png 1100"


def test_without_kaleido_or_its_browser_a_picture_is_refused(
    refused, tiny_model, parallel_folder, tmp_path, monkeypatch
):
    target = tmp_path / "map.png"
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "kaleido" else find(name))
    message = refused("map", parallel_folder, "--output", target)  # before the real base would be loaded
    assert "pip install kaleido" in message
    assert str(target) in message

    def no_browser(*arguments, **options):
        raise RuntimeError("\nKaleido requires Google Chrome\nto be installed.\n")

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "kaleido" or find(name))
    monkeypatch.setattr(go.Figure, "to_image", no_browser)
    message = refused("map", parallel_folder, "--output", target, "--method", "pca", *LINES, *tiny_model)
    assert "kaleido could not draw" in message
    assert message.endswith("(Kaleido requires Google Chrome)")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".html", ".json"])
def test_a_map_that_cannot_be_written_leaves_the_file_as_it_was(
    refused, tiny_model, parallel_folder, tmp_path, monkeypatch, suffix
):
    target = tmp_path / f"map{suffix}"
    target.write_text("kept")

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json, "dump", full)
    monkeypatch.setattr(pages, "map_page", full)
    options = ("--output", target, "--method", "pca", "--variants", "base", *LINES, *tiny_model)
    assert "No space left on device" in refused("map", parallel_folder, *options)
    assert target.read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--output", "map.svg"], "'map.svg' ends in none of .html, .json, .png"),
        (["--output", "map"], "'map' ends in none of"),
        (["--output", "."], "'.' is a folder; give a file"),
        ([], "--output"),
        (["--output", "m.json", "--languages", "en,fr"], "fr not in"),
        (["--output", "m.json", "--languages", "en"], "languages: en given; a map needs at least two"),
        (["--output", "m.json", "--languages", "english"], "'english' is not a BCP 47 tag"),
        (["--output", "m.json", "--first", "49"], "is not a range within the 48 lines"),
        (["--output", "m.json", "--method", "tsne"], "'tsne'"),
        (["--output", "m.json", "--dims", "4"], "4"),
        (["--output", "m.json", "--layer", "five"], "'five'"),
        (["--output", "m.json", "--variants", "best"], "'best' is not one of base, task, align"),
        (["--output", "m.json", "--colour-by", "size"], "'size'"),
        (["--output", "m.json", "--show", "all"], "'all'"),
    ],
)
def test_bad_input_is_one_line_that_names_it(refused, parallel_folder, tmp_path, monkeypatch, options, expected):
    """None of them gets as far as loading the real base."""
    monkeypatch.chdir(tmp_path)
    assert expected in refused("map", parallel_folder, *options)
    assert list(tmp_path.iterdir()) == []


def test_layers_and_variants_that_the_model_lacks_are_named(refused, tiny_model, parallel_folder, tmp_path):
    command = ("map", parallel_folder, "--output", tmp_path / "m.json", *LINES, *tiny_model)
    assert "layer: 9 is not a layer" in refused(*command, "--layer", "9")
    assert "'joint' has no adapter" in refused(*command, "--variants", "joint")
    assert "a language's mean needs at least two" in refused(*command, "--centre", "--limit", "1")
