"""Many at once: places in line, those who leave, and that nobody gets what is another's. The model is a tiny one."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import gradio as gr
import pytest
from gradio_client import Client

from midalign_demo import shared
from midalign_demo.line import Busy, Left
from midalign_demo.ui import visits, words
from midalign_demo.ui.answering import Answering
from midalign_demo.ui.demo import build
from midalign_demo.ui.host import ModelHost
from midalign_demo.ui.look import launch_options
from midalign_demo.ui.problems import notice_of, told_to_the_caller
from midalign_demo.ui.queue import MODEL_QUEUE, THREADS, answer_queue

LONG = {"type": "array", "items": {"type": "integer"}, "minItems": 500}  # hundreds of tokens


@pytest.fixture(scope="module")
def host(base_folder, adapter_folders):
    sources = {role: str(folder) for role, folder in adapter_folders.items()}
    made = ModelHost(str(base_folder), sources=sources, dtype="float32", device="cpu")
    made.start()
    made.wait()
    return made


@pytest.fixture(scope="module")
def url(host):
    demo = build(host)
    _, url, _ = demo.queue().launch(prevent_thread_lock=True, quiet=True, **launch_options())
    yield url
    demo.close()


def line_of(host: ModelHost):
    return host.engine._desk._line


def wait_until(true, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def visitor(name: str) -> SimpleNamespace:
    return SimpleNamespace(session_hash=name, headers={})


def page(answering: Answering, who: SimpleNamespace, text: str = "Wake me at seven", **changed):
    """The page's iterator of (cards, button, button) for a question."""
    asked = {"task": "slot-filling", "text": text, "tag": "en", "target": "en", "chosen": ["task", "merged"],
             "slots": ["datetime"], "schema": "", "grammar": False, "task_weight": 1.0, "align_weight": 1.0,
             "reference": "", "brought": None, "own": None, "request": who}  # fmt: skip
    answering.queue(who)
    return answering.answer(**{**asked, **changed})


def last(shown) -> str:
    """The last cards that are shown."""
    *_, found = (cards for cards, *_ in shown if isinstance(cards, str))
    return found


def test_the_page_shows_the_place_in_line_and_then_the_answers(host):
    answering, seen = Answering(host), []

    def read() -> None:
        seen.extend(cards for cards, *_ in page(answering, visitor("a")) if isinstance(cards, str))

    with host.engine.base.lock:
        first = threading.Thread(target=lambda: last(page(answering, visitor("first"))))
        first.start()
        wait_until(lambda: len(line_of(host)._under_way) == 1)
        second = threading.Thread(target=read)
        second.start()
        wait_until(lambda: any("place 1" in cards for cards in seen))
    for thread in (first, second):
        thread.join(120)
    assert "2 answers are complete." in seen[-1]


def test_a_visitor_who_presses_stop_in_line_leaves_it(host):
    answering = Answering(host)
    seen = []
    with host.engine.base.lock:
        first = threading.Thread(target=lambda: last(page(answering, visitor("first"))))
        first.start()
        wait_until(lambda: len(line_of(host)._under_way) == 1)
        second = threading.Thread(target=lambda: seen.append(last(page(answering, visitor("a")))))
        second.start()
        wait_until(lambda: not line_of(host).is_empty)
        answering.stop(visitor("b"))  # somebody else
        assert not line_of(host).is_empty
        answering.stop(visitor("a"))
        wait_until(lambda: line_of(host).is_empty)
    for thread in (first, second):
        thread.join(120)
    assert words.ENGLISH("stopped") in seen[0]


def test_weights_of_one_visitor_are_no_others(host):
    """All of them in one batch."""
    answering = Answering(host)
    weights = [0.1, 0.4, 0.7, 1.0, 1.3]
    alone = [last(page(answering, visitor("alone"), align_weight=weight)) for weight in weights]
    found: dict[float, str] = {}

    def ask(weight: float) -> None:
        found[weight] = last(page(answering, visitor(str(weight)), align_weight=weight))

    threads = [threading.Thread(target=ask, args=(weight,)) for weight in weights]
    with host.engine.base.lock:
        for thread in threads:
            thread.start()
        line = line_of(host)
        wait_until(lambda: len(line._under_way) + len(line._waiting) == len(weights))
    for thread in threads:
        thread.join(120)

    def without_seconds(cards: str) -> list[str]:
        return [word for word in cards.split() if not word.replace(".", "").isdigit()]

    for weight, cards in zip(weights, alone, strict=True):
        assert f"align*{weight:g}" in cards or weight == 1
        assert without_seconds(found[weight]) == without_seconds(cards)


def test_a_call_that_is_cancelled_frees_its_place_and_stops(host, url):
    client = Client(url, verbose=False)
    job = client.submit("hallo", task="json", schema=LONG, variants=["base"], api_name="/compare")
    wait_until(lambda: len(line_of(host)._under_way) == 1)
    job.cancel()
    wait_until(lambda: len(line_of(host)._under_way) == 0)
    assert client.predict("hallo", variants=["task"], api_name="/compare")["outputs"]


