"""The Compare tab: one command, answered by several variants side by side."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from importlib.resources import files

import gradio as gr

from midalign_demo import languages, variants
from midalign_demo.errors import InputError
from midalign_demo.tasks import slot_filling
from midalign_demo.ui import cards
from midalign_demo.ui.host import ModelHost

logger = logging.getLogger(__name__)

MODEL_QUEUE = {"concurrency_id": "model", "concurrency_limit": 1}  # all events that use the model wait in one line
_DEFAULT_VARIANTS = ["base", "task", "merged"]
_REDRAW_SECONDS = 0.25  # drawing the cards at every token would cost the model time
_FULL = "Too many questions are waiting; try again in a minute."
_HINT = "Type a command in any language and press Compare, or click an example."


def example_commands() -> list[dict]:
    """The example commands: `{"language", "text"}` each."""
    return json.loads((files("midalign_demo") / "assets" / "commands.json").read_text(encoding="utf-8"))


# Updates of the buttons Compare and Stop, of which one can be pressed.
_BUSY = gr.update(interactive=False), gr.update(interactive=True)
_IDLE = gr.update(interactive=True), gr.update(interactive=False)


class _Stopped(Exception):
    """The visitor pressed Stop before there was an answer."""


class CompareTab:
    """Builds the tab inside a `gr.Blocks` context."""

    def __init__(self, host: ModelHost):
        self._host = host
        self._stops: dict[str, threading.Event] = {}
        self._build()

    def _build(self) -> None:
        examples = example_commands()
        tags = [example["language"] for example in examples]
        choices = [(" · ".join(dict.fromkeys([languages.autonym(tag), languages.name(tag)])), tag) for tag in tags]
        available = self._host.sources
        offered = [name for name in variants.VARIANTS if variants.roles_of([name]) <= available.keys()]
        self._defaults = [name for name in _DEFAULT_VARIANTS if name in offered]

        with gr.Row(elem_id="ask"):
            text = gr.Textbox(
                value=examples[0]["text"], label="Command", lines=2, max_lines=6, scale=5, min_width=300,
                elem_id="command", placeholder=examples[0]["text"], autofocus=True,
            )  # fmt: skip
            language = gr.Dropdown(
                choices, value=tags[0], label="Language", allow_custom_value=True, scale=2, min_width=220,
                elem_id="language", info="another one: its tag, such as ta",
            )  # fmt: skip
        with gr.Row(elem_id="controls"):
            chosen = gr.CheckboxGroup(
                [(cards.TITLES[name][0], name) for name in offered],
                value=self._defaults,
                label="Variants", scale=4, elem_id="variants",
            )  # fmt: skip
            with gr.Row(elem_id="buttons"):
                run = gr.Button("Compare", variant="primary", elem_id="run", min_width=120)
                stop = gr.Button("Stop", variant="stop", elem_id="stop", interactive=False, min_width=90)
        picked = gr.Dataset(
            components=[gr.Textbox(visible=False)], samples=[[example["text"]] for example in examples], type="index",
            sample_labels=[f"{languages.autonym(example['language'])}: {example['text']}" for example in examples],
            label="Examples: one click asks", samples_per_page=len(examples), elem_id="examples",
        )  # fmt: skip
        with gr.Accordion("Slots that may be filled", open=False, elem_id="slots"):
            slots = gr.Dropdown(
                list(slot_filling.DEFAULT_INVENTORY), value=list(slot_filling.DEFAULT_INVENTORY), multiselect=True,
                allow_custom_value=True, label="Slot names, listed in the prompt",
                info="Add your own: type a name and press Enter.",
            )  # fmt: skip
        result = gr.HTML(cards.notice(_HINT), elem_id="result", container=False)
        language.change(
            self._set_direction, language, text, api_visibility="private", show_progress="hidden", queue=False
        )
        inputs, outputs = [text, language, chosen, slots], [result, run, stop]
        quick = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
        answering = {"show_progress": "hidden", "api_visibility": "private", **MODEL_QUEUE}
        asked = gr.on([run.click, text.submit], self._queue, None, outputs, **quick)
        filled = picked.click(
            lambda number: (examples[number]["text"], examples[number]["language"]), picked, [text, language], **quick
        )
        for ready in (asked, filled.then(self._queue, None, outputs, **quick)):
            answered = ready.then(self._answer, inputs, outputs, **answering)
            answered.failure(lambda: (cards.notice(_FULL, kind="error"), *_IDLE), None, outputs, **quick)
        stop.click(self.stop, None, None, queue=False, api_visibility="private", show_progress="hidden")
        gr.api(self._api, api_name="compare", **MODEL_QUEUE)

    @staticmethod
    def _set_direction(tag: str):
        try:
            return gr.Textbox(rtl=languages.is_rtl(languages.normalize(tag or "")))
        except InputError:
            return gr.Textbox()

    def _queue(self, request: gr.Request) -> tuple:
        """Shown at once, since other visitors' questions may come first."""
        self._stops[request.session_hash] = threading.Event()
        return cards.notice("In line…", kind="wait"), *_BUSY

    def _answer(self, text: str, tag: str, chosen: list[str], slots: list[str], request: gr.Request) -> Iterator[tuple]:
        stopped = self._stops.setdefault(request.session_hash, threading.Event())
        try:
            if stopped.is_set():
                raise _Stopped
            inventory = slot_filling.check_inventory(slots or [])
            tag = languages.normalize(tag or "")
            chosen = variants.check(chosen)
            while not self._host.wait(0.5):
                if stopped.is_set():
                    raise _Stopped
                waiting = f"Your question is next. {self._host.stage}"
                yield cards.notice(waiting, kind="wait", seconds=self._host.seconds), *_BUSY
            yield from self._stream(text, chosen, inventory, tag, stopped)
        except _Stopped:
            yield cards.notice("Stopped."), *_IDLE
        except InputError as error:
            yield cards.notice(str(error), kind="error"), *_IDLE
        except Exception:
            logger.exception("A question could not be answered")
            yield cards.notice("Something went wrong; the server's log says what.", kind="error"), *_IDLE
        else:
            yield gr.skip(), *_IDLE
        finally:
            self._stops.pop(request.session_hash, None)

    def _stream(
        self, text: str, chosen: list[str], inventory: list[str], tag: str, stopped: threading.Event
    ) -> Iterator[tuple]:
        from midalign_demo.comparison import stream_compare

        stream = stream_compare(self._host.engine, slot_filling.Question(text, tuple(inventory), tag), chosen)
        document: dict | None = None
        try:
            shown = 0.0
            for document in stream:
                finished = all(output["done"] for output in document["outputs"])
                if finished or time.monotonic() - shown >= _REDRAW_SECONDS:
                    shown = time.monotonic()
                    yield cards.comparison(document, inventory), *_BUSY
                if stopped.is_set():
                    break
        finally:
            stream.close()
        if stopped.is_set() and document is not None:
            for output in document["outputs"]:
                output["done"] = True
            yield (
                cards.notice("Stopped: these answers are not complete.") + cards.comparison(document, inventory),
                *_BUSY,
            )

    def stop(self, request: gr.Request) -> None:
        """End what the session computes now, if anything."""
        event = self._stops.get(request.session_hash)
        if event is not None:
            event.set()

    def _api(
        self, text: str, language: str = "en", variants: list[str] | None = None, slots: list[str] | None = None
    ) -> dict:
        """Answer a command under several variants; the document that `midalign compare --json` prints."""
        from midalign_demo.comparison import compare

        try:
            self._host.wait(600)
            inventory = slot_filling.check_inventory(slots or slot_filling.DEFAULT_INVENTORY)
            question = slot_filling.Question(text, tuple(inventory), languages.normalize(language))
            return compare(self._host.engine, question, variants or self._defaults)
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error
