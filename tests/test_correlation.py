"""midalign_demo.correlation, on tables of five languages."""

import pytest

from midalign_demo import correlation
from midalign_demo.tables import ResultTable

TAGS = ("cs", "fi", "hu", "ko", "sv")
NEAR = (0.1, 0.2, 0.3, 0.4, 0.5)  # of the base at layer 11


def table(name: str, tags: tuple[str, ...], result: dict, group: str = "transfer") -> ResultTable:
    return ResultTable(
        name=name, title=name, command="", made="", version="", base="b", adapters=[], data={},
        languages={tag: {"language": tag, "group": "supervised" if tag == "en" else group} for tag in tags},
        result=result,
    )  # fmt: skip


def retrieval() -> ResultTable:
    """Layer 11 is better than 4; `align` adds most where the base has least."""
    layers = {}
    for variant, values in (("base", NEAR), ("align", (0.9, 0.8, 0.7, 0.6, 0.5))):
        pairs = {f"en-{tag}": value for tag, value in zip(TAGS, values, strict=True)}
        pairs |= {f"{one}-{other}": 0.5 for at, one in enumerate(TAGS) for other in TAGS[at + 1 :]}
        low = dict.fromkeys(pairs, 0.0)
        layers[variant] = {"layers": {"4": {"pairs": low}, "11": {"pairs": pairs}}}
    return table("retrieval", ("en", *TAGS), {"languages": ["en", *TAGS], "n": 10, "variants": layers})


def slots(tags: tuple[str, ...], scores: dict[str, tuple[float, ...]], group: str = "transfer") -> ResultTable:
    def cell(value: float) -> dict:
        return {"n": 10, "f1": value, "interval": {"f1": [value, value]}}

    variants = {
        name: {
            "overall": cell(0.5),
            "languages": {tag: cell(value) for tag, value in zip(tags, values, strict=True)},
        }
        for name, values in scores.items()
    }
    return table("slots", tags, {"task": "slot-filling", "variants": variants}, group)


def test_scores_go_with_the_base_and_gains_with_what_alignment_adds():
    task, joint = (0.2, 0.4, 0.6, 0.8, 1.0), (0.7, 0.8, 0.9, 1.0, 1.1)  # the gain falls from .5 to .1
    found = {
        one.of: one.found
        for one in correlation.correlations(retrieval(), [slots(TAGS, {"task": task, "joint": joint})])
    }
    assert found["task"]["pearson"] == pytest.approx(1)
    assert found["joint"]["n"] == 5
    assert found["joint - task"]["pearson"] == pytest.approx(1)  # both fall together
    assert "merged - task" not in found


def test_the_layer_is_the_one_where_the_base_is_closest():
    assert correlation.layer_of(retrieval()) == 11


def test_languages_with_task_data_do_not_count_nor_tables_of_few_languages():
    scores = (0.1, 0.2, 0.3, 0.4, 0.5)
    assert correlation.correlations(retrieval(), [slots(TAGS, {"task": scores}, group="supervised")]) == []
    assert correlation.correlations(retrieval(), [slots(TAGS[:4], {"task": scores[:4]})]) == []
    assert correlation.correlations(retrieval(), [retrieval()]) == []
