"""The Compare tab: one text, answered by several variants side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from midalign_demo import languages, tasks, variants
from midalign_demo.errors import InputError
from midalign_demo.tasks import json_generation, slot_filling, translation
from midalign_demo.tasks.question import Example
from midalign_demo.ui import answering, cards, examples, links, stored, words
from midalign_demo.ui.answering import DETECT, Answering
from midalign_demo.ui.endpoints import endpoint
from midalign_demo.ui.host import FIRST_TASK, ModelHost
from midalign_demo.ui.labelled import LabelledExamples
from midalign_demo.ui.queue import answer_queue
from midalign_demo.ui.words import Words, label

_TASKS = [
    (label("task_slots"), slot_filling.NAME),
    (label("task_translation"), translation.NAME),
    (label("task_json"), json_generation.NAME),
]
_ASKS = {
    slot_filling.NAME: "task_slots_why",
    translation.NAME: "task_translation_why",
    json_generation.NAME: "task_json_why",
}
_LONGEST_SOURCE = 200  # characters of an adapter's hub id or folder
_SHOW_ANSWERS = "() => document.querySelector('#command')?.scrollIntoView({behavior: 'smooth', block: 'nearest'})"
_QUICK = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
_LONG = {"show_progress": "hidden", "api_visibility": "private"}


class CompareTab:
    """Builds the tab inside a `gr.Blocks` context.

    Args:
        labelled: what *From the test set* brings.
    """

    def __init__(self, host: ModelHost, labelled: LabelledExamples):
        self._host, self._labelled = host, labelled
        self._stored = stored.StoredAnswers(host)
        self.answering = Answering(host)
        self._build()
        self._wire()

    def _build(self) -> None:
        first = examples.by_task()[FIRST_TASK]
        with gr.Row(elem_id="controls"):
            self._task = gr.Radio(
                _TASKS, value=FIRST_TASK, label=label("task"), info=label(_ASKS[FIRST_TASK]), elem_id="task",
                min_width=300,
            )  # fmt: skip
            self._chosen = gr.CheckboxGroup(
                elem_id="variants", label=label("variants"), info=label("variants_why"), min_width=300,
                **self._variants(FIRST_TASK),
            )  # fmt: skip
        with gr.Row(elem_id="ask"):
            self._text = gr.Textbox(
                value=first[0]["text"], label=label("text"), lines=2, max_lines=8, scale=5, min_width=300,
                elem_id="command", placeholder=first[0]["text"], autofocus=True,
            )  # fmt: skip
            with gr.Column(scale=2, min_width=220):
                self._language = gr.Dropdown(
                    examples.language_choices((label("detect"), DETECT)), value=DETECT, label=label("language"),
                    allow_custom_value=True, elem_id="language", info=label("language_why"),
                )  # fmt: skip
                self._target = gr.Dropdown(
                    examples.language_choices(), value="en", label=label("target"), allow_custom_value=True,
                    visible=False, elem_id="target",
                )  # fmt: skip
        self._reference = gr.Textbox(
            label=label("reference"), info=label("reference_why"), lines=1, max_lines=4, visible=False,
            elem_id="reference",
        )  # fmt: skip
        with gr.Row(elem_id="buttons"):
            self._run = gr.Button(label("run"), variant="primary", elem_id="run", min_width=140)
            self._stop = gr.Button(label("stop"), variant="stop", elem_id="stop", interactive=False, min_width=90)
            self._test_set = gr.Button(label("test_set"), elem_id="test-set", min_width=140)
            self._copy = gr.Button(label("copy_link"), elem_id="copy-link", min_width=110)
        self._said = gr.HTML("", elem_id="said", container=False)
        shown = self._shown(FIRST_TASK, first[0]["text"], DETECT, None, words.ENGLISH)
        self._result = gr.HTML(shown, elem_id="result", container=False)
        self._picked = gr.Dataset(
            components=[gr.Textbox(visible=False)], type="index", label=label("examples"), elem_id="examples",
            samples_per_page=len(first), **_samples(FIRST_TASK),
        )  # fmt: skip
        self._options()
        self._brought = gr.State(None)  # the labelled example that the page was filled with
        self._copied = gr.Textbox(visible=False)  # what the browser says about the clipboard

    def _options(self) -> None:
        with gr.Accordion(label("options"), open=False, elem_id="options"):
            with gr.Row():
                self._task_weight = gr.Slider(
                    0, links.HIGHEST_WEIGHT, value=1.0, step=0.05, label=label("task_weight"), elem_id="task-weight"
                )
                self._align_weight = gr.Slider(
                    0, links.HIGHEST_WEIGHT, value=self._usual_align_weight(FIRST_TASK), step=0.05,
                    label=label("align_weight"), elem_id="align-weight",
                )  # fmt: skip
            self._grammar = gr.Checkbox(
                self._held(FIRST_TASK), label=label("grammar"), info=label("grammar_why"), elem_id="grammar",
                visible=self._can_hold(FIRST_TASK),
            )  # fmt: skip
            self._own = gr.Textbox(
                label=label("own_adapter"), info=label("own_adapter_why"), placeholder="owner/name", max_lines=1,
                max_length=_LONGEST_SOURCE, visible=self._host.visitor_adapters, elem_id="own-adapter",
            )  # fmt: skip
            self._slots = gr.Dropdown(
                list(slot_filling.DEFAULT_INVENTORY), value=list(slot_filling.DEFAULT_INVENTORY), multiselect=True,
                allow_custom_value=True, label=label("slots"), info=label("slots_why"), elem_id="slots",
            )  # fmt: skip
            self._schema = gr.Code(
                answering.ENTITY_SCHEMA, language="json", label=label("schema"), visible=False, max_lines=16,
                elem_id="schema",
            )  # fmt: skip

    def _wire(self) -> None:
        asked = [self._task, self._text, self._language, self._target]
        weights = [self._task_weight, self._align_weight]
        self._inputs = [*asked, self._chosen, self._slots, self._schema, self._grammar, *weights, self._reference,
                        self._brought, self._own]  # fmt: skip
        self._outputs = [self._result, self._run, self._stop]
        # Everything that depends on the task, in the order of `_page`.
        self.page = [*asked, self._chosen, self._picked, self._slots, self._schema, self._grammar, *weights,
                     self._reference, self._brought, self._result, self._said]  # fmt: skip
        self._filled = [self._text, self._language, self._target, self._reference, self._brought]

        self._language.change(_direction, self._language, self._text, **_QUICK)
        # `input`, not `change`: a link sets the task as well, together with a text of its own.
        self._task.input(self._show_task, self._task, self.page, **_QUICK)
        gr.on([self._run.click, self._text.submit], lambda: "", None, self._said, **_QUICK)
        self.ask(gr.on([self._run.click, self._text.submit], self.answering.queue, None, self._outputs, **_QUICK))
        self._then_ask(self._picked.click(_pick, [self._task, self._picked, self._brought],
                                          [*self._filled, self._slots], **_QUICK))  # fmt: skip
        self._picked.click(None, None, None, js=_SHOW_ANSWERS, **_QUICK)
        brought = [*self._filled, self._slots, self._said]
        self._then_ask(self._test_set.click(self._bring, [self._task, self._text], brought, **_QUICK))
        self._stop.click(self.answering.stop, None, None, **_QUICK)
        link = [*asked, self._chosen, self._grammar, *weights]
        self._copy.click(_copied, [self._copied, *link], self._said, js=links.COPY, **_QUICK)
        gr.api(endpoint(self.answering.compare), api_name="compare", **answer_queue(self._host))

    def ask(self, queued) -> None:
        """Answer what the page holds once the event that put the visitor in line is through."""
        # The last of several quick clicks is the one that counts.
        latest = {"trigger_mode": "always_last", **_LONG, **answer_queue(self._host)}
        answered = queued.then(self.answering.answer, self._inputs, self._outputs, **latest)
        answered.failure(self.answering.full, None, self._outputs, **_QUICK)

    def _then_ask(self, filled) -> None:
        self.ask(filled.then(self.answering.queue, None, self._outputs, **_QUICK))

    def ask_an_example(self, button: gr.Button, tabs: gr.Tabs, this: str) -> None:
        """Make a button show this tab, fill in an example and ask it; each click takes another one.

        Args:
            tabs, this: the page's tabs and this one's id.
        """

        def fill(task: str, text: str, request: gr.Request) -> tuple:
            entries = examples.by_task()[task]
            texts = [entry["text"] for entry in entries]
            number = (texts.index(text) + 1) % len(entries) if text in texts else _first(task, words.of(request))
            return gr.Tabs(selected=this), *_example(task, number)

        self._then_ask(button.click(fill, [self._task, self._text], [tabs, *self._filled], **_QUICK))

    def restore(self, request: gr.Request) -> tuple:
        """The page that a link asks for, or the first one in the visitor's language: values of `page`."""
        found, problems = links.read(request.query_params)
        say = words.of(request)
        if not found and not problems and say.tag == words.ENGLISH.tag:
            return tuple(gr.skip() for _ in self.page)  # as built: what a quick visitor has typed by now stays
        return self._page(found.get("task", FIRST_TASK), say, found, [_from_link(one, say) for one in problems])

    def _show_task(self, task: str, request: gr.Request) -> tuple:
        return self._page(task, words.of(request), {}, [])

    def _page(self, task: str, say: Words, wanted: Mapping[str, Any], notes: list[str]) -> tuple:
        """The page for a task: an example, its options, and its stored answers if there are any.

        Args:
            wanted: what takes the place of the usual values, by the names of `links.FIELDS`.
            notes: shown above the answers.
        """
        entry = examples.by_task()[task][_first(task, say)]
        text = wanted.get("text", entry["text"])
        language = wanted.get("language", DETECT)
        target = wanted.get("target", entry.get("target", "en"))
        usual = {"variants": answering.default_variants(self._host, task), "grammar": self._held(task),
                 "task_weight": 1.0, "align_weight": self._usual_align_weight(task)}  # fmt: skip
        settings = {name: wanted.get(name, value) for name, value in usual.items()}
        offered = self._host.variants(task)
        missing = [name for name in settings["variants"] if name not in offered]
        if missing:
            notes = [*notes, _from_link(f"variants: there is no adapter for {', '.join(missing)}", say)]
            settings["variants"] = [name for name in settings["variants"] if name in offered]
        shown = self._shown(task, text, language, target, say) if settings == usual else cards.notice(say("hint"))
        return (
            gr.Radio(value=task, info=label(_ASKS[task])),
            gr.Textbox(value=text, placeholder=entry["text"]),
            gr.Dropdown(value=language),
            gr.Dropdown(visible=task == translation.NAME, value=target),
            gr.CheckboxGroup(**{**self._variants(task), "value": settings["variants"]}),
            gr.Dataset(**_samples(task)),
            gr.Dropdown(visible=task == slot_filling.NAME),
            gr.Code(visible=task == json_generation.NAME),
            gr.Checkbox(value=settings["grammar"] and self._can_hold(task), visible=self._can_hold(task)),
            gr.Slider(value=settings["task_weight"]),
            gr.Slider(value=settings["align_weight"]),
            gr.Textbox(value="", visible=task == translation.NAME),
            None,
            shown,
            "".join(cards.notice(note) for note in notes),
        )

    def _shown(self, task: str, text: str, language: str, target: str | None, say: Words) -> str:
        """The stored answers to a question, marked as such; what to do where there are none."""
        asked_target = target if task == translation.NAME else None
        document = self._stored.find(task, text, language or None, asked_target)
        if document is None:
            return cards.notice(say("hint"))
        names = slot_filling.DEFAULT_INVENTORY if task == slot_filling.NAME else json_generation.ENTITY_TYPES
        return cards.notice(say("stored", command=stored.COMMAND)) + cards.comparison(document, names, say=say)

    def _bring(self, task: str, text: str, request: gr.Request) -> tuple:
        """A labelled example, and the slots that it is to be asked with."""
        try:
            example = self._labelled.pick(task, other_than=text)
        except InputError as error:
            return *[gr.skip()] * 6, cards.notice(str(error), kind="error")
        question, is_translation = example.question, task == translation.NAME
        slots = (
            gr.Dropdown(value=list(question.inventory)) if isinstance(question, slot_filling.Question) else gr.skip()
        )
        return (
            question.text,
            question.language or DETECT,
            question.target if is_translation else gr.skip(),
            example.gold if is_translation else "",
            example,
            slots,
            "",
        )

    def _can_hold(self, task: str) -> bool:
        """Whether answers can be held to a grammar: a server's can't, and a translation has none."""
        return self._host.served is None and task != translation.NAME

    def _held(self, task: str) -> bool:
        """Whether they are, unless the visitor says otherwise."""
        return self._can_hold(task) and tasks.MODULES[task].Question.held

    def _usual_align_weight(self, task: str) -> float:
        return variants.align_weight(task, self._host.sources(task))

    def _variants(self, task: str) -> dict:
        offered = [
            (label(f"variant_{name}") if name in variants.VARIANTS else name, name)
            for name in self._host.variants(task)
        ]
        return {"choices": offered, "value": answering.default_variants(self._host, task)}


