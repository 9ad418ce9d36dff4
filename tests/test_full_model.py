import pytest
import torch
from huggingface_hub import ModelCard
from transformers import AutoModelForCausalLM, AutoTokenizer

from midalign_demo.adapters import AdapterSet
from midalign_demo.errors import InputError
from midalign_demo.full_model import write_model
from midalign_demo.generation import Row
from tests import tiny

PROMPT = "What time is it in the harbour now?"


@pytest.mark.parametrize("family", sorted(tiny.CONFIGS))
def test_transformers_alone_gives_the_same_scores(family, load_base, base_folders, tmp_path):
    base = load_base(family)
    adapters = AdapterSet(base)
    adapters.load("task", str(tiny.save_adapter(tmp_path / "task", base_folders[family], rank=3, alpha=6, seed=1)))
    ids = torch.tensor([base.encode_prompt(PROMPT)])
    with torch.no_grad(), adapters.under({"task": 0.5}):
        expected = base.model(ids).logits
    write_model(adapters, {"task": 0.5}, tmp_path / "whole")
    with torch.no_grad():
        found = AutoModelForCausalLM.from_pretrained(tmp_path / "whole", dtype=torch.float32)(ids).logits
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
        plain = base.model(ids).logits  # the base itself is as it was
    assert (plain - expected).abs().max() > 1e-3


def test_the_command_writes_a_model_that_answers_as_the_variant(
    document, refused, engine, tiny_model, adapter_folders, tmp_path
):
    engine.set_merge("slot-filling", 0.3)
    weights = {"slot-filling": 1.0, "align": 0.3}
    expected = engine.generate([Row(PROMPT, weights)], max_new_tokens=12)[0].text
    written = document("export-model", tmp_path / "whole", "--align-weight", "0.3", *tiny_model)
    assert written == {"output": str(tmp_path / "whole"), "adapters": weights}
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "whole", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "whole")
    inputs = tokenizer(PROMPT, return_tensors="pt")
    made = model.generate(**inputs, max_new_tokens=12, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    text = tokenizer.decode(made, skip_special_tokens=True).strip(" ").lstrip("\n").partition("\n")[0]
    assert text.rstrip("\ufffd").strip() == expected
    card = ModelCard.load(tmp_path / "whole" / "README.md")
    assert (card.data.base_model, card.data.library_name) == (tiny_model[1], "transformers")
    assert "1 x `slot-filling` + 0.3 x `align`" in card.text
    assert "is there already" in refused("export-model", tmp_path / "whole", *tiny_model)


def test_an_unknown_adapter_leaves_nothing_behind(base, tmp_path):
    with pytest.raises(InputError, match="nothing"):
        write_model(AdapterSet(base), {"nothing": 1.0}, tmp_path / "whole")
    assert list(tmp_path.iterdir()) == []
