import json

import pytest

from midalign_demo import pages
from midalign_demo.errors import InputError
from tests.test_figures import made_map


def test_a_page_is_whole_and_asks_no_network():
    document = pages.as_json(pages.map_document(made_map()))
    page = pages.map_page(document)
    assert "plotly.js v" in page
    assert "<script src=" not in page
    assert '<meta name="viewport"' in page
    assert pages.map_page().replace(pages.PLACEHOLDER, document) == page
    assert pages.map_page().count(pages.PLACEHOLDER) == 1


def test_what_users_write_cannot_end_the_script_it_stands_in():
    evil = "</script><script>alert(1)</script>"
    shown = made_map({"en": [evil, "b"], "de": ["c", "d"]}, labels=("base", evil))
    text = pages.as_json(pages.map_document(shown, note=evil))
    assert "<" not in text
    assert json.loads(text)["map"]["sentences"][0] == evil


def test_every_colouring_has_every_point_once():
    made = pages.map_document(made_map(), colour_by="script")
    assert made["colour_by"] == "script"
    assert made["languages"][1] == {"tag": "ru", "name": "Russian"}
    for groups in made["colourings"].values():
        assert sorted(point for group in groups for point in group["points"]) == list(range(8))
    with pytest.raises(InputError, match="colour by: 'size'"):
        pages.map_document(made_map(), colour_by="size")


def test_a_document_says_what_it_is_given_and_the_rest_in_english():
    given = {
        "map_play": "Abspielen",
        "map_look_ends": "base und {name} nebeneinander",
        "map_weight": "Gewicht von {name}",
    }
    shown = made_map(labels=("align x 0", "align x 1"))
    made = pages.map_document(shown, show="strength", words=given, lang="de")
    assert (made["words"]["map_play"], made["words"]["map_all"]) == ("Abspielen", "All")
    assert (made["lang"], made["dir"]) == ("de", "ltr")
    ends, steps = made["looks"]
    assert (ends["name"], steps["step_label"]) == ("base und align nebeneinander", "Gewicht von align")
    assert steps["name"] == "Alignment strength"
    assert pages.map_document(shown, lang="ar")["dir"] == "rtl"
    plain = pages.map_document(shown)
    assert (plain["words"], plain["lang"]) == (pages.english(), "en")


def test_a_page_is_in_the_language_of_its_words():
    page = pages.map_page("{}", words={"map_page_title": "أين تقع الجمل"}, lang="ar")
    assert '<html lang="ar" dir="rtl">' in page
    assert "<h1>أين تقع الجمل</h1>" in page
    assert pages.english()["map_how_to_read"] in page
    assert '<html lang="en" dir="ltr">' in pages.map_page("{}")


def test_variants_are_panels():
    (look,) = pages.map_document(made_map(labels=("base", "task", "align")))["looks"]
    assert [panel["steps"] for panel in look["panels"]] == [[0], [1], [2]]


def test_strengths_are_steps_and_their_ends_panels():
    shown = made_map(labels=("align x 0", "align x 0.5", "align x 1"))
    ends, steps = pages.map_document(shown, show="strength")["looks"]
    assert [(panel["title"], panel["steps"]) for panel in ends["panels"]] == [("base", [0]), ("align", [2])]
    assert (steps["step_label"], steps["step_names"]) == ("weight of align", ["0", "0.5", "1"])
    assert [panel["steps"] for panel in steps["panels"]] == [[0, 1, 2]]


def test_layers_are_steps_from_the_first_to_the_last_for_each_variant():
    shown = made_map(labels=("base",) * 3 + ("align",) * 3, layers=[2, 1, 0, 0, 1, 2])
    (look,) = pages.map_document(shown, show="layers")["looks"]
    assert look["step_names"] == ["0", "1", "2"]
    assert look["panels"] == [{"title": "base", "steps": [2, 1, 0]}, {"title": "align", "steps": [3, 4, 5]}]
    with pytest.raises(InputError, match="show: 'all'"):
        pages.map_document(shown, show="all")
