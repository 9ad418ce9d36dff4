import gc
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from midalign_demo import desk, shared
from midalign_demo.errors import InputError
from midalign_demo.generation import Row
from midalign_demo.line import Asker, Busy, Left
from midalign_demo.shared import SharedEngine
from midalign_demo.watcher import Watcher
from tests.test_engine import content

TASK = "slot-filling"
WEIGHTS = [{}, {TASK: 1}, {"align": 1}, {TASK: 1, "align": 0.5}, {TASK: 0.25, "align": 2}]
GRAMMARS = [None, 'start: " " /[a-f]{3,30}/', 'start: "{" /[0-9]+/ "}"']
PROMPTS = ["Hi", "What time is it in the harbour now?", "Wie spät?", "समय क्या है"]


@pytest.fixture
def many(engine):
    return SharedEngine(engine)


@pytest.fixture
def batches(engine, monkeypatch):
    """Numbers of rows that are computed together from here on."""
    sizes = []
    grown = engine._generation._grown

    def noting(batch, *given, **options):
        sizes.append(len(batch.numbers))
        return grown(batch, *given, **options)

    monkeypatch.setattr(engine._generation, "_grown", noting)
    return sizes


@pytest.fixture
def hold(engine):
    """Keeps the model from everybody while it is entered, so that what is asked has to wait."""
    return engine.base.lock


def wait_until(true) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def asked_while_held(many: SharedEngine, hold, *questions, until=None):
    """Futures of questions, each (rows, limit) or a function; all are in line before the model is free.

    A first question, which is not among them, keeps the model's thread.

    Args:
        until: what the model is kept for as well.
    """
    pool = ThreadPoolExecutor(len(questions) + 1)
    line = many._desk._line
    with hold:
        first = pool.submit(many.generate, [Row("first")], max_new_tokens=1)
        wait_until(lambda: len(line._under_way) == 1)
        futures = []
        for number, ask in enumerate(questions, start=1):
            futures.append(pool.submit(ask) if callable(ask) else
                           pool.submit(many.generate, ask[0], max_new_tokens=ask[1]))  # fmt: skip
            wait_until(lambda number=number: len(line._waiting) == number)
        wait_until(until or (lambda: True))
    first.result(60)
    pool.shutdown(wait=False)
    return futures


def test_questions_that_wait_are_answered_in_one_batch_each_as_if_it_were_alone(many, engine, batches, hold):
    """Rows of eight people, under adapters, grammars and limits of their own."""
    rows = [
        Row(prompt, weights, GRAMMARS[number % 3])
        for number, (prompt, weights) in enumerate(itertools.product(PROMPTS, WEIGHTS))
    ]
    questions = [(rows[start : start + 3], 5 + 4 * start) for start in range(0, len(rows), 3)]
    alone = [content(engine.generate(its, max_new_tokens=limit)) for its, limit in questions]
    batches.clear()
    futures = asked_while_held(many, hold, *questions)
    assert [content(future.result(60)) for future in futures] == alone
    assert max(batches) == 1 + len(rows)


def test_a_batch_is_bounded_and_nobody_is_lost(many, engine, batches, hold, monkeypatch):
    monkeypatch.setattr(many._desk._line, "_most_rows", 4)
    questions = [([Row(f"question {number}"), Row("the same", {TASK: 1})], 6) for number in range(7)]
    alone = [content(engine.generate(its, max_new_tokens=limit)) for its, limit in questions]
    batches.clear()
    futures = asked_while_held(many, hold, *questions)
    assert [content(future.result(60)) for future in futures] == alone
    assert max(batches) <= 4


def test_a_short_answer_is_there_before_the_long_ones_of_its_batch(many, engine, hold):
    ended, steps = [], []

    def ask(length: int):
        def work() -> None:
            many.generate([Row(PROMPTS[0], {"align": 1}, f"start: /[a-z]{{{length}}}/")], max_new_tokens=length)
            ended.append((length, len(steps)))

        return work

    hook = engine.base.model.register_forward_pre_hook(lambda module, given: steps.append(1))
    for future in asked_while_held(many, hold, ask(400), ask(1)):
        future.result(60)
    hook.remove()
    assert [length for length, _ in ended] == [1, 400]
    assert ended[0][1] < 200 < 400 < ended[1][1]


