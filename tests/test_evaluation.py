import threading
from types import SimpleNamespace

import pytest

from midalign_demo import evaluation
from midalign_demo.answers import AnswerStore
from midalign_demo.comparison import row_of
from midalign_demo.engine import Engine
from midalign_demo.evaluation import answer_all, evaluate, label_of
from midalign_demo.generation import Row
from midalign_demo.tasks import json_generation, translation
from midalign_demo.tasks.json_generation import Entity
from midalign_demo.tasks.question import Example
from midalign_demo.tasks.slot_filling import NAME, Command, Question, Slot
from midalign_demo.watcher import Answer

LIMIT = 12


class Scripted(Engine):
    """An engine that answers from a table of (text asked about, adapter), and keeps its batches."""

    def __init__(self, table):
        self.table, self.batches = table, []
        self.base = SimpleNamespace(lock=threading.RLock(), encode=lambda text: list(text.encode()))

    def adapters_of(self, variant, task, merge=None):
        return {} if variant == "base" else {f"{task}:{variant}": 1.0}

    def generate(self, rows, *, max_new_tokens=96):
        self.batches.append(list(rows))
        texts = [
            self.table[row.prompt.split("\n")[-2].split(": ", 1)[1], next(iter(row.adapters), None)] for row in rows
        ]
        return [Answer(text, 1, 0.0, True) for text in texts]


COMMANDS = [
    Command("1", "en", "lights off at noon", (Slot("time", "noon"),)),
    Command("2", "de", "Licht im Bad aus", (Slot("room", "Bad"),)),
    Command("3", "de", "Wecker um acht im Flur", (Slot("time", "acht"), Slot("room", "Flur"))),
]
EXAMPLES = [Example(Question(command.text, ("room", "time"), command.language), command) for command in COMMANDS]
TABLE = {
    ("lights off at noon", None): "time: noon",
    ("Licht im Bad aus", None): "None",
    ("Wecker um acht im Flur", None): "time: eight; room: Flur",
    ("lights off at noon", f"{NAME}:task"): "time: noon",
    ("Licht im Bad aus", f"{NAME}:task"): "room: Bad",
    ("Wecker um acht im Flur", f"{NAME}:task"): "time: acht; room: Flur",
}


def plain(scores: dict) -> dict:
    return {name: value for name, value in scores.items() if name != "interval"}


def test_scores_by_hand_for_each_variant_and_language():
    scores = evaluate(Scripted(TABLE), EXAMPLES, ["base", "task"])["variants"]
    perfect = dict.fromkeys(("f1", "precision", "recall", "names_f1", "spans_f1", "in_text"), 1.0)
    assert plain(scores["task"]["overall"]) == {**perfect, "n": 3}
    assert plain(scores["base"]["languages"]["en"]) == {**perfect, "n": 1}
    # German: 3 gold slots, 2 given ("eight" is not in the text), 1 right. Over all: 4 gold, 3 given, 2 right.
    german = plain(scores["base"]["languages"]["de"])
    assert german == pytest.approx(
        {"precision": 1 / 2, "recall": 1 / 3, "f1": 0.4, "names_f1": 0.8, "spans_f1": 0.4, "in_text": 0.5, "n": 2}
    )
    overall = plain(scores["base"]["overall"])
    assert overall == pytest.approx(
        {
            "precision": 2 / 3,
            "recall": 1 / 2,
            "f1": 4 / 7,
            "names_f1": 6 / 7,
            "spans_f1": 4 / 7,
            "in_text": 2 / 3,
            "n": 3,
        }
    )
    assert list(scores["base"]["languages"]) == ["de", "en"]


def test_intervals_hold_the_score_and_differences_compare_every_two_variants():
    result = evaluate(Scripted(TABLE), EXAMPLES * 20, ["base", "task"])
    overall = result["variants"]["base"]["overall"]
    for metric in ("f1", "precision", "recall"):
        low, high = overall["interval"][metric]
        assert 0 < low < overall[metric] < high < 1
    [found] = [one for one in result["differences"] if one["metric"] == "f1"]
    assert (found["variants"], found["metric"]) == (["base", "task"], "f1")
    assert found["difference"] == pytest.approx(1 - 4 / 7)
    assert found["p"] < 0.01
    low, high = found["interval"]
    assert 0 < low < found["difference"] < high < 1
    assert list(found["languages"]) == ["de", "en"]
    for tag, of in found["languages"].items():
        base, task = (result["variants"][variant]["languages"][tag]["f1"] for variant in ("base", "task"))
        assert of["difference"] == pytest.approx(task - base)
        assert of["interval"][0] <= of["difference"] <= of["interval"][1]


