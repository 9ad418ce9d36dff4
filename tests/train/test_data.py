import random
from collections import Counter

import pytest

from midalign_demo.errors import InputError
from train.data import AlignmentSchedule, JointSchedule, TaskSchedule, batches_of_similar_length

TAGS = ["en", "de", "sw", "hi"]


def corpus(lines: int, tags=TAGS, prefix: str = "") -> dict[str, list[str]]:
    return {tag: [f"{prefix}{tag} {'x' * (number % 7)} {number}" for number in range(lines)] for tag in tags}


def schedule(corpora, **changes) -> AlignmentSchedule:
    return AlignmentSchedule(corpora, **{"lines": 4, "views": 2, "steps": 60, "seed": 1, **changes})


def items(dataset) -> list[dict]:
    return [dataset[index] for index in range(len(dataset))]


def test_a_schedule_depends_on_data_and_seed_alone():
    first, again = items(schedule([corpus(20)])), items(schedule([corpus(20)]))
    assert first == again
    assert first != items(schedule([corpus(20)], seed=2))
    assert schedule([corpus(20)])[37] == first[37]  # in whatever order items are taken
    assert items(schedule([corpus(20)], steps=30)) == first[:30]


@pytest.mark.parametrize("views", [2, 3, 4])
def test_a_micro_batch_has_one_language_a_view_and_the_same_lines_in_each(views):
    for item in items(schedule([corpus(21)], views=views)):
        assert item["objective"] == "align"
        assert item["languages"][0] == "en"
        assert len(set(item["languages"])) == len(item["languages"]) == views
        numbers = [[sentence.split()[-1] for sentence in view] for view in item["sentences"]]
        assert all(view == numbers[0] for view in numbers)
        assert len(set(numbers[0])) == len(numbers[0]) == 4
        for tag, view in zip(item["languages"], item["sentences"], strict=True):
            assert {sentence.split()[0] for sentence in view} == {tag}


def test_an_epoch_takes_no_line_twice():
    seen = Counter(line for item in items(schedule([corpus(20)], steps=5)) for line in item["sentences"][0])
    assert len(seen) == 20
    assert set(seen.values()) == {1}


def test_languages_get_equal_turns():
    turns = Counter(tag for item in items(schedule([corpus(20)])) for tag in item["languages"][1:])
    assert turns == {"de": 20, "sw": 20, "hi": 20}
    pairs = Counter(tag for item in items(schedule([corpus(20)], views=3)) for tag in item["languages"][1:])
    assert pairs == {"de": 40, "sw": 40, "hi": 40}


def test_weighted_languages_get_more_turns():
    weighted = schedule([corpus(20)], weights={"sw": 4, "de": 1, "hi": 1})
    turns = Counter(tag for item in items(weighted) for tag in item["languages"][1:])
    assert turns["sw"] == pytest.approx(40, abs=1)
    assert turns["de"] == pytest.approx(10, abs=1)


def test_languages_take_turns_within_each_corpus():
    corpora = [corpus(40, ["en", "sw"], "a-"), corpus(40, ["en", "de", "sw"], "b-")]
    turns = Counter(
        (item["sentences"][0][0][0], tag) for item in items(schedule(corpora, steps=40)) for tag in item["languages"]
    )
    assert turns["a", "sw"] == 20
    assert turns["b", "sw"] == turns["b", "de"] == 10


def test_corpora_are_drawn_from_in_proportion_to_their_lines():
    drawn = Counter(
        item["sentences"][0][0][0]
        for item in items(schedule([corpus(60, prefix="a-"), corpus(20, prefix="b-")], steps=100))
    )
    assert drawn == {"a": 75, "b": 25}


def test_a_corpus_without_english_is_aligned_with_its_first_language():
    for item in items(schedule([corpus(8, ["de", "sw"])], steps=3)):
        assert item["languages"] == ["de", "sw"]


def test_views_beyond_a_corpus_languages_are_left_out():
    item = schedule([corpus(8, ["en", "de"])], views=4)[0]
    assert item["languages"] == ["en", "de"]


