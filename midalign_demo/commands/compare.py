"""`midalign compare`: one text, answered by several variants side by side."""

from __future__ import annotations

import argparse

from midalign_demo import published, tasks
from midalign_demo.commandline import comma_list
from midalign_demo.commands import options
from midalign_demo.errors import InputError
from midalign_demo.files import read_text
from midalign_demo.questions import parse_schema, question_of
from midalign_demo.tasks import slot_filling
from midalign_demo.tasks.question import Question


def add(commands) -> None:
    parser = options.command(commands, "compare", compare, "one text, answered by several variants side by side")
    parser.add_argument("text")
    parser.add_argument("--task", choices=tuple(tasks.MODULES), default=options.DEFAULT_TASK)
    parser.add_argument("--language", type=options.language, help="language of the text, such as de")
    options.add_variants(parser, "base", "task", "merged", "joint")
    options.add_question(parser)
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument(
        "--types", type=comma_list, help="json: types to look for, such as date,place; default: named entities"
    )
    asked.add_argument("--schema", metavar="FILE", help="json: JSON Schema that answers should fit")
    parser.add_argument(
        "--published", choices=tuple(published.ALL),
        help="the adapters of the paper's authors, with their base, prompts and template",
    )  # fmt: skip
    options.add_model(parser)
    options.add_server(parser)
    options.add_merge(parser)


def compare(arguments: argparse.Namespace) -> None:
    from midalign_demo import comparison

    if arguments.published:
        if options.has_server(arguments):
            raise InputError("published: given, and a server as well; name its models with --served")
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
    schema = None if arguments.schema is None else parse_schema(read_text(arguments.schema), arguments.schema)
    question = question_of(
        arguments.task, arguments.text, language=arguments.language, target=arguments.target, slots=arguments.slots,
        types=arguments.types, schema=schema,
    )  # fmt: skip
    return published.framed(question) if arguments.published else question
