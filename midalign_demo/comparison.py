"""One question answered by several variants: what `midalign compare` prints and the Compare tab shows."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

from midalign_demo.engines import AnsweringEngine
from midalign_demo.errors import InputError
from midalign_demo.generation import Row
from midalign_demo.tasks.question import Question, check_text
from midalign_demo.variants import UNTUNED
from midalign_demo.watcher import Answer

MergeWeights = tuple[float, float]


def compare(
    engine: AnsweringEngine,
    question: Question,
    variants: Sequence[str],
    *,
    grammar: bool | None = None,
    merge: MergeWeights | None = None,
) -> dict:
    """Answer a question under several variants, all in one batch.

    Args:
        grammar: hold the answers to the question's grammar, if it has one; default: as is usual for the task.
        merge: weights of task and alignment adapter in `merged`; default: the engine's.

    Returns:
        `{"task", "language", "text", "outputs": [{"variant", "adapters", "prompt", "text", "parsed", "valid",
        "truncated", "new_tokens", "seconds"}]}`; for `parsed` see the question's `read`. A translation has `target`
        as well.

    Raises:
        InputError: an empty or overlong text, an unknown variant.
    """
    question, rows, limit = _asked(engine, question, variants, grammar, merge)
    answers = engine.generate(rows, max_new_tokens=limit)
    return _document(engine, question, variants, rows, answers)


def stream_compare(
    engine: AnsweringEngine,
    question: Question,
    variants: Sequence[str],
    *,
    grammar: bool | None = None,
    merge: MergeWeights | None = None,
) -> Generator[dict, None, None]:
    """As `compare`, yielding the document again and again while the answers grow; each output has `done` as well."""
    question, rows, limit = _asked(engine, question, variants, grammar, merge)
    stream = engine.stream(rows, max_new_tokens=limit)
    try:
        for answers in stream:
            document = _document(engine, question, variants, rows, answers)
            for output, answer in zip(document["outputs"], answers, strict=True):
                output["done"] = answer.done
            yield document
    finally:
        stream.close()


def row_of(
    engine: AnsweringEngine,
    question: Question,
    variant: str,
    *,
    grammar: bool | None = None,
    merge: MergeWeights | None = None,
) -> Row:
    """The question as a variant is asked it, the adapters that answer, and what the answer is held to."""
    if grammar and not engine.holds:
        raise InputError("grammar: answers of a server can't be held to one")
    prompt = question.prompt_with_examples() if variant in UNTUNED else question.prompt()
    held = question.grammar() if engine.holds and (question.held if grammar is None else grammar) else None
    return Row(prompt, engine.adapters_of(variant, question.task, merge), held, getattr(question, "system", None))


def answer_limit(engine: AnsweringEngine, question: Question) -> int:
    """Most tokens of the answer."""
    return question.answer_limit(engine.count_tokens(question.text))


def _asked(
    engine: AnsweringEngine,
    question: Question,
    variants: Sequence[str],
    grammar: bool | None,
    merge: MergeWeights | None,
) -> tuple[Question, list[Row], int]:
    """The question with its text checked, its rows, and most tokens of an answer."""
    question = replace(question, text=check_text(question.text))
    if not variants:
        raise InputError(f"variants: none given; there are {', '.join(engine.variants(question.task))}")
    rows = [row_of(engine, question, variant, grammar=grammar, merge=merge) for variant in variants]
    return question, rows, answer_limit(engine, question)


def _document(
    engine: AnsweringEngine,
    question: Question,
    variants: Sequence[str],
    rows: Sequence[Row],
    answers: Sequence[Answer],
) -> dict:
    outputs = []
    for variant, row, answer in zip(variants, rows, answers, strict=True):
        parsed, valid = question.read(answer.text)
        outputs.append(
            {
                "variant": variant,
                "adapters": [name if weight == 1 else f"{name}*{weight:g}" for name, weight in row.adapters.items()],
                "prompt": row.prompt,
                "text": answer.text,
                "parsed": parsed,
                "valid": valid and not answer.truncated,
                "truncated": answer.truncated,
                "new_tokens": answer.new_tokens,
                "seconds": round(answer.seconds, 3),
            }
        )
    document = {"task": question.task, "language": question.language, "text": question.text, "outputs": outputs}
    return document if question.target is None else {**document, "target": question.target}
