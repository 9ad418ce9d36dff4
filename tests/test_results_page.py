"""midalign_demo.results_page, and docs/results.md."""

from pathlib import Path

import pytest

from midalign_demo import results_page, tables

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


def test_trials_are_shown_with_their_range_over_seeds():
    one, two = {"mean": 0.5, "seeds": [0.5]}, {"mean": 0.75, "seeds": [0.7, 0.8]}
    row = {
        "trial": "4",
        "layer": 4,
        "base": {"aligned": one, "unaligned": one},
        "align": {"aligned": two, "unaligned": one},
    }
    study = {"name": "layer", "command": "midalign-train trials", "text": "news", "unaligned": ["ar"], "rows": [row]}
    text = results_page.page([], [study])
    assert "| 4 | 4 | 0.500 | 0.750 [0.700, 0.800] | 0.500 | 0.500 |" in text


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