def test_a_stream_grows_to_what_generate_gives(many, engine):
    rows = [Row(PROMPTS[0]), Row(PROMPTS[1], {TASK: 1})]
    *growing, last = many.stream(rows, max_new_tokens=12)
    assert content(last) == content(engine.generate(rows, max_new_tokens=12))
    counts = [answers[0].new_tokens for answers in growing]
    assert counts == sorted(counts)


def test_who_comes_while_others_are_answered_joins_them_and_all_are_answered_as_if_alone(many, engine, batches):
    """Prompts shorter and longer than what is under way, and than what the layers' windows see."""
    rows = [Row(PROMPTS[1][:length] * times, weights, grammar)
            for length, times in ((3, 1), (30, 1), (36, 9)) for weights in WEIGHTS for grammar in GRAMMARS]  # fmt: skip
    first = Row(PROMPTS[1], {"align": 1}, "start: /[a-z]{300}/")
    alone = [content(engine.generate([row], max_new_tokens=5 + number % 9)) for number, row in enumerate(rows)]
    alone_first = content(engine.generate([first], max_new_tokens=300))
    batches.clear()
    stream = many.stream([first], max_new_tokens=300)
    next(answers for answers in stream if answers[0].new_tokens)  # it is under way
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(lambda of: content(many.generate([of[1]], max_new_tokens=5 + of[0] % 9)), enumerate(rows))
        )
    *_, last = stream
    assert found == alone
    assert content(last) == alone_first
    assert batches[0] == 1
    assert max(batches) > 2


def test_adapters_come_between_two_steps_of_a_batch(many, engine, adapter_folders):
    stream = many.stream([Row("count", {"align": 1}, "start: /[0-9]{900}/")], max_new_tokens=900)
    next(answers for answers in stream if answers[0].new_tokens)
    many.borrow(str(adapter_folders["align"]))
    many.add_task("translation", {"task": str(adapter_folders["align"])})
    with pytest.raises(InputError, match="neither a shipped adapter"):
        many.add_task("json", {"task": "none such"})
    assert not next(stream)[0].done
    stream.close()
    assert engine.has_borrowed(str(adapter_folders["align"]))
    assert "translation" in engine.adapters.names


def test_whoever_waits_beside_one_who_breaks_the_batch_and_leaves_is_answered(many, engine, hold, monkeypatch):
    """What broke it is no longer there, and those who are left are not to blame."""
    rows = [Row(PROMPTS[0], {TASK: 1})]
    expected = content(engine.generate(rows, max_new_tokens=6))
    grown = engine._generation._grown

    def fails(batch, watcher, *given, **options):
        if len(batch.numbers) > 1:
            raise RuntimeError("out of memory")
        return grown(batch, watcher, *given, **options)

    monkeypatch.setattr(engine._generation, "_grown", fails)
    assert content(asked_while_held(many, hold, (rows, 6))[0].result(60)) == expected


def test_one_who_leaves_while_another_joins_takes_nothing_but_the_own_rows_along(many, engine, caplog, monkeypatch):
    rows = [Row(PROMPTS[0], {TASK: 1}, "start: /[a-z]{60}/"), Row(PROMPTS[3], {"align": 1})]
    expected = [content(engine.generate([row], max_new_tokens=60)) for row in rows]
    stream = many.stream([Row("count", {"align": 1}, "start: /[0-9]{900}/")], max_new_tokens=900)
    other = many.stream(rows[:1], max_new_tokens=60)
    for one in (stream, other):
        next(answers for answers in one if answers[0].new_tokens)
    grown = engine._generation._grown

    def leaving(batch, watcher, *given, tokens=None, **options):
        if tokens == 1:
            stream.close()
        return grown(batch, watcher, *given, tokens=tokens, **options)

    monkeypatch.setattr(engine._generation, "_grown", leaving)
    assert content(many.generate(rows[1:], max_new_tokens=60)) == expected[1]
    *_, last = other
    assert content(last) == expected[0]
    assert caplog.text == ""  # nothing failed and was done again


