"""Small result tables, made up."""

from __future__ import annotations

from midalign_demo.tables import ResultTable

_BESIDE = {
    "made": "2026-01-31",
    "version": "0.1.0",
    "base": "tiny",
    "adapters": [{"role": "align", "name": "align", "sha256": "ab" * 32}],
    "data": {"name": "Made-up data", "licence": "CC0 1.0", "text": "lines 1-4", "sources": ["made/up:1-4"]},
}
_TAGS = ("en", "de", "sw", "sr-Latn")


def retrieval() -> ResultTable:
    """Two variants, layers 0 to 2, four languages. At layer 1, the best, `align` is .25 above `base`."""

    def layer(all_of: float) -> dict:
        pairs = {"en-de": all_of + 0.1, "en-sw": all_of - 0.1, "en-sr-Latn": all_of}
        pairs |= {"de-sw": all_of, "de-sr-Latn": all_of, "sw-sr-Latn": all_of}
        return {"en-x": all_of, "all": all_of, "pairs": pairs}

    return ResultTable(
        name="made-retrieval",
        title="Retrieval, made up",
        command="midalign retrieval DATA/made --layers all",
        languages={
            "en": {"language": "en", "group": "aligned"},
            "de": {"language": "de", "group": "aligned"},
            "sw": {"language": "sw", "group": "transfer"},
            "sr-Latn": {"language": "sr-Latn", "group": "transfer"},
        },
        result={
            "n": 4,
            "languages": list(_TAGS),
            "adapters": {"base": {}, "align": {"align": 1.0}},
            "variants": {
                "base": {"layers": {"0": layer(0.1), "1": layer(0.5), "2": layer(0.25)}},
                "align": {"layers": {"0": layer(0.1), "1": layer(0.75), "2": layer(0.5)}},
            },
        },
        **_BESIDE,
    )


def slots() -> ResultTable:
    """Two variants, three languages, one in each group; one is written in Cyrillic letters."""

    def cell(f1: float, n: int = 4) -> dict:
        interval = {"f1": [f1 - 0.125, f1 + 0.125], "precision": [f1 - 0.25, f1 + 0.25]}
        return {"f1": f1, "precision": f1, "n": n, "interval": interval}

    def variant(*values: float) -> dict:
        return {"overall": cell(0.5, 12), "languages": dict(zip(("en", "ru", "sw"), map(cell, values), strict=True))}

    return ResultTable(
        name="made-slots",
        title="Slot filling, made up",
        command="midalign evaluate slot-filling DATA/made --grammar",
        languages={
            "en": {"language": "en", "group": "supervised"},
            "ru": {"language": "ru", "group": "aligned"},
            "sw": {"language": "sw", "group": "transfer"},
        },
        result={
            "task": "slot-filling",
            "file": "DATA/made",
            "n": 12,
            "grammar": True,
            "adapters": {"task": {"slot-filling": 1.0}, "merged": {"slot-filling": 1.0, "align": 0.3}},
            "variants": {"task": variant(0.75, 0.5, 0.25), "merged": variant(0.75, 0.625, 0.375)},
            "differences": [
                {
                    "variants": ["task", "merged"],
                    "metric": "f1",
                    "difference": -0.0125,
                    "interval": [-0.05, 0.025],
                    "p": 0.4,
                    "languages": {
                        "en": {"difference": 0.0, "interval": [-0.1, 0.1]},
                        "ru": {"difference": 0.125, "interval": [0.0625, 0.1875]},
                        "sw": {"difference": 0.125, "interval": [-0.1875, 0.4375]},
                    },
                }
            ],
        },
        **_BESIDE,
    )
