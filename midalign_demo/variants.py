"""What a user picks: the variants, and the adapters that each is made of."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from midalign_demo import adapters, embedded
from midalign_demo.errors import InputError

VARIANTS = ("base", "task", "align", "merged", "joint")
ROLES = ("task", "align", "joint")

# Those that are shown where the user doesn't choose, as far as there are adapters for them.
USUAL = ("base", "task", "merged")

# Variants that never saw the task: they are asked with a few answered examples before the question.
UNTUNED = ("base", "align")

# The alignment adapter's weight in the merge with a task adapter (whose own weight is 1), chosen among .15 to .5 on
# each task's dev text: for slot filling so that English, which had task data, does not lose; JSON hardly minds.
MERGE_WEIGHTS = {"slot-filling": 0.2, "json": 0.3, "translation": 0.15}

_OWN_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,39}")


def check(variants: Sequence[str], own: Collection[str] = ()) -> list[str]:
    """The variants themselves.

    Args:
        own: names of the user's own, see `own_of`.

    Raises:
        InputError: none, or one that there is not.
    """
    there = ", ".join((*VARIANTS, *own))
    for variant in variants:
        if variant not in VARIANTS and variant not in own:
            raise InputError(f"variants: {variant!r} is not one of {there}")
    if not variants:
        raise InputError(f"variants: none given; there are {there}")
    return list(variants)


def shown_first(names: Sequence[str]) -> list[str]:
    """Those that are shown where the user doesn't choose: the usual ones and the user's own."""
    return [name for name in names if name in USUAL or name not in VARIANTS]


def own_of(names: Collection[str]) -> list[str]:
    """The names, of those given to adapters or served models, that are no role or variant of ours.

    Each is a variant of its own: that one adapter, asked as a task adapter is.

    Raises:
        InputError: one that can't be a variant's name, or under which an engine holds another adapter.
    """
    own = [name for name in names if name not in (*VARIANTS, *ROLES)]
    taken = {adapter_name(role, task) for role in ROLES for task in MERGE_WEIGHTS}
    for name in own:
        if not _OWN_NAME.fullmatch(name) or name in taken:
            raise InputError(
                f"variants: {name!r} can't be a name of your own; give letters, digits, '-', '_' or '.', at most 40, "
                f"and none of {', '.join(sorted(taken))}"
            )
    return own


def adapter_name(role: str, task: str) -> str:
    """The name under which an engine holds the adapter of a role, or that of a user's own variant."""
    return {"task": task, "joint": f"{task}-joint"}.get(role, role)


def roles_of(variants: Sequence[str]) -> set[str]:
    """The adapters that variants are made of: `task`, `align`, `joint`, or a user's own."""
    parts = {"base": (), "merged": ("task", "align")}
    return {role for variant in variants for role in parts.get(variant, (variant,))}


def align_weight(task: str, sources: Mapping[str, str]) -> float:
    """The alignment adapter's weight in a task's merge, where the user names none.

    It was tuned for the shipped pair; other adapters are added as they are.

    Args:
        sources: adapters by role, as `shipped_sources` gives them.
    """
    is_shipped_pair = (sources.get("task"), sources.get("align")) == (task, "align")
    return MERGE_WEIGHTS.get(task, 1.0) if is_shipped_pair else 1.0


def shipped_sources(base: str, task: str) -> dict[str, str]:
    """The shipped adapter for each role, as far as there is one. They fit the embedded base alone."""
    available = adapters.shipped() if base == embedded.NAME else []
    return {role: name for role in ROLES if (name := adapter_name(role, task)) in available}
