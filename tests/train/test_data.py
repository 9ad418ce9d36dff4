import random
from collections import Counter
from pathlib import Path

import pytest

from midalign_demo.errors import InputError
from train.data import (
    AlignmentSchedule,
    TaskSchedule,
    batches_of_similar_length,
    keep_short,
    read_corpora,
    resolve,
    split_times,
)

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


def test_a_text_written_with_a_star_is_read_that_often(tmp_path):
    for tag in ("en", "de"):
        (tmp_path / f"{tag}.txt").write_text("".join(f"{tag} {number}\n" for number in range(9)), encoding="utf-8")
    corpora = read_corpora([f"{tmp_path}:2-4*3", str(tmp_path)], None, ["de"])
    assert [len(corpus["en"]) for corpus in corpora] == [3, 3, 3, 9]
    assert corpora[0] == {"en": ["en 1", "en 2", "en 3"], "de": ["de 1", "de 2", "de 3"]}


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


def test_sources_may_name_a_range_of_lines(parallel_folder):
    [whole, part, rest] = read_corpora([str(parallel_folder), f"{parallel_folder}:3-5", f"{parallel_folder}:47-"],
                                       None, None)  # fmt: skip
    assert len(whole["en"]) == 48
    assert part == {tag: lines[2:5] for tag, lines in whole.items()}
    assert rest["sw"] == whole["sw"][46:]


def test_languages_beside_english_can_be_chosen(parallel_folder):
    root, name = parallel_folder.parent, parallel_folder.name
    assert set(read_corpora([name], root, ["sw"])[0]) == {"en", "sw"}
    with pytest.raises(InputError, match="languages: fr, hi not in any of"):
        read_corpora([name], root, ["sw", "fr", "hi"])


def test_paths_start_from_the_root_unless_they_are_absolute(tmp_path):
    assert resolve("a/b", tmp_path) == tmp_path / "a" / "b"
    assert resolve("a", None) == Path("a")
    assert resolve(str(tmp_path), Path("other")) == tmp_path


def test_keep_short_drops_long_lines_in_all_languages():
    text = {"en": ["a" * 5, "a" * 6, "a"], "de": ["eins", "zwei", "drei" * 9]}
    assert keep_short(text, 5) == {"en": ["a" * 5, "a"], "de": ["eins", "drei" * 9]}
    assert keep_short(text, None) == text


def test_split_times_reads_how_often_an_entry_counts():
    assert split_times("sw*4") == ("sw", 4)
    assert split_times("de") == ("de", 1)
    for bad in ("sw*", "sw*0", "sw*x", "sw*-1", "sw*1.5"):
        with pytest.raises(InputError, match="is not of the form"):
            split_times(bad)
