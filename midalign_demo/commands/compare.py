"""`midalign compare`: one text, answered by several variants side by side."""

from __future__ import annotations

import argparse
import json

from midalign_demo import published, tasks
from midalign_demo.commands import options
from midalign_demo.errors import InputError
from midalign_demo.files import read_text
from midalign_demo.tasks import json_generation, slot_filling, translation
from midalign_demo.tasks.question import Question, check_text


def add(commands) -> None:
    parser = options.command(commands, "compare", compare, "one text, answered by several variants side by side")
    parser.add_argument("text")
    parser.add_argument("--task", choices=tuple(tasks.MODULES), default=options.DEFAULT_TASK)
    parser.add_argument("--language", type=options.language, help="language of the text, such as de")
    options.add_variants(parser, "base", "task", "merged", "joint")
    options.add_question(parser)
    parser.add_argument(
        "--schema", metavar="FILE", help="json: JSON Schema that answers should fit; default: named entities"
    )
    parser.add_argument(
        "--published", choices=tuple(published.ALL),
        help="the adapters of the paper's authors, with their base, prompts and template",
    )  # fmt: skip
    options.add_model(parser)
    options.add_merge(parser)


def compare(arguments: argparse.Namespace) -> None:
    from midalign_demo import comparison

    if arguments.published:
        _take_published(arguments)
    question = _question(arguments)
    variants = options.variants(arguments, arguments.task)
    engine = options.open_engine(arguments, arguments.task, variants)
    if arguments.published:
        engine.base.reframe = published.find(arguments.published).reframe
    result = comparison.compare(engine, question, variants, grammar=arguments.grammar)
    if arguments.json:
        options.print_json(result)
        return
    for output in result["outputs"]:
        print(f"{output['variant']:8} {options.printable(output['text'])}")
        for slot in output["parsed"] if arguments.task == slot_filling.NAME else ():
            print(
                f"{'':8}   {slot['slot']} = {options.printable(slot['value'])}"
                + ("" if slot["start"] is not None else "   (not in the text)")
            )


def _take_published(arguments: argparse.Namespace) -> None:
    """Put the preset's base, task and adapters in the place of the usual ones."""
    preset = published.find(arguments.published)
    reason = published.why_not(preset, published.device_memory_gib())
    if reason:
        raise InputError(f"published: {arguments.published} is not available here: {reason}")
    arguments.base, arguments.task = preset.base, preset.task
    arguments.adapter = [f"{role}={source}" for role, source in preset.adapters.items()]


def _question(arguments: argparse.Namespace) -> Question:
    text = check_text(arguments.text)
    for option, task in (("slots", slot_filling), ("target", translation), ("schema", json_generation)):
        if getattr(arguments, option) is not None and arguments.task != task.NAME:
            raise InputError(f"{option}: given, but the task is {arguments.task}; it belongs to {task.NAME}")
    if arguments.task == translation.NAME:
        ask = published.TranslationQuestion if arguments.published else translation.Question
        return ask(text, *translation.check_direction(arguments.language, arguments.target))
    if arguments.published:
        return published.SlotQuestion(text, arguments.language)
    if arguments.task == json_generation.NAME:
        return json_generation.Question(text, arguments.language, _schema(arguments.schema))
    slots = slot_filling.check_inventory(arguments.slots or slot_filling.DEFAULT_INVENTORY)
    return slot_filling.Question(text, tuple(slots), arguments.language)


def _schema(path: str | None):
    if path is None:
        return None
    try:
        return json_generation.check_schema(json.loads(read_text(path)))
    except json.JSONDecodeError as error:
        raise InputError(f"schema: {path} is not JSON ({error.msg} in line {error.lineno})") from error
