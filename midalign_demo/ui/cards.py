"""HTML for a comparison: one card a variant. Whatever a user or a model wrote is escaped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape

from midalign_demo import languages
from midalign_demo.tasks import json_generation, slot_filling, translation
from midalign_demo.tasks.spans import find

TITLES = {
    "base": ("Base", "the pretrained model as it is"),
    "task": ("Task", "tuned on this task"),
    "align": ("Align", "tuned on translations only"),
    "merged": ("Task + align", "both adapters, added up"),
    "joint": ("Joint", "tuned on both at once"),
}
_HUES = (212, 28, 140, 275, 350, 180, 52, 310, 95, 235)


def comparison(document: dict, names: Sequence[str] = (), *, detected: bool = False) -> str:
    """Cards for the document of `midalign_demo.comparison.compare` (or of one step of `stream_compare`).

    Args:
        names: of slots or entity types; each has a colour of its own, the same in every card.
        detected: whether the text's language was guessed, which is then said.
    """
    outputs = document["outputs"]
    # The page is redrawn at every token, which would close an opened prompt: prompts come at the end.
    finished = all(output.get("done", True) for output in outputs)
    hues = {name: _HUES[number % len(_HUES)] for number, name in enumerate(names)}
    cards = "".join(_card(output, document, hues, finished) for output in outputs)
    said = f"{len(outputs)} answers are complete." if finished else ""
    return f'<div class="spoken" role="status">{said}</div>{_guess(document, detected)}<div class="cards">{cards}</div>'


def _guess(document: dict, detected: bool) -> str:
    tag = document["language"]
    if not detected or tag is None:
        return ""
    named = escape(languages.both_names(tag))
    return f'<p class="guess">Detected language: <b>{named}</b>. If it is another one, pick it above.</p>'


def notice(message: str, *, kind: str = "info", seconds: float | None = None) -> str:
    """One line above the cards; kind is `info`, `wait` or `error`. Running seconds are not read out."""
    role = "alert" if kind == "error" else "status"
    clock = "" if seconds is None else f'<span aria-hidden="true"> ({seconds:.0f} s)</span>'
    return f'<div class="notice {kind}" role="{role}">{escape(message)}{clock}</div>'


def _card(output: dict, document: dict, hues: Mapping[str, int], finished: bool) -> str:
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
        f"{_BODIES[document['task']](output, document, hues, done)}"
        f'<footer><span>adapters: <b>{escape(in_force)}</b></span><span class="state">{state}</span></footer>'
        f"{details}"
        "</section>"
    )


def _slots(output: dict, document: dict, hues: Mapping[str, int], done: bool) -> str:
    """The text with its slots marked, the list of slots, and the answer as it was given."""
    attributes = _written_in(document["language"])
    names = [slot["slot"] for slot in output["parsed"]]
    spans = [(slot["start"], slot["end"], slot["slot"]) for slot in output["parsed"] if slot["start"] is not None]
    rows = "".join(
        f'<div class="slot" style="--hue:{hues.get(slot["slot"], _HUES[0])}"><dt>{_breakable(slot["slot"])}</dt>'
        f"<dd><bdi {attributes}>{escape(slot['value'])}</bdi>"
        + ("" if slot["start"] is not None else ' <em class="absent">not in the text</em>')
        + "</dd></div>"
        for slot in output["parsed"]
    )
    empty = "No slots." if output["valid"] else "The answer is not a list of slots."
    listed = f"<dl>{rows}</dl>" if names else _empty(empty, done)
    return f"{_marked(document['text'], spans, attributes, hues)}{listed}{_raw(output)}"


def _translation(output: dict, document: dict, hues: Mapping[str, int], done: bool) -> str:
    if not output["text"]:
        return _empty("No translation.", done)
    return f'<p class="translation" {_written_in(document["target"])}>{escape(output["text"])}</p>'


def _json(output: dict, document: dict, hues: Mapping[str, int], done: bool) -> str:
    """Entities marked in the text, whether the answer fits the schema, and the answer, folded."""
    attributes = _written_in(document["language"])
    found = json_generation.entities_of(output["parsed"])
    taken: dict[str, list[tuple[int, int]]] = {}
    spans = []
    for entity in found:
        span = find(entity.text, document["text"], taken.setdefault(entity.type, []))
        if span:
            taken[entity.type].append(span)
            spans.append((*span, entity.type))
    fits = "fits the schema" if output["valid"] else "does not fit the schema"
    verdict = f'<p class="verdict {"good" if output["valid"] else "bad"}">{fits}</p>' if done else _empty("", done)
    if output["parsed"] is None:
        return f"{_marked(document['text'], spans, attributes, hues)}{verdict}{_raw(output)}"
    pretty = escape(json.dumps(output["parsed"], ensure_ascii=False, indent=2))
    folded = f'<details class="json"><summary>JSON</summary><pre dir="ltr">{pretty}</pre></details>'
    return f"{_marked(document['text'], spans, attributes, hues)}{verdict}{folded if done else _raw(output)}"


_BODIES = {slot_filling.NAME: _slots, translation.NAME: _translation, json_generation.NAME: _json}


def _written_in(tag: str | None) -> str:
    direction = "auto" if tag is None else "rtl" if languages.is_rtl(tag) else "ltr"
    return f'dir="{direction}"' + (f' lang="{escape(tag)}"' if tag else "")


def _marked(text: str, spans: Sequence[tuple[int, int, str]], attributes: str, hues: Mapping[str, int]) -> str:
    """The text with named spans marked; where two overlap, the first stays."""
    pieces, at = [], 0
    for start, end, name in sorted(spans):
        if start < at:
            continue
        pieces.append(escape(text[at:start]))
        pieces.append(
            f'<mark style="--hue:{hues.get(name, _HUES[0])}">{escape(text[start:end])}'
            f'<span class="tag" dir="ltr">{escape(name)}</span></mark>'
        )
        at = end
    pieces.append(escape(text[at:]))
    return f'<p class="marked" {attributes}>{"".join(pieces)}</p>'


def _empty(message: str, done: bool) -> str:
    return f'<p class="empty">{message if done else "…"}</p>'


def _raw(output: dict) -> str:
    return f'<p class="raw" dir="auto"><span class="label">answer</span> {escape(output["text"]) or "…"}</p>'


def _breakable(name: str) -> str:
    """A slot's name that may be broken after its slash or underscore, not inside a word."""
    return escape(name).replace("/", "/<wbr>").replace("_", "_<wbr>")