def test_json_answers_are_scored_by_entity_and_validity():
    question = json_generation.Question("Ann is in Rome", "en")
    gold = (Entity("PER", "Ann"), Entity("LOC", "Rome"))
    table = {
        ("Ann is in Rome", None): "no JSON",
        ("Ann is in Rome", "json:task"): '{"Results": [{"TypeName": "PER", "Text": "Ann"}]}',
    }
    scores = evaluate(Scripted(table), [Example(question, gold)], ["base", "task"])["variants"]
    assert scores["base"]["overall"]["valid"] == scores["base"]["overall"]["f1"] == 0
    expected = {"valid": 1.0, "precision": 1.0, "recall": 0.5, "f1": 2 / 3, "n": 1}
    assert plain(scores["task"]["overall"]) == pytest.approx(expected)


def test_translations_are_scored_by_direction():
    examples = [
        Example(translation.Question(text, source, "en"), gold)
        for text, source, gold in (
            ("Der Zug kommt heute.", "de", "The train comes today."),
            ("Le train est là.", "fr", "The train is here."),
        )
    ]
    table = {
        ("Der Zug kommt heute.", "translation:task"): "The train comes today.",
        ("Le train est là.", "translation:task"): "Bananas!",
    }
    scores = evaluate(Scripted(table), examples, ["task"])["variants"]["task"]
    assert list(scores["languages"]) == ["de-en", "fr-en"]
    for metric in ("bleu", "chrf"):
        assert scores["languages"]["de-en"][metric] == pytest.approx(100)
    assert scores["languages"]["fr-en"]["chrf"] < 10
    assert scores["languages"]["fr-en"]["chrf"] < scores["overall"]["chrf"] < 100


def test_each_answer_has_its_own_limit():
    rows, table = many(("task",))
    engine, limits = Scripted(table), list(range(1, 51))
    answer_all(engine, rows, limits)
    found = {row.prompt: row.limit for batch in engine.batches for row in batch}
    assert [found[row.prompt] for row in rows["task"]] == limits


def test_a_question_without_a_language_has_a_label_too():
    assert label_of(Question("stop")) == "und"


def test_only_variants_that_were_not_tuned_are_asked_with_examples():
    engine = Scripted(TABLE)
    evaluate(engine, EXAMPLES, ["base", "task"])
    for row in engine.batches[0]:
        assert row.prompt.count("Command: ") == (1 if row.adapters else 4)


@pytest.mark.parametrize("grammar", [True, False, None])
def test_answers_are_held_to_the_grammar_if_asked_for(grammar):
    engine = Scripted(TABLE)
    evaluate(engine, EXAMPLES, ["task"], grammar=grammar)
    assert all((row.grammar is not None) == bool(grammar) for row in engine.batches[0])


def test_json_is_held_to_its_schema_unless_told_otherwise():
    engine = Engine.__new__(Scripted)
    question = json_generation.Question("Ann is in Rome", "en")
    assert row_of(engine, question, "base").grammar is not None
    assert row_of(engine, question, "base", grammar=False).grammar is None


def many(variants=("task", "align")) -> tuple[dict, dict]:
    """Rows for 50 questions under some variants, and what is to be answered."""
    texts = [f"{'x' * (number * 7 % 20)} {number}" for number in range(50)]
    table = {(text, variant): f"{variant} {text}" for text in texts for variant in variants}
    rows = {
        variant: [Row(f"Slots: a\nCommand: {text}\nValues:", {variant: 1}) for text in texts] for variant in variants
    }
    return rows, table


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(evaluation, "BATCH_ROWS", 32)


def test_answers_come_back_in_the_order_of_the_rows(small_batches):
    (rows, table), calls = many(), []
    engine = Scripted(table)
    answers = answer_all(engine, rows, [LIMIT] * 50, progress=lambda done, total: calls.append((done, total)))
    assert answers == {variant: [table[text, of] for text, of in table if of == variant] for variant in rows}
    assert [len(batch) for batch in engine.batches] == [32, 32, 32, 4]
    assert sum(len(batch) for batch in engine.batches) == 100
    assert calls[-1] == (100, 100)
    assert calls == sorted(calls)


