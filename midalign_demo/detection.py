"""Which language a text is written in, guessed offline."""

from __future__ import annotations

from midalign_demo import languages


def detect(text: str) -> str:
    """The most likely language of a text (BCP 47), of the 97 that py3langid knows; short texts are often mistaken."""
    import py3langid  # reads its model, which takes a moment

    tag, _ = py3langid.classify(text)
    return languages.normalize(tag)
