import json

import numpy as np
import plotly.graph_objects as go
import pytest

from midalign_demo import figures, labels, languages
from midalign_demo.errors import InputError
from midalign_demo.maps import COLOUR_BY, View, lay_out

EVIL = "<img src=x onerror=alert(1)> & $x^2$ <b>bold</b>"
CORPUS = {
    "en": ["a cat", EVIL],
    "ru": ["кошка", "дверь"],
    "uk": ["кіт", "двері"],
    "ar": ["قطة", "باب"],
}


def made_map(corpus=CORPUS, labels=("base", "align"), dims=2, layers=None, added=()):
    random = np.random.default_rng(0)
    n = sum(map(len, corpus.values())) + len(added)
    layers = layers or [11] * len(labels)
    views = [View(label, {}, layer) for label, layer in zip(labels, layers, strict=True)]
    return lay_out(corpus, views, [random.normal(size=(n, 8)) for _ in views], method="pca", dims=dims, added=added)


def markers(figure) -> list:
    return [trace for trace in figure.data if trace.mode == "markers"]


def texts(figure) -> list[str]:
    return [annotation.text for annotation in figure.layout.annotations]


def test_each_slice_is_a_panel_with_all_its_points():
    shown = made_map()
    figure = figures.map_figure(shown)
    for part, panel in zip(shown.slices, ("x", "x2"), strict=True):
        traces = [trace for trace in markers(figure) if trace.xaxis == panel]
        assert [trace.name for trace in traces] == ["English", "Russian", "Ukrainian", "Arabic"]
        found = np.concatenate([np.column_stack([trace.x, trace.y]) for trace in traces])
        np.testing.assert_array_equal(found, part.coordinates)


def test_panels_have_the_same_axes_without_ticks():
    layout = figures.map_figure(made_map(labels=("a", "b", "c"))).layout
    for axes in ((layout.xaxis, layout.xaxis2, layout.xaxis3), (layout.yaxis, layout.yaxis2, layout.yaxis3)):
        assert len({axis.range for axis in axes}) == 1
        assert not any(axis.showticklabels or axis.showgrid for axis in axes)


def test_points_lie_within_the_axes():
    shown = made_map()
    layout = figures.map_figure(shown).layout
    for part in shown.slices:
        for column, axis in enumerate((layout.xaxis, layout.yaxis)):
            assert axis.range[0] < part.coordinates[:, column].min() < part.coordinates[:, column].max() < axis.range[1]


def test_titles_tell_variant_layer_and_retrieval_accuracy():
    shown = made_map()
    first, second, note = texts(figures.map_figure(shown))
    table = shown.slices[1].retrieval
    assert second == f"<b>align</b>, layer 11<br>en-x {table['en-x']:.2f} · all {table['all']:.2f}"
    assert first.startswith("<b>base</b>, layer 11<br>")
    assert note.endswith("chance 0.50")


def test_without_english_there_is_one_accuracy():
    figure = figures.map_figure(made_map({"de": ["ja", "nein"], "sw": ["ndiyo", "hapana"]}))
    assert "en-x" not in texts(figure)[0]
    assert "all" in texts(figure)[0]


def test_colours_by_script_and_by_meaning():
    by_script = markers(figures.map_figure(made_map(), colour_by="script"))[:3]
    assert [(trace.name, len(trace.x)) for trace in by_script] == [("Latin", 2), ("Cyrillic", 4), ("Arabic", 2)]
    by_meaning = markers(figures.map_figure(made_map(), colour_by="meaning"))[:2]
    assert [len(trace.x) for trace in by_meaning] == [4, 4]
    assert by_meaning[0].name == "1 a cat"
    with pytest.raises(InputError, match="colour by: 'size' is not one of language, script, meaning"):
        figures.map_figure(made_map(), colour_by="size")


def test_meanings_are_named_by_the_first_language_where_there_is_no_english():
    shown = made_map({"sw": ["paka", "mlango"], "de": ["Katze", "Tür"]})
    assert [trace.name for trace in markers(figures.map_figure(shown, colour_by="meaning"))[:2]] == [
        "1 paka",
        "2 mlango",
    ]


