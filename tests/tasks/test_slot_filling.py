import random
from collections import Counter

import pytest
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from midalign_demo.errors import InputError
from midalign_demo.tasks import slot_filling, slot_readers
from midalign_demo.tasks.slot_filling import Command, Question, Slot, answer, parse, score
from midalign_demo.tasks.spans import words

INVENTORY = ["time", "room", "weather/attribute", "reminder/todo"]


def command(text: str, *slots: tuple[str, str], name: str = "1", language: str = "en") -> Command:
    return Command(name, language, text, tuple(Slot(*slot) for slot in slots))


def test_prompt_lists_the_slots_and_keeps_the_command_on_one_line():
    question = Question(" Licht\naus \t jetzt ", ("time", "room"))
    assert question.prompt() == "Slots: time, room\nCommand: Licht aus jetzt\nValues:"


def test_examples_before_a_prompt_are_answered_in_the_form_that_is_parsed():
    question = Question("Licht aus", ("time", "room"))
    asked = question.prompt_with_examples()
    *examples, last = asked.split("\n\n")
    assert last == question.prompt()
    assert len(examples) == 3
    for example in examples:
        slots_line, command_line, values = example.split("\n")
        listed = slots_line.removeprefix("Slots: ").split(", ")
        slots, valid = parse(values.removeprefix("Values:"), listed)
        assert valid
        assert None not in slot_filling.locate(slots, command_line)


def test_answer_lists_values_or_says_none():
    assert answer([Slot("time", "sieben"), Slot("room", "Bad")]) == " time: sieben; room: Bad"
    assert answer([]) == " None"


@pytest.mark.parametrize(
    "slots",
    [
        [("time", "seven am")],
        [("time", "7:30"), ("room", "the hall: upstairs")],
        [("reminder/todo", "milk; eggs;bread"), ("time", "noon")],
        [("room", "रसोई"), ("time", "सात बजे")],
        [("room", "ห้องครัว")],
        [("time", "明日の朝"), ("time", "7時")],
        [("room", "غرفة المعيشة")],
        [("room", "Küche"), ("weather/attribute", "sonnig")],
        [],
    ],
)
def test_what_is_answered_is_parsed_again(slots):
    slots = [Slot(*slot) for slot in slots]
    assert parse(answer(slots), INVENTORY) == (slots, True)


@pytest.mark.parametrize(
    ("text", "slots", "valid"),
    [
        ("None", [], True),
        ("  None \nmore", [], True),
        ("time: noon\nCommand: next", [("time", "noon")], True),
        ("\n\ntime: noon", [("time", "noon")], True),
        ("time:noon;room:  hall ", [("time", "noon"), ("room", "hall")], True),
        ("time: 7:30", [("time", "7:30")], True),
        ("reminder/todo: milk; eggs", [("reminder/todo", "milk; eggs")], True),
        ("reminder/todo: milk; two eggs", [("reminder/todo", "milk; two eggs")], True),
        ("", [], False),
        ("   \n", [], False),
        ("complete nonsense", [], False),
        ("color: red", [], False),
        ("color: red; time: noon", [("time", "noon")], False),
        ("time:", [], False),
        ("time: ; room: hall", [("room", "hall")], False),
        ("time: noon;", [("time", "noon")], False),
        (";;;", [], False),
        ("none", [], False),
        ("None; time: noon", [("time", "noon")], False),
        ("Time: noon", [], False),
    ],
)
def test_parsing(text, slots, valid):
    assert parse(text, INVENTORY) == ([Slot(*slot) for slot in slots], valid)


def test_parsing_any_garbage_gives_slots_of_the_inventory():
    rng = random.Random(5)
    pieces = ["time", "room", ":", ";", " ", "\n", "None", "明", "ا", "x", ": ", "; ", "\u2028", "\ufffd"]
    for _ in range(500):
        slots, valid = parse("".join(rng.choices(pieces, k=rng.randint(0, 12))), INVENTORY)
        assert all(slot.name in INVENTORY and slot.value.strip() for slot in slots)
        assert isinstance(valid, bool)


def test_equal_slots_take_different_places():
    slots = [Slot("city", "Bern"), Slot("city", "Bern"), Slot("name", "Bern"), Slot("city", "Bern")]
    assert slot_filling.locate(slots, "Bern nach Bern") == [(0, 4), (10, 14), (0, 4), None]


