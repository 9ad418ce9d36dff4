"""The readers on the public data sets that the adapters are trained on, where they are at hand."""

import os
from pathlib import Path

import pytest

from midalign_demo import parallel
from midalign_demo.tasks import slot_filling, slot_readers

DATA = Path(os.environ.get("MIDALIGN_DATA") or Path(__file__).parents[2] / "shared" / "data")
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="no data folder; set MIDALIGN_DATA to one")


@needs_data
def test_ntrex_is_read_with_all_its_languages():
    corpus = parallel.read(DATA / "parallel" / "ntrex")
    assert len(corpus) == 39
    assert {len(lines) for lines in corpus.values()} == {988}
    assert "sr-Latn" in corpus


@needs_data
@pytest.mark.parametrize("name", ["homeassistant", "xsid"])
def test_labelled_commands_are_read_and_score_1_against_themselves(name):
    commands = slot_readers.read_folder_or_file(DATA / "slots" / name)
    assert len(commands) > 1500
    assert len({command.language for command in commands}) >= 15
    slots = [command.slots for command in commands]
    assert sum(map(len, slots)) > len(commands) / 2
    inventory = slot_filling.inventory_of(commands)
    parsed = [slot_filling.parse(slot_filling.answer(of), inventory) for of in slots]
    assert all(valid for _, valid in parsed)
    score = slot_filling.score(commands, [found for found, _ in parsed])
    assert score["f1"] > 0.999
