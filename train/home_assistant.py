"""Labelled voice commands, sampled from Home Assistant's sentence templates.

`home-assistant-intents` has templates such as `turn on [the] {name} in [the] {area}` in more than sixty languages;
`hassil` parses them. A command is one way through a template, drawn at random; the words that fill a `{list}` are its
slot's value. Lists that the templates leave to the household (rooms, devices) come from `home_assistant_lists.json`
or from the user; sentences with a list that has no words are left out.
"""

from __future__ import annotations

import importlib.util
import json
import random
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from midalign_demo import languages
from midalign_demo.errors import InputError
from midalign_demo.files import read_text, replacing

# Our tag -> the package's, where they differ.
_FILES = {"zh": "zh-CN", "sr-Cyrl": "sr"}
# Lists of the templates that are filled from one of ours.
_SAME = {"shopping_list_item": "item", "todo_list_item": "item"}
# Kinds of devices that the list `name` has names for. Others have lists of their own, such as `name/todo`.
_DEVICES = frozenset({"light", "fan", "switch", "media_player", "climate"})
_TRIES = 40  # drawn for each command asked for, before a language counts as used up

Lists = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Sampled:
    """A command with its slots: name and value, in the order of the text.

    Attributes:
        template: a checksum of the template it comes from, which tells apart those of an intent.
        meaning: what is asked for, the same in all languages: the intent and, for each slot (also those that a template
            takes for granted), what Home Assistant understands by its value or, in a list of ours, the value's number.
    """

    intent: str
    template: int
    text: str
    slots: tuple[tuple[str, str], ...]
    meaning: str


class _NoWords(Exception):
    """The sentence needs a list that has no words."""


def sample_commands(tag: str, count: int, *, lists: Lists | None = None, seed: int = 1) -> list[Sampled]:
    """Draw distinct commands in a language; fewer than `count` where its templates have no more.

    Args:
        tag: BCP 47 tag.
        lists: words for `area`, `floor`, `name`, `item` and any other list of the templates, and names of kinds of
            devices as `name/todo`; default: our own.

    Raises:
        InputError: no templates in the language, or packages that are not installed.
    """
    from hassil.intents import Intents

    intents = Intents.from_dict(_templates(tag))
    words = {**default_lists().get(tag, {}), **(lists or {})}
    rng = random.Random(f"{seed}/{tag}")
    found: dict[str, Sampled] = {}
    names = sorted(intents.intents)
    for _ in range(count * _TRIES):
        if len(found) == count:
            break
        intent = intents.intents[rng.choice(names)]
        data = rng.choice(intent.data)
        sentence = rng.choice(data.sentences)
        walk = _Walk(
            rules={**intents.expansion_rules, **data.expansion_rules},
            lists={**intents.slot_lists, **data.slot_lists},
            words={**words, "name": _names(words, data.requires_context.get("domain"))},
            language=tag,
            rng=rng,
        )
        try:
            pieces = list(walk.through(sentence.expression))
        except _NoWords:
            continue
        text = _tidy("".join(piece.text for piece in pieces))
        slots = tuple((piece.slot, piece.text) for piece in pieces if piece.slot and piece.text)
        if text:
            template = zlib.crc32(repr(sentence.text).encode())
            meant = {
                **data.requires_context,
                **data.slots,
                **{piece.slot: piece.meant for piece in pieces if piece.slot},
            }
            meaning = json.dumps([intent.name, meant], sort_keys=True, ensure_ascii=False, default=str)
            found.setdefault(text, Sampled(intent.name, template, text, slots, meaning))
    return list(found.values())


def _names(words: Lists, domain: str | Sequence[str] | None) -> Sequence[str]:
    """Device names for a sentence about a kind of device: a to-do list is not called `radio`."""
    domains = [domain] if isinstance(domain, str) else list(domain or ())
    own = [word for kind in domains for word in words.get(f"name/{kind}", ())]
    if own or (domains and not _DEVICES.intersection(domains)):
        return own
    return words.get("name", ())


@dataclass(frozen=True)
class _Piece:
    """A piece of a command; of a slot's value the slot's name, and what it means in any language."""

    text: str
    slot: str | None = None
    meant: Any = None


