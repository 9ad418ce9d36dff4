"""Language tags (BCP 47): names, script and direction.

Names and scripts are looked up in langcodes (CLDR data); there is no table of languages in midalign.
"""

from __future__ import annotations

from functools import lru_cache

import langcodes
from langcodes.tag_parser import LanguageTagError

from midalign_demo.errors import InputError

# The right-to-left scripts in use today (ISO 15924); CLDR data as packaged by langcodes do not tell.
_RIGHT_TO_LEFT = frozenset({"Adlm", "Arab", "Hebr", "Mand", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa", "Yezi"})
_LONGEST_TAG = 35  # characters that every reader of tags has to take in (RFC 5646, 4.4.1)


def normalize(tag: str | None) -> str:
    """The tag in its usual spelling (`DE` -> `de`, `zh_hans` -> `zh-Hans`).

    Raises:
        InputError: not a well-formed tag, or no language that langcodes knows.
    """
    # Nothing long is looked up, and so kept: what is asked for may be a visitor's.
    found = _normalized(tag) if isinstance(tag, str) and len(tag) <= _LONGEST_TAG else None
    if found is None:
        shown = repr(tag) if len(repr(tag)) <= 2 * _LONGEST_TAG else f"{repr(tag)[:_LONGEST_TAG]}.."
        raise InputError(f"language: {shown} is not a BCP 47 tag such as 'de', 'sw' or 'zh-Hant'")
    return found


@lru_cache(maxsize=1024)
def _normalized(tag: str) -> str | None:
    try:
        language = langcodes.Language.get(tag.strip(), normalize=False)
    except (LanguageTagError, AttributeError):
        return None
    return language.to_tag() if language.language and language.is_valid() else None


@lru_cache(maxsize=1024)
def name(tag: str) -> str:
    """English name, such as `Serbian (Latin)`."""
    return langcodes.Language.get(tag).display_name("en")


@lru_cache(maxsize=1024)
def autonym(tag: str) -> str:
    """The language's name for itself, such as `Deutsch`; the English name where none is known."""
    own = langcodes.Language.get(tag).autonym()
    return own if own and own != tag else name(tag)


def both_names(tag: str) -> str:
    """The language's name for itself and in English, such as `Deutsch · German`; once where they are the same."""
    return " · ".join(dict.fromkeys([autonym(tag), name(tag)]))


@lru_cache(maxsize=1024)
def script(tag: str) -> str:
    """ISO 15924 code of the script the language is usually written in, such as `Cyrl`; `Zyyy` if unknown."""
    return langcodes.Language.get(tag).maximize().script or "Zyyy"


@lru_cache(maxsize=1024)
def script_name(tag: str) -> str:
    """English name of that script, such as `Cyrillic`."""
    code = script(tag)
    # CLDR's names of these two are made to stand behind "Chinese".
    written = {"Hans": "Simplified Han", "Hant": "Traditional Han"}
    return written.get(code) or langcodes.Language.make(script=code).script_name("en")


def is_rtl(tag: str) -> bool:
    """Whether the language is written from right to left."""
    return script(tag) in _RIGHT_TO_LEFT
