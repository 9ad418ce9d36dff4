"""The Compare tab: one text, answered by several variants side by side."""

from __future__ import annotations

import gradio as gr

from midalign_demo import languages, tasks, variants
from midalign_demo.errors import InputError
from midalign_demo.tasks import json_generation, slot_filling, translation
from midalign_demo.ui import answering, cards, examples
from midalign_demo.ui.answering import DETECT, Answering
from midalign_demo.ui.host import FIRST_TASK, ModelHost
from midalign_demo.ui.queue import MODEL_QUEUE

_TASKS = [("Slot filling", slot_filling.NAME), ("Translation", translation.NAME), ("JSON", json_generation.NAME)]
_ASKS = {
    slot_filling.NAME: "A voice command; the model fills in its slots.",
    translation.NAME: "A sentence, and the language to translate it into.",
    json_generation.NAME: "A text; the model lists its people, places and organisations, or what a schema asks for.",
}
_HINT = "Type in any language and press Compare, or click an example."
_HIGHEST_WEIGHT = 2.0


class CompareTab:
    """Builds the tab inside a `gr.Blocks` context."""

    def __init__(self, host: ModelHost):
        self._host = host
        self.answering = Answering(host)
        self._build()

    def _build(self) -> None:
        first = examples.by_task()[FIRST_TASK]
        task = gr.Radio(_TASKS, value=FIRST_TASK, label="Task", info=_ASKS[FIRST_TASK], elem_id="task")
        with gr.Row(elem_id="ask"):
            text = gr.Textbox(
                value=first[0]["text"], label="Text", lines=2, max_lines=8, scale=5, min_width=300,
                elem_id="command", placeholder=first[0]["text"], autofocus=True,
            )  # fmt: skip
            with gr.Column(scale=2, min_width=220):
                language = gr.Dropdown(
                    examples.language_choices(("Detect", DETECT)), value=DETECT, label="Language",
                    allow_custom_value=True, elem_id="language", info="another one: its tag, such as ta",
                )  # fmt: skip
                target = gr.Dropdown(
                    examples.language_choices(), value="en", label="Into", allow_custom_value=True, visible=False,
                    elem_id="target",
                )  # fmt: skip
        with gr.Row(elem_id="controls"):
            chosen = gr.CheckboxGroup(elem_id="variants", scale=4, label="Variants", **self._variants(FIRST_TASK))
            with gr.Row(elem_id="buttons"):
                run = gr.Button("Compare", variant="primary", elem_id="run", min_width=120)
                stop = gr.Button("Stop", variant="stop", elem_id="stop", interactive=False, min_width=90)
        picked = gr.Dataset(
            components=[gr.Textbox(visible=False)], type="index", label="Examples: one click asks", elem_id="examples",
            samples_per_page=len(first), **_samples(FIRST_TASK),
        )  # fmt: skip
        with gr.Accordion("Options", open=False, elem_id="options"):
            with gr.Row():
                task_weight = gr.Slider(
                    0, _HIGHEST_WEIGHT, value=1.0, step=0.05, label="Weight of the task adapter in task + align"
                )
                align_weight = gr.Slider(
                    0, _HIGHEST_WEIGHT, value=_align_weight(FIRST_TASK), step=0.05,
                    label="Weight of the alignment adapter in task + align",
                )  # fmt: skip
            grammar = gr.Checkbox(
                _held(FIRST_TASK), label="Hold answers to the grammar",
                info="only slots asked for, and values that are in the text; JSON that fits its schema",
            )  # fmt: skip
            slots = gr.Dropdown(
                list(slot_filling.DEFAULT_INVENTORY), value=list(slot_filling.DEFAULT_INVENTORY), multiselect=True,
                allow_custom_value=True, label="Slots that may be filled, listed in the prompt",
                info="Add your own: type a name and press Enter.", elem_id="slots",
            )  # fmt: skip
            schema = gr.Code(
                answering.ENTITY_SCHEMA, language="json", label="JSON Schema that answers should fit", visible=False,
                max_lines=16, elem_id="schema",
            )  # fmt: skip
        result = gr.HTML(cards.notice(_HINT), elem_id="result", container=False)

        inputs = [task, text, language, target, chosen, slots, schema, grammar, task_weight, align_weight]
        outputs = [result, run, stop]
        quick = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
        language.change(_direction, language, text, **quick)
        task.change(
            self._show_task, task,
            [task, text, language, target, chosen, picked, slots, schema, grammar, task_weight, align_weight, result],
            **quick,
        )  # fmt: skip
        self._wire(inputs, outputs, run, stop, text, picked, [task, text, language, target], quick)

    def _wire(self, inputs, outputs, run, stop, text, picked, filled_in, quick) -> None:
        answering_ = {"show_progress": "hidden", "api_visibility": "private", **MODEL_QUEUE}
        task, *rest = filled_in
        asked = gr.on([run.click, text.submit], self.answering.queue, None, outputs, **quick)
        filled = picked.click(_fill_in, [task, picked], rest, **quick)
        for ready in (asked, filled.then(self.answering.queue, None, outputs, **quick)):
            answered = ready.then(self.answering.answer, inputs, outputs, **answering_)
            answered.failure(_full, None, outputs, **quick)
        stop.click(self.answering.stop, None, None, queue=False, api_visibility="private", show_progress="hidden")
        gr.api(self.answering.compare, api_name="compare", **MODEL_QUEUE)

    def _variants(self, task: str) -> dict:
        offered = [(cards.TITLES[name][0], name) for name in self._host.variants(task)]
        return {"choices": offered, "value": answering.default_variants(self._host, task)}

    def _show_task(self, task: str) -> tuple:
        """The page for another task: its first example, its options, and no answer."""
        first = examples.by_task()[task][0]
        return (
            gr.Radio(info=_ASKS[task]),
            gr.Textbox(value=first["text"], placeholder=first["text"]),
            gr.Dropdown(value=DETECT),
            gr.Dropdown(visible=task == translation.NAME, value=first.get("target", "en")),
            gr.CheckboxGroup(**self._variants(task)),
            gr.Dataset(**_samples(task)),
            gr.Dropdown(visible=task == slot_filling.NAME),
            gr.Code(visible=task == json_generation.NAME),
            gr.Checkbox(value=_held(task), visible=task != translation.NAME),
            gr.Slider(value=1.0),
            gr.Slider(value=_align_weight(task)),
            cards.notice(_HINT),
        )


def _full() -> tuple:
    return cards.notice(answering.FULL, kind="error"), *answering.IDLE


def _samples(task: str) -> dict:
    entries = examples.by_task()[task]
    return {
        "samples": [[entry["text"]] for entry in entries],
        "sample_labels": [examples.label(entry) for entry in entries],
    }


def _fill_in(task: str, number: int) -> tuple:
    """Text, language and target of an example."""
    entry = examples.by_task()[task][number]
    return entry["text"], entry["language"], entry.get("target", "en")


def _held(task: str) -> bool:
    return tasks.MODULES[task].Question.held


def _align_weight(task: str) -> float:
    return variants.MERGE_WEIGHTS.get(task, 1.0)


def _direction(tag: str):
    """The text's direction; of a text whose language is to be guessed, the style sheet lets the text decide."""
    try:
        return gr.Textbox(rtl=bool(tag) and languages.is_rtl(languages.normalize(tag)))
    except InputError:
        return gr.Textbox()
