import json

import pytest

from midalign_demo.answers import AnswerStore
from midalign_demo.errors import InputError

CELLS = [("task", 0), ("base", 0)]


def test_answers_are_on_disk_as_soon_as_they_are_kept(tmp_path):
    store = AnswerStore(tmp_path / "new" / "kept", {"base": "b"})
    assert store.wants(0, CELLS)
    store.keep(CELLS, ["eins\u2028zwei", ""])
    again = AnswerStore(tmp_path / "new" / "kept", {"base": "b"})
    assert not again.wants(0, CELLS)
    assert again.wants(0, [*CELLS, ("task", 1)])
    assert again.all_of("task", 1) == ["eins\u2028zwei"]
    assert again.all_of("base", 1) == [""]


def test_a_line_that_a_kill_cut_short_is_no_answer_and_is_written_anew(tmp_path):
    AnswerStore(tmp_path).keep(CELLS, ["one", "two"])
    path = tmp_path / "answers-0.jsonl"
    whole = path.read_bytes()
    for cut in range(len(whole) - 1, len(whole) - 5, -1):
        path.write_bytes(whole[:cut])
        store = AnswerStore(tmp_path)
        assert store.wants(0, CELLS)
        store.keep(CELLS, ["one", "two"])
        lines = path.read_text(encoding="utf-8").splitlines()
        assert [json.loads(line) for line in lines] == [["task", 0, "one"], ["task", 0, "one"], ["base", 0, "two"]]
        assert AnswerStore(tmp_path).all_of("base", 1) == ["two"]
        path.unlink()
        AnswerStore(tmp_path).keep(CELLS, ["one", "two"])


def test_answers_of_another_evaluation_are_refused_with_what_differs(tmp_path):
    AnswerStore(tmp_path, {"limit": 20, "variants": ["task"]}).keep(CELLS, ["one", "two"])
    with pytest.raises(InputError, match="another evaluation: limit was 20 and is 30"):
        AnswerStore(tmp_path, {"limit": 30, "variants": ["task"]})
    with pytest.raises(InputError, match="variants was .'task'. and is None"):
        AnswerStore(tmp_path, {"limit": 20})
    assert AnswerStore(tmp_path, {"limit": 20, "variants": ["task"]}).all_of("task", 1) == ["one"]


def test_answers_without_settings_are_not_taken(tmp_path):
    AnswerStore(tmp_path).keep(CELLS, ["one", "two"])
    (tmp_path / "settings.json").unlink()
    with pytest.raises(InputError, match="holds answers but no settings.json"):
        AnswerStore(tmp_path)


def test_each_process_takes_its_share_and_reads_all(tmp_path):
    first, second = (AnswerStore(tmp_path, rank=rank, world=2) for rank in range(2))
    assert [first.wants(batch, CELLS) for batch in range(4)] == [True, False, True, False]
    assert [second.wants(batch, CELLS) for batch in range(4)] == [False, True, False, True]
    first.keep([("task", 0)], ["a"])
    second.keep([("task", 1)], ["b"])
    assert AnswerStore(tmp_path).all_of("task", 2) == ["a", "b"]  # however many went on with it


def test_without_a_folder_answers_are_kept_in_memory():
    store = AnswerStore()
    store.keep(CELLS, ["one", "two"])
    assert store.all_of("task", 1) == ["one"]
