import json
import shutil

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from midalign_demo import adapters
from midalign_demo.adapters import AdapterSet
from midalign_demo.errors import InputError
from tests import tiny

IDS = torch.tensor([[1, 60, 90, 33, 120, 77, 8]])
WEIGHTS = {"task": 0.7, "align": 1.6}


def message_of(function, *arguments) -> str:
    with pytest.raises(InputError) as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(IDS).logits


def plain_base(base_folder):
    return AutoModelForCausalLM.from_pretrained(base_folder, dtype=torch.float32).eval()


def with_updates(base_folder, weighted: dict) -> torch.Tensor:
    """Logits of the base with `weight * scaling * B A` of each adapter folder added to its weight matrices."""
    model = plain_base(base_folder)
    modules = dict(model.named_modules())
    for folder, weight in weighted.items():
        config = json.loads((folder / "adapter_config.json").read_text())
        factors = load_file(folder / "adapter_model.safetensors")
        for key, a in factors.items():
            if ".lora_A." in key:
                b = factors[key.replace(".lora_A.", ".lora_B.")]
                target = modules[key.removeprefix("base_model.model.").split(".lora_A.")[0]]
                target.weight.data += weight * config["lora_alpha"] / config["r"] * (b @ a)
    return logits(model)


def loaded_set(base, adapter_folders, names=("task", "align")) -> AdapterSet:
    result = AdapterSet(base)
    for name in names:
        result.load(name, str(adapter_folders[name]))
    return result


@pytest.mark.parametrize("order", [("task", "align"), ("align", "task")])
@pytest.mark.parametrize("weights", [WEIGHTS, {"align": 1.6, "task": 0.7}, {"task": 1.0, "align": -0.5}])
def test_adapters_add_up_to_exactly_the_weighted_sum_of_their_updates(
    base, base_folder, adapter_folders, order, weights
):
    loaded = loaded_set(base, adapter_folders, order)
    with loaded.under(weights):
        found = logits(loaded.base.model)
    expected = with_updates(base_folder, {adapter_folders[name]: weight for name, weight in weights.items()})
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    only_task = with_updates(base_folder, {adapter_folders["task"]: weights["task"]})
    assert (found - only_task).abs().max() > 0.01


def test_three_adapters_add_up(base, base_folder, adapter_folders, tmp_path):
    third = tiny.save_adapter(tmp_path / "third", base_folder, rank=1, seed=9, layers=[3])
    loaded = loaded_set(base, adapter_folders)
    loaded.load("third", str(third))
    with loaded.under({"align": 0.5, "third": 2.0, "task": 1.0}):
        found = logits(loaded.base.model)
    weighted = {adapter_folders["align"]: 0.5, third: 2.0, adapter_folders["task"]: 1.0}
    torch.testing.assert_close(found, with_updates(base_folder, weighted), rtol=1e-4, atol=5e-5)


def test_under_no_adapter_the_base_is_bare(base, base_folder, adapter_folders):
    loaded = loaded_set(base, adapter_folders)
    untouched = logits(plain_base(base_folder))
    with loaded.under({"task": 1}):
        assert (logits(base.model) - untouched).abs().max() > 0.01
    with loaded.under({}):
        torch.testing.assert_close(logits(base.model), untouched, rtol=0, atol=0)


def test_without_adapters_the_model_is_the_base_itself(base):
    loaded = AdapterSet(base)
    assert loaded.names == []
    untouched = logits(base.model)
    with loaded.under({}):
        torch.testing.assert_close(logits(base.model), untouched, rtol=0, atol=0)
    assert message_of(enter, loaded.under({"task": 1})) == "adapter: 'task' is not one of those loaded (none)"


def enter(context):
    with context:
        pass


def test_loading_freezes_the_weights_and_leaves_eval_mode(base, adapter_folders):
    loaded = loaded_set(base, adapter_folders)
    with loaded.under(WEIGHTS):
        assert not any(weight.requires_grad for weight in loaded.base.model.parameters())
        assert not any(module.training for module in loaded.base.model.modules())


