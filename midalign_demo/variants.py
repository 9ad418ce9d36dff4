"""What a user picks: the variants, and the adapters that each is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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


def check(variants: Sequence[str]) -> list[str]:
    """The variants themselves.

    Raises:
        InputError: none, or one that there is not.
    """
    for variant in variants:
        if variant not in VARIANTS:
            raise InputError(f"variants: {variant!r} is not one of {', '.join(VARIANTS)}")
    if not variants:
        raise InputError(f"variants: none given; there are {', '.join(VARIANTS)}")
    return list(variants)


def adapter_name(role: str, task: str) -> str:
    """The name under which an engine holds the adapter of a role."""
    return {"task": task, "align": "align", "joint": f"{task}-joint"}[role]


def roles_of(variants: Sequence[str]) -> set[str]:
    """The adapters that variants are made of: `task`, `align`, `joint`."""
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
