import pytest

from benchmarks import growth, harness


def outcome(**changed) -> harness.Outcome:
    values = {"name": "x", "ratio": 4.0, "low": 3.0, "high": 5.0, "memory_ratio": 0.3, "goal": 4.0, "memory_goal": 0.25}
    return harness.Outcome(**{**values, "pairs": 5, **changed})


@pytest.mark.parametrize(
    ("changed", "met"),
    [
        ({}, False),
        ({"memory_ratio": 0.25}, True),
        ({"memory_ratio": None}, True),  # a machine on which it can't be read
        ({"memory_goal": None}, True),
        ({"memory_goal": None, "ratio": 3.9}, False),
    ],
)
def test_goals_are_of_time_and_of_memory(changed, met):
    assert outcome(**changed).meets_goals is met


def test_ways_that_differ_are_not_compared(monkeypatch):
    monkeypatch.setattr(harness, "_memory_in_a_process_of_its_own", lambda benchmark, side: 1.0)

    def same(one, other):
        assert one == other, "not the same"

    def benchmark(plain):
        return harness.Benchmark("x", "", 1.0, lambda: harness.Sides(lambda: 1, lambda: plain, same))

    found = harness.run(benchmark(1), pairs=3)
    assert found.low <= found.ratio <= found.high
    assert (found.pairs, found.memory_ratio) == (3, 1.0)
    with pytest.raises(AssertionError, match="not the same"):
        harness.run(benchmark(2))


def test_a_curve_says_how_cost_grows(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(growth.time, "perf_counter", lambda: now[0])

    def work(size: int) -> None:
        now[0] += size**2

    found = growth.measure(growth.Curve("x", "squares", (2, 4, 8), lambda: work))
    assert (found["cost"], found["exponent"]) == ([1, 4, 16], 2)


def test_every_curve_grows():
    for curve in growth.CURVES:
        assert len(curve.sizes) > 2 and list(curve.sizes) == sorted(set(curve.sizes))
