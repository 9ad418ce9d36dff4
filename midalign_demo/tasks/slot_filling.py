"""Slot filling: which words of a command say what.

The prompt lists the slots that may be filled, so that one adapter serves several inventories:

    Slots: datetime, location, weather/attribute
    Command: Wird es heute sonnig sein?
    Values: datetime: heute; weather/attribute: sonnig

An answer without any slot is `None`.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from midalign_demo.characters import cleaned, is_blank
from midalign_demo.errors import InputError
from midalign_demo.tasks.metrics import micro_f1
from midalign_demo.tasks.spans import Span, find, terminal, whereabouts

NAME = "slot-filling"
MAIN_METRIC = "f1"
COMPARED = ("f1", "names_f1", "spans_f1")
NOTHING = "None"
MOST_NAMES = 200  # all are in the prompt
_MOST_SLOTS = 16

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
    """A command with its gold slots, in the order of the text.

    `english` is the English command that says the same, `intent` what is wanted, each where it is known.
    """

    id: str
    language: str
    text: str
    slots: tuple[Slot, ...]
    english: str | None = None
    intent: str | None = None


@dataclass(frozen=True)
class Question:
    """A command, and the slots that may be filled."""

    text: str
    inventory: tuple[str, ...] = DEFAULT_INVENTORY
    language: str | None = None
    task: ClassVar[str] = NAME
    held: ClassVar[bool] = False
    target: ClassVar[None] = None

    def prompt(self) -> str:
        # A line break in the text becomes a space, since it would end the command.
        return f"Slots: {', '.join(self.inventory)}\nCommand: {' '.join(self.text.split())}\nValues:"

    def prompt_with_examples(self) -> str:
        shown = [Question(text, names).prompt() + answer(slots) for text, names, slots in _EXAMPLES]
        return "\n\n".join([*shown, self.prompt()])

    def grammar(self) -> str:
        names = " | ".join(json.dumps(name) for name in self.inventory)
        return "\n".join(
            [
                f'start: " " ("{NOTHING}" | entry ("; " entry){{0,{_MOST_SLOTS - 1}}})',
                'entry: SLOT ": " VALUE',
                f"SLOT: {names}",
                f"VALUE: {terminal(self.text)}",
            ]
        )

    def read(self, answer: str) -> tuple[list[dict], bool]:
        """The slots as `{"slot", "value", "start", "end"}`, with the character range in the text (None: not there).

        A value that is given more often than it is there has the place of the one before.
        """
        slots, valid = parse(answer, self.inventory)
        spans = zip(slots, locate(slots, self.text), strict=True)
        places = [span or whereabouts(slot.value, self.text) or (None, None) for slot, span in spans]
        parsed = [
            {"slot": slot.name, "value": slot.value, "start": start, "end": end}
            for slot, (start, end) in zip(slots, places, strict=True)
        ]
        return parsed, valid

    def answer_limit(self, text_tokens: int) -> int:
        # Every word of the text again, and the slots' names.
        return 32 + 3 * text_tokens // 2


_EXAMPLES = (
    ("thank you very much", ("movie_name", "datetime", "city"), ()),
    (
        "remind me to water the plants on sunday evening",
        ("datetime", "location", "reminder/todo"),
        (Slot("reminder/todo", "water the plants"), Slot("datetime", "on sunday evening")),
    ),
    ("how warm is the bedroom", ("name", "area", "temperature", "datetime"), (Slot("area", "bedroom"),)),
)


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
    """The scores of answers, over all slots together (micro average).

    Returns:
        As `scores`.
    """
    totals = np.sum([_counts(gold, predicted) for gold, predicted in zip(golds, predictions, strict=True)], axis=0)
    return {name: float(value) for name, value in scores(totals).items()}


def statistics(question: Question, gold: Command, answer: str) -> tuple[int, ...]:
    """What an answer adds to the totals of `scores`."""
    return _counts(gold, parse(answer, question.inventory)[0])


def scores(totals: np.ndarray) -> dict[str, np.ndarray]:
    """Sums of statistics (..., 9) -> scores (...), each 0 to 1.

    Returns:
        `f1`, `precision`, `recall`: a slot is right if its name and its place in the text are, so a value that is not
        in the text is wrong. Where values are whole words that do not overlap: seqeval's strict score over BIO tags.
        `names_f1`: the slots' names alone; `spans_f1`: their places alone, whatever the name; these two say what an
        answer has understood, and where it has found it. `in_text`: share of the values that stand in the text; 1 if
        there are none.
    """
    parts = np.moveaxis(np.asarray(totals, dtype=float), -1, 0)
    right, found, wanted, names, *places, given, strays = parts
    return {
        **micro_f1(right, found, wanted),
        "names_f1": micro_f1(names, found, wanted)["f1"],
        "spans_f1": micro_f1(*places)["f1"],
        "in_text": 1 - np.divide(strays, given, out=np.zeros(np.shape(given)), where=given > 0),
    }


def _counts(gold: Command, predicted: Sequence[Slot]) -> tuple[int, ...]:
    """Slots right, found and wanted, names right; places right, found and wanted; values, and those not in the text."""
    wanted, found = _placed(gold.slots, gold.text), _placed(predicted, gold.text)
    names_wanted, names_found = (Counter(slot[0] for slot in slots) for slots in (wanted, found))
    places_wanted, places_found = ({slot[1:] for slot in slots} for slots in (wanted, found))
    strays = sum(whereabouts(slot.value, gold.text) is None for slot in predicted)
    return (
        len(wanted & found), len(found), len(wanted),
        (names_wanted & names_found).total(),
        len(places_wanted & places_found), len(places_found), len(places_wanted),
        len(predicted), strays,
    )  # fmt: skip


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


def check_inventory(names: Sequence[str], what: str = "slots") -> list[str]:
    """The names, stripped.

    Args:
        what: they are, for the messages.

    Raises:
        InputError: none, too many, one twice, or one that the answer's form could not hold.
    """
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{what}: give a list of names, such as datetime")
    if len(names) > MOST_NAMES:
        raise InputError(f"{what}: {len(names)} names given, at most {MOST_NAMES} are allowed")
    names = [cleaned(name).strip() for name in names]
    names = [name for name in names if not is_blank(name)]
    if not names:
        raise InputError(f"{what}: none given; name at least one, such as datetime")
    for name in names:
        if re.search(r"[,:;\r\n]", name) or len(name) > 60:
            raise InputError(
                f"{what}: {name[:61]!r} is not a name: no comma, colon, semicolon or line break, 60 characters at most"
            )
        if names.count(name) > 1:
            raise InputError(f"{what}: {name!r} is given twice")
    return names


def training_example(command: Command, inventory: Sequence[str], rng: random.Random) -> tuple[str, str]:
    """A prompt and its answer, with an inventory drawn anew each time.

    A third of the time the whole inventory is listed; otherwise the gold slots among a few others, in any order, and
    now and then without one of the gold slots, whose value is then not to be given. So the list has to be read.
    """

    def asked(names: Sequence[str]) -> str:
        return Question(command.text, tuple(names)).prompt()

    slots = list(command.slots)
    if rng.random() < 1 / 3:
        return asked(inventory), answer(slots)
    names = sorted({slot.name for slot in slots})
    dropped = rng.choice(names) if names and rng.random() < 0.15 else None
    kept = [name for name in names if name != dropped]
    others = [name for name in inventory if name not in names]
    listed = kept + rng.sample(others, min(len(others), rng.randint(1, 8)))
    if not listed:
        return asked(inventory), answer(slots)
    rng.shuffle(listed)
    return asked(listed), answer([slot for slot in slots if slot.name != dropped])