def test_a_call_in_line_is_told_its_place_and_can_be_cancelled_there(host, url):
    one, other = (Client(url, verbose=False) for _ in range(2))
    with host.engine.base.lock:
        first = one.submit("hallo", variants=["task"], api_name="/compare")
        wait_until(lambda: len(line_of(host)._under_way) == 1)
        second = other.submit("hallo", variants=["task"], api_name="/compare")

        def place() -> str:
            return (second.status().progress_data or [SimpleNamespace(desc="")])[0].desc or ""

        wait_until(lambda: place() == "place 1 in line")
        second.cancel()
        wait_until(lambda: line_of(host).is_empty)
    assert first.result(timeout=120)["outputs"]


def test_past_the_bound_callers_are_told_that_the_app_is_busy(host, url, monkeypatch):
    one, other = (Client(url, verbose=False) for _ in range(2))
    monkeypatch.setattr(line_of(host), "_most", 1)
    with host.engine.base.lock:
        first = one.submit("hallo", variants=["task"], api_name="/compare")
        wait_until(lambda: len(line_of(host)._under_way) == 1)
        with pytest.raises(Exception, match="busy: 1 questions are being answered or wait; try again in a minute"):
            other.predict("hallo", variants=["task"], api_name="/compare")
        assert words.ENGLISH("full") in last(page(Answering(host), visitor("a")))
    assert first.result(timeout=120)["outputs"]
    assert other.predict("hallo", variants=["task"], api_name="/compare")["outputs"]


def test_a_failure_in_one_call_is_no_other_ones(host, url, monkeypatch):
    clients = [Client(url, verbose=False) for _ in range(3)]
    alone = clients[0].predict("two", variants=["task"], api_name="/compare")["outputs"][0]["text"]
    grown = host.engine._generation._grown

    def fails(batch, watcher, *given, **options):
        if any("break it" in watcher.ready(number).row.prompt for number in batch.numbers):
            raise RuntimeError("secret details")
        return grown(batch, watcher, *given, **options)

    monkeypatch.setattr(host.engine._generation, "_grown", fails)
    with host.engine.base.lock:
        jobs = [one.submit(text, variants=["task"], api_name="/compare")
                for one, text in zip(clients, ("two", "break it", "two"), strict=True)]  # fmt: skip
        line = line_of(host)
        wait_until(lambda: len(line._under_way) + len(line._waiting) == 3)
    with pytest.raises(Exception):  # noqa: B017
        jobs[1].result(timeout=120)
    assert [jobs[at].result(timeout=120)["outputs"][0]["text"] for at in (0, 2)] == [alone, alone]


def test_whoever_closes_the_connection_has_left(monkeypatch):
    event = SimpleNamespace(alive=True)
    monkeypatch.setattr(visits, "_event", lambda: event)
    monkeypatch.setattr(visits, "_LOOK", 0.01)
    working = threading.Event()

    def work(asker):
        working.set()
        assert asker.left.wait(60)
        raise Left

    async def calls() -> None:
        call = asyncio.create_task(visits.Visits().ask(work))
        while not working.is_set():
            await asyncio.sleep(0.01)
        event.alive = False
        with pytest.raises(Left):
            await call

    with ThreadPoolExecutor(1) as pool:  # where no browser of other tests runs a loop
        pool.submit(asyncio.run, calls()).result(120)


def test_a_call_knows_its_connection(host, url, monkeypatch):
    """By Gradio's own event, whose name and place are not promised."""
    found = []
    event = visits._event
    monkeypatch.setattr(visits, "_event", lambda: (found.append(event()), found[-1])[1])
    Client(url, verbose=False).predict("hallo", variants=["task"], api_name="/compare")
    assert found[0].alive is True


def test_what_a_page_that_is_left_has_asked_ends(host):
    answering = Answering(host)
    shown = page(answering, visitor("a"), task="json", chosen=["base"], schema='{"type": "array", "minItems": 500}',
                 grammar=True)  # fmt: skip
    next(cards for cards, *_ in shown if isinstance(cards, str) and "card" in cards)
    shown.close()
    wait_until(lambda: len(line_of(host)._under_way) == 0)


def test_busy_and_left_are_told_in_words():
    assert words.Words("de")("full") in notice_of(Busy(3), "x", words.Words("de"))
    with pytest.raises(gr.Error, match="busy: 3 questions"), told_to_the_caller():
        raise Busy(3)
    with pytest.raises(gr.Error, match="whoever asked is gone"), told_to_the_caller():
        raise Left


def test_on_zero_gpu_one_thing_is_done_at_a_time_and_elsewhere_all_come_into_the_line():
    assert answer_queue(SimpleNamespace(zero=True, served=None)) == MODEL_QUEUE
    usual = answer_queue(SimpleNamespace(zero=False, served=None))["concurrency_limit"]
    assert shared.MOST < usual < THREADS
    assert answer_queue(SimpleNamespace(zero=False, served=object()))["concurrency_limit"] < usual
