import json

import pytest
import torch
from huggingface_hub import ModelCard
from peft import PeftModel

from midalign_demo import card_scores, embedded, provenance, tables
from midalign_demo.errors import InputError
from midalign_demo.merging import write_sum
from tests import tiny
from tests.test_adapters import WEIGHTS, logits, plain_base, with_updates


def weighted(folders, weights=WEIGHTS) -> dict[str, float]:
    return {str(folders[name]): weight for name, weight in weights.items()}


def with_peft(base_folder, folder) -> torch.Tensor:
    return logits(PeftModel.from_pretrained(plain_base(base_folder), folder).eval())


@pytest.mark.parametrize("weights", [WEIGHTS, {"align": 1.6, "task": 0.7}, {"task": 1.0, "align": -0.5}])
def test_peft_loads_a_sum_and_gives_the_weighted_sum_of_the_updates(base_folder, adapter_folders, tmp_path, weights):
    folder = tmp_path / "out" / "merged"
    write_sum(weighted(adapter_folders, weights), folder)
    expected = with_updates(base_folder, {adapter_folders[name]: weight for name, weight in weights.items()})
    torch.testing.assert_close(with_peft(base_folder, folder), expected, rtol=1e-5, atol=1e-5)
    assert {path.name for path in folder.iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors", "README.md", "training.json",
    }  # fmt: skip
    assert [path.name for path in folder.parent.iterdir()] == ["merged"]
    assert json.loads((folder / "adapter_config.json").read_text())["r"] == 3 + 2
    assert "0.7 x `task`" in (folder / "README.md").read_text() or weights["task"] == 1


def test_adapters_of_different_layers_and_scalings_add_up(base_folder, tmp_path):
    low = tiny.save_adapter(tmp_path / "low", base_folder, rank=1, seed=3, layers=[0])
    high = tiny.save_adapter(tmp_path / "high", base_folder, rank=4, seed=4, layers=[2, 3], use_rslora=True)
    write_sum({str(low): 1.0, str(high): 0.5}, tmp_path / "both")
    expected = with_updates(base_folder, {low: 1.0, high: 0.5 * 2})  # alpha / sqrt(4) is twice alpha / 4
    torch.testing.assert_close(with_peft(base_folder, tmp_path / "both"), expected, rtol=1e-5, atol=1e-5)
    assert json.loads((tmp_path / "both" / "adapter_config.json").read_text())["layers_to_transform"] == [0, 2, 3]


def test_one_adapter_is_no_sum(adapter_folders, tmp_path):
    with pytest.raises(InputError, match="^merge: give at least two adapters"):
        write_sum({str(adapter_folders["task"]): 1.0}, tmp_path / "out")


def test_adapters_of_different_bases_are_refused(base_folder, adapter_folders, tmp_path):
    wide = tiny.save_adapter(tmp_path / "adapter", tiny.save_base(tmp_path / "wide", hidden_size=64))
    with pytest.raises(InputError, match="^merge: the adapters are for different bases: "):
        write_sum({str(adapter_folders["task"]): 1.0, str(wide): 1.0}, tmp_path / "out")
    config = json.loads((wide / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = str(base_folder)
    (wide / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="^merge: the adapters differ in the widths of 'model.layers.0"):
        write_sum({str(adapter_folders["task"]): 1.0, str(wide): 1.0}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_saving_does_not_overwrite(adapter_folders, tmp_path):
    (tmp_path / "here").mkdir()
    with pytest.raises(InputError, match="is there already"):
        write_sum(weighted(adapter_folders), tmp_path / "here")
    assert list((tmp_path / "here").iterdir()) == []


def test_the_card_of_a_shipped_sum_says_its_languages_data_licence_and_scores(tmp_path):
    write_sum({"slot-filling": 1.0, "align": 0.2}, tmp_path / "merged")  # the weight that the tables were made with
    card = ModelCard.load(tmp_path / "merged" / "README.md")
    assert (card.data.base_model, card.data.license) == (embedded.HUB_ID, "gemma")
    aligned = provenance.training_of("align").aligned
    assert set(card.data.language) == aligned | provenance.training_of("slot-filling").supervised
    assert "davidstap/NTREX" in card.data.datasets
    assert "Gemma Terms of Use" in card.text
    table = tables.read(tables.folder() / "slots-snips.json")
    scores = {(result.dataset_type, result.metric_name): result.metric_value for result in card.data.eval_results}
    assert scores["slots-snips", "f1"] == round(table.result["variants"]["merged"]["overall"]["f1"], 4)
    assert scores["slots-snips", "f1"] != round(table.result["variants"]["task"]["overall"]["f1"], 4)
    assert not any(name.startswith("retrieval") for name, _ in scores)  # there the sum was not measured


def test_a_sum_with_other_weights_has_no_scores(tmp_path):
    write_sum({"slot-filling": 1.0, "align": 0.3}, tmp_path / "merged")
    assert ModelCard.load(tmp_path / "merged" / "README.md").data.eval_results is None
    published = [tables.read(path) for path in tables.paths_in(tables.folder())]
    with pytest.raises(InputError, match="no result table was made with the present weights"):
        card_scores.update(str(tmp_path / "merged"), published)
