import json
import subprocess
import sys

import numpy as np
import pytest

from midalign_demo import maps
from midalign_demo.engine import Engine
from midalign_demo.errors import InputError
from midalign_demo.maps import EmbeddingMap, View
from midalign_demo.middle import embed
from midalign_demo.retrieval import retrieval_table

CORPUS = {
    "en": ["a cat", "a red door", "rain"],
    "de": ["eine Katze", "eine rote Tür", "Regen"],
    "sw": ["paka", "b", "c"],
}
SENTENCES = [line for lines in CORPUS.values() for line in lines]
TASK = "slot-filling"


@pytest.fixture
def rows():
    """Two made-up views of the corpus' nine points."""
    random = np.random.default_rng(0)
    return [random.normal(size=(9, 5)).astype(np.float32) + 1, random.normal(size=(9, 5)).astype(np.float32)]


VIEWS = [View("base", {}, 2), View("align", {"align": 1}, 3)]


def test_variants_are_seen_at_the_middle_layer_unless_another_is_named(engine):
    assert maps.variant_views(engine, ["base", "merged"], TASK) == [
        View("base", {}, 2), View("merged", {"slot-filling": 1, "align": 1}, 2),
    ]  # fmt: skip
    assert maps.variant_views(engine, ["align"], TASK, layer=0) == [View("align", {"align": 1}, 0)]
    with pytest.raises(InputError, match="layer: 5 is not a layer"):
        maps.variant_views(engine, ["base"], TASK, layer=5)
    with pytest.raises(InputError, match="'joint' has no adapter"):
        maps.variant_views(engine, ["joint"], TASK)


def test_strengths_are_labelled_by_their_weight(engine):
    views = maps.strength_views(engine, [0, 0.5, 1.0], layer=3)
    assert views == [
        View("align x 0", {"align": 0}, 3), View("align x 0.5", {"align": 0.5}, 3), View("align x 1", {"align": 1}, 3),
    ]  # fmt: skip
    assert len(maps.strength_views(engine)) == len(maps.STRENGTHS)


def test_embeddings_are_those_of_each_view(engine):
    views = [View("base", {}, 2), *maps.strength_views(engine, [0, 0.5, 1], layer=2), View("deeper", {}, 4)]
    seen = []
    found = maps.embeddings(engine, CORPUS, views, progress=lambda done, total: seen.append((done, total)))
    for rows, (weights, layer) in zip(
        found, [({}, 2), ({}, 2), ({"align": 0.5}, 2), ({"align": 1}, 2), ({}, 4)], strict=True
    ):  # fmt: skip
        with engine.adapters.under(weights):
            expected = embed(engine.base, SENTENCES, layers=[layer])[layer]
        np.testing.assert_allclose(rows, expected, rtol=1e-4, atol=1e-5)
    assert np.abs(found[1] - found[2]).max() > 0.01
    assert np.abs(found[2] - found[3]).max() > 0.01
    assert seen[-1] == (36, 36)  # two views of the base share one pass: nine sentences four times
    assert seen == sorted(seen)


def test_an_adapter_that_is_not_there_is_named(engine):
    with pytest.raises(InputError, match="'other' is not one of"):
        maps.embeddings(engine, CORPUS, [View("other", {"other": 1}, 2)])


@pytest.mark.parametrize("centre", [False, True])
def test_what_is_measured_is_that_of_the_original_space(rows, centre):
    shown = maps.lay_out(CORPUS, VIEWS, rows, method="pca", centre=centre)
    assert shown.centred == centre
    for part, array in zip(shown.slices, rows, strict=True):
        by_language = {tag: array[3 * at : 3 * at + 3] for at, tag in enumerate(CORPUS)}
        table = retrieval_table(by_language, centre=centre)
        assert part.retrieval == {"en-x": table["en-x"], "all": table["all"]}
        assert part.pairs == table["pairs"]
        if centre:
            array = np.concatenate([own - own.mean(axis=0) for own in by_language.values()])
        units = array / np.linalg.norm(array, axis=1, keepdims=True)
        cosines = units @ units.T
        np.fill_diagonal(cosines, -2)
        assert part.neighbours.tolist() == np.argsort(-cosines, axis=1)[:, :5].tolist()
        np.testing.assert_allclose(part.cosines, -np.sort(-cosines, axis=1)[:, :5], atol=1e-5)


def test_points_are_language_after_language(rows):
    shown = maps.lay_out(CORPUS, VIEWS, rows, method="pca", dims=3)
    assert shown.sentences == SENTENCES
    assert [shown.languages[number] for number in shown.language] == ["en"] * 3 + ["de"] * 3 + ["sw"] * 3
    assert shown.meaning == [0, 1, 2] * 3
    assert shown.translations() == CORPUS["en"] * 3
    assert shown.translations("sw")[3] == "paka"
    assert shown.translations("fr") == [None] * 9
    assert (shown.method, shown.dims) == ("pca", 3)
    assert [(part.label, part.layer, part.coordinates.shape) for part in shown.slices] == [
        ("base", 2, (9, 3)), ("align", 3, (9, 3)),
    ]  # fmt: skip