def test_an_adapter_that_is_gone_is_the_answer_of_those_alone_who_asked_it(many, engine, adapter_folders, caplog):
    source = str(adapter_folders["align"])
    many.borrow(source)
    row, other = Row("count", engine.adapters_of(source, TASK), "start: /[0-9]{900}/"), Row(PROMPTS[0], {TASK: 1})
    expected = content(engine.generate([other], max_new_tokens=40))
    stream, answered = many.stream([row], max_new_tokens=900), many.stream([other], max_new_tokens=40)
    for one in (stream, answered):
        next(answers for answers in one if answers[0].new_tokens)
    many._in_turn(lambda: engine.adapters.unload(*engine.adapters_of(source, TASK)))
    with pytest.raises(InputError, match="is not one of"):
        list(stream)
    *_, last = answered
    assert content(last) == expected
    assert caplog.text == ""


def test_other_work_takes_turns_with_the_steps_of_answers(many, engine, monkeypatch):
    """A thousand sentences that are embedded don't keep a visitor waiting for the next word until all are done."""
    monkeypatch.setattr(shared, "SENTENCES", 1)
    tokens = []
    embed = engine.embed

    def slowly(*given, **options):
        tokens.append(seen[-1])
        time.sleep(0.05)
        return embed(*given, **options)

    monkeypatch.setattr(engine, "embed", slowly)
    seen = [0]
    with ThreadPoolExecutor(1) as pool:
        stream = many.stream([Row("count", {"align": 1}, "start: /[0-9]{900}/")], max_new_tokens=900)
        next(answers for answers in stream if answers[0].new_tokens)
        found = pool.submit(many.embed, ["a", "b", "c", "d", "e"], {}, layers=[1])
        for answers in stream:
            seen.append(answers[0].new_tokens)
            if found.done():
                break
        stream.close()
    assert len(tokens) == 5
    assert min(later - earlier for earlier, later in itertools.pairwise(tokens)) > 1


def test_a_step_that_some_devices_make_beyond_the_last_changes_nothing(engine):
    watcher = Watcher(engine.base, engine.ready([Row("a"), Row("b")], max_new_tokens=9))
    numbers = watcher.paused()
    watcher.compute(numbers)
    watcher(torch.tensor([[1, 5], [1, 6]]), None)
    before = watcher.answers()
    watcher.pause()
    assert watcher(torch.tensor([[1, 5, 7], [1, 6, 8]]), None).all()
    after = watcher.answers()
    assert [one.new_tokens for one in before] == [1, 1]
    assert [one.new_tokens for one in after] == [2, 2]
    assert watcher(torch.tensor([[1, 5, 7, 9], [1, 6, 8, 9]]), None).all()
    assert watcher.answers() == after
    assert [watcher.left_of(number) for number in numbers] == [7, 7]


def test_an_error_in_a_batch_is_that_of_one_question_alone(many, engine, batches, hold, monkeypatch):
    questions = [([Row(PROMPTS[number], {TASK: 1})], 6) for number in range(3)]
    alone = [content(engine.generate(its, max_new_tokens=limit)) for its, limit in questions]
    grown = engine._generation._grown

    def fails(batch, watcher, *given, **options):
        if any(watcher.ready(number).row.prompt == "break" for number in batch.numbers):
            raise RuntimeError("out of memory")
        return grown(batch, watcher, *given, **options)

    monkeypatch.setattr(engine._generation, "_grown", fails)
    batches.clear()
    futures = asked_while_held(many, hold, *questions[:2], ([Row("break")], 6), questions[2])
    with pytest.raises(RuntimeError, match="out of memory"):
        futures.pop(2).result(60)
    assert [content(future.result(60)) for future in futures] == alone
    assert set(batches) == {1}  # those that worked, once they were alone


