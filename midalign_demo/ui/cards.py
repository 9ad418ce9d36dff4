"""HTML for a comparison: one card a variant. Whatever a user or a model wrote is escaped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape

from midalign_demo import languages, tasks
from midalign_demo.tasks import json_generation, slot_filling, translation
from midalign_demo.tasks.spans import find
from midalign_demo.ui import differences, words
from midalign_demo.ui.differences import Difference
from midalign_demo.ui.words import Words

_HUES = (212, 28, 140, 275, 350, 180, 52, 310, 95, 235)


def comparison(document: dict, names: Sequence[str] = (), *, detected: bool = False, say: Words = words.ENGLISH) -> str:
    """Cards for the document of `midalign_demo.comparison.compare` (or of one step of `stream_compare`).

    A document may have what its answers are scored against as well: `gold`, in the form that answers are parsed into;
    its outputs then have `scores`, metrics by name.

    Args:
        names: of slots or entity types; each has a colour of its own, the same in every card.
        detected: whether the text's language was guessed, which is then said.
        say: the language of the page.
    """
    outputs = document["outputs"]
    # The page is redrawn at every token, which would close an opened prompt: prompts come at the end.
    finished = all(output.get("done", True) for output in outputs)
    hues = {name: _HUES[number % len(_HUES)] for number, name in enumerate(names)}
    cards = _gold(document, hues, say) if "gold" in document else ""
    for output in outputs:
        first = outputs[0] if finished and output is not outputs[0] else None
        cards += _card(output, first, document, hues, finished, say)
    said = say("complete", n=len(outputs)) if finished else ""
    return (
        f'<div {say.attributes}><div class="spoken" role="status">{said}</div>{_guess(document, detected, say)}'
        f'<div class="cards">{cards}</div></div>'
    )


def _guess(document: dict, detected: bool, say: Words) -> str:
    tag = document["language"]
    if not detected or tag is None:
        return ""
    named = escape(languages.both_names(tag))
    return f'<p class="guess">{say("detected")} <b><bdi>{named}</bdi></b>. {say("detected_else")}</p>'


def notice(message: str, *, kind: str = "info", seconds: float | None = None, share: float | None = None) -> str:
    """One line above the cards; kind is `info`, `wait` or `error`. Running seconds are not read out.

    Args:
        share: how much is done, 0 to 1, for a bar.
    """
    bar = "" if share is None else f' <progress max="1" value="{share:.2f}" aria-label="{escape(message)}"></progress>'
    role = "alert" if kind == "error" else "status"
    clock = "" if seconds is None else f'<span aria-hidden="true"> ({seconds:.0f} s)</span>'
    return f'<div class="notice {kind}" role="{role}" dir="auto">{escape(message)}{bar}{clock}</div>'


def _card(output: dict, first: dict | None, document: dict, hues: Mapping[str, int], finished: bool, say: Words) -> str:
    """One variant's answer.

    Args:
        first: the answer that this one is compared with, if any.
    """
    title, subtitle = say.variant(output["variant"])
    done = output.get("done", True)
    in_force = " + ".join(output["adapters"]) or say("none")
    state = say("tokens", n=output["new_tokens"])
    if not done:
        state = f"{say('writing')} {state}"
    elif "seconds" in output:  # stored answers tell nothing of the machine they were made on
        state += f" · {say('seconds', n=format(output['seconds'], '.1f'))}"
    if done and output["truncated"]:
        state += f" · {say('cut_off')}"
    prompt = f"<pre dir='auto'>{escape(output['prompt'])}</pre>"
    details = f"<details><summary>{say('prompt')}</summary>{prompt}</details>" if finished else ""
    difference = None if first is None else _difference(document, output, first)
    return (
        f'<section class="card{"" if done else " busy"}" aria-label="{escape(title)}" '
        f'aria-busy="{str(not done).lower()}">'
        f'<header><h2>{escape(title)}</h2><span class="subtitle">{escape(subtitle)}</span></header>'
        f"{_scores(output, document, say)}"
        f"{_BODIES[document['task']](output, difference, document, hues, done, say)}"
        f"{'' if first is None or difference is None else _compared(difference, document, first, say)}"
        f"<footer><span>{say('adapters')} <b><bdi>{escape(in_force)}</bdi></b></span>"
        f'<span class="state">{escape(state)}</span></footer>'
        f"{details}"
        "</section>"
    )


def _gold(document: dict, hues: Mapping[str, int], say: Words) -> str:
    """What the answers are scored against, as a card before theirs."""
    gold = document["gold"]
    is_reference = document["task"] == translation.NAME
    title = say("reference_card" if is_reference else "gold")
    subtitle = say("about_reference" if is_reference else "about_gold")
    shown = {"parsed": gold, "text": gold if is_reference else "", "valid": True}
    return (
        f'<section class="card gold" aria-label="{escape(title)}"><header><h2>{escape(title)}</h2>'
        f'<span class="subtitle">{escape(subtitle)}</span></header>'
        f"{_BODIES[document['task']](shown, None, document, hues, True, say)}</section>"
    )


def _scores(output: dict, document: dict, say: Words) -> str:
    """An answer's scores, the task's main one first."""
    scores = output.get("scores")
    if not scores:
        return ""
    if document["task"] == translation.NAME:
        return f'<p class="score"><b>chrF {scores["chrf"]:.1f}</b></p>'
    main = tasks.MODULES[document["task"]].MAIN_METRIC
    rest = " · ".join(f"{say(name)} {scores[name]:.2f}" for name in ("precision", "recall"))
    return f'<p class="score"><b>{main.upper()} {scores[main]:.2f}</b> <span class="label">{rest}</span></p>'


def _difference(document: dict, output: dict, first: dict) -> Difference:
    """How an answer differs from the first: by slots or entities where both have them, else by words."""
    if output["text"].strip() == first["text"].strip():
        return Difference()
    in_words = differences.by_words(output["text"], first["text"])
    mine, its = _items(document["task"], output), _items(document["task"], first)
    if mine is None or its is None:
        return in_words
    in_items = differences.by_items(mine, its)
    return replace(in_items, spans=in_words.spans) if in_items else in_items


def _items(task: str, output: dict) -> list[str] | None:
    """The slots or entities of an answer that has the form asked for; None for others and for translations."""
    if task == slot_filling.NAME and output["valid"]:
        return [f"{slot['slot']}: {slot['value']}" for slot in output["parsed"]]
    if task == json_generation.NAME and output["valid"]:
        found = json_generation.entities_of(output["parsed"])
        whole = {"Results": [{"TypeName": entity.type, "Text": entity.text} for entity in found]}
        # Answers to other schemas have no entities, or not only such.
        return [f"{entity.type}: {entity.text}" for entity in found] if output["parsed"] == whole else None
    return None


def _compared(difference: Difference, document: dict, first: dict, say: Words) -> str:
    """Whether an answer is the first variant's, and if not, what is new in it and what it lacks."""
    named, _ = say.variant(first["variant"])
    if not difference:
        return f'<p class="difference same"><b>{escape(say("same_as", first=named))}</b></p>'
    attributes = _written_in(document.get("target", document["language"]))
    changes = differences.listed(difference, new=say("new"), left_out=say("left_out"), attributes=attributes)
    return f'<p class="difference"><b>{escape(say("differs", first=named))}</b>{changes}</p>'


