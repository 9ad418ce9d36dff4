import random

import pytest

from midalign_demo.tasks.slot_filling import Command, Slot, locate
from train.recipe import TaskRecipe
from train.sources import task_schedule
from train.values import exchanged

TEXTS = {
    "th": ["สภาพอากาศวันนี้ดีมาก"],
    "de": ["Der kleine Hund schläft; die Katze: nicht", "eins zwei drei vier fünf sechs"],
    "hi": ["आज मौसम अच्छा है"],
}
COMMAND = Command(
    "1", "en", "wake me at eight in the hall", (Slot("datetime", "at eight"), Slot("area", "hall"), Slot("x", "unsaid"))
)


def test_one_value_is_exchanged_in_the_text_and_in_the_slots():
    seen, rng = set(), random.Random(0)
    for _ in range(300):
        found = exchanged(COMMAND, TEXTS, rng)
        changed = [number for number in range(3) if found.slots[number] != COMMAND.slots[number]]
        assert changed in ([0], [1])
        value = found.slots[changed[0]].value
        assert found.text == COMMAND.text.replace(COMMAND.slots[changed[0]].value, value)
        assert any(value in sentence for sentences in TEXTS.values() for sentence in sentences)
        assert not set(value) & set(";:\n")
        assert locate(found.slots, found.text)[changed[0]] is not None
        seen.add((changed[0], value))
    assert len(seen) > 60


@pytest.mark.parametrize(
    "command",
    [
        Command("1", "en", "stop", ()),
        Command("2", "en", "stop", (Slot("x", "go"),)),
        Command("3", "en", "play one two", (Slot("a", "one two"), Slot("b", "one"))),  # one value inside the other
    ],
)
def test_a_command_without_a_place_for_it_stays_as_it_is(command):
    rng = random.Random(0)
    for _ in range(20):
        assert exchanged(command, TEXTS, rng) == command


def test_a_text_without_words_changes_nothing():
    assert exchanged(COMMAND, {"en": ["; : ?"]}, random.Random(0)) == COMMAND


def test_a_share_of_the_training_commands_has_values_of_other_languages(slots_file, parallel_folder):
    def prompts(dev=False, **options):
        recipe = TaskRecipe(data=[str(slots_file)], dev=[str(slots_file)], split=False, rows=2, **options)
        schedule, summary = task_schedule(recipe, recipe.data, None, steps=40, dev=dev)
        return [prompt for at in range(40) for prompt in schedule[at]["prompts"]], summary

    def commands(found):
        return [line for prompt in found for line in prompt.split("\n") if line.startswith("Command:")]

    plain, summary = prompts()
    assert "values" not in summary
    mixed, summary = prompts(values=[f"{parallel_folder}:2-9"], exchange=0.5)
    assert {"en", "sw"} <= set(summary["values"])
    assert prompts(values=[str(parallel_folder)], value_languages=["sw"])[1]["values"] == ["en", "sw"]
    known = set(commands(plain))
    new = [line for line in commands(mixed) if line not in known]
    assert 0.2 < len(new) / len(mixed) < 0.6
    dev, _ = prompts(dev=True, values=[f"{parallel_folder}:2-9"], exchange=1.0)
    assert known >= set(commands(dev))
