"""JSON Schemas that anyone may send: refused where they are too large, refer in circles or ask for the unbounded.

Everything here takes time in proportion to the schema's text, which is limited first. Beyond that, a schema stays what
it is: what `jsonschema` and the grammar make of it is theirs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import regex

from midalign_demo.characters import has_lone_surrogate
from midalign_demo.errors import InputError

MOST_CHARACTERS = 10_000  # as JSON
DEEPEST = 24  # schemas within schemas, through references as well
MOST_PARTS = 1000  # schemas in it, each counted as often as it is referred to
LONGEST_PATTERN = 200  # characters
HIGHEST_COUNT = 10_000  # of items, characters or properties

_PATTERN_SECONDS = 0.2
_BY_NAME = ("properties", "$defs", "definitions", "dependentSchemas")
_LISTED = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLE = (
    "items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedItems",
    "unevaluatedProperties",
)  # fmt: skip
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties", "minContains",
           "maxContains")  # fmt: skip
# They change what a reference means, or take a pattern that `jsonschema` would try without an end in sight.
_REFUSED = {
    "$dynamicRef": "give $ref", "$dynamicAnchor": "give $defs", "$recursiveRef": "give $ref",
    "$recursiveAnchor": "give $defs", "$anchor": "give $defs", "patternProperties": "name the properties",
}  # fmt: skip


def check_schema(schema: Any) -> Mapping[str, Any]:
    """The schema itself.

    Raises:
        InputError: it is not a JSON Schema, or over one of the limits above; the message says which.
    """
    if not isinstance(schema, Mapping):
        raise InputError('schema: it is not a JSON object such as {"type": "object", "properties": {..}}')
    try:
        written = json.dumps(schema, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"schema: it can't be written as JSON ({' '.join(str(error).split())[:100]})") from error
    if len(written) > MOST_CHARACTERS:
        raise InputError(f"schema: it has {len(written)} characters as JSON, at most {MOST_CHARACTERS} are allowed")
    if has_lone_surrogate(written):
        raise InputError("schema: it holds half a surrogate pair, which is no character")
    if (depth := _brackets(schema)) > 4 * DEEPEST:  # what checks it next goes down some calls for each
        raise InputError(f"schema: it is nested {depth} brackets deep, at most {4 * DEEPEST} are allowed")
    _Walk(schema).size(schema, "#", ())
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except (jsonschema.SchemaError, RecursionError) as error:
        said = f"{error.message} at {error.json_path}" if isinstance(error, jsonschema.SchemaError) else "too deep"
        raise InputError(f"schema: {' '.join(said.split())[:300]}") from error
    return schema


def fits(document: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a document fits a schema of `check_schema`; not where that can't be told in bounded time."""
    try:
        return _Validator(schema).is_valid(document)
    except (RecursionError, OverflowError, TimeoutError):
        return False


def _pattern(validator, pattern: str, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    # `regex` can be told to give up: some patterns take years over forty characters.
    if isinstance(instance, str) and regex.search(pattern, instance, timeout=_PATTERN_SECONDS) is None:
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


_Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": _pattern})


def _brackets(document: Any) -> int:
    """How many objects and lists are within each other."""
    deepest, level = 0, [document]
    while level := [part for part in level if isinstance(part, Mapping | list | tuple)]:
        deepest += 1
        level = [inner for part in level for inner in (part.values() if isinstance(part, Mapping) else part)]
    return deepest


class _Walk:
    """Goes through a schema and what it refers to, each place once."""

    def __init__(self, root: Mapping[str, Any]):
        self._root = root
        self._known: dict[str, tuple[int, int]] = {}  # what `size` found, by place

    def size(self, schema: Any, place: str, above: tuple[str, ...]) -> tuple[int, int]:
        """How many schemas there are at a place and below, and how many within each other.

        Args:
            place: path of the schema from the root, such as `#/properties/city`.
            above: the places that lead here.
        """
        if place in above:
            raise InputError(f"schema: {place[:200]} refers to itself; recursive schemas are not supported")
        if place not in self._known and len(above) < DEEPEST:
            self._check(schema, place)
            inner = (*above, place)
            sizes = [self.size(part, at, inner) for at, part in self._below(schema, place)]
            self._known[place] = (
                1 + sum(parts for parts, _ in sizes), 1 + max((height for _, height in sizes), default=0)
            )  # fmt: skip
        parts, height = self._known.get(place, (1, 1))
        if len(above) + height > DEEPEST:
            raise InputError(f"schema: more than {DEEPEST} schemas within each other at {place[:200]}")
        if parts > MOST_PARTS:
            raise InputError(
                f"schema: {parts} schemas at {place[:200]}, references followed; at most {MOST_PARTS} are allowed"
            )
        return parts, height

    def _check(self, schema: Any, place: str) -> None:
        if not isinstance(schema, Mapping):
            return
        for key, instead in _REFUSED.items():
            if key in schema:
                raise InputError(f"schema: {key} at {place[:200]} is not supported; {instead}")
        if "$id" in schema and place != "#":
            raise InputError(f"schema: $id at {place[:200]} is not supported below the top")
        for key in _COUNTS:
            count = schema.get(key)
            if isinstance(count, int | float) and count > HIGHEST_COUNT:
                raise InputError(
                    f"schema: {key} is {str(count)[:20]} at {place[:200]}, at most {HIGHEST_COUNT} is allowed"
                )
        pattern = schema.get("pattern")
        if isinstance(pattern, str):
            if len(pattern) > LONGEST_PATTERN:
                raise InputError(
                    f"schema: a pattern of {len(pattern)} characters at {place[:200]}, "
                    f"at most {LONGEST_PATTERN} are allowed"
                )
            try:
                regex.compile(pattern)
            except regex.error as error:
                raise InputError(f"schema: {pattern!r} at {place[:200]} is not a pattern ({error})") from error

    def _below(self, schema: Any, place: str) -> Iterator[tuple[str, Any]]:
        """Path and schema of each part of a schema, that which it refers to included."""
        if not isinstance(schema, Mapping):
            return
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"], self._target(schema["$ref"])
        for key in _BY_NAME:
            named = schema.get(key)
            for name, part in named.items() if isinstance(named, Mapping) else ():
                yield f"{place}/{key}/{_escaped(name)}", part
        for key in _LISTED:
            listed = schema.get(key)
            for number, part in enumerate(listed if isinstance(listed, list | tuple) else ()):
                yield f"{place}/{key}/{number}", part
        for key in _SINGLE:
            if key in schema:
                yield f"{place}/{key}", schema[key]

    def _target(self, reference: str) -> Any:
        """The schema that a reference names."""
        if reference != "#" and not reference.startswith("#/"):
            raise InputError(
                f"schema: $ref {reference[:200]!r} is not within the schema; give one such as '#/$defs/name'"
            )
        found: Any = self._root
        for step in reference.split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and step in found:
                found = found[step]
            elif isinstance(found, list | tuple) and step.isdecimal() and int(step) < len(found):
                found = found[int(step)]
            else:
                raise InputError(f"schema: $ref {reference[:200]!r} names nothing that there is")
        if not isinstance(found, Mapping | bool):
            raise InputError(f"schema: $ref {reference[:200]!r} names something that is no schema")
        return found


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