def test_added_sentences_lie_among_the_others_and_are_not_measured(rows):
    added = [("sw", "mlango mwekundu"), ("fr", "la pluie")]
    more = [np.concatenate([array, array[[7, 2]] * 3]) for array in rows]
    shown = maps.lay_out(CORPUS, VIEWS, more, method="pca", added=added)
    assert shown.sentences == [*SENTENCES, "mlango mwekundu", "la pluie"]
    assert shown.languages == ["en", "de", "sw", "fr"]
    assert [shown.languages[number] for number in shown.language[9:]] == ["sw", "fr"]
    assert (shown.meaning[9:], shown.added) == ([3, 4], 2)
    for part, alone in zip(shown.slices, maps.lay_out(CORPUS, VIEWS, rows, method="pca").slices, strict=True):
        assert part.pairs == alone.pairs
        assert part.neighbours[9:, 0].tolist() == [7, 2]  # they are the same but for their length
        np.testing.assert_allclose(part.coordinates[9:], part.coordinates[[7, 2]], atol=1e-5)
    assert EmbeddingMap.from_dict(shown.to_dict()).added == 2
    with pytest.raises(InputError, match="centre: added sentences are too few"):
        maps.lay_out(CORPUS, VIEWS, more, centre=True, added=added)


def test_layers_are_in_an_order_in_which_neighbours_are_near(engine):
    views = maps.views_for("layers", engine, ["base", "align"], TASK)
    assert [(view.label, view.layer) for view in views] == [
        *(("base", layer) for layer in (4, 3, 2, 1, 0)), *(("align", layer) for layer in range(5)),
    ]  # fmt: skip
    assert maps.views_for("variants", engine, ["align"], TASK, 3) == [View("align", {"align": 1}, 3)]
    assert maps.views_for("strength", engine, [], TASK, 3) == maps.strength_views(engine, layer=3)
    with pytest.raises(InputError, match="show: 'all' is not one of variants, strength, layers"):
        maps.views_for("all", engine, ["base"], TASK)


def test_strengths_need_an_alignment_adapter(base):
    with pytest.raises(InputError, match="strength: there is no alignment adapter for"):
        maps.views_for("strength", Engine(base), [], TASK)


def test_a_layout_goes_by_direction_alone(rows):
    lengths = np.random.default_rng(1).uniform(0.1, 100, size=(9, 1))
    expected = maps.lay_out(CORPUS, VIEWS, rows, method="pca")
    found = maps.lay_out(CORPUS, VIEWS, [array * lengths for array in rows], method="pca")
    for part, other in zip(expected.slices, found.slices, strict=True):
        np.testing.assert_allclose(part.coordinates, other.coordinates, atol=1e-4)


def test_few_points_have_few_neighbours_and_no_umap():
    corpus = {"de": ["ja"], "sw": ["ndiyo"], "fr": ["oui"]}
    shown = maps.lay_out(corpus, VIEWS[:1], [np.eye(3)], method="umap")
    assert shown.method == "pca"
    assert shown.slices[0].neighbours.shape == (3, 2)
    assert shown.slices[0].retrieval == {"en-x": None, "all": 1.0}


def test_a_map_survives_json(rows):
    shown = maps.lay_out(CORPUS, VIEWS, rows, method="pca", centre=True)
    document = json.loads(json.dumps(shown.to_dict(), allow_nan=False))
    found = EmbeddingMap.from_dict(document)
    assert found.to_dict() == shown.to_dict() == document
    np.testing.assert_allclose(found.slices[1].coordinates, shown.slices[1].coordinates, atol=1e-4)
    assert found.slices[1].neighbours.tolist() == shown.slices[1].neighbours.tolist()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda document: document.pop("meaning"), "KeyError: 'meaning'"),
        (lambda document: document["slices"][0].pop("retrieval"), "KeyError: 'retrieval'"),
        (lambda document: document["slices"][1]["coordinates"].pop(), "it has 9 sentences in 2 dimensions"),
        (lambda document: document["slices"][1]["neighbours"].pop(), "it has 9 sentences in 2 dimensions"),
        (lambda document: document.update(dims=3), "it has 9 sentences in 3 dimensions"),
        (lambda document: document.update(slices=[{"label": "x", "layer": "y"}]), "ValueError"),
    ],
)
def test_a_document_that_is_no_map_is_refused(rows, change, expected):
    document = maps.lay_out(CORPUS, VIEWS, rows, method="pca").to_dict()
    change(document)
    with pytest.raises(InputError, match=expected) as caught:
        EmbeddingMap.from_dict(document)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("corpus", "options", "expected"),
    [
        ({"en": ["a"]}, {}, "languages: en given; a map needs at least two"),
        ({"en": ["a"], "de": ["b"]}, {"centre": True}, "centre: a language's mean needs at least two"),
        ({"en": ["a", "b"], "de": ["c"]}, {}, "the languages differ in number"),
        (CORPUS, {"method": "tsne"}, "method: 'tsne'"),
        (CORPUS, {"dims": 1}, "dims: 1"),
    ],
)
def test_bad_input_is_named(rows, corpus, options, expected):
    with pytest.raises(InputError, match=expected):
        maps.lay_out(corpus, VIEWS, rows, **options)


def test_maps_are_drawn_without_torch():
    code = "import sys, midalign_demo.figures; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
