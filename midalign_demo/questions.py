"""What a user asks, as a question of one of the tasks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from midalign_demo import languages, tasks
from midalign_demo.errors import InputError
from midalign_demo.tasks import json_generation, schemas, slot_filling, translation
from midalign_demo.tasks.question import Question, check_text


def question_of(
    task: str,
    text: str,
    *,
    language: str | None = None,
    target: str | None = None,
    slots: Sequence[str] | None = None,
    types: Sequence[str] | None = None,
    schema: Any = None,
) -> Question:
    """A checked question.

    Args:
        language, target: tags; a translation needs both.
        slots: of slot filling; default: `slot_filling.DEFAULT_INVENTORY`.
        types: of JSON generation, what to look for; default: named entities.
        schema: of JSON generation, in the place of types; one of their form asks for its types.

    Raises:
        InputError: no such task, a bad text or tag, something missing, or something that belongs to another task.
    """
    if task not in tasks.MODULES:
        raise InputError(f"task: {task!r} is not one of {', '.join(tasks.MODULES)}")
    owners = {
        "slots": slot_filling.NAME, "target": translation.NAME, "types": json_generation.NAME,
        "schema": json_generation.NAME,
    }  # fmt: skip
    for option, value in (("slots", slots), ("target", target), ("types", types), ("schema", schema)):
        if value is not None and task != owners[option]:
            raise InputError(f"{option}: given, but the task is {task}; it belongs to {owners[option]}")
    text = check_text(text)
    language, target = (tag if tag is None else languages.normalize(tag) for tag in (language, target))
    if task == translation.NAME:
        return translation.Question(text, *translation.check_direction(language, target))
    if task == json_generation.NAME:
        if schema is not None:
            types = json_generation.types_of(schemas.check_schema(schema))
            if types is None:
                return json_generation.Question(text, language, schema=schema)
        if types is None:
            return json_generation.Question(text, language)
        return json_generation.Question(text, language, tuple(slot_filling.check_inventory(types, "types")))
    inventory = slot_filling.check_inventory(slots if slots is not None else slot_filling.DEFAULT_INVENTORY)
    return slot_filling.Question(text, tuple(inventory), language)


def parse_schema(text: str, where: str = "the schema") -> Any:
    """JSON Schema from its text.

    Args:
        where: what the text is, for the message.

    Raises:
        InputError: not JSON, or too long.
    """
    if len(text) > 10 * schemas.MOST_CHARACTERS:  # with spaces to indent it
        raise InputError(
            f"schema: {where} has {len(text)} characters, at most {10 * schemas.MOST_CHARACTERS} are allowed"
        )
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"schema: {where} is not JSON ({error.msg} in line {error.lineno})") from error
    except ValueError as error:  # a number of thousands of digits
        raise InputError(f"schema: {where} is not JSON ({' '.join(str(error).split())[:100]})") from error
    except RecursionError as error:
        raise InputError(f"schema: {where} is nested too deeply") from error
