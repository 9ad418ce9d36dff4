import threading
from types import SimpleNamespace

import pytest

from midalign_demo.comparison import slot_filling_row
from midalign_demo.engine import Answer, Engine, Row
from midalign_demo.evaluation import BATCH_ROWS, answer_all, evaluate_slot_filling
from midalign_demo.tasks.slot_filling import NAME, Command, Slot

LIMIT = 12


class Scripted(Engine):
    """An engine that answers from a table of (text of the command, adapter), and keeps its batches."""

    def __init__(self, table):
        self.table, self.batches = table, []
        self.base = SimpleNamespace(lock=threading.RLock(), encode=lambda text: list(text.encode()))

    def adapter_of(self, variant, task):
        return None if variant == "base" else f"{task}:{variant}"

    def generate(self, rows, *, max_new_tokens=96):
        self.batches.append(list(rows))
        texts = [self.table[row.prompt.split("Command: ")[-1].split("\n")[0], row.adapter] for row in rows]
        return [Answer(text, 1, 0.0, True) for text in texts]


COMMANDS = [
    Command("1", "en", "lights off at noon", (Slot("time", "noon"),)),
    Command("2", "de", "Licht im Bad aus", (Slot("room", "Bad"),)),
    Command("3", "de", "Wecker um acht im Flur", (Slot("time", "acht"), Slot("room", "Flur"))),
]
TABLE = {
    ("lights off at noon", None): "time: noon",
    ("Licht im Bad aus", None): "None",
    ("Wecker um acht im Flur", None): "time: eight; room: Flur",
    ("lights off at noon", f"{NAME}:task"): "time: noon",
    ("Licht im Bad aus", f"{NAME}:task"): "room: Bad",
    ("Wecker um acht im Flur", f"{NAME}:task"): "time: acht; room: Flur",
}


def test_scores_by_hand_for_each_variant_and_language():
    scores = evaluate_slot_filling(Scripted(TABLE), COMMANDS, ["base", "task"])
    perfect = {"f1": 1.0, "precision": 1.0, "recall": 1.0}
    assert scores["task"]["overall"] == {**perfect, "n": 3}
    assert scores["base"]["languages"]["en"] == {**perfect, "n": 1}
    # German: 3 gold slots, 2 given ("eight" is not in the text), 1 right. Over all: 4 gold, 3 given, 2 right.
    assert scores["base"]["languages"]["de"] == pytest.approx({"precision": 1 / 2, "recall": 1 / 3, "f1": 0.4, "n": 2})
    assert scores["base"]["overall"] == pytest.approx({"precision": 2 / 3, "recall": 1 / 2, "f1": 4 / 7, "n": 3})
    assert list(scores["base"]["languages"]) == ["de", "en"]


def slots_listed(row) -> str:
    return row.prompt.split("Slots: ")[-1].split("\n")[0]


def test_prompts_list_the_given_slots_or_those_of_the_data():
    engine = Scripted(TABLE)
    evaluate_slot_filling(engine, COMMANDS, ["base", "task"])
    assert {slots_listed(row) for row in engine.batches[0]} == {"room, time"}
    engine = Scripted(TABLE)
    scores = evaluate_slot_filling(engine, COMMANDS, ["task"], inventory=["time"])
    assert {slots_listed(row) for row in engine.batches[0]} == {"time"}
    assert scores["task"]["overall"]["recall"] == 1.0  # rooms are neither asked for nor scored


def test_only_variants_that_were_not_tuned_are_asked_with_examples():
    engine = Scripted(TABLE)
    evaluate_slot_filling(engine, COMMANDS, ["base", "task"])
    for row in engine.batches[0]:
        assert row.prompt.count("Command: ") == (1 if row.adapter else 4)


def test_answers_come_back_in_the_order_of_the_rows():
    texts = [f"{'x' * (number * 7 % 20)} {number}" for number in range(50)]
    table = {(text, variant): f"{variant} {text}" for text in texts for variant in ("task", "align")}
    engine, calls = Scripted(table), []
    rows = {
        variant: [Row(f"Slots: a\nCommand: {text}\nValues:", variant) for text in texts]
        for variant in ("task", "align")
    }
    answers = answer_all(engine, rows, [LIMIT] * 50, lambda done, total: calls.append((done, total)))
    assert answers == {variant: [f"{variant} {text}" for text in texts] for variant in ("task", "align")}
    assert all(len(batch) <= BATCH_ROWS for batch in engine.batches)
    assert sum(len(batch) for batch in engine.batches) == 100
    assert calls[-1] == (100, 100)
    assert calls == sorted(calls)


def test_a_tiny_engine_gets_the_same_answers_in_shared_batches_as_alone(base, adapter_folders):
    engine = Engine(base)
    engine.add_task(NAME, {role: str(folder) for role, folder in adapter_folders.items()})
    texts = ("stop", "wake me at eight in the hall", "Halt")
    rows = {
        variant: [slot_filling_row(engine, text, variant, ["time"]) for text in texts]
        for variant in ("base", "task", "merged")
    }
    together = answer_all(engine, rows, [LIMIT] * len(next(iter(rows.values()))))
    for variant, of in rows.items():
        assert together[variant] == [answer_all(engine, {variant: [row]}, [LIMIT])[variant][0] for row in of]
    assert together["task"] != together["merged"]
