import json

import pytest
import yaml
from huggingface_hub import ModelCardData

from midalign_demo import card_head, embedded


def read(head: str) -> dict:
    before, found, after = head.split("---\n")
    assert before == after == ""
    return yaml.safe_load(found)


@pytest.fixture
def trained(tmp_path, adapter_folders):
    """A folder that has an adapter and a record of what it was trained on."""

    def make(name: str, kind: str, languages: list[str], *notes: str) -> str:
        folder = tmp_path / name
        folder.mkdir()
        for file in adapter_folders["task"].iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        record = {"kind": kind, "recipe": {"data_notes": list(notes)}, "data": {"languages": languages}}
        (folder / "training.json").write_text(json.dumps(record), encoding="utf-8")
        return str(folder)

    return make


def test_languages_and_data_are_those_of_all_adapters(trained, adapter_folders):
    sources = [
        trained("a", "task", ["en", "de"], "Universal NER: CC BY-SA 4.0", "Mine: CC0"),
        trained("b", "align", ["sw", "de"], "NTREX-128 (news): CC BY-SA 4.0"),
        str(adapter_folders["align"]),  # has no record, and so nothing to say
    ]
    found = read(card_head.head_with("someone/base", sources, library="peft", tags=["lora"], pipeline="text"))
    assert found == {
        "base_model": "someone/base",
        "library_name": "peft",
        "pipeline_tag": "text",
        "tags": ["lora"],
        "language": ["de", "en", "sw"],
        "datasets": ["davidstap/NTREX", "universalner/universal_ner"],
    }
    assert ModelCardData(**found).to_dict() == found  # which the hub's own client knows


def test_what_is_not_known_is_left_out(adapter_folders):
    head = card_head.head_with("someone/base", [str(adapter_folders["task"])], library="peft", tags=["lora"])
    assert read(head) == {"base_model": "someone/base", "library_name": "peft", "tags": ["lora"]}
    assert card_head.terms("someone/base") == ""


@pytest.mark.parametrize("name", [embedded.NAME, embedded.HUB_ID])
def test_the_embedded_base_is_called_as_the_hub_calls_it_and_its_terms_hold(name):
    found = read(card_head.head(name, library="peft", tags=["lora"]))
    assert (found["base_model"], found["license"]) == (embedded.HUB_ID, "gemma")
    assert "Gemma Terms of Use" in card_head.terms(name)
