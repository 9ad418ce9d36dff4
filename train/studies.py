"""The studies of `midalign-train trials`: which trials each of them compares, and what they are measured on.

Trials of alignment start from fresh weights and are much shorter than the shipped adapter's training: they compare
choices, and do not show what can be reached. Those of tasks are joint recipes, and what to hold them against.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from midalign_demo import embedded, languages
from midalign_demo.tasks import json_generation
from midalign_demo.variants import MERGE_WEIGHTS

# How a test is run: the arguments of a `midalign` command without adapters, `DATA` standing for the data folder; the
# document that it prints comes back.
Measure = Callable[[Sequence[str]], Mapping[str, Any]]

DATA = "DATA"
OUTPUT = "OUTPUT"  # as DATA for the folder that trials lie in, each in OUTPUT/study/name


@dataclass(frozen=True)
class Trial:
    """One line of a study.

    Attributes:
        name: what it differs in.
        kind: of training; None: an adapter or a sum that is shipped, which is only measured.
        options: of `midalign-train KIND`, without data folder, seed and output.
        variant: the one that is measured.
        adapters: by role, those that are not trained here.
        once: train it under the first seed only: it stands beside what is compared.
        layer: the layer aligned, at which retrieval is measured.
        aligned: the languages aligned with English.
    """

    name: str
    kind: str | None
    options: tuple[str, ...] = ()
    variant: str = "align"
    adapters: Mapping[str, str] = field(default_factory=dict)
    once: bool = False
    layer: int = embedded.MIDDLE_LAYER
    aligned: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """Trials that differ in one choice.

    Attributes:
        title: a heading.
        text: what is measured, and on what.
        trials: their names differ; the first is what the others are compared with where `compared`.
        scores: runs the tests of a trial; its scores by column.
        compared: whether the others' differences from the first are of interest.
    """

    title: str
    text: str
    trials: tuple[Trial, ...]
    scores: Callable[[Trial, Measure], dict[str, float]]
    compared: bool = False


# The same sentences for all: news that nothing was trained on, in languages of which no trial aligns the second ten.
_ALIGNED = ("cy", "de", "es", "fi", "hi", "ja", "ru", "sw", "th", "zh")
UNALIGNED = ("ar", "bn", "cs", "fa", "fil", "he", "ka", "kk", "nl", "te")
_NEWS = (
    "Retrieval accuracy of pairs with English, of the aligned languages and of ten that no trial aligns "
    f"({', '.join(UNALIGNED)}); NTREX-128 (CC BY-SA 4.0), news, lines 1-60."
)

_SHORT = (
    "--recipe", "align", "--steps", "40", "--lines", "24", "--views", "2", "--longest", "150", "--dev-every", "40",
    "--dtype", "bfloat16",
)  # fmt: skip
_PAPER = (
    "--temperature", "0.1", "--no-centre", "--preserve", "0", "--token-dropout", "0", "--pairs", "english",
    "--direction", "one",
)  # fmt: skip


def _align(
    name: str, *options: str, lines: str = "265-988", tags: Sequence[str] = _ALIGNED, layer: int | None = None
) -> Trial:
    data = ("--data", f"parallel/ntrex:{lines}", "--languages", ",".join(tags))
    at = () if layer in (None, embedded.MIDDLE_LAYER) else ("--layer", str(layer))
    return Trial(
        name, "align", (*_SHORT, *data, *at, *options), layer=layer or embedded.MIDDLE_LAYER, aligned=tuple(tags)
    )


def _retrieval(trial: Trial, measure: Measure) -> dict[str, float]:
    tags = sorted({*trial.aligned, *UNALIGNED})
    found = {}
    for variant in ("base", "align"):
        document = measure(
            ["retrieval", f"{DATA}/parallel/ntrex", "--languages", ",".join(["en", *tags]), "--limit", "60",
             "--variants", variant, "--layers", str(trial.layer), "--dtype", "bfloat16"]
        )  # fmt: skip
        pairs = document["variants"][variant]["layers"][str(trial.layer)]["pairs"]
        for kind, of in (("aligned", trial.aligned), ("unaligned", UNALIGNED)):
            found[f"{variant}, {kind}"] = float(np.mean([pairs[f"en-{tag}"] for tag in of]))
    return found


def _alignment(title: str, *trials: Trial) -> Study:
    return Study(f"Trials of alignment: {title}", _NEWS, trials, _retrieval)


_COMMANDS: tuple[tuple[str, str, tuple[str, ...], set[str]], ...] = (
    ("xSID", "slots/xsid", ("--split", "test"), {"en", "de", "ar", "zh"}),
    # Of languages without task data no part was trained on, and `dev` alone was tuned on.
    ("Home Assistant", "slots/homeassistant",
     ("--split", "train", "--limit", "15", "--languages",
      "bg,ca,cs,da,el,fi,fr,he,hr,hu,is,it,ko,lv,ml,nb,ne,nl,pl,pt,ro,sk,sl,sr-Cyrl,sr-Latn,sv,uk,ur,vi"), set()),
)  # fmt: skip


def _slots(trial: Trial, measure: Measure) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, path, options, tuned in _COMMANDS:
        command = ["evaluate", "slot-filling", f"{DATA}/{path}", *options, "--grammar", "--variants", trial.variant,
                   "--dtype", "float32"]  # fmt: skip
        found |= _means(name, measure(command)["variants"][trial.variant]["languages"], tuned)
    return found


def _json(trial: Trial, measure: Measure) -> dict[str, float]:
    command = ["evaluate", "json", f"{DATA}/slots/xsid", "--split", "test", "--limit", "20", "--grammar",
               "--dtype", "float32"]  # fmt: skip
    # The weight of the shipped pair: it is not the shipped task adapter that is merged here.
    merge = ("--align-weight", str(MERGE_WEIGHTS[json_generation.NAME])) if trial.variant == "merged" else ()
    document = measure([*command, "--variants", trial.variant, *merge])
    return _means("xSID", document["variants"][trial.variant]["languages"], {"en", "de", "ar", "zh"})


def _means(name: str, scores: Mapping[str, Mapping], tuned: set[str]) -> dict[str, float]:
    """Mean F1 over the languages with task data, and over those without, these by script as well."""
    others = [tag for tag in scores if tag not in tuned]
    latin = [tag for tag in others if languages.script(tag) == "Latn"]
    kinds = {
        "task data": [tag for tag in scores if tag in tuned],
        "none": others,
        "none, Latin": latin,
        "none, other scripts": [tag for tag in others if tag not in latin],
    }
    return {
        f"{name}, {kind} ({len(tags)})": float(np.mean([scores[tag]["f1"] for tag in tags]))
        for kind, tags in kinds.items()
        if tags and not (kind == "none, Latin" and len(tags) == len(others))
    }


LITTLE = "joint, a little alignment"
_LONGER = "task adapter trained on for as many task steps, averaged"


def _joint(recipe: str, task: str, name: str = "joint", *options: str) -> Trial:
    """The recipe itself under every seed; changed by options, under the first."""
    return Trial(name, "joint", ("--recipe", recipe, "--init", task, *options), variant="joint", once=bool(options))


def _longer(recipe: str, task: str, *options: str) -> Trial:
    return Trial(
        _LONGER, "task", ("--recipe", recipe, "--init", task, *options, "--average", "0.5"), variant="task", once=True
    )


def _merged(task: str) -> Trial:
    return Trial("merged", None, variant="merged", adapters={"task": task, "align": "align"})


_JSON_TASK = f"{OUTPUT}/json/task"

STUDIES: dict[str, Study] = {
    "layer": _alignment("layer", *(_align(str(layer), layer=layer) for layer in (4, 8, 11, 14, 18))),
    "temperature": _alignment(
        "temperature",
        _align("0.07, as shipped"),
        *(_align(value, "--temperature", value) for value in ("0.02", "0.2", "0.5")),
    ),
    "pairs": _alignment(
        "number of parallel lines, of which those of up to 150 characters count",
        *(_align(str(count), lines=f"265-{264 + count}") for count in (50, 200, 724))
    ),
    "languages": _alignment(
        "which languages",
        *(
            _align(" ".join(five), tags=five)
            for five in (("de", "hi", "ko", "ru", "sw"), ("el", "es", "ja", "ta", "tr"), ("cy", "fi", "th", "uk", "zh"))
        ),
    ),
    "objective": _alignment(
        "objective",
        _align("two languages in a micro-batch"),
        _align("four, as shipped", "--views", "4"),
        _align("as in the paper's code", *_PAPER, "--include-bos"),
        _align("the same without BOS", *_PAPER),
        _align("with tokens contrasted", "--token-contrast", "1"),
        _align("drawn to the base's English", "--anchor", "base"),
    ),
    "slot-filling": Study(
        "Seeds of joint training: slot filling",
        "F1 held to the grammar, mean over languages with task data and over those without. xSID 0.7 (CC BY-SA 4.0), "
        "part `test`; Home Assistant intents (CC BY 4.0), part `train` of languages that nothing was trained on, the "
        "first 15 of each.",
        (
            Trial("task", None, variant="task", adapters={"task": "slot-filling"}),
            _merged("slot-filling"),
            _longer("slot-filling-3", "slot-filling", "--steps", "80", "--dev-every", "40"),
            _joint("slot-filling-joint", "slot-filling"),
            # As many task steps as joint has, and a sixth of the parallel text.
            _joint("slot-filling-joint", "slot-filling", LITTLE, "--every", "4", "--steps", "100",
                   "--lines", "16", "--views", "2", "--dev-every", "50"),
        ),
        _slots,
        compared=True,
    ),
    "json": Study(
        "Seeds of joint training: JSON",
        "F1 of the fields' values, held to the schema, mean over languages with task data and over those without. The "
        "commands of xSID 0.7 (CC BY-SA 4.0), part `test`, the first 20 of each variety, their slots as fields of "
        "one's own. No adapter of these is shipped.",
        (
            Trial("task", "task", ("--recipe", "json-2", "--init", "slot-filling"), variant="task", once=True),
            _merged(_JSON_TASK),
            _longer("json-2", _JSON_TASK, "--steps", "40", "--dev-every", "20", "--learning-rate", "4e-4"),
            _joint("json-joint-2", _JSON_TASK),
        ),
        _json,
        compared=True,
    ),
}  # fmt: skip
