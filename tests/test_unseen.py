"""The labelled examples that no shipped adapter was trained on."""

from __future__ import annotations

import unicodedata

import pytest
import regex

from midalign_demo import adapters, languages, unseen
from midalign_demo.errors import InputError
from midalign_demo.tasks import json_generation, slot_filling, translation
from midalign_demo.tasks.spans import find
from tests.test_public_data import DATA, needs_data

LABELLED = (slot_filling.NAME, json_generation.NAME)


@pytest.mark.parametrize("task", LABELLED)
def test_every_label_stands_in_its_text_and_is_asked_for(task):
    for example in unseen.read(task):
        text = example.question.text
        if task == slot_filling.NAME:
            labels = [(slot.name, slot.value) for slot in example.gold.slots]
            assert {name for name, _ in labels} <= set(slot_filling.DEFAULT_INVENTORY)
        else:
            labels = [(entity.type, entity.text) for entity in example.gold]
            assert {name for name, _ in labels} <= set(json_generation.ENTITY_TYPES)
        for _, value in labels:
            assert find(value, text) is not None, (text, value)
            assert value in text, (text, value)


def test_no_label_is_lost_in_reading():
    """Readers leave out what they can't find."""
    import json

    for name, key, task in (("commands", "slots", slot_filling.NAME), ("texts", "json", json_generation.NAME)):
        lines = (unseen.folder() / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        written = [json.loads(line)[key] for line in lines]
        written = [len(of if key == "slots" else of["Results"]) for of in written]
        read = [len(getattr(example.gold, "slots", example.gold)) for example in unseen.read(task)]
        assert read == written


@pytest.mark.parametrize("task", LABELLED)
def test_they_are_in_many_languages_each_in_its_script(task):
    examples = unseen.read(task)
    tags = {example.question.language for example in examples}
    assert len(examples) >= 12
    assert len(tags) >= 12
    assert len({languages.script(tag) for tag in tags}) >= 6
    texts = [example.question.text for example in examples]
    assert len(set(texts)) == len(texts)
    patterns = {"Hans": r"\p{Han}", "Jpan": r"[\p{Han}\p{Hiragana}\p{Katakana}]", "Kore": r"\p{Hangul}"}
    for example in examples:
        script, text = languages.script(example.question.language), example.question.text
        assert text == unicodedata.normalize("NFC", text)
        assert regex.search(patterns.get(script, rf"\p{{{script}}}"), text), text


def test_what_the_gold_says_scores_full_marks():
    for task in (slot_filling.NAME, json_generation.NAME, translation.NAME):
        example = unseen.read(task)[0]
        module = {slot_filling.NAME: slot_filling, json_generation.NAME: json_generation, translation.NAME: translation}
        gold = example.gold.slots if task == slot_filling.NAME else example.gold
        metric = module[task].MAIN_METRIC
        full = 100 if task == translation.NAME else 1
        assert unseen.score(example, module[task].answer(gold).strip())[metric] == pytest.approx(full)
        assert unseen.score(example, "nothing of the kind")[metric] < full / 2


@needs_data
def test_no_text_is_in_the_data_that_adapters_are_trained_on():
    """The public data sets hold what the recipes name, and more."""
    known = set()
    for path in DATA.rglob("*"):
        if path.is_file() and path.suffix in (".txt", ".jsonl", ".conll", ".iob2"):
            known.update(regex.findall(r'(?<="utt": ")[^"]+|(?<=# text = ).+|^.+$', path.read_text(), regex.M))
    known = {_folded(text) for text in known}
    assert len(known) > 10_000
    texts = [example.question.text for task in LABELLED for example in unseen.read(task)]
    texts += [example.question.text for example in unseen.read(translation.NAME)]
    assert [text for text in texts if _folded(text) in known] == []


def test_no_shipped_adapter_names_them_as_training_data():
    for name in adapters.shipped():
        recipe = (adapters.locate(name) / "training.json").read_text(encoding="utf-8")
        assert "assets/" not in recipe
        assert "unseen" not in recipe


def _folded(text: str) -> str:
    return "".join(regex.findall(r"[\p{L}\p{M}\p{N}]", unicodedata.normalize("NFKC", text).casefold()))


def test_a_sample_is_the_same_each_time_and_goes_round_the_languages():
    examples = unseen.read(slot_filling.NAME)
    taken = unseen.sample(examples, n=12)
    assert taken == unseen.sample(examples, n=12)
    assert len({example.question.language for example in taken}) == 12
    assert {example.question.language for example in unseen.sample(examples, "DE", 3)} == {"de"}


@pytest.mark.parametrize(
    ("language", "n", "said"),
    [
        ("tlh", 3, "no example in 'tlh'"),
        ("x y", 3, "'x y' is not a BCP 47 tag"),
        (None, 0, "n: 0"),
        (None, 99, "to 24"),
    ],
)
def test_samples_that_there_are_not_are_refused(language, n, said):
    with pytest.raises(InputError, match=said):
        unseen.sample(unseen.read(slot_filling.NAME), language, n)


def test_an_unknown_task_is_named():
    with pytest.raises(InputError, match="'poetry' is not one of slot-filling"):
        unseen.read("poetry")


def test_translations_go_into_english_and_out_of_it():
    directions = {(example.question.language, example.question.target) for example in unseen.read(translation.NAME)}
    assert {("sw", "en"), ("en", "sw")} <= directions
    assert all("en" in direction for direction in directions)


def test_other_examples_can_take_their_place(slots_file):
    examples = unseen.read(slot_filling.NAME, slots_file)
    assert len(examples) == 60
    assert examples[0].question.inventory == ("room", "time")


def test_an_example_asked_with_fewer_slots_is_labelled_with_those():
    example = next(one for one in unseen.read(slot_filling.NAME) if len(one.gold.slots) == 3)
    kept = unseen.with_slots(example, ["datetime"])
    assert kept.question.inventory == ("datetime",)
    assert [slot["slot"] for slot in unseen.gold_document(kept)] == ["datetime"]


def test_variants_are_scored_one_by_one_and_together(engine):
    examples = unseen.sample(unseen.read(slot_filling.NAME), n=3)
    made = unseen.evaluate_sample(engine, examples, ["base", "merged"])
    assert (made["task"], made["n"]) == ("slot-filling", 3)
    assert list(made["variants"]) == ["base", "merged"]
    assert {"f1", "precision", "recall", "n", "interval"} <= made["variants"]["merged"].keys()
    assert [one["text"] for one in made["examples"]] == [example.question.text for example in examples]
    scored = {"f1", "precision", "recall", "names_f1", "spans_f1", "in_text"}
    assert {"text", *scored} == made["examples"][0]["answers"]["base"].keys()
    assert {"slot", "value", "start", "end"} <= made["examples"][0]["gold"][0].keys()
