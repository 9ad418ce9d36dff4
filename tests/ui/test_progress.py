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


def test_a_visitor_who_leaves_ends_the_work_and_waits_for_nothing():
    ended, closed = threading.Event(), threading.Event()
    silent = threading.Event()

    def work(tell):
        try:
            tell(0, "working")
            silent.set()
            assert closed.wait(10)
            tell(0.5, "still working")
            raise AssertionError("was not ended")
        except progress._Left:
            ended.set()
            raise

    shown = progress.told(work, lambda line: (line,))
    next(shown)
    assert silent.wait(10)
    shown.close()  # while the work tells nothing
    assert not ended.is_set()
    closed.set()
    assert ended.wait(10)


def test_work_that_ends_just_as_the_wait_for_it_does_is_not_lost(monkeypatch):
    class Late(progress.ThreadPoolExecutor):
        def submit(self, work, tell):
            future = super().submit(work, tell)
            result = future.result

            def slow(timeout=None):
                found = result()
                if timeout is not None:
                    raise TimeoutError
                return found

            future.result = slow
            return future

    monkeypatch.setattr(progress, "ThreadPoolExecutor", Late)
    assert list(progress.told(lambda tell: ("done",), lambda line: (line,))) == [("done",)]
