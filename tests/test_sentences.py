"""The form of the demo's own parallel sentences; what they mean is for readers of each language to judge."""

import json
import unicodedata
from itertools import groupby
from pathlib import Path

import pytest
import regex

import midalign_demo
from midalign_demo import languages

FOLDER = Path(midalign_demo.__file__).parent / "assets" / "sentences"
FILES = {path.stem: path for path in sorted(FOLDER.glob("*.txt"))}
TOPICS = json.loads((FOLDER / "topics.json").read_text(encoding="utf-8"))
# Scripts that are several of Unicode's.
LETTERS = {"Hans": r"\p{Han}", "Jpan": r"[\p{Han}\p{Hiragana}\p{Katakana}ー]", "Kore": r"[\p{Hangul}\p{Han}]"}
# Persian is spelt with the zero-width non-joiner.
INVISIBLE = {"fa": "\u200c"}


def test_enough_meanings_languages_and_scripts():
    assert len(TOPICS) >= 40
    assert len(FILES) >= 24
    assert len({languages.script(tag) for tag in FILES}) >= 10
    assert "en" in FILES


def test_topics_are_known_and_lie_together():
    assert set(TOPICS) == {"everyday", "travel", "weather", "commands", "science"}
    assert len([topic for topic, _ in groupby(TOPICS)]) == len(set(TOPICS))


@pytest.mark.parametrize("tag", FILES)
def test_file_keeps_the_form(tag):
    text = FILES[tag].read_bytes().decode("utf-8")
    lines = text.split("\n")
    assert languages.normalize(tag) == tag
    assert lines.pop() == "", "no newline at the end"
    assert len(lines) == len(TOPICS)
    assert len(set(lines)) == len(lines)
    assert unicodedata.is_normalized("NFC", text)
    assert all(line and line == line.strip() for line in lines)
    categories = {character: unicodedata.category(character) for character in set(text) - {"\n"}}
    assert not [character for character, category in categories.items() if category == "Nd"]
    invisible = {character for character, category in categories.items() if category.startswith("C")}
    assert invisible <= set(INVISIBLE.get(tag, ""))


@pytest.mark.parametrize("tag", FILES)
def test_lines_are_in_the_languages_script(tag):
    script = languages.script(tag)
    letter = LETTERS.get(script, rf"\p{{Script={script}}}")
    for line in FILES[tag].read_text(encoding="utf-8").splitlines():
        letters = regex.findall(r"\p{L}", line)
        assert len(regex.findall(rf"(?=\p{{L}}){letter}", line)) > 0.9 * len(letters), line
