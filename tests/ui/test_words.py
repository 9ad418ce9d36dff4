"""What the page says, in eight languages."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import pytest
import regex

from midalign_demo import languages, pages
from midalign_demo.ui import words


def test_every_language_has_every_key_and_says_something():
    tables = words.tables()
    assert set(tables) == set(words.TAGS) == {"en", "de", "es", "fr", "zh", "ar", "hi", "sw"}
    for tag, table in tables.items():
        assert table.keys() == tables["en"].keys(), tag
        assert all(text.strip() for text in table.values()), tag


def test_every_language_puts_in_the_same_values():
    tables = words.tables()
    for key, english in tables["en"].items():
        wanted = sorted(re.findall(r"\{\w+\}", english))
        for tag, table in tables.items():
            assert sorted(re.findall(r"\{\w+\}", table[key])) == wanted, (tag, key)


@pytest.mark.parametrize("tag", words.TAGS)
def test_words_are_in_the_languages_script(tag):
    script = {"Hans": "Han"}.get(languages.script(tag), languages.script(tag))
    table = words.tables()[tag]
    written = [key for key, text in table.items() if regex.search(rf"\p{{{script}}}", text)]
    assert len(written) >= len(table) - 1  # JSON is called JSON everywhere


def test_words_have_no_markup_of_their_own():
    """They are put into HTML as they are."""
    for table in words.tables().values():
        assert not [text for text in table.values() if re.search(r"[<>&\"]", text)]


def test_a_map_says_nothing_that_a_table_lacks_and_no_table_has_more():
    scripts = [files("midalign_demo") / "assets" / "page" / name for name in ("drawing.js", "map.js")]
    sources = [*scripts, Path(pages.__file__)]
    used = {key for source in sources for key in re.findall(r'"(map_\w+)"', source.read_text(encoding="utf-8"))}
    assert len(used) > 40
    for tag in words.TAGS:
        assert words.Words(tag).of_map.keys() == used, tag
    assert words.ENGLISH.of_map == pages.english()


@pytest.mark.parametrize(
    ("asked", "tag"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("zh-TW", "zh"),
        ("AR", "ar"),
        ("fi,de", "en"),
        ("", "en"),
        ("<script>", "en"),
    ],
)
def test_a_visitor_gets_the_language_that_the_browser_names_first(asked, tag):
    request = SimpleNamespace(headers={"accept-language": asked})
    assert words.of(request).tag == tag


def test_what_has_no_request_is_in_english():
    assert words.of(None).tag == "en"


def test_arabic_runs_from_right_to_left():
    assert words.Words("ar").attributes == 'lang="ar" dir="rtl"'
    assert words.Words("sw").attributes == 'lang="sw" dir="ltr"'


def test_a_label_that_there_is_not_is_refused():
    with pytest.raises(KeyError):
        words.label("no such label")
    assert "__i18n__" in words.label("run")