def random_commands(rng: random.Random, n: int) -> list[tuple[Command, list[str], list[Slot], list[str]]]:
    """Commands of distinct words with random gold and predicted spans that do not overlap, as slots and as BIO tags."""
    result = []
    for number in range(n):
        length = rng.randint(3, 12)
        tokens = [f"w{number}x{at}" for at in range(length)]

        def draw(tokens=tokens):
            tags, slots, at = ["O"] * len(tokens), [], 0
            while at < len(tokens):
                width = rng.randint(1, 3)
                if rng.random() < 0.4 and at + width <= len(tokens):
                    name = rng.choice(["time", "room", "city"])
                    slots.append(Slot(name, " ".join(tokens[at : at + width])))
                    tags[at] = f"B-{name}"
                    tags[at + 1 : at + width] = [f"I-{name}"] * (width - 1)
                    at += width
                else:
                    at += 1
            return slots, tags

        gold, gold_tags = draw()
        predicted, predicted_tags = (gold, gold_tags) if rng.random() < 0.4 else draw()
        text = " ".join(tokens)
        assert [text[start:end] for start, end in words(text)] == tokens
        result.append((Command(str(number), "en", text, tuple(gold)), gold_tags, predicted, predicted_tags))
    return result


@pytest.mark.parametrize("seed", range(5))
def test_score_is_seqevals_strict_micro_average(seed):
    drawn = random_commands(random.Random(seed), 40)
    golds, gold_tags, predictions, predicted_tags = zip(*drawn, strict=True)
    strict = {"mode": "strict", "scheme": IOB2}
    expected = {
        "f1": f1_score(list(gold_tags), list(predicted_tags), **strict),
        "precision": precision_score(list(gold_tags), list(predicted_tags), **strict),
        "recall": recall_score(list(gold_tags), list(predicted_tags), **strict),
    }
    assert 0.2 < expected["f1"] < 0.9
    found = score(golds, predictions)
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_score_by_hand():
    golds = [command("lights off in the hall at noon", ("room", "hall"), ("time", "noon"))]
    assert score(golds, [[Slot("room", "the hall"), Slot("time", "noon"), Slot("time", "hall")]]) == {
        "precision": pytest.approx(1 / 3),
        "recall": pytest.approx(1 / 2),
        "f1": pytest.approx(2 / 5),
        "names_f1": pytest.approx(4 / 5),  # one room and two times for one of each
        "spans_f1": pytest.approx(4 / 5),  # "hall" and "noon" of three places
        "in_text": 1.0,
    }


def test_what_was_understood_is_told_from_where_it_was_found():
    golds = [command("रसोई की बत्ती", ("room", "रसोई"), language="hi")]
    in_english, misnamed = score(golds, [[Slot("room", "kitchen")]]), score(golds, [[Slot("time", "रसोई")]])
    parts = ("f1", "names_f1", "spans_f1", "in_text")
    assert [in_english[part] for part in parts] == [0, 1, 0, 0]
    assert [misnamed[part] for part in parts] == [0, 0, 1, 1]


def test_values_that_are_not_in_the_text_count_against_precision():
    golds = [command("रसोई की बत्ती", ("room", "रसोई"), language="hi")]
    right, invented = Slot("room", "रसोई"), Slot("room", "kitchen")
    assert score(golds, [[right]])["precision"] == 1.0
    half = score(golds, [[right, invented]])
    assert half["precision"] == half["in_text"] == 0.5
    assert half["recall"] == 1.0
    assert half["f1"] == pytest.approx(2 / 3)
    assert score(golds, [[right, invented, invented]])["precision"] == pytest.approx(1 / 3)
    assert score(golds, [[invented]])["f1"] == 0.0


def test_a_value_said_twice_or_a_part_of_a_word_still_stands_in_the_text():
    golds = [command("gsw: z'Wien morn", ("time", "morn"))]
    said = [Slot("time", "morn"), Slot("time", "morn"), Slot("place", "en")]
    assert score(golds, [said])["in_text"] == 1.0
    found, _ = slot_filling.Question("wake me at nine", ("time",)).read(" time: nine; time: nine; time: ten")
    assert [slot["start"] for slot in found] == [11, 11, None]


def test_saying_a_value_twice_does_not_help():
    golds = [command("noon", ("time", "noon"))]
    assert score(golds, [[Slot("time", "noon"), Slot("time", "noon")]])["precision"] == 0.5


