import numpy as np
import pytest
from scipy import stats

from midalign_demo.significance import interval, paired_interval, paired_p_value, share_interval


def mean(totals: np.ndarray) -> np.ndarray:
    return totals[..., 0] / totals[..., 1]


def rows(values) -> np.ndarray:
    return np.stack([np.asarray(values, dtype=float), np.ones(len(values))], axis=1)


def draw(n: int, share: float, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random(n) < share).astype(float)


def test_the_interval_of_a_share_is_the_normal_one():
    values = draw(400, 0.3)
    low, high = interval(rows(values), mean)
    share = values.mean()
    reach = 1.96 * np.sqrt(share * (1 - share) / 400)
    assert (low, high) == pytest.approx((share - reach, share + reach), abs=0.01)
    narrow = interval(rows(values), mean, level=0.5)
    assert low < narrow[0] < share < narrow[1] < high


def test_intervals_are_the_same_each_time_and_one_example_has_none():
    values = rows(draw(50, 0.5))
    assert interval(values, mean) == interval(values, mean)
    assert interval(rows([0.7]), mean) == (0.7, 0.7)


def test_a_difference_is_as_sure_as_the_examples_that_differ_make_it():
    first, second = draw(400, 0.3), draw(400, 0.5, seed=1)
    low, high = paired_interval(rows(first), rows(second), mean)
    apart = second - first
    reach = 1.96 * apart.std() / 20
    assert (low, high) == pytest.approx((apart.mean() - reach, apart.mean() + reach), abs=0.01)
    # Answers that are right and wrong together say nothing of a difference, however few of them are right.
    assert paired_interval(rows(first), rows(first), mean) == (0, 0)


def test_p_is_that_of_the_sign_test_for_shares():
    # 12 examples differ, 10 of them in favour of the second: the exact two-sided sign test gives 0.0386.
    first = rows([0] * 10 + [1] * 2 + [1] * 30 + [0] * 30)
    second = rows([1] * 10 + [0] * 2 + [1] * 30 + [0] * 30)
    assert paired_p_value(first, second, mean) == pytest.approx(0.0386, abs=0.02)
    assert paired_p_value(second, first, mean) == pytest.approx(0.0386, abs=0.02)


def test_equal_answers_do_not_differ():
    values = rows(draw(30, 0.5))
    assert paired_p_value(values, values, mean) == 1.0
    assert paired_p_value(values[:1], values[:1] + 1, mean) == 1.0


def test_a_clear_difference_in_a_ratio_of_sums_is_found():
    rng = np.random.default_rng(1)
    wanted = rng.integers(1, 6, 80).astype(float)
    first = np.stack([rng.binomial(wanted.astype(int), 0.3).astype(float), wanted], axis=1)
    second = np.stack([rng.binomial(wanted.astype(int), 0.7).astype(float), wanted], axis=1)
    assert paired_p_value(first, second, mean) < 0.01


@pytest.mark.parametrize(("hits", "n"), [(0, 5), (3, 4), (120, 200), (200, 200)])
def test_the_interval_of_a_share_seen_is_wilsons(hits, n):
    expected = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert share_interval(hits / n, n) == pytest.approx((expected.low, expected.high))
