"""Translated programs' messages (gettext catalogues) as parallel text.

A translated desktop program has thousands of short sentences in a hundred languages, among them some that have little
other parallel text. Debian has them as packages, such as LibreOffice's `libreoffice-l10n-cy` (MPL 2.0): download with
`apt-get download`, unpack with `dpkg -x`.
"""

from __future__ import annotations

import gettext
import re
from collections.abc import Sequence
from pathlib import Path

from midalign_demo.errors import InputError
from train.data import ENGLISH

_LEAST_WORDS = 4  # shorter ones are buttons and menu entries, which mean little by themselves
_NO_SENTENCE = re.compile(r"[<>%${}|\\\n]|\w\(\)|//")  # markup, placeholders, code
_SHORTCUT = re.compile(r"[_~&](?=\w)")  # marks the key of a menu entry


def read_catalogues(folder: str | Path, tags: Sequence[str]) -> dict[str, list[str]]:
    """Parallel lines, one for each English message that is translated into every language.

    Args:
        folder: searched for `<locale>/LC_MESSAGES/*.mo`.
        tags: languages beside English, which is the catalogues' key.

    Returns:
        For each language its lines, English first.

    Raises:
        InputError: a language without catalogues, a file that is none, or no message that all languages have.
    """
    found = {tag: _messages(Path(folder), tag) for tag in tags if tag != ENGLISH}
    if not found:
        raise InputError("languages: give at least one beside English")
    first, *others = found.values()
    shared = [message for message in first if all(message in messages for messages in others)]
    if not shared:
        raise InputError(f"catalogues: no message in {folder} is translated into all of {', '.join(found)}")
    return {ENGLISH: shared, **{tag: [messages[message] for message in shared] for tag, messages in found.items()}}


def _messages(folder: Path, tag: str) -> dict[str, str]:
    """English sentence -> its translation."""
    files = sorted(folder.rglob(f"{tag.replace('-', '_')}/LC_MESSAGES/*.mo"))
    if not files:
        raise InputError(f"languages: {tag!r} has no {tag}/LC_MESSAGES/*.mo in {folder}")
    messages = {}
    for file in files:
        try:
            with file.open("rb") as stream:
                catalogue = gettext.GNUTranslations(stream)._catalog  # no public way to list what is in it
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"catalogues: {file} is not a gettext catalogue") from error
        for key, translation in catalogue.items():
            if not isinstance(key, str):  # a plural form
                continue
            english, other = (_SHORTCUT.sub("", text).strip() for text in (key.rpartition("\x04")[2], translation))
            sentences = len(english.split()) >= _LEAST_WORDS and not any(map(_NO_SENTENCE.search, (english, other)))
            if sentences and other and other != english:
                messages.setdefault(english, other)
    return messages
