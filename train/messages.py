"""Translated programs' messages as parallel text: gettext catalogues, and MediaWiki's JSON files.

A translated program has thousands of short sentences in a hundred languages, among them some that have little other
parallel text. Debian has them as packages, such as LibreOffice's `libreoffice-l10n-cy` (MPL 2.0) and `mediawiki`
(GPL 2 or later): download with `apt-get download`, unpack with `dpkg -x`.
"""

from __future__ import annotations

import gettext
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from midalign_demo.errors import InputError
from train.data import ENGLISH

_LEAST_WORDS = 4  # shorter ones are buttons and menu entries, which mean little by themselves
_NO_SENTENCE = re.compile(r"[<>%${}|\\\n\[\]]|''|\w\(\)|//")  # markup, placeholders, code
_SHORTCUT = re.compile(r"[_~&](?=\w)")  # marks the key of a menu entry


def read_messages(folder: str | Path, tags: Sequence[str]) -> dict[str, list[str]]:
    """Parallel lines, one for each English message that is translated into every language.

    Args:
        folder: searched for `<locale>/LC_MESSAGES/*.mo`, and for `<language>.json` beside an `en.json`
            (MediaWiki's "banana" form, an object of key -> message).
        tags: languages beside English, into which the messages are translated.

    Returns:
        For each language its lines, English first.

    Raises:
        InputError: a language without messages, a file of another form, or no message that all languages have.
    """
    found = {tag: _translations(Path(folder), tag) for tag in tags if tag != ENGLISH}
    if not found:
        raise InputError("languages: give at least one beside English")
    first, *others = found.values()
    shared = [message for message in first if all(message in messages for messages in others)]
    if not shared:
        raise InputError(f"messages: none in {folder} is translated into all of {', '.join(found)}")
    return {ENGLISH: shared, **{tag: [messages[message] for message in shared] for tag, messages in found.items()}}


def _translations(folder: Path, tag: str) -> dict[str, str]:
    """English sentence -> its translation, the first where there are several."""
    catalogues = sorted(folder.rglob(f"{tag.replace('-', '_')}/LC_MESSAGES/*.mo"))
    objects = [file for file in sorted(folder.rglob(f"{tag.lower()}.json")) if file.with_name("en.json").is_file()]
    if not catalogues and not objects:
        forms = f"{tag}/LC_MESSAGES/*.mo nor {tag.lower()}.json beside an en.json"
        raise InputError(f"languages: {tag!r} has neither {forms} in {folder}")
    messages: dict[str, str] = {}
    for read, files in ((_catalogue, catalogues), (_json_messages, objects)):
        for file in files:
            for pair in read(file):
                english, other = (_SHORTCUT.sub("", text).strip() for text in pair)
                sentences = len(english.split()) >= _LEAST_WORDS and not any(map(_NO_SENTENCE.search, (english, other)))
                if sentences and other and other != english:
                    messages.setdefault(english, other)
    return messages


def _catalogue(file: Path) -> Iterator[tuple[str, str]]:
    try:
        with file.open("rb") as stream:
            # The standard library has no public way to list what is in a catalogue.
            catalogue = gettext.GNUTranslations(stream)._catalog  # type: ignore[attr-defined]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"messages: {file} is not a gettext catalogue") from error
    for key, translation in catalogue.items():
        if isinstance(key, str):  # others are plural forms
            yield key.rpartition("\x04")[2], translation


def _json_messages(file: Path) -> Iterator[tuple[str, str]]:
    english, other = (_json_object(path) for path in (file.with_name("en.json"), file))
    for key, message in english.items():
        if isinstance(message, str) and isinstance(other.get(key), str):
            yield message, other[key]


def _json_object(file: Path) -> dict:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"messages: {file} is not JSON") from error
    if not isinstance(content, dict):
        raise InputError(f"messages: {file} is not an object of key and message")
    return content