def test_score_where_nothing_is_to_be_found():
    golds = [command("hello")]
    assert set(score(golds, [[]]).values()) == {1.0}
    assert score(golds, [[Slot("time", "hello")]])["f1"] == 0.0


def test_inventory_of_is_sorted_and_without_repetition():
    commands = [command("a b", ("room", "a"), ("time", "b")), command("a", ("room", "a"))]
    assert slot_filling.inventory_of(commands) == ["room", "time"]


def test_check_inventory_strips_names():
    assert slot_filling.check_inventory([" time ", "room", " "]) == ["time", "room"]
    assert slot_filling.check_inventory(slot_filling.DEFAULT_INVENTORY) == list(slot_filling.DEFAULT_INVENTORY)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], "none given"), ([" "], "none given"), (["a", "b", "a "], "'a' is given twice"), (["a:b"], "'a:b' is not"),
        (["a;b"], "'a;b' is not"), (["a,b"], "'a,b' is not"), (["a\nb"], "is not a name"), (["x" * 61], "60 char"),
    ],
)  # fmt: skip
def test_check_inventory_refuses_what_an_answer_could_not_hold(names, expected):
    with pytest.raises(InputError, match=expected):
        slot_filling.check_inventory(names)


def test_split_is_about_a_tenth_each_for_dev_and_test():
    counts = Counter(slot_readers.split_of(f"command-{number}") for number in range(10_000))
    assert set(counts) == {"train", "dev", "test"}
    assert counts["dev"] == pytest.approx(1000, abs=100)
    assert counts["test"] == pytest.approx(1000, abs=100)


def test_paraphrases_and_translations_of_a_command_share_its_split():
    for number in range(200):
        splits = {slot_readers.split_of(f"lights_on:{number}:{paraphrase}") for paraphrase in range(20)}
        splits |= {slot_readers.split_of(f"lights_on:{number}/{tag}") for tag in ("de", "hi", "sr-Latn")}
        assert len(splits) == 1


def test_training_examples_list_every_slot_that_is_answered():
    inventory = ["time", "room", *(f"other{number}" for number in range(12))]
    gold = command("lights off in the hall at noon", ("room", "hall"), ("time", "noon"))
    rng = random.Random(3)
    seen = Counter()
    for _ in range(600):
        asked, said = slot_filling.training_example(gold, inventory, rng)
        listed = asked.split("\n")[0].removeprefix("Slots: ").split(", ")
        slots, valid = parse(said, listed)
        assert valid
        assert len(set(listed)) == len(listed)
        assert set(listed) <= set(inventory)
        # Whatever is listed and in the command is answered; whatever is not listed is not.
        assert slots == [slot for slot in gold.slots if slot.name in listed]
        seen["whole"] += listed == inventory
        seen["dropped"] += len(slots) < 2
    assert seen["whole"] == pytest.approx(200, abs=50)
    assert seen["dropped"] == pytest.approx(600 * 2 / 3 * 0.15, abs=30)


def test_training_examples_of_a_command_without_slots_answer_none():
    rng = random.Random(1)
    for _ in range(50):
        asked, said = slot_filling.training_example(command("hello"), ["time"], rng)
        assert asked == "Slots: time\nCommand: hello\nValues:"
        assert said == " None"


def test_training_examples_are_the_same_for_the_same_generator():
    gold = command("at noon", ("time", "noon"))
    draw = [slot_filling.training_example(gold, INVENTORY, random.Random(n)) for n in range(20)]
    assert draw == [slot_filling.training_example(gold, INVENTORY, random.Random(n)) for n in range(20)]
    assert len(set(draw)) > 5


def test_restrict_keeps_only_the_gold_slots_that_are_asked_for():
    command = Command("1", "en", "jazz at nine", (Slot("genre", "jazz"), Slot("time", "nine")))
    [restricted] = slot_filling.restrict([command], ["time", "place"])
    assert restricted.slots == (Slot("time", "nine"),)
    assert slot_filling.score([restricted], [[Slot("time", "nine")]])["f1"] == 1.0


def test_a_slot_that_was_not_asked_for_is_left_out_and_makes_the_answer_invalid():
    assert slot_filling.parse("time: nine; room: attic", ["time"]) == ([Slot("time", "nine")], False)
