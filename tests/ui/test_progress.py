import threading

import pytest

from midalign_demo.ui import progress


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(progress, "_PAUSE", 0.02)


def test_work_says_how_far_it_is_and_then_what_came_out():
    seen = threading.Event()

    def work(tell):
        tell(0.25, "reading <b>")
        assert seen.wait(10)
        return "map", 3

    shown = progress.told(work, lambda line: (line, None))
    line, nothing = next(shown)
    assert nothing is None
    assert 'value="0.25"' in line
    assert "reading &lt;b&gt;" in line
    seen.set()
    assert list(shown)[-1] == ("map", 3)


@pytest.mark.parametrize("error", [ValueError("of the work"), TimeoutError("of the work")])
def test_what_goes_wrong_reaches_the_reader(error):
    def work(tell):
        raise error

    with pytest.raises(type(error), match="of the work"):
        list(progress.told(work, lambda line: (line,)))


def test_a_visitor_who_leaves_ends_the_work():
    steps, closed = [], threading.Event()

    def work(tell):
        for number in range(1000):
            tell(0, "working")
            steps.append(number)
            closed.wait(0.01 if number < 5 else 10)
        return ()

    shown = progress.told(work, lambda line: (line,))
    next(shown)
    threading.Timer(0.2, closed.set).start()
    shown.close()  # waits for the end
    assert 0 < len(steps) < 1000
