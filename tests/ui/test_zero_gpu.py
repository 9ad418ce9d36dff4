"""midalign_demo.ui.zero_gpu, with a stand-in for `spaces` that forks a process and pickles, which is what matters."""

import inspect
import multiprocessing
import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from midalign_demo import space
from midalign_demo.errors import InputError
from midalign_demo.generation import Row
from midalign_demo.ui import zero_gpu
from midalign_demo.ui.host import FIRST_TASK, ModelHost


def forked(function):
    """The function run in a forked process, every value and argument pickled on its way."""
    context = multiprocessing.get_context("fork")

    def work(given, sent):
        args, options = given.get()
        found = function(*args, **options)
        for value in found if inspect.isgeneratorfunction(function) else [found]:
            sent.put((os.getpid(), value))
        sent.put(None)

    def values(*args, **options):
        given, sent = context.Queue(), context.Queue()
        given.put((args, options))
        process = context.Process(target=work, args=(given, sent), daemon=True)
        process.start()
        try:
            while (item := sent.get(timeout=60)) is not None:
                assert item[0] != os.getpid()
                yield item[1]
        finally:
            process.kill()
            process.join()

    def once(*args, **options):
        (value,) = values(*args, **options)
        return value

    return values if inspect.isgeneratorfunction(function) else once


@pytest.fixture
def spaces(monkeypatch):
    """The package as it is on ZeroGPU; the functions that were given to it."""
    given = []

    def gpu(function):
        given.append(function)
        return forked(function)

    module = SimpleNamespace(
        GPU=gpu, config=SimpleNamespace(Config=SimpleNamespace(zero_gpu=True)), __spec__=object(), given=given
    )
    monkeypatch.setitem(sys.modules, "spaces", module)
    return module


@pytest.fixture
def host(spaces, base_folder, adapter_folders):
    found = ModelHost(base_folder, sources={"task": str(adapter_folders["task"])}, zero=True, dtype="float32")
    found.start()
    return found


def test_all_is_loaded_and_given_away_before_the_page_is_served(host, spaces):
    assert not host.is_loading
    assert len(spaces.given) == 3
    assert host.engine_for(FIRST_TASK).variants(FIRST_TASK) == ["base", "task"]


def test_answers_and_embeddings_are_those_of_the_engine_itself(host):
    away = host.engine_for(FIRST_TASK)
    here = away._engine
    rows = [Row("wake me", {}), Row("wake me at nine", away.adapters_of("task", FIRST_TASK))]
    expected = [answer.text for answer in here.generate(rows, max_new_tokens=6)]
    assert [answer.text for answer in away.generate(rows, max_new_tokens=6)] == expected
    *growing, last = away.stream(rows, max_new_tokens=6)
    assert growing
    assert [answer.text for answer in last] == expected
    vectors = away.embed(["a", "b c"], {}, layers=[1, 2], progress=print)
    for layer, found in here.embed(["a", "b c"], {}, layers=[1, 2]).items():
        np.testing.assert_allclose(vectors[layer], found, rtol=1e-5, atol=1e-6)


def test_a_stream_can_be_left_and_the_next_question_is_answered(host):
    away = host.engine_for(FIRST_TASK)
    stream = away.stream([Row("wake me", {})], max_new_tokens=40)
    next(stream)
    stream.close()
    assert away.generate([Row("wake me", {})], max_new_tokens=2)


def test_bad_input_comes_back_as_such(host):
    away = host.engine_for(FIRST_TASK)
    with pytest.raises(InputError, match="^text: the prompt has"):
        away.generate([Row("word " * 3000, {})])
    with pytest.raises(InputError, match="'none' is not one of"):
        list(away.stream([Row("stop", {"none": 1.0})]))


def test_a_lock_that_was_held_when_the_process_was_forked_does_not_stop_it(host):
    away = host.engine_for(FIRST_TASK)
    with away.base.lock:
        assert away.embed(["a"], {}, layers=[1])[1].shape[0] == 1


def test_elsewhere_nothing_changes(monkeypatch):
    monkeypatch.setitem(sys.modules, "spaces", None)
    assert zero_gpu.prepare() is False
    off = SimpleNamespace(config=SimpleNamespace(Config=SimpleNamespace(zero_gpu=False)), __spec__=object())
    monkeypatch.setitem(sys.modules, "spaces", off)
    assert zero_gpu.prepare() is False


def test_requirements_for_zero_gpu_keep_to_the_torch_that_it_runs():
    description = space.read_spacefile(space.own_project())
    usual = space.requirements(space.own_project(), description).splitlines()
    zero = space.requirements(space.own_project(), {**description, "suggested_hardware": "zero-a10g"}).splitlines()
    assert [line for line in zero if line not in usual] == ["torch>=2.8,<2.12"]