def test_batches_of_long_questions_are_smaller():
    texts = ["x" * 4000, "x" * 3000, *("x" * 50 for _ in range(40))]
    rows = {"task": [Row(f"Slots: a\nCommand: {text}\nValues:", {"task": 1}) for text in texts]}
    limits = [10, 10, 2000, *[10] * 39]
    for most, expected in ((16384, [2, 7, 33]), (4000, [1, 1, 1, 39]), (None, [42])):
        engine = Scripted({(text, "task"): "y" for text in texts})
        engine.batch_tokens = most
        assert answer_all(engine, rows, limits) == {"task": ["y"] * len(texts)}
        assert [len(batch) for batch in engine.batches] == expected


class Killed(Exception):
    pass


def test_an_evaluation_cut_short_goes_on_without_asking_anything_twice(small_batches, tmp_path):
    rows, table = many()
    whole = Scripted(table)
    expected = answer_all(whole, rows, [LIMIT] * 50)

    first = Scripted(table)
    answer = first.generate

    def until_the_third_batch(batch, **options):
        if len(first.batches) == 2:
            raise Killed
        return answer(batch, **options)

    first.generate = until_the_third_batch
    with pytest.raises(Killed):
        answer_all(first, rows, [LIMIT] * 50, store=AnswerStore(tmp_path / "kept"))
    second = Scripted(table)
    assert answer_all(second, rows, [LIMIT] * 50, store=AnswerStore(tmp_path / "kept")) == expected
    assert first.batches + second.batches == whole.batches  # the same batches, each once


def test_processes_share_the_batches(small_batches, tmp_path):
    rows, table = many()
    whole = Scripted(table)
    expected = answer_all(whole, rows, [LIMIT] * 50)
    first, second = Scripted(table), Scripted(table)
    stores = [AnswerStore(tmp_path / "kept", rank=rank, world=2) for rank in range(2)]
    for store in stores:
        store.gather = store.read  # instead of the exchange between processes: the files say the same
    with pytest.raises(KeyError):  # the other half is not there yet
        answer_all(first, rows, [LIMIT] * 50, store=stores[0])
    assert answer_all(second, rows, [LIMIT] * 50, store=stores[1]) == expected
    assert first.batches == whole.batches[::2]
    assert second.batches == whole.batches[1::2]


def test_a_tiny_engine_gets_the_same_answers_in_shared_batches_as_alone(base, adapter_folders):
    engine = Engine(base)
    engine.add_task(NAME, {role: str(folder) for role, folder in adapter_folders.items()})
    texts = ("stop", "wake me at eight in the hall", "Halt")
    rows = {
        variant: [row_of(engine, Question(text, ("time",)), variant, grammar=False) for text in texts]
        for variant in ("base", "task", "merged")
    }
    together = answer_all(engine, rows, [LIMIT] * len(next(iter(rows.values()))))
    for variant, of in rows.items():
        assert together[variant] == [answer_all(engine, {variant: [row]}, [LIMIT])[variant][0] for row in of]
    assert together["task"] != together["merged"]


def test_metrics_of_single_answers_are_averaged_by_language():
    def lengths(examples, answers):
        assert [example.question.text for example in examples] == [command.text for command in COMMANDS]
        return [len(answer) for answer in answers]

    scores = evaluate(Scripted(TABLE), EXAMPLES, ["base", "task"], segment_metrics={"length": lengths})["variants"]
    assert scores["base"]["overall"]["length"] == pytest.approx((10 + 4 + 23) / 3)
    assert scores["task"]["languages"]["de"]["length"] == pytest.approx((9 + 22) / 2)
    low, high = scores["task"]["languages"]["de"]["interval"]["length"]
    assert (low, high) == (9, 22)


def test_slots_are_compared_in_their_names_and_places_as_well():
    found = evaluate(Scripted(TABLE), EXAMPLES * 20, ["base", "task"])["differences"]
    assert [one["metric"] for one in found] == ["f1", "names_f1", "spans_f1"]
    assert [one["difference"] for one in found] == pytest.approx([1 - 4 / 7, 1 - 6 / 7, 1 - 4 / 7])
