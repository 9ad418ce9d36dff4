"""midalign_demo.relation."""

import numpy as np
import pytest

from midalign_demo import relation


def accuracy(totals: np.ndarray) -> np.ndarray:
    """Of statistics (right, asked)."""
    parts = np.moveaxis(np.asarray(totals, dtype=float), -1, 0)
    return np.divide(parts[0], parts[1], out=np.zeros(np.shape(parts[0])), where=parts[1] > 0)


def test_a_text_is_found_if_its_own_sentence_is_the_nearest_by_angle():
    english = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    texts = np.array([[10.0, 1.0], [1.0, 9.0], [5.0, 4.0]])
    assert relation.found(texts, english, [0, 1, 2]).tolist() == [True, True, True]
    assert relation.found(texts, english, [2, 1, 0]).tolist() == [False, True, False]


def test_correlation_across_languages():
    found = relation.across_languages([0.1, 0.5, 0.9, 0.7], [0.2, 0.4, 0.6, 0.5])
    assert found["n"] == 4
    assert found["pearson"] == pytest.approx(1.0)
    assert found["spearman"] == pytest.approx(1.0)
    assert found["pearson_p"] < 0.01
    against = relation.across_languages([0.1, 0.5, 0.9], [0.9, 0.5, 0.1])
    assert against["pearson"] == pytest.approx(-1.0)


@pytest.mark.parametrize(("shares", "scores"), [([0.1, 0.2], [0.3, 0.4]), ([0.5, 0.5, 0.5], [0.1, 0.2, 0.3])])
def test_without_enough_that_differs_there_is_no_correlation(shares, scores):
    found = relation.across_languages(shares, scores)
    assert found["pearson"] is None and found["spearman_p"] is None


def test_a_difference_that_is_only_between_languages_is_none_within_them():
    # In `de` all but two are found and all but two right, in `th` the other way round; within each it is chance.
    rng = np.random.default_rng(0)
    languages = ["de"] * 200 + ["th"] * 200
    share = np.repeat([0.9, 0.1], 200)
    marks = rng.random(400) < share
    right = rng.random(400) < share
    rows = np.stack([right, np.ones(400)], axis=1)
    found = relation.within_languages(rows, accuracy, marks, languages)
    assert found["found"]["score"] - found["not_found"]["score"] > 0.5
    assert abs(found["difference"]) < 0.1
    assert found["p"] > 0.05


def test_a_difference_within_languages_is_seen():
    rng = np.random.default_rng(0)
    marks = rng.random(300) < 0.5
    right = rng.random(300) < np.where(marks, 0.8, 0.4)
    rows = np.stack([right, np.ones(300)], axis=1)
    found = relation.within_languages(rows, accuracy, marks, ["de", "th", "sw"] * 100)
    assert found["found"]["n"] + found["not_found"]["n"] == 300
    assert found["difference"] == pytest.approx(found["found"]["score"] - found["not_found"]["score"], abs=0.05)
    assert found["p"] < 0.01


def test_where_all_of_each_language_is_found_or_not_there_is_no_difference_to_tell():
    rows = np.ones((4, 2))
    found = relation.within_languages(rows, accuracy, [True, True, False, False], ["de", "de", "th", "th"])
    assert found["difference"] is None and found["p"] is None
    assert found["not_found"] == {"n": 2, "score": 1.0}
    assert relation.within_languages(rows, accuracy, [True] * 4, ["de"] * 4)["not_found"] == {"n": 0, "score": None}