def _copied(
    copied: str,
    task: str,
    text: str,
    language: str,
    target: str,
    chosen: list[str],
    grammar: bool,
    task_weight: float,
    align_weight: float,
    request: gr.Request,
) -> str:
    """What is said once the browser has made the link; all but the first are for the browser alone."""
    return cards.notice(words.of(request)("link_copied" if copied == "yes" else "link_here"))


def _from_link(problem: str, say: Words) -> str:
    """A sentence about a link; the problem is in English, so its direction is kept apart from the page's."""
    return say("link_note", note=f"\u2068{problem}\u2069")


def _samples(task: str) -> dict:
    entries = examples.by_task()[task]
    return {
        "samples": [[entry["text"]] for entry in entries],
        "sample_labels": [examples.label(entry) for entry in entries],
    }


def _first(task: str, say: Words) -> int:
    """The number of a visitor's first example: the one in the language of the page, if there is one."""
    spoken = [entry["language"] for entry in examples.by_task()[task]]
    return spoken.index(say.tag) if say.tag in spoken else 0


def _example(task: str, number: int) -> tuple:
    """Text, language and target of an example; no reference, and no label."""
    entry = examples.by_task()[task][number]
    return entry["text"], entry["language"], entry.get("target", "en"), "", None


def _pick(task: str, number: int, brought: Example | None) -> tuple:
    """As `_example`, and the usual slots if the page has those of a labelled example."""
    usual = brought is not None and task == slot_filling.NAME
    slots = gr.Dropdown(value=list(slot_filling.DEFAULT_INVENTORY)) if usual else gr.skip()
    return *_example(task, number), slots


def _direction(tag: str):
    """The text's direction; of a text whose language is to be guessed, the style sheet lets the text decide."""
    try:
        return gr.Textbox(rtl=bool(tag) and languages.is_rtl(languages.normalize(tag)))
    except InputError:
        return gr.Textbox()