@dataclass(frozen=True)
class _Walk:
    """One way through a template at a time."""

    rules: Mapping
    lists: Mapping
    words: Lists
    language: str
    rng: random.Random

    def through(self, expression) -> Iterator[_Piece]:
        from hassil import expression as kinds

        if isinstance(expression, kinds.TextChunk):
            yield _Piece(expression.original_text)
        elif isinstance(expression, kinds.Alternative):
            yield from self.through(self.rng.choice(expression.items))
        elif isinstance(expression, kinds.Permutation):
            for item in self.rng.sample(expression.items, len(expression.items)):
                yield from self.through(item)
                yield _Piece(" ")
        elif isinstance(expression, kinds.Group):
            for item in expression.items:
                yield from self.through(item)
        elif isinstance(expression, kinds.RuleReference):
            if expression.rule_name not in self.rules:
                raise _NoWords
            yield from self.through(self.rules[expression.rule_name].expression)
        else:
            text, meant = self._value(expression.list_name)
            yield _Piece(_tidy(text), expression.slot_name, meant)

    def _value(self, name: str) -> tuple[str, Any]:
        """A word or words of a list, and what they mean."""
        from hassil.intents import RangeSlotList, TextSlotList

        slot_list = self.lists.get(name)
        own = list(self.words.get(_SAME.get(name, name), ()))
        if own:
            place = self.rng.randrange(len(own))
            return own[place], f"#{place}"
        if isinstance(slot_list, TextSlotList) and slot_list.values:
            value = self.rng.choice(slot_list.values)
            return "".join(piece.text for piece in self.through(value.text_in)), value.value_out
        if isinstance(slot_list, RangeSlotList):
            number = self.rng.choice(list(slot_list.get_numbers()))
            return self._number(slot_list, number), number
        raise _NoWords

    def _number(self, slot_list, number: float) -> str:
        spelled = slot_list.words and (not slot_list.digits or self.rng.random() < 0.5)
        if spelled:
            from hassil.numbers import get_rbnf_engine

            engine = get_rbnf_engine(slot_list.words_language or self.language)
            if engine is not None:
                return self.rng.choice(sorted(set(engine.format_number(number).text_by_ruleset.values())))
        if not slot_list.digits:
            raise _NoWords
        return str(number)


def _tidy(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def default_lists() -> dict[str, dict[str, list[str]]]:
    """Our own words for rooms, floors, devices and things to buy, by language; the n-th means the same in all."""
    return json.loads((files("train") / "home_assistant_lists.json").read_text(encoding="utf-8"))


def available() -> list[str]:
    """Tags of the languages that there are templates for.

    Raises:
        InputError: the packages are not installed.
    """
    names = {path.stem for path in _folder().glob("*.json")}
    ours = {theirs: tag for tag, theirs in _FILES.items()}
    return sorted(ours.get(name, name) for name in names)


def _templates(tag: str) -> dict:
    path = _folder() / f"{_FILES.get(tag, tag)}.json"
    if not path.is_file():
        raise InputError(f"languages: {tag!r} has no templates; there are {', '.join(available())}")
    return json.loads(path.read_text(encoding="utf-8"))


def _folder() -> Path:
    missing = [name for name in ("hassil", "home_assistant_intents") if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"home-assistant: {', '.join(missing)} not installed; pip install 'midalign[data]'")
    return Path(str(files("home_assistant_intents"))) / "data"


def write_commands(output: Path, sampled: Mapping[str, Sequence[Sampled]]) -> None:
    """Write midalign's JSONL (docs/formats.md), whole or not at all."""
    with replacing(output) as file:
        for tag, commands in sampled.items():
            for number, command in enumerate(commands):
                record = {
                    # All commands of a template fall into one part of the data, see slot_readers.split_of.
                    "id": f"{command.intent}-{command.template:08x}/{tag}-{number}",
                    "lang": tag,
                    "utt": command.text,
                    "intent": command.intent,
                    "slots": [{"slot": name, "values": [value], "surface": True} for name, value in command.slots],
                }
                file.write(json.dumps(record, ensure_ascii=False) + "\n")


def read_lists(path: Path) -> dict[str, dict[str, list[str]]]:
    """A user's own words: JSON `{"de": {"area": ["Küche", ..], "name": [..]}}`.

    Raises:
        InputError: not of that form.
    """
    try:
        given = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"lists: {path} is not JSON ({error.msg} in line {error.lineno})") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets without end
        raise InputError(f"lists: {path} is not JSON that can be read") from error
    proper = isinstance(given, dict) and all(
        isinstance(lists, dict)
        and all(isinstance(words, list) and all(isinstance(word, str) for word in words) for words in lists.values())
        for lists in given.values()
    )
    if not proper:
        raise InputError(f'lists: {path} is not of the form {{"de": {{"area": ["Küche", ..]}}}}')
    return {languages.normalize(tag): lists for tag, lists in given.items()}