@pytest.mark.parametrize(
    ("corpora", "changes", "expected"),
    [
        ([corpus(20)], {"views": 1}, "views: 1 given"),
        ([corpus(20)], {"lines": 1}, "lines: 1 given"),
        ([corpus(20, ["en"])], {}, "corpus 1 has 'en' and none of the languages to align with it"),
        ([corpus(20), corpus(3)], {}, "corpus 2 has 3 lines; one micro-batch takes 4"),
    ],
)
def test_corpora_that_cannot_be_aligned_are_refused(corpora, changes, expected):
    with pytest.raises(InputError, match=expected):
        schedule(corpora, **changes)


def tasks(records, **changes) -> TaskSchedule:
    def to_example(record, rng):
        return f"{record} {rng.random()}", f" {record}"

    return TaskSchedule(records, to_example, **{"rows": 3, "steps": 20, "seed": 1, **changes})


def test_task_schedules_depend_on_data_and_seed_alone():
    first = items(tasks(list("abcdefghi")))
    assert first == items(tasks(list("abcdefghi")))
    assert first != items(tasks(list("abcdefghi"), seed=2))
    assert tasks(list("abcdefghi"))[13] == first[13]
    assert items(tasks(list("abcdefghi"), steps=6)) == first[:6]


def test_task_micro_batches_hold_prompts_with_their_answers_and_cover_all_records():
    batches = items(tasks(list("abcdefghi"), steps=3))
    assert all(batch["objective"] == "task" for batch in batches)
    for batch in batches:
        assert [prompt[0] for prompt in batch["prompts"]] == [answer[1] for answer in batch["answers"]]
    assert sorted(prompt[0] for batch in batches for prompt in batch["prompts"]) == list("abcdefghi")


def test_examples_are_drawn_anew_in_each_epoch():
    seen = {prompt for batch in items(tasks(list("abcdefghi"), steps=9)) for prompt in batch["prompts"]}
    assert len(seen) == 27


def test_too_few_records_are_refused():
    with pytest.raises(InputError, match="2 examples given; one micro-batch takes 3"):
        tasks(["a", "b"])


def test_batches_are_alike_in_length_and_a_rest_is_left_out():
    lengths = [number % 10 for number in range(83)]
    batches = batches_of_similar_length(lengths, 8, random.Random(0))
    assert len(batches) == 10
    rows = [row for batch in batches for row in batch]
    assert len(set(rows)) == len(rows) == 80
    spreads = [max(lengths[row] for row in batch) - min(lengths[row] for row in batch) for batch in batches[:8]]
    assert max(spreads) <= 4


def joint(mode: str, steps: int, every: int = 3) -> list[dict]:
    of_task, of_align = JointSchedule.shares(mode, every, steps)
    task, align = tasks(list("abcdefghi"), steps=of_task), schedule([corpus(20)], steps=of_align)
    together = JointSchedule(task, align, mode=mode, every=every, steps=steps)
    assert len(together) == steps
    found = items(together)
    if mode != "sum":  # each schedule is used up, in its order
        assert [item for item in found if item["objective"] == "task"] == items(task)
        assert [item for item in found if item["objective"] == "align"] == items(align)
    return found


def test_objectives_alternate_with_the_task_first():
    assert [item["objective"] for item in joint("alternate", 5)] == ["task", "align", "task", "align", "task"]


def test_alignment_comes_after_every_few_micro_batches_of_the_task():
    kinds = [item["objective"] for item in joint("every", 9)]
    assert kinds == ["task", "task", "task", "align"] * 2 + ["task"]


def test_both_objectives_may_share_a_step():
    found = joint("sum", 4)
    assert {item["objective"] for item in found} == {"sum"}
    assert [item["task"] for item in found] == items(tasks(list("abcdefghi"), steps=4))
    assert [item["align"] for item in found] == items(schedule([corpus(20)], steps=4))
