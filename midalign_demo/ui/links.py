"""Links that restore the page: task, text, languages and settings, in the query string."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from midalign_demo import languages, tasks
from midalign_demo import variants as variant_names
from midalign_demo.errors import InputError
from midalign_demo.tasks.question import check_text

HIGHEST_WEIGHT = 2.0
FIELDS = ("task", "text", "language", "target", "variants", "grammar", "task_weight", "align_weight")

# Run in the browser with the values of FIELDS: puts the link into the address bar and the clipboard, and hands on
# whether it could be copied.
COPY = """async (_, ...values) => {
  const names = %s, query = new URLSearchParams();
  names.forEach((name, at) => {
    const value = values[at];
    if (value === null || value === "" || value.length === 0) return;
    query.set(name, value === true ? "1" : value === false ? "0" : String(value));
  });
  const link = location.origin + location.pathname + "?" + query;
  history.replaceState(null, "", link);
  let copied = "yes";
  try { await navigator.clipboard.writeText(link); } catch { copied = "no"; }
  return [copied, ...values];
}""" % list(FIELDS)  # noqa: UP031 (braces belong to the script)


def read(query: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """What a link asks for, by the names in `FIELDS`, as far as it is given and makes sense.

    Returns:
        The values, and a sentence about each that was passed over. Names that are not in `FIELDS` are not looked at.
    """
    found: dict[str, Any] = {}
    problems: list[str] = []
    for name in FIELDS:
        if name in query:
            try:
                found[name] = _READERS[name](str(query[name]))
            except InputError as error:
                problems.append(f"{error}; it was left out")
    return found, problems


def _task(value: str) -> str:
    if value not in tasks.MODULES:
        raise InputError(f"task: {_short(value)} is not one of {', '.join(tasks.MODULES)}")
    return value


def _language(value: str) -> str:
    try:
        return languages.normalize(value)
    except InputError as error:
        raise InputError(f"language: {_short(value)} is not a BCP 47 tag such as 'de', 'sw' or 'zh-Hant'") from error


def _variants(value: str) -> list[str]:
    chosen = list(dict.fromkeys(value.split(",")))
    try:
        variant_names.own_of(chosen)  # those of whoever runs this app; whether it has them is seen when they are asked
    except InputError as error:
        raise InputError(f"variants: {_short(value)} are not names of variants") from error
    return chosen


def _yes_or_no(value: str) -> bool:
    if value not in ("0", "1"):
        raise InputError(f"grammar: {_short(value)} is neither 0 nor 1")
    return value == "1"


def _weight(value: str) -> float:
    try:
        weight = float(value)
    except ValueError:
        weight = math.nan
    if not 0 <= weight <= HIGHEST_WEIGHT:
        raise InputError(f"weight: {_short(value)} is not a number from 0 to {HIGHEST_WEIGHT:g}")
    return weight


def _short(value: str) -> str:
    """A value as it is named in a message, which anyone can put into a link."""
    return repr(value if len(value) <= 40 else f"{value[:40]}…")


_READERS = {
    "task": _task, "text": check_text, "language": _language, "target": _language, "variants": _variants,
    "grammar": _yes_or_no, "task_weight": _weight, "align_weight": _weight,
}  # fmt: skip