def test_unknown_names_are_refused_and_the_next_call_is_right(base, base_folder, adapter_folders):
    loaded = loaded_set(base, adapter_folders)
    for use in (loaded.under({"tusk": 1}), loaded.rows([{"task": 1}, {"task": 1, "tusk": 1}])):
        assert message_of(enter, use) == "adapter: 'tusk' is not one of task, align"
    with loaded.under({"task": 1}):
        found = logits(loaded.base.model)
    expected = with_updates(base_folder, {adapter_folders["task"]: 1.0})
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_adapters_are_not_put_on_twice(base, adapter_folders):
    loaded = loaded_set(base, adapter_folders)
    with loaded.under({"task": 1}), pytest.raises(RuntimeError, match="in use"), loaded.under({}):
        pass


def test_rank_stabilised_adapters_have_their_own_scaling(base, base_folder, adapter_folders, tmp_path):
    loaded = loaded_set(base, adapter_folders)
    folder = tiny.save_adapter(tmp_path / "rs", base_folder, use_rslora=True)
    loaded.load("rs", str(folder))
    rank = json.loads((folder / "adapter_config.json").read_text())["r"]
    with loaded.under({"task": 1, "rs": 0.5}):  # its scaling is alpha / sqrt(r), where alpha / r is usual
        found = logits(base.model)
    expected = with_updates(base_folder, {adapter_folders["task"]: 1.0, folder: 0.5 * rank**0.5})
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_an_adapter_of_another_width_is_refused_before_it_is_loaded(base, adapter_folders, tmp_path):
    wide = tiny.save_base(tmp_path / "wide", hidden_size=64)
    folder = tiny.save_adapter(tmp_path / "adapter", wide)
    loaded = AdapterSet(base)
    message = message_of(loaded.load, "wide", str(folder))
    assert str(folder) in message
    assert "has width 32, the adapter 64" in message
    assert loaded.names == []
    loaded.load("task", str(adapter_folders["task"]))
    assert loaded.names == ["task"]


def test_an_adapter_with_more_layers_is_refused_with_the_module(base, tmp_path):
    deep = tiny.save_base(tmp_path / "deep", num_hidden_layers=6)
    folder = tiny.save_adapter(tmp_path / "adapter", deep, layers=[5])
    assert "has no linear layer 'model.layers.5." in message_of(adapters.check_fits, str(folder), base)


def test_an_alpha_pattern_is_read_as_peft_reads_it(base, base_folder, tmp_path):
    pattern = {"layers.1.self_attn.q_proj": 3, "down_proj": 7}
    folder = tiny.save_adapter(tmp_path / "pattern", base_folder, rank=2, alpha=4, alpha_pattern=pattern)
    loaded = AdapterSet(base)
    loaded.load("pattern", str(folder))
    with loaded.under({"pattern": 1}):
        found = logits(base.model)
    expected = logits(PeftModel.from_pretrained(plain_base(base_folder), folder).eval())
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    plain = with_updates(base_folder, {folder: 1.0})
    assert (found - plain).abs().max() > 0.01


def test_half_a_pair_of_factors_is_refused(base, adapter_folders, tmp_path):
    folder = shutil.copytree(adapter_folders["task"], tmp_path / "half")
    tensors = load_file(adapter_folders["task"] / "adapter_model.safetensors")
    key = next(key for key in tensors if ".lora_B." in key)
    save_file({name: tensor for name, tensor in tensors.items() if name != key}, folder / "adapter_model.safetensors")
    assert "has no pair of factors of one rank for 'model.layers.0" in message_of(
        adapters.check_fits, str(folder), base
    )
    save_file({**tensors, key: tensors[key][:, :1].contiguous()}, folder / "adapter_model.safetensors")
    assert "has no pair of factors of one rank" in message_of(adapters.check_fits, str(folder), base)
    save_file({**tensors, "base_model.model.lm_head.bias": torch.ones(2)}, folder / "adapter_model.safetensors")
    assert "which is not a LoRA weight of a linear layer" in message_of(adapters.check_fits, str(folder), base)


