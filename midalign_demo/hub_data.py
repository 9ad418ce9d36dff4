"""Public data sets on the Hugging Face hub, in the columns that they have there.

They are named like files: `hub:massive/de-DE`, `hub:uner/en_ewt`, `hub:wmt23/de-en` or `hub:flores/en,de,sw`, with
`#SPLIT` behind it for another split than `test`. Needs the extra `data` and a network, or a filled cache.
"""

from __future__ import annotations

import re
from pathlib import Path

import langcodes

from midalign_demo import languages
from midalign_demo.errors import InputError
from midalign_demo.tasks.json_readers import Document, document_of
from midalign_demo.tasks.slot_filling import Command, Slot

_PREFIX = "hub:"
_SETS = {
    "massive": "AmazonScience/massive",
    "uner": "universalner/universal_ner",
    "wmt23": "haoranxu/WMT23-Test",
    "flores": "openlanguagedata/flores_plus",
}
_SPLITS = {"flores": "devtest"}  # the usual one where it isn't `test`
# Data sets that came as a script, which `datasets` no longer runs: the hub keeps their tables on a branch.
_TABLES = {"massive": "refs/convert/parquet", "uner": "refs/convert/parquet"}


def is_hub(path: str | Path) -> bool:
    """Whether a path names a data set of the hub."""
    return str(path).startswith(_PREFIX)


def commands(path: str | Path) -> list[Command]:
    """MASSIVE (FitzGerald et al. 2023): voice commands with slots, `hub:massive/LOCALE`.

    Raises:
        InputError: not such a name, or the data can't be had.
    """
    name, locale, split = _parts(path, "massive")
    language = languages.normalize(locale.split("-")[0])
    return [
        Command(f"{name}:{row['id']}/{locale}", language, row["utt"], tuple(_slots(row["annot_utt"])))
        for row in _rows(name, locale, split)
    ]


def _slots(annotated: str) -> list[Slot]:
    """`wake me at [time : nine am]` -> its slots."""
    return [Slot(match[1].strip(), match[2].strip()) for match in re.finditer(r"\[([^:\]]+):([^\]]+)\]", annotated)]


def documents(path: str | Path) -> list[Document]:
    """Universal NER (Mayhew et al. 2024), `hub:uner/CONFIG`, such as `en_ewt`.

    Raises:
        InputError: as `commands`.
    """
    name, config, split = _parts(path, "uner")
    language = languages.normalize(config.split("_")[0])
    rows = _rows(name, config, split)
    tags = rows.features["ner_tags"].feature.names
    return [
        document_of(language, row["text"], [(word, tags[tag]) for word, tag in zip(row["tokens"], row["ner_tags"],
                                                                                   strict=True)])
        for row in rows
    ]  # fmt: skip


def parallel_text(path: str | Path) -> dict[str, list[str]]:
    """WMT 2023's test sets, `hub:wmt23/de-en`, or FLORES+ in several languages, `hub:flores/en,de,sw`.

    Raises:
        InputError: as `commands`.
    """
    name, config, split = _parts(path, "wmt23", "flores")
    if name == "wmt23":
        source, _, target = config.partition("-")
        # The set has Czech and English under one name, in that order only.
        stored = "en-cs" if config == "cs-en" else config
        rows = _rows(name, stored, split)
        corpus = {tag: [row[stored][tag] for row in rows] for tag in (source, target)}
    else:
        corpus = {}
        for tag in config.split(","):
            rows = sorted(_rows(name, _flores_code(tag), split), key=lambda row: row["id"])
            corpus[tag] = [row["text"] for row in rows]
    return {languages.normalize(tag): lines for tag, lines in corpus.items()}


def _flores_code(tag: str) -> str:
    """`sw` -> `swh_Latn`, as FLORES+ names individual languages of a macrolanguage."""
    normal = languages.normalize(tag)
    individual = {"sw": "swh", "zh": "cmn", "ar": "arb", "fa": "pes", "et": "ekk", "lv": "lvs", "ne": "npi",
                  "uz": "uzn", "ms": "zsm", "mn": "khk", "az": "azj"}  # fmt: skip
    subtag = normal.split("-")[0]
    code = individual.get(subtag) or langcodes.Language.get(subtag).to_alpha3()
    return f"{code}_{languages.script(normal)}"


def _parts(path: str | Path, *sets: str) -> tuple[str, str, str]:
    """Data set, configuration and split that a name stands for."""
    text = str(path)
    match = re.fullmatch(_PREFIX + r"(\w+)/([^#]+)(?:#(\w+))?", text)
    if match is None or match[1] not in sets:
        wanted = " or ".join(f"hub:{name}/CONFIG" for name in sets)
        raise InputError(f"data: {text!r} is not of the form {wanted} (with #SPLIT behind it for another split)")
    return match[1], match[2], match[3] or _SPLITS.get(match[1], "test")


def _rows(name: str, config: str, split: str):
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise InputError(
            "data: data sets of the hub need the package datasets; pip install 'midalign[data]'"
        ) from error
    options = {"revision": _TABLES[name]} if name in _TABLES else {}
    try:
        return load_dataset(_SETS[name], config, split=split, **options)
    except Exception as error:  # no network, no such configuration, a licence not accepted: all sorts of types
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"data: {_SETS[name]} ({config}, {split}) can't be had: {reason}") from error