def test_an_error_in_the_middle_of_a_step_leaves_nothing_behind(many, engine, hold, monkeypatch):
    rows = [Row(PROMPTS[0], {TASK: 1}), Row(PROMPTS[1]), Row(PROMPTS[2], {"align": 1}, GRAMMARS[1])]
    expected = content(engine.generate(rows, max_new_tokens=6))
    calls = []

    def fail(module, given) -> None:
        calls.append(1)
        if len(calls) == 6:
            raise RuntimeError("out of memory")

    hook = engine.base.model.model.layers[2].register_forward_pre_hook(fail)
    futures = asked_while_held(many, hold, (rows, 6), (rows, 6))  # both are done again, each by itself
    assert [content(future.result(60)) for future in futures] == [expected] * 2
    assert len(calls) > 6
    hook.remove()
    assert content(many.generate(rows, max_new_tokens=6)) == expected


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (Row("x" * 5000), "the prompt has 5001 tokens"),
        (Row("a", {"unknown": 1}), "'unknown' is not one of"),
        (Row("a", {TASK: float("nan")}), "is nan"),
        (Row("a", {}, "start: nothing such"), "grammar: "),
    ],
)
def test_what_can_not_be_asked_never_gets_into_line(many, row, said):
    with many.base.lock, pytest.raises(InputError, match=said):
        many.generate([Row("b"), row])
    assert many._desk._line.is_empty
    assert len(many.generate([Row("b")], max_new_tokens=2)) == 1


def test_past_the_bound_the_answer_is_busy_and_those_before_are_answered(engine, hold):
    many = SharedEngine(engine, most=3)

    def has_refused_the_fourth() -> bool:
        with pytest.raises(Busy, match="^busy: 3 questions"):
            many.generate([Row("b")])
        return True

    for future in asked_while_held(many, hold, *[([Row("a")], 2)] * 2, until=has_refused_the_fourth):
        assert len(future.result(60)) == 1
    wait_until(lambda: len(many._desk._line._under_way) == 0)
    assert len(many.generate([Row("b")], max_new_tokens=1)) == 1


def test_one_who_waits_is_told_the_place_and_gets_answers_that_are_not_begun(many, hold):
    told, seen = [], []
    asker = Asker(tell=told.append)

    def read() -> None:
        for answers in many.asked_by(asker).stream([Row("a")], max_new_tokens=3):
            seen.append((asker.place, answers[0].new_tokens))

    futures = asked_while_held(many, hold, ([Row("b")], 1), read)
    for future in futures:
        future.result(60)
    assert told == [2]
    assert seen[0] == (2, 0)
    assert seen[-1][0] is None
    assert asker.place is None


def test_one_who_leaves_the_line_is_not_computed(many, batches, hold):
    asker = Asker()

    def leaves() -> None:
        asker.left.set()
        with pytest.raises(Left):
            many.asked_by(asker).generate([Row("b")] * 5)
        assert many._desk._line.is_empty
        many.generate([Row("c")], max_new_tokens=2)

    def has_asked_again() -> bool:
        return any(one.rows[0].row.prompt == "c" for _, one in many._desk._line._waiting)

    for future in asked_while_held(many, hold, leaves, until=has_asked_again):
        future.result(60)
    assert max(batches) == 2


def test_one_who_leaves_in_the_middle_ends_the_computation_and_not_that_of_others(many, engine, hold):
    other = [Row(PROMPTS[1], {TASK: 1}, GRAMMARS[1])]
    expected = content(engine.generate(other, max_new_tokens=20))
    steps = []
    hook = engine.base.model.register_forward_pre_hook(lambda module, given: steps.append(1))

    def leaves() -> None:
        stream = many.stream([Row("count", {"align": 1}, "start: /[0-9]{1500}/")], max_new_tokens=1500)
        next(answers for answers in stream if answers[0].new_tokens)
        stream.close()

    futures = asked_while_held(many, hold, leaves, (other, 20))
    futures[0].result(60)
    assert content(futures[1].result(60)) == expected
    wait_until(lambda: len(many._desk._line._under_way) == 0)
    assert len(steps) < 1000
    hook.remove()


