"""One text answered by several variants: what `midalign compare` prints and the Compare tab shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from midalign_demo.engine import Answer, Engine, Row
from midalign_demo.errors import InputError
from midalign_demo.tasks import slot_filling
from midalign_demo.variants import UNTUNED

MAX_CHARACTERS = 1000


def compare(
    engine: Engine, text: str, variants: Sequence[str], *, inventory: Sequence[str], language: str | None = None
) -> dict:
    """Answer a command under several variants, all in one batch.

    Returns:
        `{"task", "language", "text", "outputs": [{"variant", "adapters", "prompt", "text", "parsed", "valid",
        "truncated", "new_tokens", "seconds"}]}`; `parsed` is
        a list of `{"slot", "value", "start", "end"}`, with the character
        range in the text, or None for a value that is not there.

    Raises:
        InputError: an empty or overlong text, an unknown variant.
    """
    rows = _rows(engine, text, variants, inventory)
    answers = engine.generate(rows, max_new_tokens=answer_limit(engine, text))
    return _document(engine, text, variants, inventory, language, rows, answers)


def stream_compare(
    engine: Engine, text: str, variants: Sequence[str], *, inventory: Sequence[str], language: str | None = None
) -> Iterator[dict]:
    """As `compare`, yielding the document again and again while the answers grow; each output has `done` as well."""
    rows = _rows(engine, text, variants, inventory)
    stream = engine.stream(rows, max_new_tokens=answer_limit(engine, text))
    try:
        for answers in stream:
            document = _document(engine, text, variants, inventory, language, rows, answers)
            for output, answer in zip(document["outputs"], answers, strict=True):
                output["done"] = answer.done
            yield document
    finally:
        stream.close()


def slot_filling_row(engine: Engine, text: str, variant: str, inventory: Sequence[str]) -> Row:
    """The question as a variant is asked it, and the adapter that answers."""
    ask = slot_filling.prompt_with_examples if variant in UNTUNED else slot_filling.prompt
    return Row(ask(text, inventory), engine.adapter_of(variant, slot_filling.NAME))


def answer_limit(engine: Engine, text: str) -> int:
    """Most tokens of an answer: every word of the text again, and the slots' names."""
    with engine.base.lock:
        return 48 + 2 * len(engine.base.encode(text.strip()))


def check_text(text: str) -> str:
    """The text, stripped.

    Raises:
        InputError: it is empty or too long.
    """
    text = text.strip()
    if not text:
        raise InputError("text: it is empty; type a command such as 'Wake me at seven'")
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"text: it has {len(text)} characters, at most {MAX_CHARACTERS} are allowed")
    return text


def _rows(engine: Engine, text: str, variants: Sequence[str], inventory: Sequence[str]) -> list[Row]:
    if not variants:
        raise InputError(f"variants: none given; there are {', '.join(engine.variants(slot_filling.NAME))}")
    text = check_text(text)
    return [slot_filling_row(engine, text, variant, inventory) for variant in variants]


def _document(
    engine: Engine,
    text: str,
    variants: Sequence[str],
    inventory: Sequence[str],
    language: str | None,
    rows: Sequence[Row],
    answers: Sequence[Answer],
) -> dict:
    text = text.strip()
    outputs = []
    for variant, row, answer in zip(variants, rows, answers, strict=True):
        slots, valid = slot_filling.parse(answer.text, inventory)
        spans = slot_filling.locate(slots, text)
        outputs.append(
            {
                "variant": variant,
                "adapters": [
                    name if weight == 1 else f"{name}*{weight:g}"
                    for name, weight in engine.adapters.weights_of(row.adapter).items()
                ],
                "prompt": row.prompt,
                "text": answer.text,
                "parsed": [
                    {
                        "slot": slot.name,
                        "value": slot.value,
                        "start": span[0] if span else None,
                        "end": span[1] if span else None,
                    }
                    for slot, span in zip(slots, spans, strict=True)
                ],
                "valid": valid and not answer.truncated,
                "truncated": answer.truncated,
                "new_tokens": answer.new_tokens,
                "seconds": round(answer.seconds, 3),
            }
        )
    return {"task": slot_filling.NAME, "language": language, "text": text, "outputs": outputs}
