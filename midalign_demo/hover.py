"""What a figure says about a point: texts for Plotly, which reads some HTML in them."""

from __future__ import annotations

import html

import regex

from midalign_demo import languages
from midalign_demo.maps import EmbeddingMap, Slice

_LINE = 36  # characters; a phone shows about 45
_LINES = 6
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"


def escaped(text: str) -> str:
    """The text as Plotly shows it character by character: neither its HTML nor, between dollar signs, TeX."""
    return html.escape(text, quote=False).replace("$", "&#36;")


def shortened(text: str, length: int = _LINE) -> str:
    """The text's beginning, cut between what a reader sees as characters."""
    visible = regex.findall(r"\X", " ".join(text.split()))
    return "".join(visible) if len(visible) <= length else "".join(visible[: length - 1]).rstrip() + "…"


def wrapped(text: str) -> str:
    """The text, escaped, in lines of at most 36 characters; languages without spaces are cut between characters."""
    lines = [""]
    for word in text.split():
        visible = regex.findall(r"\X", word)
        pieces = ["".join(visible[at : at + _LINE]) for at in range(0, len(visible), _LINE)]
        for number, piece in enumerate(pieces):
            joined = f"{lines[-1]} {piece}" if lines[-1] and not number else lines[-1] + piece
            if len(regex.findall(r"\X", joined)) <= _LINE:
                lines[-1] = joined
            else:
                lines.append(piece)
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], shortened(lines[_LINES - 1], _LINE - 1) + "…"]
    return "<br>".join(_isolated(line) for line in lines)


def of_points(shown: EmbeddingMap, part: Slice) -> list[str]:
    """For each point its language, sentence, English translation and nearest neighbours in the original space."""
    names = [escaped(languages.name(tag)) for tag in shown.languages]
    brief = [_isolated(shortened(sentence, 28)) for sentence in shown.sentences]
    texts = []
    for point, english in enumerate(shown.translations()):
        lines = [f"<b>{names[shown.language[point]]}</b>", wrapped(shown.sentences[point])]
        if english is not None and shown.languages[shown.language[point]] != "en":
            lines.append(f"<i>{wrapped(english)}</i>")
        lines.append("<br>Nearest in the original space (cosine):")
        for other, cosine in zip(part.neighbours[point], part.cosines[point], strict=True):
            mark = "✓" if shown.meaning[other] == shown.meaning[point] else "✗"
            lines.append(f"{mark} {cosine:.3f} {shown.languages[shown.language[other]]} {brief[other]}")
        texts.append("<br>".join(lines))
    return texts


def _isolated(text: str) -> str:
    """Escaped, and kept from turning round the left-to-right text beside it where it runs from right to left."""
    return _FIRST_STRONG_ISOLATE + escaped(text) + _POP_ISOLATE
