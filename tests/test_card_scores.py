import dataclasses
import json
import shutil

import pytest
import yaml

from midalign_demo import card_scores, provenance, tables
from midalign_demo.errors import InputError
from tests import made_tables

_CARD = """---
base_model: tiny
tags:
- lora
---

# Task adapter

Made by hand.

## Scores

Old ones.

## Limits

Some.
"""


@pytest.fixture
def adapter(adapter_folders, tmp_path):
    folder = shutil.copytree(adapter_folders["task"], tmp_path / "mine")
    (folder / "README.md").write_text(_CARD, encoding="utf-8")
    return folder


def made_with(folder, table=None, role="task"):
    used = [{"role": role, "name": "mine", "sha256": provenance.checksum(str(folder))}]
    return dataclasses.replace(table or made_tables.slots(), adapters=used)


def test_scores_take_the_place_of_the_old_ones_and_nothing_else_changes(adapter):
    table = made_with(adapter)
    path = card_scores.update(str(adapter), [table])
    once = path.read_text(encoding="utf-8")
    assert "Old ones." not in once
    assert "# Task adapter\n\nMade by hand.\n\n## Scores\n" in once
    assert once.endswith("```\n\n## Limits\n\nSome.\n")
    assert "| variant | f1 | precision |" in once
    assert "| merged | 0.500 [0.375, 0.625] | 0.500 [0.250, 0.750] |" in once
    assert "merged - task, paired randomisation test: -0.013 f1 (p = 0.400)." in once
    assert table.command in once
    card_scores.update(str(adapter), [table])
    assert path.read_text(encoding="utf-8") == once


def test_data_that_the_hub_has_are_named_by_their_ids_there(adapter):
    recipe = {"data": ["parallel/ntrex:265-988"], "data_notes": ["NTREX-128 (news): CC BY-SA 4.0", "Our own: CC0"]}
    record = {"kind": "align", "recipe": recipe, "data": {"languages": ["de", "en"]}}
    (adapter / "training.json").write_text(json.dumps(record), encoding="utf-8")
    said = card_scores.update(str(adapter), [made_with(adapter)]).read_text(encoding="utf-8")
    assert yaml.safe_load(said.split("---")[1])["datasets"] == ["davidstap/NTREX"]


def test_a_card_without_scores_gets_them_at_its_end(adapter):
    (adapter / "README.md").write_text(_CARD.partition("## Scores")[0], encoding="utf-8")
    said = card_scores.update(str(adapter), [made_with(adapter)]).read_text(encoding="utf-8")
    assert "Made by hand.\n\n## Scores\n" in said
    assert said.endswith("```\n")


def test_the_hub_finds_the_scores_of_the_adapter_alone(adapter):
    said = card_scores.update(str(adapter), [made_with(adapter)]).read_text(encoding="utf-8")
    metadata = yaml.safe_load(said.split("---\n")[1])
    assert metadata["tags"] == ["lora"]
    [model] = metadata["model-index"]
    [result] = model["results"]
    assert result["task"]["type"] == "token-classification"
    assert [(metric["type"], metric["value"]) for metric in result["metrics"]] == [("f1", 0.5)]


def test_retrieval_is_told_at_the_best_layer_of_each_variant(adapter):
    table = made_with(adapter, made_tables.retrieval(), "align")
    said = card_scores.update(str(adapter), [table]).read_text(encoding="utf-8")
    assert "| base | 1 | 0.500 | 0.500 |" in said
    assert "| align | 1 | 0.750 | 0.750 |" in said
    metrics = yaml.safe_load(said.split("---\n")[1])["model-index"][0]["results"][0]["metrics"]
    assert {metric["value"] for metric in metrics} == {0.75}


def test_tables_of_other_weights_are_not_taken(adapter):
    before = (adapter / "README.md").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="no result table was made with the present weights"):
        card_scores.update(str(adapter), [made_tables.slots()])
    assert (adapter / "README.md").read_text(encoding="utf-8") == before


def test_the_command_reads_a_folder_of_tables(adapter, document, refused, tmp_path):
    where = tmp_path / "tables"
    assert "no result tables" in refused("adapters", "card", str(adapter), "--tables", str(where))
    where.mkdir()
    tables.write(made_with(adapter), where)
    assert document("adapters", "card", str(adapter), "--tables", str(where)) == {
        "written": [str(adapter / "README.md")]
    }
    (adapter / "README.md").unlink()
    assert "has no card" in refused("adapters", "card", str(adapter), "--tables", str(where))


def test_a_card_with_other_line_ends_keeps_one_section(adapter):
    path = adapter / "README.md"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    said = card_scores.update(str(adapter), [made_with(adapter)]).read_text(encoding="utf-8")
    assert said.count("## Scores") == 1
    assert "Old ones." not in said
