"""JSON generation: what a text says, as a JSON document.

Named entities, in the form of Universal NER (Mayhew et al. 2024), are the usual question:

    Types: PER, LOC, ORG
    Text: Kofi Annan opened the office in Nairobi.
    JSON: {"Results": [{"TypeName": "PER", "Text": "Kofi Annan"}, {"TypeName": "LOC", "Text": "Nairobi"}]}

Other types can be asked for in the same form, such as the slots of a voice command. So can any other JSON Schema; then
it stands in the prompt in the place of the types.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from midalign_demo.tasks import schemas
from midalign_demo.tasks.metrics import micro_f1
from midalign_demo.tasks.spans import terminal

NAME = "json"
MAIN_METRIC = "f1"
COMPARED = (MAIN_METRIC,)
ENTITY_TYPES = ("PER", "LOC", "ORG")
_MOST_ENTITIES = 40

_EXAMPLES = (
    ("Thank you all for coming so early.", ()),
    (
        "Maria Lindqvist moved from Oslo to Hamburg to work for the Red Cross.",
        (("PER", "Maria Lindqvist"), ("LOC", "Oslo"), ("LOC", "Hamburg"), ("ORG", "Red Cross")),
    ),
    ("Ayer, Pedro Gómez habló en Lima.", (("PER", "Pedro Gómez"), ("LOC", "Lima"))),
)


@dataclass(frozen=True)
class Entity:
    """A named entity: its type and its words in the text."""

    type: str
    text: str


@dataclass(frozen=True)
class Question:
    """A text, and what is to be found in it: words of some types, or whatever fits a JSON Schema."""

    text: str
    language: str | None = None
    types: tuple[str, ...] = ENTITY_TYPES
    schema: Mapping[str, Any] | None = field(default=None, hash=False)  # in the place of the types
    task: ClassVar[str] = NAME
    held: ClassVar[bool] = True
    target: ClassVar[None] = None

    def prompt(self) -> str:
        asked = f"Types: {', '.join(self.types)}" if self.schema is None else f"Schema: {json.dumps(self.schema)}"
        return f"{asked}\nText: {' '.join(self.text.split())}\nJSON:"

    def prompt_with_examples(self) -> str:
        shown = [
            f"{Question(text).prompt()}{answer([Entity(*entity) for entity in entities])}"
            for text, entities in _EXAMPLES
        ]
        return "\n\n".join([*shown, self.prompt()])

    def wanted(self) -> Mapping[str, Any]:
        """The schema that the answer should fit."""
        return entity_schema(self.types) if self.schema is None else self.schema

    def grammar(self) -> str:
        if self.schema is None:
            return _entity_grammar(self.text, self.types)
        # One line, spaced as `json.dumps` does, since answers end at a line break.
        style = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
        return f'start: " " document\ndocument: %json {json.dumps({**self.schema, "x-guidance": style})}'

    def read(self, answer: str) -> tuple[Any, bool]:
        try:
            document = json.loads(answer)
        except (ValueError, RecursionError):  # not only JSONDecodeError: numbers of thousands of digits
            return None, False
        return document, schemas.fits(document, self.wanted())

    def answer_limit(self, text_tokens: int) -> int:
        return 64 + 4 * text_tokens


def entity_schema(types: Sequence[str] = ENTITY_TYPES) -> dict[str, Any]:
    """JSON Schema of Universal NER's form, with types of any names."""
    entity = {
        "type": "object",
        "properties": {"TypeName": {"enum": list(types)}, "Text": {"type": "string", "minLength": 1}},
        "required": ["TypeName", "Text"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"Results": {"type": "array", "items": entity}},
        "required": ["Results"],
        "additionalProperties": False,
    }


def types_of(schema: Any) -> list[str] | None:
    """The types that a schema of Universal NER's form names; None for other schemas."""
    try:
        types = schema["properties"]["Results"]["items"]["properties"]["TypeName"]["enum"]
    except (KeyError, TypeError):
        return None
    named = isinstance(types, list) and all(isinstance(name, str) for name in types)
    return types if named and schema == entity_schema(types) else None


def _entity_grammar(text: str, types: Sequence[str]) -> str:
    """The entity schema, with texts that are words of the text, and no more of them than it could hold."""
    kinds = " | ".join(json.dumps(json.dumps(kind, ensure_ascii=False), ensure_ascii=False) for kind in types)
    return "\n".join(
        [
            r'start: " {\"Results\": [" (entity (", " entity){0,' + str(_MOST_ENTITIES - 1) + r'})? "]}"',
            r'entity: "{\"TypeName\": " KIND ", \"Text\": \"" SPAN "\"}"',
            f"KIND: {kinds}",
            f"SPAN: {terminal(text, in_json=True)}",
        ]
    )


def training_example(
    text: str, entities: Sequence[Entity], types: Sequence[str], rng: random.Random
) -> tuple[str, str]:
    """A prompt and its answer.

    Named entities are always asked for in the same words. Of other types some are drawn anew each time: those of the
    text among a few others, in any order, so that the list has to be read.
    """
    if tuple(types) != ENTITY_TYPES and rng.random() >= 1 / 3:
        present = sorted({entity.type for entity in entities})
        others = [name for name in types if name not in present]
        types = present + rng.sample(others, min(len(others), rng.randint(1, 8)))
        rng.shuffle(types)
    return Question(text, types=tuple(types)).prompt(), answer(entities)


def answer(entities: Sequence[Entity]) -> str:
    """What the model is to say after the prompt."""
    results = [{"TypeName": entity.type, "Text": entity.text} for entity in entities]
    return f" {json.dumps({'Results': results}, ensure_ascii=False)}"


def entities_of(document: Any) -> list[Entity]:
    """The entities in an answer, as far as it has the form."""
    results = document.get("Results") if isinstance(document, dict) else None
    found = []
    for result in results if isinstance(results, list) else ():
        if isinstance(result, dict):
            kind, text = result.get("TypeName"), result.get("Text")
            if isinstance(kind, str) and isinstance(text, str):
                found.append(Entity(kind, " ".join(text.split())))
    return found


def statistics(question: Question, gold: Sequence[Entity], answer: str) -> tuple[int, int, int, int, int]:
    """What an answer adds to the totals of `scores`: entities right, found and wanted, valid answers, answers.

    An entity is right if its type and text are; one that stands in the text twice is to be given twice.
    """
    document, valid = question.read(answer)
    wanted, found = Counter(gold), Counter(entities_of(document))
    return (wanted & found).total(), found.total(), wanted.total(), int(valid), 1


def scores(totals: np.ndarray) -> dict[str, np.ndarray]:
    """Sums of statistics (..., 5) -> `{"f1", "precision", "recall", "valid"}` (...)."""
    right, found, wanted, valid, answers = np.moveaxis(np.asarray(totals), -1, 0)
    return {**micro_f1(right, found, wanted), "valid": valid / answers}
