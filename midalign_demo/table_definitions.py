"""The published result tables: what each of them runs.

Sizes are such that all of them together take about an hour on two CPU cores, in float32.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from midalign_demo.tables import RETRIEVAL
from midalign_demo.tasks import json_generation, slot_filling, translation

DATA = "DATA"  # stands for the folder with the data in the commands

_NTREX = ("NTREX-128 (Federmann et al. 2022)", "CC BY-SA 4.0")
_SNIPS = ("SNIPS NLU benchmark (Coucke et al. 2018)", "CC0 1.0")
_XSID = ("xSID 0.7 (van der Goot et al. 2021)", "CC BY-SA 4.0")
_HOME_ASSISTANT = ("Home Assistant intents, test sentences", "CC BY 4.0")
_UNER = ("Universal NER 1.0 (Mayhew et al. 2024)", "CC BY-SA 4.0")

_ALL = ("base", "task", "align", "merged", "joint")
_TUNED = ("task", "merged", "joint")


@dataclass(frozen=True)
class Definition:
    """A table and the command that makes it.

    Attributes:
        name: of the table's file.
        title: short; it is chosen under its task.
        arguments: of `midalign`, without `--variants`, the base and its adapters; the text's path is in `DATA`.
        variants: those that are measured as far as there are adapters for them.
        data: name and licence of the data.
        text: which part of it, in words.
        sources: the same part as recipes write it (see `midalign_demo.provenance.seen`), so that it can be held against
            what the adapters were trained on.
    """

    name: str
    title: str
    arguments: tuple[str, ...]
    variants: tuple[str, ...]
    data: tuple[str, str]
    text: str
    sources: tuple[str, ...]

    @property
    def task(self) -> str:
        """`retrieval` or the name of a task."""
        return RETRIEVAL if self.arguments[0] == RETRIEVAL else self.arguments[1]

    @property
    def path(self) -> str:
        """The text's path, in `DATA`."""
        return next(part for part in self.arguments if part.startswith(f"{DATA}/"))

    @property
    def held_out_split(self) -> bool:
        """Whether it takes only the part `test` of labelled commands."""
        return "--split test" in " ".join(self.arguments)


def _retrieval(name: str, title: str, *options: str, tags: str | None = None) -> Definition:
    return Definition(
        name=name,
        title=title,
        arguments=(
            RETRIEVAL, f"{DATA}/parallel/ntrex", *(("--languages", tags) if tags else ()), "--limit", "200", *options
        ),
        variants=("base", "align"),
        data=_NTREX,
        text="news, lines 1-200",
        sources=("parallel/ntrex:1-200",),
    )  # fmt: skip


def _slots(name: str, title: str, path: str, text: str, data: tuple[str, str], *options: str, free: bool) -> Definition:
    """A table of slot filling; free answers are compared for the tuned variants alone, which halves the time."""
    held = "free answers" if free else "held to the grammar"
    return Definition(
        name=f"{name}-free" if free else name,
        title=f"{title}, {held}",
        arguments=(
            "evaluate", slot_filling.NAME, f"{DATA}/{path}", "--split", "test", *options,
            "--no-grammar" if free else "--grammar",
        ),
        variants=_TUNED if free else _ALL,
        data=data,
        text=text,
        sources=(path,),
    )  # fmt: skip


def _snips(*, free: bool) -> Definition:
    text = "voice commands in English, part `test`, the first 100"
    return _slots("slots-snips", "SNIPS", "slots/snips/en.jsonl", text, _SNIPS, "--limit", "100", free=free)


def _xsid(*, free: bool) -> Definition:
    text = "voice commands in 17 languages and dialects, part `test` of the validation data"
    if free:
        few = f"{text}, the first 12 of each"
        return _slots("slots-xsid", "xSID", "slots/xsid", few, _XSID, "--limit", "12", free=True)
    # Without those that were not tuned: they answer at length, and get next to nothing right.
    return replace(_slots("slots-xsid", "xSID", "slots/xsid", text, _XSID, "--relate", free=False), variants=_TUNED)


def _home_assistant() -> Definition:
    # Those of the 41 that no adapter was tuned on and that have nine commands or more in the part `test`.
    tags = "bg,ca,cs,da,el,fi,fr,hr,hu,it,ko,lv,nb,nl,pl,ro,sk,sl,sr-Latn,sv"
    return Definition(
        name="slots-homeassistant",
        title="Home Assistant, languages without task data, held to the grammar",
        arguments=(
            "evaluate", slot_filling.NAME, f"{DATA}/slots/homeassistant", "--split", "test", "--languages", tags,
            "--limit", "20", "--grammar",
        ),
        variants=_TUNED,
        data=_HOME_ASSISTANT,
        text="commands for a home in 20 languages, part `test`, the first 20 of each",
        sources=("slots/homeassistant",),
    )  # fmt: skip


def _entities(*, free: bool) -> Definition:
    # The folder's files are read by name, so the first texts of a language are those of its dev file. Held to the
    # schema, the bare base makes lists without end, which takes longer than all the others together.
    files = {"en": "en_ewt.dev", "nb": "nb_norne.dev", "sk": "sk_snk.dev", "sv": "sv_talbanken.dev"}
    limit = 20 if free else 60
    return Definition(
        name="json-uner-free" if free else "json-uner",
        title=f"Universal NER, {'free answers' if free else 'held to the schema'}",
        arguments=(
            "evaluate", json_generation.NAME, f"{DATA}/ner/uner", "--languages", ",".join(files), "--limit", str(limit),
            "--no-grammar" if free else "--grammar",
        ),
        variants=("base", *_TUNED) if free else _TUNED,
        data=_UNER,
        text=f"people, places and organisations, dev part, the first {limit} texts of each language",
        sources=tuple(f"ner/uner/{file}.iob2" for file in files.values()),
    )  # fmt: skip


_DEFINITIONS = (
    _retrieval("retrieval-10", "NTREX-128, ten languages", "--layers", "all", tags="en,de,ru,zh,ar,hi,sw,th,am,cy"),
    _retrieval("retrieval-11", "NTREX-128, eleven others", "--layers", "all", tags="en,ar,he,fa,ka,te,kk,cs,nl,fil,bn"),
    _retrieval(
        "retrieval-39", "NTREX-128, 39 languages", "--layers", "4,8,11,14,18", "--score", "cosine,margin,mexa"
    ),
    _snips(free=False),
    _snips(free=True),
    _xsid(free=False),
    _xsid(free=True),
    _home_assistant(),
    _entities(free=False),
    _entities(free=True),
    Definition(
        name="translation-ntrex",
        title="NTREX-128 into English",
        arguments=(
            "evaluate", translation.NAME, f"{DATA}/parallel/ntrex", "--target", "en",
            "--languages", "ar,cy,de,fr,hi,ja,ru,sw,th,zh", "--limit", "8",
        ),
        variants=("base", *_TUNED),
        data=_NTREX,
        text="news, lines 1-8 in each of ten languages",
        sources=("parallel/ntrex:1-8",),
    ),
)  # fmt: skip

ALL = {definition.name: definition for definition in _DEFINITIONS}
