"""HTML for a comparison: one card a variant. Whatever a user or a model wrote is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from midalign_demo import languages

TITLES = {
    "base": ("Base", "the pretrained model as it is"),
    "task": ("Task", "tuned on slot filling"),
    "align": ("Align", "tuned on translations only"),
    "merged": ("Task + align", "both adapters, added up"),
    "joint": ("Joint", "tuned on both at once"),
}
_HUES = (212, 28, 140, 275, 350, 180, 52, 310, 95, 235)


def comparison(document: dict, inventory: Sequence[str]) -> str:
    """Cards for the document of `midalign_demo.comparison.compare` (or of one step of `stream_compare`)."""
    tag = document["language"]
    direction = "auto" if tag is None else "rtl" if languages.is_rtl(tag) else "ltr"
    attributes = f'dir="{direction}"' + (f' lang="{escape(tag)}"' if tag else "")
    outputs = document["outputs"]
    # The page is redrawn at every token, which would close an opened prompt: prompts come at the end.
    finished = all(output.get("done", True) for output in outputs)
    cards = "".join(_card(output, document["text"], attributes, inventory, finished) for output in outputs)
    said = f"{len(outputs)} answers are complete." if finished else ""
    return f'<div class="spoken" role="status">{said}</div><div class="cards">{cards}</div>'


def notice(message: str, *, kind: str = "info", seconds: float | None = None) -> str:
    """One line above the cards; kind is `info`, `wait` or `error`. Running seconds are not read out."""
    role = "alert" if kind == "error" else "status"
    clock = "" if seconds is None else f'<span aria-hidden="true"> ({seconds:.0f} s)</span>'
    return f'<div class="notice {kind}" role="{role}">{escape(message)}{clock}</div>'


def _card(output: dict, text: str, attributes: str, inventory: Sequence[str], finished: bool) -> str:
    title, subtitle = TITLES[output["variant"]]
    done = output.get("done", True)
    in_force = " + ".join(output["adapters"]) or "none"
    count = f"{output['new_tokens']} token" + ("" if output["new_tokens"] == 1 else "s")
    prompt = f"<pre dir='auto'>{escape(output['prompt'])}</pre>"
    details = f"<details><summary>exact prompt</summary>{prompt}</details>" if finished else ""
    cut = " · cut off" if output["truncated"] and done else ""
    state = f"{count} in {output['seconds']:.1f} s{cut}" if done else f"writing… {count}"
    return (
        f'<section class="card{"" if done else " busy"}" aria-label="{escape(title)}" '
        f'aria-busy="{str(not done).lower()}">'
        f'<header><h2>{escape(title)}</h2><span class="subtitle">{escape(subtitle)}</span></header>'
        f'<p class="marked" {attributes}>{_marked(text, output["parsed"], inventory)}</p>'
        f"{_slot_list(output, attributes, inventory, done=done)}"
        f'<p class="raw" dir="auto"><span class="label">answer</span> {escape(output["text"]) or "…"}</p>'
        f'<footer><span>adapters: <b>{escape(in_force)}</b></span><span class="state">{state}</span></footer>'
        f"{details}"
        "</section>"
    )


def _marked(text: str, parsed: Sequence[dict], inventory: Sequence[str]) -> str:
    """The text with each slot's value marked; where two overlap, the first stays."""
    pieces, at = [], 0
    for slot in sorted((slot for slot in parsed if slot["start"] is not None), key=lambda slot: slot["start"]):
        if slot["start"] < at:
            continue
        pieces.append(escape(text[at : slot["start"]]))
        pieces.append(
            f'<mark style="--hue:{_hue(slot["slot"], inventory)}">{escape(text[slot["start"] : slot["end"]])}'
            f'<span class="tag" dir="ltr">{escape(slot["slot"])}</span></mark>'
        )
        at = slot["end"]
    pieces.append(escape(text[at:]))
    return "".join(pieces)


def _slot_list(output: dict, attributes: str, inventory: Sequence[str], *, done: bool) -> str:
    rows = "".join(
        f'<div class="slot" style="--hue:{_hue(slot["slot"], inventory)}"><dt>{escape(slot["slot"])}</dt>'
        f"<dd><bdi {attributes}>{escape(slot['value'])}</bdi>"
        + ("" if slot["start"] is not None else ' <em class="absent">not in the text</em>')
        + "</dd></div>"
        for slot in output["parsed"]
    )
    if rows:
        return f"<dl>{rows}</dl>"
    if not done:
        return '<p class="empty">…</p>'
    return f'<p class="empty">{"No slots." if output["valid"] else "The answer is not a list of slots."}</p>'


def _hue(slot: str, inventory: Sequence[str]) -> int:
    return _HUES[list(inventory).index(slot) % len(_HUES)]  # an answer's slots are always in the inventory
