"""Answering in the page: in line, streamed, and stopped when the visitor says so."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence

import gradio as gr

from midalign_demo import languages, variants
from midalign_demo.questions import parse_schema, question_of
from midalign_demo.tasks import json_generation, slot_filling, translation
from midalign_demo.tasks.question import Question, check_text
from midalign_demo.ui import cards, problems
from midalign_demo.ui.host import ModelHost

DETECT = ""  # the choice of language that asks to guess it
ENTITY_SCHEMA = json.dumps(json_generation.entity_schema(), indent=2)
FULL = "Too many questions are waiting; try again in a minute."
_REDRAW_SECONDS = 0.25  # drawing the cards at every token would cost the model time

# Updates of the buttons Compare and Stop, of which one can be pressed.
BUSY = gr.update(interactive=False), gr.update(interactive=True)
IDLE = gr.update(interactive=True), gr.update(interactive=False)


class _Stopped(Exception):
    """The visitor pressed Stop before there was an answer."""


def asked(
    task: str,
    text: str,
    tag: str | None,
    target: str | None = None,
    slots: Sequence[str] | None = None,
    schema: str | None = None,
) -> tuple[Question, bool]:
    """The question that a visitor asks, and whether its language was guessed.

    What belongs to another task is passed over: the page has it all the time.

    Args:
        tag: of the text's language; `DETECT` or None: guess it.
        schema: JSON Schema as text; None, empty or that of named entities: named entities.

    Raises:
        InputError: a bad text, tag, target, list of slots or schema.
    """
    text = check_text(text)
    guessed = not tag
    if guessed:
        from midalign_demo.detection import detect

        language = detect(text)
    else:
        language = languages.normalize(tag)
    options: dict = {"language": language}
    if task == translation.NAME:
        options["target"] = languages.normalize(target) if target else None
    elif task == slot_filling.NAME:
        options["slots"] = slots
    elif schema and schema.strip() not in ("", ENTITY_SCHEMA.strip()):
        options["schema"] = parse_schema(schema)
    return question_of(task, text, **options), guessed


def names_of(question: Question) -> Sequence[str]:
    """The names that an answer may mark in the text."""
    return question.inventory if isinstance(question, slot_filling.Question) else json_generation.ENTITY_TYPES


class Answering:
    """What the buttons Compare and Stop do."""

    def __init__(self, host: ModelHost):
        self._host = host
        self._stops: dict[str, threading.Event] = {}

    def queue(self, request: gr.Request) -> tuple:
        """Shown at once, since other visitors' questions may come first."""
        self._stops[request.session_hash] = threading.Event()
        return cards.notice("In line…", kind="wait"), *BUSY

    def answer(
        self,
        task: str,
        text: str,
        tag: str,
        target: str,
        chosen: list[str],
        slots: list[str],
        schema: str,
        grammar: bool,
        task_weight: float,
        align_weight: float,
        request: gr.Request,
    ) -> Iterator[tuple]:
        """The cards, again and again while the answers grow, and the buttons."""
        stopped = self._stops.setdefault(request.session_hash, threading.Event())
        try:
            if stopped.is_set():
                raise _Stopped
            question, guessed = asked(task, text, tag, target, slots or [], schema)
            chosen = variants.check(chosen)
            for stage in self._host.loading_stages():
                if stopped.is_set():
                    raise _Stopped
                waiting = f"Your question is next. {stage}"
                yield cards.notice(waiting, kind="wait", seconds=self._host.seconds), *BUSY
            merge = (task_weight, align_weight)
            yield from self._stream(question, chosen, grammar, merge, stopped, guessed=guessed)
        except _Stopped:
            yield cards.notice("Stopped."), *IDLE
        except Exception as error:
            yield problems.notice_of(error, "A question could not be answered"), *IDLE
        else:
            yield gr.skip(), *IDLE
        finally:
            self._stops.pop(request.session_hash, None)

    def _stream(
        self,
        question: Question,
        chosen: list[str],
        grammar: bool,
        merge: tuple[float, float],
        stopped: threading.Event,
        *,
        guessed: bool,
    ) -> Iterator[tuple]:
        from midalign_demo.comparison import stream_compare

        engine = self._host.engine_for(question.task)
        names = names_of(question)
        stream = stream_compare(engine, question, chosen, grammar=grammar, merge=merge)
        document: dict | None = None
        try:
            shown = 0.0
            for document in stream:
                finished = all(output["done"] for output in document["outputs"])
                if finished or time.monotonic() - shown >= _REDRAW_SECONDS:
                    shown = time.monotonic()
                    yield cards.comparison(document, names, detected=guessed), *BUSY
                if stopped.is_set():
                    break
        finally:
            stream.close()
        if stopped.is_set() and document is not None:
            for output in document["outputs"]:
                output["done"] = True
            yield (
                cards.notice("Stopped: these answers are not complete.")
                + cards.comparison(document, names, detected=guessed),
                *BUSY,
            )

    def stop(self, request: gr.Request) -> None:
        """End what the session computes now, if anything."""
        event = self._stops.get(request.session_hash)
        if event is not None:
            event.set()

    def compare(
        self,
        text: str,
        task: str = slot_filling.NAME,
        language: str | None = None,
        target: str | None = None,
        variants: list[str] | None = None,
        slots: list[str] | None = None,
        schema: dict | None = None,
        grammar: bool | None = None,
        task_weight: float | None = None,
        align_weight: float | None = None,
    ) -> dict:
        """Answer a text under several variants; the document that `midalign compare --json` prints.

        Without a language it is guessed; without weights the merge has those tuned for the task.
        """
        from midalign_demo.comparison import compare

        with problems.told_to_the_caller():
            written = None if schema is None else json.dumps(schema)
            question, _ = asked(task, text, language, target, slots, written)
            self._host.wait()
            engine = self._host.engine_for(task)
            chosen = variants or default_variants(self._host, task)
            usual_task, usual_align = engine.merge_weights(task)
            merge = (
                usual_task if task_weight is None else task_weight,
                usual_align if align_weight is None else align_weight,
            )
            return compare(engine, question, chosen, grammar=grammar, merge=merge)


def default_variants(host: ModelHost, task: str) -> list[str]:
    """The variants that are ticked at first."""
    return [name for name in host.variants(task) if name in ("base", "task", "merged")]
