"""Characters that are no text: what is taken out of a visitor's words before a model, a page or a file gets them."""

from __future__ import annotations

import re
import unicodedata

# Half a pair of UTF-16, which a JSON escape or a string cut by a script can leave: no encoding can write it.
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_BYTE_ORDER_MARK = "\ufeff"

# Categories of characters that leave no mark: controls, formats (joiners, marks of direction), separators.
_UNSEEN = ("Cc", "Cf", "Zl", "Zp", "Zs")


def cleaned(text: str) -> str:
    """The text without what no reader would see as part of it.

    Lone surrogates become U+FFFD, as in every encoder; control characters, but for tabs and line ends, become spaces; a
    byte-order mark in front goes. Joiners, zero-width spaces and marks of direction stay: Persian, Hindi, Khmer and
    emoji are written with them.
    """
    text = _LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)
    return _CONTROL.sub(" ", text).lstrip(_BYTE_ORDER_MARK)


def has_lone_surrogate(text: str) -> bool:
    """Whether the text holds half a surrogate pair."""
    return _LONE_SURROGATE.search(text) is not None


def is_blank(text: str) -> bool:
    """Whether there is nothing to see: spaces, controls, zero-width and direction marks at most."""
    return all(unicodedata.category(character) in _UNSEEN for character in text)
