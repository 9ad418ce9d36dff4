"""What the tabs of maps and layers look at: midalign's own sentences, or a visitor's; and the inputs for it."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path

import gradio as gr

from midalign_demo import languages, parallel, sentences
from midalign_demo.characters import cleaned, is_blank
from midalign_demo.detection import detect
from midalign_demo.errors import InputError
from midalign_demo.ui.words import label

DEFAULT_LANGUAGES = ("en", "de", "ru", "zh", "ar", "hi", "sw", "th", "cy", "am")
DEFAULT_VARIANTS = ("base", "align")
ALL_TOPICS = "all"
MOST_SENTENCES = 3000  # over all languages; more would keep other visitors waiting
MOST_LANGUAGES = 60  # retrieval is measured for every pair of them
MOST_BYTES = 5_000_000  # of a visitor's file: as many sentences, long ones in a script of three bytes a character
LONGEST_SENTENCE = 1000  # characters, in a visitor's file

MOST_ADDED, MOST_CHARACTERS = 40, 300  # of the sentences that a visitor types
_TAGGED = re.compile(r"([a-z]{2,3}(?:[-_][A-Za-z0-9]+)*)\s*:\s*(\S.*)")


@lru_cache(maxsize=1)
def topics() -> list[str]:
    """The topic of each of midalign's own sentences."""
    return json.loads((sentences.own_folder() / "topics.json").read_text(encoding="utf-8"))


def language_choices() -> list[tuple[str, str]]:
    """The languages of midalign's own sentences, by their own names and in English."""
    tags = sorted(file.stem for file in sentences.own_folder().glob("*.txt"))
    return [(languages.both_names(tag), tag) for tag in sorted(tags, key=languages.name)]


def topic_choices() -> list[tuple[str, str]]:
    """All topics together, and each by itself."""
    return [(label(f"topic_{topic}"), topic) for topic in dict.fromkeys([ALL_TOPICS, *topics()])]


def languages_dropdown(elem_id: str, **options) -> gr.Dropdown:
    """The languages to look at; options as `gr.Dropdown` takes them."""
    return gr.Dropdown(
        language_choices(), value=list(DEFAULT_LANGUAGES), multiselect=True, label=label("languages"),
        elem_id=elem_id, **options,
    )  # fmt: skip


def own_file(elem_id: str) -> gr.File:
    """A visitor's own parallel sentences, which take the place of midalign's."""
    return gr.File(label=label("own_file"), file_types=[".tsv", ".jsonl"], elem_id=elem_id)


def corpus_of(tags: list[str], topic: str = ALL_TOPICS, file: str | None = None) -> dict[str, list[str]]:
    """Parallel sentences.

    Args:
        tags: of midalign's own sentences.
        topic: only those of one topic.
        file: a visitor's parallel text, in the place of midalign's own: all its languages and lines.

    Raises:
        InputError: fewer than two languages or too many, an unknown topic, a file that can't be read, or that is too
            large or has too many or too long sentences.
    """
    if file:
        corpus = _of_visitor(file)
        tags = list(corpus)
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise InputError("languages: give a list of tags, such as en, de")
    tags = [languages.normalize(tag) for tag in dict.fromkeys(tags)]
    if len(tags) < 2:
        raise InputError(f"languages: {', '.join(tags) or 'none'} given; at least two are needed")
    if len(tags) > MOST_LANGUAGES:
        raise InputError(f"languages: {len(tags)} given; at most {MOST_LANGUAGES} are allowed")
    if not file:
        if topic not in (ALL_TOPICS, *topics()):
            raise InputError(f"topic: {topic!r} is not one of {', '.join(dict.fromkeys([ALL_TOPICS, *topics()]))}")
        corpus = sentences.own_sentences(tags)
        wanted = [number for number, of in enumerate(topics()) if topic in (ALL_TOPICS, of)]
        corpus = {tag: [lines[number] for number in wanted] for tag, lines in corpus.items()}
    count = sum(map(len, corpus.values()))
    if count > MOST_SENTENCES:
        raise InputError(f"sentences: {count} in all languages together; at most {MOST_SENTENCES} are allowed")
    return corpus


def _of_visitor(file: str) -> dict[str, list[str]]:
    """The parallel text in a visitor's file, without what is no text."""
    try:
        corpus = parallel.read(file, most_bytes=MOST_BYTES)
    except InputError as error:  # where uploads lie is nobody's business
        raise InputError(str(error).replace(file, Path(file).name)) from error
    for tag, lines in corpus.items():
        for number, line in enumerate(lines, start=1):
            if len(line) > LONGEST_SENTENCE:
                raise InputError(
                    f"sentences: number {number} in {tag!r} has {len(line)} characters; "
                    f"at most {LONGEST_SENTENCE} are allowed"
                )
    return {tag: [cleaned(line) for line in lines] for tag, lines in corpus.items()}


def typed_sentences(text: str) -> list[tuple[str, str]]:
    """Language and sentence of each line: `de: Guten Morgen`, or a sentence whose language is guessed.

    Raises:
        InputError: no text, too many lines, or one that is too long.
    """
    if not isinstance(text, str):
        raise InputError("your sentences: give one string, with a line for each sentence")
    lines = [" ".join(line.split()) for line in cleaned(text).splitlines()]
    lines = [line for line in lines if not is_blank(line)]
    if len(lines) > MOST_ADDED:
        raise InputError(f"your sentences: {len(lines)} lines; at most {MOST_ADDED} are allowed")
    for number, line in enumerate(lines, start=1):
        if len(line) > MOST_CHARACTERS:
            raise InputError(
                f"your sentences: line {number} has {len(line)} characters; at most {MOST_CHARACTERS} are allowed"
            )
    return [_tagged(line) or (detect(line), line) for line in lines]


def _tagged(line: str) -> tuple[str, str] | None:
    """A tag is in small letters: `No: ..` and `PS: ..` are neither Norwegian nor Pashto."""
    match = _TAGGED.fullmatch(line)
    try:
        return (languages.normalize(match[1]), match[2]) if match and not is_blank(match[2]) else None
    except InputError:  # a word with a colon
        return None