def test_embeddings_are_those_of_the_engine_and_let_others_have_their_turn(many, engine, hold, monkeypatch):
    monkeypatch.setattr(shared, "SENTENCES", 4)
    sentences = [f"{'word ' * (number % 5 + 1)}{number}" for number in range(11)]
    expected = engine.embed(sentences, {"align": 1}, layers=[0, 3])
    told, order = [], []
    embed = engine.embed
    monkeypatch.setattr(engine, "embed", lambda *given, **options: (order.append("embed"), embed(*given, **options))[1])
    grown = engine._generation._grown

    def answering(batch, watcher, *given, **options):
        order.extend(watcher.ready(number).row.prompt for number in batch.numbers)
        return grown(batch, watcher, *given, **options)

    monkeypatch.setattr(engine._generation, "_grown", answering)

    def map_them():
        return many.embed(sentences, {"align": 1}, layers=[0, 3], progress=lambda done, n: told.append((done, n)))

    found, answers = asked_while_held(many, hold, map_them, ([Row("a")], 2))
    for layer, rows in found.result(60).items():
        np.testing.assert_allclose(rows, expected[layer], rtol=1e-5, atol=1e-6)
    assert len(answers.result(60)) == 1
    assert told == [(4, 11), (8, 11), (11, 11)]
    order.remove("first")
    assert [one for one in order if one != "a"] == ["embed"] * 3
    assert order[-1] == "embed" and "a" in order  # which came after them all


def test_embedding_errors_are_the_engines_and_the_next_call_is_right(many):
    with pytest.raises(InputError, match="^sentence 2: '  ' is empty"):
        many.embed(["a longer one", "  "], {}, layers=[1])
    with pytest.raises(InputError, match="layer: 99"):
        many.embed(["a"], {}, layers=[99])
    assert many.embed(["a"], {}, layers=[1])[1].shape[0] == 1
    assert many.embed([], {}, layers=[1])[1].shape[0] == 0


def test_the_thread_ends_when_there_is_nothing_to_do_and_begins_again(many, monkeypatch):
    monkeypatch.setattr(desk, "_IDLE", 0.01)
    for _ in range(3):
        assert len(many.generate([Row("a")], max_new_tokens=1)) == 1
        wait_until(lambda: many._desk._thread is None)


def test_nothing_of_a_question_is_kept(many, hold):
    questions = [([Row("a", {TASK: 1})], 3)] * 6
    for future in asked_while_held(many, hold, *questions):
        future.result(60)
    stream = many.stream([Row("b")], max_new_tokens=50)
    next(stream)
    stream.close()
    wait_until(lambda: len(many._desk._line._under_way) == 0)
    del future

    def kept() -> list:
        gc.collect()
        return [one for one in gc.get_objects() if type(one) is desk.Question]

    wait_until(lambda: kept() == [])  # the thread lets go of a question a moment after it is under way no longer


def test_crowds_of_all_kinds_each_get_their_own(many, engine):
    """Those who leave, those who break something and those who wait for their answer, in whatever order they come."""
    rows = [Row(f"{prompt} {number}", WEIGHTS[number % 5], GRAMMARS[number % 3])
            for number, prompt in enumerate(PROMPTS * 6)]  # fmt: skip
    alone = [content(engine.generate([row], max_new_tokens=8)) for row in rows]

    def ask(number: int):
        if number % 5 == 3:
            stream = many.stream([rows[number]], max_new_tokens=400)
            next(stream)
            stream.close()
            return None
        if number % 5 == 4:
            with pytest.raises(InputError):
                many.generate([rows[number], Row("a", {"none": 1.0})])
            return None
        return content(many.generate([rows[number]], max_new_tokens=8))

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(ask, range(len(rows))))
    for number, its in enumerate(found):
        assert its is None or its == alone[number]
    assert threading.active_count() < 100
