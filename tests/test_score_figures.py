from midalign_demo import figures, score_figures, tables
from tests import made_tables

EVIL = "<b>$x$</b>"


def drawn(variants=("task", "merged"), **changes):
    table = made_tables.slots()
    found = [score for score in tables.scores(table, "f1") if score.variant in variants]
    options = {
        "names": {row: table.row_name(row) for row in table.rows()},
        "groups": {row: table.group(row) for row in table.rows()},
        "variants": table.variants,
        "title": "f1",
        **changes,
    }
    return score_figures.score_figure(found, **options)


def test_each_variant_has_its_scores_with_their_intervals():
    task, merged = drawn().data
    assert (task.name, merged.name) == ("task", "merged")
    assert task.x == (0.5, 0.75, 0.5, 0.25)
    assert set(task.error_x.array) == set(task.error_x.arrayminus) == {0.125}
    assert "[0.125, 0.375], n = 4" in task.customdata[-1]


def test_rows_have_names_and_groups_headings():
    figure = drawn()
    assert figure.layout.yaxis.ticktext == ("<b>all examples</b>", "English", "Russian", "Swahili")
    headings = [annotation.text for annotation in figure.layout.annotations]
    assert headings == ["<b>supervised</b>", "<b>aligned</b>", "<b>transfer</b>"]
    # Downwards: all examples, heading, English, heading, ..
    places = figure.layout.yaxis.tickvals
    heads = [annotation.y for annotation in figure.layout.annotations]
    assert places[0] < heads[0] < places[1] < heads[1] < places[2] < heads[2] < places[3] < figure.layout.yaxis.range[0]


def test_variants_of_a_row_stand_side_by_side_around_its_name():
    task, merged = drawn().data
    for place, upper, lower in zip(drawn().layout.yaxis.tickvals, task.y, merged.y, strict=True):
        assert place - 0.5 < upper < place < lower < place + 0.5


def test_a_variant_keeps_its_colour_and_form_when_another_is_left_out():
    [alone] = drawn(variants=("merged",)).data
    assert alone.marker == drawn().data[1].marker
    assert alone.marker.color == figures.PALETTE[1]


def test_scores_of_a_hundred_have_axes_of_a_hundred():
    assert drawn(highest=100.0).layout.xaxis.range == (-2, 102)


def test_names_are_shown_as_they_are():
    figure = drawn(names={"en": EVIL, "ru": "Russian", "sw": "Swahili"}, groups=dict.fromkeys(("en", "ru", "sw"), EVIL))
    for text in (figure.layout.yaxis.ticktext[1], figure.layout.annotations[0].text, figure.data[0].customdata[1]):
        assert "&lt;b&gt;&#36;x&#36;" in text