def test_more_than_eight_groups_differ_in_form_as_well():
    tags = ["en", "de", "fr", "es", "it", "nl", "sv", "da", "fi", "hu", "pl", "cs", "pt", "tr", "vi", "id", "sw"]
    traces = markers(figures.map_figure(made_map({tag: ["a", "b"] for tag in tags}, labels=["base"])))
    looks = {(trace.marker.color, trace.marker.symbol) for trace in traces}
    assert len(looks) == len(tags)
    assert {trace.marker.symbol for trace in traces[:8]} == {"circle"}


def test_lines_join_translations_and_can_be_hidden():
    shown = made_map()
    lines = [trace for trace in figures.map_figure(shown).data if trace.mode == "lines"]
    assert [(line.name, line.showlegend, line.visible) for line in lines] == [
        ("translations", True, True), ("translations", False, True),
    ]  # fmt: skip
    assert len({line.legendgroup for line in lines}) == 1
    strokes = np.column_stack([lines[0].x, lines[0].y]).reshape(8, 3, 2)
    assert np.isnan(strokes[:, 2]).all()
    np.testing.assert_array_equal(strokes[:, 1], shown.slices[0].coordinates)
    for stroke, meaning in zip(strokes, shown.meaning, strict=True):
        own = shown.slices[0].coordinates[np.array(shown.meaning) == meaning]
        np.testing.assert_allclose(stroke[0], np.median(own, axis=0), rtol=1e-5)


def test_lines_between_many_points_wait_in_the_legend():
    shown = made_map({tag: [str(number) for number in range(150)] for tag in ("en", "de", "sw")}, labels=["base"])
    assert figures.map_figure(shown).data[0].visible == "legendonly"


def test_a_legend_entry_stands_for_a_group_in_all_panels():
    traces = markers(figures.map_figure(made_map()))
    assert [trace.showlegend for trace in traces] == [True] * 4 + [False] * 4
    assert [trace.legendgroup for trace in traces[:4]] == [trace.legendgroup for trace in traces[4:]]


def test_three_dimensions():
    shown = made_map(dims=3)
    figure = figures.map_figure(shown)
    assert {trace.type for trace in figure.data} == {"scatter3d"}
    first = np.concatenate([np.column_stack([t.x, t.y, t.z]) for t in markers(figure) if t.scene == "scene"])
    np.testing.assert_array_equal(first, shown.slices[0].coordinates)
    one, other = figure.layout.scene, figure.layout.scene2
    assert (one.xaxis.range, one.zaxis.range) == (other.xaxis.range, other.zaxis.range)
    assert not one.zaxis.showticklabels


@pytest.mark.parametrize("colour_by", COLOUR_BY)
def test_what_users_write_stays_text(colour_by):
    """Plotly reads tags, entities and TeX in names and titles alike."""
    figure = figures.map_figure(made_map(labels=("base", EVIL)), colour_by=colour_by)
    shown = json.dumps(figure.to_plotly_json(), default=lambda array: array.tolist(), ensure_ascii=False)
    assert "&lt;img" in shown
    assert not any(part in shown for part in ("<img", "$", "<b>bold", "& "))


def test_texts_are_shortened_between_visible_characters():
    assert labels.shortened("short  text", 10) == "short text"
    assert labels.shortened("กำ" * 40, 10) == "กำ" * 9 + "…"


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("colour_by", COLOUR_BY)
def test_added_sentences_are_a_group_of_their_own(colour_by, dims):
    shown = made_map(dims=dims, added=[("de", "eine Katze"), ("en", "another cat")])
    *others, own = figures.groups(shown, colour_by)
    assert (own.name, own.points) == ("your sentences", [8, 9])
    assert sorted(point for group in others for point in group.points) == list(range(8))
    assert (own.colour, own.symbol) not in {(group.colour, group.symbol) for group in others}
    last = markers(figures.map_figure(shown, colour_by=colour_by))[-1]
    np.testing.assert_array_equal(last.x, shown.slices[1].coordinates[8:, 0])


def curve_tables() -> dict:
    base = {"0": {"all": 0.1, "en-x": 0.2}, "2": {"all": 0.5, "en-x": 0.3}, "10": {"all": 0.3, "en-x": 0.6}}
    return {"base": base, "align": {2: {"all": 0.9, "en-x": 0.9}, 0: {"all": 0.1, "en-x": 0.1}}}


