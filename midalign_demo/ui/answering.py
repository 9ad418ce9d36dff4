"""Answering in the page: in line, streamed, and stopped when the visitor says so."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence

import gradio as gr

from midalign_demo import languages, unseen, variants
from midalign_demo.characters import cleaned, is_blank
from midalign_demo.errors import InputError
from midalign_demo.line import Asker, Left
from midalign_demo.questions import parse_schema, question_of
from midalign_demo.tasks import json_generation, slot_filling, translation
from midalign_demo.tasks.question import MAX_CHARACTERS, Example, Question, check_text
from midalign_demo.ui import cards, problems, words
from midalign_demo.ui.host import ModelHost
from midalign_demo.ui.words import Words

DETECT = ""  # the choice of language that asks to guess it
ENTITY_SCHEMA = json.dumps(json_generation.entity_schema(), indent=2)
_MOST_SESSIONS = 1000  # whose wish to stop is remembered; far more than can wait in line
_REDRAW_SECONDS = 0.25  # drawing the cards at every token would cost the model time

# Updates of the buttons Compare and Stop, of which one can be pressed.
BUSY = gr.update(interactive=False), gr.update(interactive=True)
IDLE = gr.update(interactive=True), gr.update(interactive=False)


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
    return question.inventory if isinstance(question, slot_filling.Question) else getattr(question, "types", ())


def labelled(question: Question, reference: str, brought: Example | None) -> Example | None:
    """The question with what its answers are scored against, if there is something.

    Args:
        reference: of a translation, as the visitor gave it.
        brought: the example of the test set that the page was filled with; it counts as long as its text is asked.

    Raises:
        InputError: a reference that is too long.
    """
    if question.task == translation.NAME:
        reference = reference.strip()
        if len(reference) > MAX_CHARACTERS:
            raise InputError(f"reference: it has {len(reference)} characters, at most {MAX_CHARACTERS} are allowed")
        reference = cleaned(reference).strip()
        return None if is_blank(reference) else Example(question, reference)
    if brought is None or (brought.question.task, brought.question.text) != (question.task, question.text):
        return None
    if isinstance(question, slot_filling.Question):
        return unseen.with_slots(brought, question.inventory)
    # Entities are no answer to another schema, nor to other types.
    return brought if question == brought.question else None


class Answering:
    """What the buttons Compare and Stop do."""

    def __init__(self, host: ModelHost):
        self._host = host
        self._askers: dict[str, Asker] = {}  # by session, who asked last

    def queue(self, request: gr.Request) -> tuple:
        """Shown at once, since other visitors' questions may come first. Ends what the session asked before."""
        self.stop(request)
        self._askers.pop(request.session_hash, None)  # to be the newest
        self._askers[request.session_hash] = Asker(request.session_hash)
        while len(self._askers) > _MOST_SESSIONS:
            del self._askers[next(iter(self._askers))]
        return cards.notice(words.of(request)("in_line"), kind="wait"), *BUSY

    def full(self, request: gr.Request) -> tuple:
        """Shown when there is no place in line."""
        self._askers.pop(request.session_hash, None)
        return cards.notice(words.of(request)("full"), kind="error"), *IDLE

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
        reference: str,
        brought: Example | None,
        own: str | None,
        request: gr.Request,
    ) -> Iterator[tuple]:
        """The cards, again and again while the answers grow, and the buttons.

        Args:
            own: source of the visitor's adapter; none of a page that has never shown the box for it.
        """
        say = words.of(request)
        asker = self._askers.setdefault(request.session_hash, Asker(request.session_hash))
        try:
            if asker.left.is_set():
                raise Left
            question, guessed = asked(task, text, tag, target, slots or [], schema)
            source = (own or "").strip()
            named = [*chosen, source] if source else chosen
            visitors = [name for name in named if self._host.is_visitors(task, name)]
            chosen = variants.check(named, (*self._host.variants(task), *visitors))
            example = labelled(question, reference, brought)
            for stage in self._host.answering_stages():
                if asker.left.is_set():
                    raise Left
                waiting = f"{say('next')} {stage}"
                yield cards.notice(waiting, kind="wait", seconds=self._host.seconds), *BUSY
            merge = (task_weight, align_weight)
            for document in self._stream(question, chosen, grammar, merge, asker):
                if document is None:
                    yield cards.notice(say("place", n=asker.place), kind="wait"), *BUSY
                    continue
                shown = _drawn(document, question, example, guessed=guessed, say=say)
                yield shown, *BUSY
        except Left:
            yield cards.notice(say("stopped")), *IDLE
        except Exception as error:
            yield problems.notice_of(error, "A question could not be answered", say), *IDLE
        else:
            yield gr.skip(), *IDLE
        finally:
            # A later question's stays, and one that was stopped: an earlier click's question may still be in line.
            if self._askers.get(request.session_hash) is asker and not asker.left.is_set():
                del self._askers[request.session_hash]

    def _stream(
        self,
        question: Question,
        chosen: list[str],
        grammar: bool,
        merge: tuple[float, float],
        asker: Asker,
    ) -> Iterator[dict | None]:
        """The documents worth drawing; the last one has `stopped` where the visitor cut it short.

        None is yielded whenever the place in line is another one.

        Raises:
            Left: the visitor pressed Stop before there was an answer.
        """
        from midalign_demo.comparison import stream_compare

        engine = self._host.engine_for(question.task, asker, asked=chosen)
        stream = stream_compare(engine, question, chosen, grammar=grammar, merge=merge)
        document: dict | None = None
        try:
            shown = 0.0
            for made in stream:
                if asker.place is not None:
                    yield None
                    continue
                document = made
                finished = all(output["done"] for output in document["outputs"])
                if finished or time.monotonic() - shown >= _REDRAW_SECONDS:
                    shown = time.monotonic()
                    yield document
                if asker.left.is_set():
                    break
        except Left:
            if document is None:
                raise
        finally:
            stream.close()
        if asker.left.is_set() and document is not None:
            for output in document["outputs"]:
                output["done"] = True
            yield {**document, "stopped": True}

    def stop(self, request: gr.Request) -> None:
        """End what the session computes now, if anything."""
        asker = self._askers.get(request.session_hash)
        if asker is not None:
            asker.left.set()

    async def compare(
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
        from midalign_demo.comparison import stream_compare

        def work(asker: Asker) -> dict:
            written = None if schema is None else json.dumps(schema)
            question, _ = asked(task, text, language, target, slots, written)
            chosen = variants or default_variants(self._host, task)
            engine = self._host.engine_for(task, asker, asked=chosen)
            usual_task, usual_align = engine.merge_weights(task)
            merge = (
                usual_task if task_weight is None else task_weight,
                usual_align if align_weight is None else align_weight,
            )
            stream = stream_compare(engine, question, chosen, grammar=grammar, merge=merge)
            try:
                for document in stream:  # noqa: B007
                    if asker.left.is_set():
                        raise Left
            finally:
                stream.close()
            for output in document["outputs"]:
                del output["done"]
            return document

        return await self._host.visits.ask(work)


def _drawn(document: dict, question: Question, example: Example | None, *, guessed: bool, say: Words) -> str:
    """The cards, with what the answers are scored against; an answer has its scores once it is whole."""
    if example:
        document["gold"] = unseen.gold_document(example)
        for output in document["outputs"]:
            if output["done"]:
                output["scores"] = unseen.score(example, output["text"])
    partly = cards.notice(say("stopped_partly")) if document.get("stopped") else ""
    return partly + cards.comparison(document, names_of(question), detected=guessed, say=say)


def default_variants(host: ModelHost, task: str) -> list[str]:
    """The variants that are ticked at first."""
    return variants.shown_first(host.variants(task))
