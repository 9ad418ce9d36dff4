"""The shipped adapters on the embedded base."""

from __future__ import annotations

import pytest

from midalign_demo import adapters, embedded
from midalign_demo.comparison import compare, row_of
from midalign_demo.engine import open_engine
from midalign_demo.tasks import json_generation, slot_filling
from midalign_demo.tasks.slot_filling import Question
from midalign_demo.ui import examples
from midalign_demo.variants import shipped_sources

pytestmark = pytest.mark.base
VARIANTS = ("base", "task", "align", "merged")
INVENTORY = slot_filling.DEFAULT_INVENTORY


@pytest.fixture(scope="module")
def engine():
    return open_engine(embedded.NAME, slot_filling.NAME, dtype="float32", device="cpu")


def test_every_shipped_adapter_has_a_card_with_data_licences_recipe_and_scores():
    names = adapters.shipped()
    assert {"align", "json", "slot-filling", "translation"} <= set(names)
    for name in names:
        card = (adapters.locate(name) / "README.md").read_text(encoding="utf-8")
        for part in ("base_model:", "## Training data", "CC", "## Recipe", "## Scores"):
            assert part in card, (name, part)


def test_a_mixed_batch_answers_as_each_variant_alone_in_ten_languages(engine):
    """Character by character: greedy decoding in float32."""
    texts = [example["text"] for example in examples.by_task()["slot-filling"]][:10]
    rows = [row_of(engine, Question(text, INVENTORY), variant, grammar=False) for text in texts for variant in VARIANTS]
    for start in range(0, len(rows), len(VARIANTS)):
        batch = rows[start : start + len(VARIANTS)]
        together = [answer.text for answer in engine.generate(batch, max_new_tokens=48)]
        alone = [engine.generate([row], max_new_tokens=48)[0].text for row in batch]
        assert together == alone


def test_the_task_adapter_finds_the_time_in_languages_it_was_not_tuned_on(engine):
    asked = {
        "Wecke mich morgen um sieben Uhr": "morgen",
        "明日の朝七時に起こして": "七時",
        "ปลุกฉันตอนเจ็ดโมงเช้าพรุ่งนี้": "เจ็ดโมง",
    }
    rows = [row_of(engine, Question(text, INVENTORY), "task", grammar=False) for text in asked]
    found = 0
    for answer, value in zip(engine.generate(rows), asked.values(), strict=True):
        slots, _ = slot_filling.parse(answer.text, INVENTORY)
        found += any(slot.name == "datetime" and value in slot.value for slot in slots)
    assert found >= 2


def test_the_json_adapter_names_people_places_and_organisations(engine):
    engine.add_task(json_generation.NAME, shipped_sources(embedded.NAME, json_generation.NAME))
    asked = {
        "Marie Curie was born in Warsaw.": {("PER", "Marie Curie"), ("LOC", "Warsaw")},
        "Angela Schmidt arbeitet bei Siemens in München.": {
            ("PER", "Angela Schmidt"), ("ORG", "Siemens"), ("LOC", "München"),
        },
        "El presidente Pedro Morales visitó Sevilla.": {("PER", "Pedro Morales"), ("LOC", "Sevilla")},
    }  # fmt: skip
    found = wanted = 0
    for text, entities in asked.items():
        document = compare(engine, json_generation.Question(text), ["task", "merged"])
        assert all(output["valid"] for output in document["outputs"])
        named = json_generation.entities_of(document["outputs"][0]["parsed"])
        found += len(entities & {(entity.type, entity.text) for entity in named})
        wanted += len(entities)
    assert found >= wanted - 3