def _slots(
    output: dict, difference: Difference | None, document: dict, hues: Mapping[str, int], done: bool, say: Words
) -> str:
    """The text with its slots marked, the list of slots, and the answer as it was given."""
    attributes = _written_in(document["language"])
    spans = [(slot["start"], slot["end"], slot["slot"]) for slot in output["parsed"] if slot["start"] is not None]
    rows = "".join(
        f'<div class="slot" style="--hue:{hues.get(slot["slot"], _HUES[0])}"><dt>{_breakable(slot["slot"])}</dt>'
        f"<dd><bdi {attributes}>{escape(slot['value'])}</bdi>"
        + ("" if slot["start"] is not None else f' <em class="absent">{say("not_in_text")}</em>')
        + "</dd></div>"
        for slot in output["parsed"]
    )
    empty = say("no_slots" if output["valid"] else "not_slots")
    listed = f"<dl>{rows}</dl>" if rows else _empty(empty, done)
    return f"{_marked(document['text'], spans, attributes, hues)}{listed}{_raw(output, difference, say)}"


def _translation(
    output: dict, difference: Difference | None, document: dict, hues: Mapping[str, int], done: bool, say: Words
) -> str:
    if not output["text"]:
        return _empty(say("no_translation"), done)
    return f'<p class="translation" {_written_in(document["target"])}>{_words_of(output, difference)}</p>'


def _json(
    output: dict, difference: Difference | None, document: dict, hues: Mapping[str, int], done: bool, say: Words
) -> str:
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
    marked = _marked(document["text"], spans, attributes, hues)
    good, fits = ("good", "fits") if output["valid"] else ("bad", "not_fits")
    verdict = f'<p class="verdict {good}">{say(fits)}</p>' if done else _empty("", done)
    if output["parsed"] is None or not done:
        return f"{marked}{verdict}{_raw(output, difference, say)}"
    pretty = escape(json.dumps(output["parsed"], ensure_ascii=False, indent=2))
    return f'{marked}{verdict}<details class="json"><summary>JSON</summary><pre dir="ltr">{pretty}</pre></details>'


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


def _raw(output: dict, difference: Difference | None, say: Words) -> str:
    """The answer as it was given; that of the test set was not given by anyone."""
    if output.get("variant") is None:
        return ""
    shown = _words_of(output, difference) or "…"
    return f'<p class="raw" dir="auto"><span class="label">{say("answer")}</span> {shown}</p>'


def _words_of(output: dict, difference: Difference | None) -> str:
    return escape(output["text"]) if difference is None else differences.marked(output["text"], difference)


def _breakable(name: str) -> str:
    """A slot's name that may be broken after its slash or underscore, not inside a word."""
    return escape(name).replace("/", "/<wbr>").replace("_", "_<wbr>")
