"""A few of the kills that `python -m benchmarks.kills` tries twenty of."""

import random

import pytest

from benchmarks import kills


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    folder = tmp_path_factory.mktemp("given")
    kills.prepare(folder)
    return folder


@pytest.mark.parametrize("what", ["training", "merging", "conversion", "evaluation"])
def test_what_was_killed_comes_out_whole(given, tmp_path, what):
    found = kills.kill(kills.works(given)[what], tmp_path, 1, random.Random(3))
    assert found["problems"] == []
    assert found["whole"] == found["times"] == 1


def test_other_results_and_drafts_left_are_told(given, tmp_path, monkeypatch):
    work = kills.Work(lambda folder: ["touch", str(folder / ".writing-x"), str(folder / "made")], (),
                      lambda folder: [folder / "made"])  # fmt: skip
    monkeypatch.setattr(kills, "sums", lambda work, folder: {"made": folder.name})
    found = kills.kill(work, tmp_path, 2, random.Random(1))
    assert found["whole"] < 2
    assert any("other results" in problem for problem in found["problems"])
    assert any(".writing-x is left" in problem for problem in found["problems"])