@pytest.mark.parametrize(("measure", "peak"), [("all", 2), ("en-x", 10)])
def test_a_curve_runs_over_the_layers_and_marks_its_peak(measure, peak):
    figure = figures.layer_curve(curve_tables(), measure=measure)
    lines = {trace.name: trace for trace in figure.data if trace.mode == "lines+markers"}
    assert lines["base"].x == (0, 2, 10)
    assert lines["base"].y == tuple(curve_tables()["base"][layer][measure] for layer in ("0", "2", "10"))
    assert lines["align"].x == (0, 2)
    peaks = [trace for trace in figure.data if trace.mode == "markers+text"]
    assert [trace.x for trace in peaks] == [(peak,), (2,)]
    assert peaks[0].text == (f"layer {peak}: {max(lines['base'].y):.2f}",)


def test_bad_curves_are_named():
    with pytest.raises(InputError, match="measure: 'de-x' is not one of all, en-x"):
        figures.layer_curve(curve_tables(), measure="de-x")
    with pytest.raises(InputError, match="needs English"):
        figures.layer_curve({"base": {11: {"all": 0.5, "en-x": None}}}, measure="en-x")


TABLE = {"pairs": {"ru-en": 0.1, "ru-uk": 0.2, "ru-sr-Latn": 0.3, "en-uk": 0.4, "en-sr-Latn": 0.5, "uk-sr-Latn": 0.6}}


def test_a_heat_map_has_every_pair_twice_and_scripts_together():
    figure = figures.heat_map(TABLE, ["ru", "en", "uk", "sr-Latn"])
    cells = figure.data[0]
    order = list(cells.x)
    assert order == ["ru", "uk", "en", "sr-Latn"]
    assert list(figure.layout.yaxis.ticktext) == [languages.name(tag) for tag in order]
    for row, one in enumerate(order):
        for column, other in enumerate(order):
            expected = TABLE["pairs"].get(f"{one}-{other}", TABLE["pairs"].get(f"{other}-{one}", np.nan))
            np.testing.assert_equal(cells.z[row, column], expected)
    assert (cells.zmin, cells.zmax) == (0, 1)
    assert {(line.x0, line.x1, line.y0, line.y1) for line in figure.layout.shapes} == {
        (-0.5, 3.5, 1.5, 1.5), (1.5, 1.5, -0.5, 3.5),
    }  # fmt: skip
    assert cells.customdata[0][2] == "Russian – English<br>Cyrillic – Latin"


def test_a_heat_maps_languages_can_be_sorted():
    tags = ["ru", "en", "uk", "sr-Latn"]
    by_name = figures.heat_map(TABLE, tags, order="language")
    assert (list(by_name.data[0].x), by_name.layout.shapes) == (["en", "ru", "sr-Latn", "uk"], ())
    best_first = figures.heat_map(TABLE, tags, order="accuracy")
    assert list(best_first.data[0].x) == ["sr-Latn", "uk", "en", "ru"]
    assert best_first.data[0].z[0, 1] == 0.6
    with pytest.raises(InputError, match="order: 'size' is not one of script, language, accuracy"):
        figures.heat_map(TABLE, tags, order="size")


def test_a_pair_that_is_missing_is_named():
    with pytest.raises(InputError, match="no pair of 'en' and 'de'"):
        figures.heat_map({"pairs": {}}, ["en", "de"])


@pytest.mark.parametrize(
    "figure",
    [
        figures.map_figure(made_map()),
        figures.map_figure(made_map(dims=3)),
        figures.layer_curve(curve_tables()),
        figures.heat_map(TABLE, ["ru", "en", "uk", "sr-Latn"]),
    ],
    ids=["map", "map in 3-D", "curve", "heat map"],
)
def test_figures_fit_light_dark_and_narrow_pages_and_upload_nothing(figure: go.Figure):
    layout = figure.layout
    assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0, 0, 0, 0)"
    assert layout.width is None
    assert layout.height > 200
    assert layout.font.size >= 12
    assert all(contrast(layout.font.color, ground) > 3.5 for ground in ("#ffffff", "#0f172a"))
    assert "sendcharttocloud" in layout.modebar.remove


def contrast(one: str, other: str) -> float:
    """WCAG 2's contrast ratio of two colours."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
