"""Slot filling: which words of a command say what.

The prompt lists the slots that may be filled, so that one adapter serves several inventories:

    Slots: datetime, location, weather/attribute
    Command: Wird es heute sonnig sein?
    Values: datetime: heute; weather/attribute: sonnig

An answer without any slot is `None`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from midalign_demo.errors import InputError
from midalign_demo.tasks.spans import Span, find

NAME = "slot-filling"
NOTHING = "None"

# What a voice assistant is asked most, in names that the public data sets use.
DEFAULT_INVENTORY = (
    "datetime", "recurring_datetime", "location", "weather/attribute", "reminder/todo", "artist", "track", "album",
    "playlist", "movie_name", "restaurant_type", "party_size_number", "area", "name", "temperature",
    "minutes", "message", "item",
)  # fmt: skip


@dataclass(frozen=True)
class Slot:
    """A slot's name and its value, in the words of the command."""

    name: str
    value: str


@dataclass(frozen=True)
class Command:
    """A command with its gold slots, in the order of the text."""

    id: str
    language: str
    text: str
    slots: tuple[Slot, ...]


_EXAMPLES = (
    ("thank you very much", ("movie_name", "datetime", "city"), ()),
    (
        "remind me to water the plants on sunday evening",
        ("datetime", "location", "reminder/todo"),
        (Slot("reminder/todo", "water the plants"), Slot("datetime", "on sunday evening")),
    ),
    ("how warm is the bedroom", ("name", "area", "temperature", "datetime"), (Slot("area", "bedroom"),)),
)


def prompt(text: str, inventory: Sequence[str]) -> str:
    """What the model is asked. A line break in the text becomes a space, since it would end the command."""
    return f"Slots: {', '.join(inventory)}\nCommand: {' '.join(text.split())}\nValues:"


def prompt_with_examples(text: str, inventory: Sequence[str]) -> str:
    """The same question after a few answered ones, for models that were not tuned on the task."""
    shown = "\n\n".join(prompt(example, names) + answer(slots) for example, names, slots in _EXAMPLES)
    return f"{shown}\n\n{prompt(text, inventory)}"


def answer(slots: Sequence[Slot]) -> str:
    """What the model is to say after the prompt."""
    return " " + ("; ".join(f"{slot.name}: {slot.value}" for slot in slots) or NOTHING)


def parse(text: str, inventory: Sequence[str]) -> tuple[list[Slot], bool]:
    """Read an answer.

    Only its first line counts. A part that begins with another slot's name is left out; one that begins with no name
    belongs to the value before it (a value may hold a semicolon).

    Returns:
        The slots, and whether the whole answer has the form asked for.
    """
    line = text.strip().split("\n", 1)[0].strip()
    if line == NOTHING:
        return [], True
    slots: list[Slot] = []
    valid = bool(line)
    for part in line.split(";"):
        name, colon, value = part.partition(":")
        name, value = name.strip(), value.strip()
        if colon and name in inventory:
            if value:
                slots.append(Slot(name, value))
            valid = valid and bool(value)
        elif re.match(r"\s*[\w./-]+:\s", part):  # a slot that was not asked for
            valid = False
        elif slots and part.strip():
            slots[-1] = Slot(slots[-1].name, f"{slots[-1].value};{part.rstrip()}")
        else:
            valid = False
    return slots, valid


def locate(slots: Sequence[Slot], text: str) -> list[Span | None]:
    """Where each slot's value stands in the text; None where it does not. Equal slots take different places."""
    taken: dict[str, list[Span]] = {}
    spans = []
    for slot in slots:
        span = find(slot.value, text, taken.setdefault(slot.name, []))
        if span:
            taken[slot.name].append(span)
        spans.append(span)
    return spans


def score(golds: Sequence[Command], predictions: Sequence[Sequence[Slot]]) -> dict[str, float]:
    """Precision, recall and F1 over all slots together (micro average).

    A slot is right if its name and its place in the text are. Where values are whole words and do not overlap, this is
    seqeval's strict score over BIO tags. A value that is not in the text is wrong.

    Returns:
        `{"f1", "precision", "recall"}`, each 0 to 1.
    """
    right = found = wanted = 0
    for gold, predicted in zip(golds, predictions, strict=True):
        gold_set = _placed(gold.slots, gold.text)
        predicted_set = _placed(predicted, gold.text)
        right += len(gold_set & predicted_set)
        found += len(predicted_set)
        wanted += len(gold_set)
    if not found and not wanted:
        return {"f1": 1.0, "precision": 1.0, "recall": 1.0}
    precision = right / found if found else 0.0
    recall = right / wanted if wanted else 0.0
    f1 = 2 * right / (found + wanted)
    return {"f1": f1, "precision": precision, "recall": recall}


def _placed(slots: Sequence[Slot], text: str) -> set[tuple]:
    # A value that is not in the text stands for itself: it equals no gold slot, and still counts as an answer.
    places = zip(slots, locate(slots, text), strict=True)
    return {
        (slot.name, span) if span else (slot.name, slot.value, number) for number, (slot, span) in enumerate(places)
    }


def restrict(commands: Iterable[Command], inventory: Sequence[str]) -> list[Command]:
    """The commands with only those gold slots that are in the inventory."""
    return [
        replace(command, slots=tuple(slot for slot in command.slots if slot.name in inventory)) for command in commands
    ]


def inventory_of(commands: Iterable[Command]) -> list[str]:
    """The slot names that occur, sorted."""
    return sorted({slot.name for command in commands for slot in command.slots})


def check_inventory(names: Sequence[str]) -> list[str]:
    """The names, stripped.

    Raises:
        InputError: none, one twice, or one that the answer's form could not hold.
    """
    names = [name.strip() for name in names if name.strip()]
    if not names:
        raise InputError("slots: none given; name at least one, such as datetime")
    for name in names:
        if re.search(r"[,:;\n]", name) or len(name) > 60:
            raise InputError(
                f"slots: {name!r} is not a slot name: no comma, colon, semicolon or line break, 60 characters at most"
            )
        if names.count(name) > 1:
            raise InputError(f"slots: {name!r} is given twice")
    return names


def training_example(command: Command, inventory: Sequence[str], rng: random.Random) -> tuple[str, str]:
    """A prompt and its answer, with an inventory drawn anew each time.

    A third of the time the whole inventory is listed; otherwise the gold slots among a few others, in any order, and
    now and then without one of the gold slots, whose value is then not to be given. So the list has to be read.
    """
    slots = list(command.slots)
    if rng.random() < 1 / 3:
        return prompt(command.text, inventory), answer(slots)
    names = sorted({slot.name for slot in slots})
    dropped = rng.choice(names) if names and rng.random() < 0.15 else None
    kept = [name for name in names if name != dropped]
    others = [name for name in inventory if name not in names]
    listed = kept + rng.sample(others, min(len(others), rng.randint(1, 8)))
    if not listed:
        return prompt(command.text, inventory), answer(slots)
    rng.shuffle(listed)
    return prompt(command.text, listed), answer([slot for slot in slots if slot.name != dropped])
