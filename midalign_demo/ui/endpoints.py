"""What every endpoint does: check the kinds of what it is given, and tell the caller what went wrong."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from midalign_demo.errors import InputError
from midalign_demo.labels import shortened
from midalign_demo.ui import problems

Found = TypeVar("Found")

_QUOTED = 80  # characters of a value in a message


def endpoint(function: Callable[..., Awaitable[Found]]) -> Callable[..., Awaitable[Found]]:
    """A function as an endpoint, whose arguments come from any program: they are of the kinds that its signature says,
    or the caller is told of the first that isn't.
    """
    hints = typing.get_type_hints(function)
    signature = inspect.signature(function)
    kinds = {name: _kind(hints[name]) for name in signature.parameters}

    @functools.wraps(function)
    async def called(*given: Any, **named: Any) -> Found:
        with problems.told_to_the_caller():
            for name, value in signature.bind(*given, **named).arguments.items():
                _check(name, value, *kinds[name])
            return await function(*given, **named)

    return called


def _kind(hint: Any) -> tuple[TypeAdapter, bool]:
    """What checks an argument, and whether it may be left out as None."""
    parts = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    may_be_none = type(None) in parts
    (kind,) = (part for part in parts if part is not type(None))
    return TypeAdapter(kind), may_be_none


def _check(name: str, value: Any, kind: TypeAdapter, may_be_none: bool) -> None:
    if value is None and may_be_none:
        return
    try:
        kind.validate_python(value, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = "".join(f", element {at + 1}" if isinstance(at, int) else f", {at!r}" for at in first["loc"])
        expected = first["msg"].removeprefix("Input should be ")
        raise InputError(f"{name}{where}: {shortened(repr(first['input']), _QUOTED)} is not {expected}") from error