def test_a_truncated_file_is_refused(base, adapter_folders, tmp_path):
    folder = shutil.copytree(adapter_folders["task"], tmp_path / "cut")
    weights = folder / "adapter_model.safetensors"
    for size in (weights.stat().st_size - 1, 100, 0):
        weights.write_bytes((adapter_folders["task"] / weights.name).read_bytes()[:size])
        message = message_of(AdapterSet(base).load, "cut", str(folder))
        assert "is not a whole safetensors file" in message


def test_locate_takes_a_folder_and_refuses_what_is_no_adapter(adapter_folders, tmp_path):
    assert adapters.locate(str(adapter_folders["task"])) == adapter_folders["task"]
    assert "'no-such-adapter' is neither a shipped adapter" in message_of(adapters.locate, "no-such-adapter")
    assert "adapter_config.json" in message_of(adapters.locate, str(tmp_path))


@pytest.mark.parametrize(
    ("config", "expected"), [("{", "is not JSON"), ('{"peft_type": "IA3"}', "is of type 'IA3'; only LORA is supported")]
)
def test_configs_that_are_no_lora_are_refused(adapter_folders, tmp_path, config, expected):
    folder = shutil.copytree(adapter_folders["task"], tmp_path / "other")
    (folder / "adapter_config.json").write_text(config)
    assert expected in message_of(adapters.read_config, str(folder))


def test_shipped_adapters_are_complete_folders():
    for name in adapters.shipped():
        assert adapters.read_config(name)["r"] >= 1
        assert adapters.locate(name) == adapters.shipped_folder() / name


def test_adapters_limited_to_different_layers_add_up(base, base_folder, tmp_path):
    loaded = AdapterSet(base)
    for name, layers in (("low", [0, 1]), ("high", [2, 3])):
        loaded.load(name, str(tiny.save_adapter(tmp_path / name, base_folder, rank=1, seed=3, layers=layers)))
    with loaded.under({"low": 1.0, "high": 1.0}):
        found = logits(base.model)
    expected = with_updates(base_folder, {tmp_path / "low": 1.0, tmp_path / "high": 1.0})
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_a_weight_that_is_no_number_is_refused(base, adapter_folders):
    loaded = loaded_set(base, adapter_folders)
    assert "the weight of 'align' is nan" in message_of(enter, loaded.under({"task": 1.0, "align": float("nan")}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("use_dora", True),
        ("modules_to_save", ["lm_head"]),
        ("bias", "all"),
        ("alora_invocation_tokens", [70]),
        ("use_qalora", True),
        ("init_lora_weights", "pissa_niter_4"),
        ("init_lora_weights", "olora"),
    ],
)
def test_adapters_that_are_not_plain_lora_are_refused(adapter_folders, tmp_path, key, value):
    folder = shutil.copytree(adapter_folders["task"], tmp_path / "other")
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, key: value}))
    with pytest.raises(InputError, match=key):
        adapters.read_config(str(folder))


@pytest.mark.parametrize("start", ["gaussian", "orthogonal", False])
def test_other_beginnings_are_loaded_as_peft_loads_them(base, base_folder, tmp_path, start):
    folder = tiny.save_adapter(tmp_path / "adapter", base_folder, rank=2, init_lora_weights=start)
    loaded = AdapterSet(base)
    loaded.load("it", str(folder))
    with loaded.under({"it": 1.0}):
        found = logits(base.model)
    theirs = logits(PeftModel.from_pretrained(plain_base(base_folder), folder).eval())
    torch.testing.assert_close(found, theirs, rtol=1e-5, atol=1e-5)


def test_an_adapter_that_takes_something_out_of_the_base_would_be_misread(base, base_folder, tmp_path):
    """Why such are refused: PEFT's answer isn't the base's with the factors' product added."""
    folder = tiny.save_adapter(tmp_path / "adapter", base_folder, rank=2, init_lora_weights="olora")
    theirs = logits(PeftModel.from_pretrained(plain_base(base_folder), folder).eval())
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, "init_lora_weights": True}))
    assert (with_updates(base_folder, {folder: 1.0}) - theirs).abs().max() > 0.1
