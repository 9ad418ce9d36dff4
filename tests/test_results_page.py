"""midalign_demo.results_page, and docs/results.md."""

from pathlib import Path

import pytest

from midalign_demo import results_page, tables
from tests import made_tables

PAGE = Path(__file__).parent.parent / "docs" / "results.md"


def published() -> list[tables.ResultTable]:
    return [tables.read(path) for path in tables.paths_in(tables.folder())]


def test_the_page_is_what_the_tables_say():
    assert PAGE.read_text(encoding="utf-8") == results_page.page(published(), results_page.studies_in(tables.folder()))


def test_every_table_is_there_with_its_command_and_all_its_languages():
    for table in published():
        text = results_page.page([table])
        assert f"## {table.title}" in text
        assert f"\n{table.command}\n" in text
        for row in table.rows():
            assert table.row_name(row) in text or row == "en"


def study(compared: bool) -> dict:
    """Two trials, the second under three seeds with a standard deviation of .1."""
    rows = [
        {"trial": "task", "train": None, "scores": {"xSID": {"mean": 0.5, "seeds": [0.5]}}},
        {"trial": "joint", "train": "x", "scores": {"xSID": {"mean": 0.6, "seeds": [0.5, 0.6, 0.7]}}},
    ]
    return {"name": "s", "title": "Seeds", "command": "c", "text": "Text.", "compared": compared, "rows": rows}


def test_trials_are_shown_with_the_interval_over_seeds():
    text = results_page.page([], [study(compared=True)])
    half = "0.248"  # 4.303 (Student's t, two degrees of freedom) * .1 / sqrt(3)
    assert "| task | 0.500 |" in text
    assert f"| joint | 0.600 ± {half} |" in text
    assert f"| joint | +0.100 ± {half} |" in text
    assert "Difference from" not in results_page.page([], [study(compared=False)])


def test_means_over_languages_and_their_intervals_by_hand():
    scores = [
        tables.Score("de", "task", 10, 0.4, 0.3, 0.5),
        tables.Score("th", "task", 10, 0.8, 0.5, 0.9),
        tables.Score("th", "joint", 10, 0.6, 0.6, 0.6),
    ]
    found = results_page._means(scores)
    assert found["joint"] == (0.6, 0.0)
    mean, half = found["task"]
    assert mean == pytest.approx(0.6)
    assert half == pytest.approx((0.1**2 + 0.2**2) ** 0.5 / 2)  # half widths .1 and .2


def test_differences_are_shown_by_kind_of_language_and_over_all_examples():
    text = "\n".join(results_page._differences(made_tables.slots(), "f1", {}))
    assert "| languages | merged - task |" in text
    half = (0.0625**2 + 0.3125**2) ** 0.5 / 2  # of ru and sw
    assert f"| not supervised (2) | +0.125 ± {half:.3f} |" in text
    assert "- merged - task: -0.013 [-0.050, +0.025] f1 (p = 0.400)" in text
