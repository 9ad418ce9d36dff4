"""Texts in Plotly's figures, which reads some HTML and TeX in them."""

from __future__ import annotations

import html

import regex


def escaped(text: str) -> str:
    """The text as Plotly shows it character by character: neither its HTML nor, between dollar signs, TeX."""
    return html.escape(text, quote=False).replace("$", "&#36;")


def shortened(text: str, length: int) -> str:
    """The text's beginning, cut between what a reader sees as characters."""
    visible = regex.findall(r"\X", " ".join(text.split()))
    return "".join(visible) if len(visible) <= length else "".join(visible[: length - 1]).rstrip() + "…"
