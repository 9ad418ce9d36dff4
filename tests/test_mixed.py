import pytest
import torch

from midalign_demo import bases
from midalign_demo.adapters import AdapterSet
from tests.test_adapters import IDS, loaded_set, logits, plain_base, with_updates


def of_rows(loaded: AdapterSet, names: list[str | None]) -> torch.Tensor:
    with loaded.mixed(names), torch.no_grad():
        return loaded.base.model(IDS.expand(len(names), -1)).logits


def test_each_row_is_computed_with_its_own_updates_added_to_the_weights(base, base_folder, adapter_folders):
    loaded = loaded_set(base, adapter_folders)
    loaded.merge("merged", {"task": 0.7, "align": 1.6})
    found = of_rows(loaded, ["merged", None, "align", "task", None])
    task, align = adapter_folders["task"], adapter_folders["align"]
    for row, updates in zip(found, [{task: 0.7, align: 1.6}, {}, {align: 1.0}, {task: 1.0}, {}], strict=True):
        torch.testing.assert_close(row, with_updates(base_folder, updates)[0], rtol=1e-5, atol=1e-5)


def test_rows_of_the_bare_base_are_untouched_to_the_last_bit(base, base_folder, adapter_folders):
    loaded = loaded_set(base, adapter_folders)
    with torch.no_grad():
        expected = plain_base(base_folder)(IDS.expand(2, -1)).logits
    assert torch.equal(of_rows(loaded, ["task", None])[1], expected[1])


def test_rows_agree_with_the_adapter_switched_on_for_the_whole_model(base, adapter_folders):
    loaded = loaded_set(base, adapter_folders)
    for name in ("task", "align"):
        with loaded.active(name):
            expected = logits(base.model)
        torch.testing.assert_close(of_rows(loaded, [name])[:1], expected, rtol=1e-5, atol=1e-5)


def test_a_merge_made_anew_takes_effect_in_the_next_batch(base, base_folder, adapter_folders):
    loaded = loaded_set(base, adapter_folders)
    loaded.merge("merged", {"task": 1.0, "align": 1.0})
    of_rows(loaded, ["merged"])
    loaded.merge("merged", {"task": 1.0, "align": 0.25})
    expected = with_updates(base_folder, {adapter_folders["task"]: 1.0, adapter_folders["align"]: 0.25})
    torch.testing.assert_close(of_rows(loaded, ["merged"]), expected, rtol=1e-5, atol=1e-5)


def test_an_adapter_loaded_later_joins_the_batch(base, base_folder, adapter_folders):
    loaded = loaded_set(base, adapter_folders, names=("task",))
    of_rows(loaded, ["task"])
    loaded.load("align", str(adapter_folders["align"]))
    found = of_rows(loaded, ["align", "task"])
    for row, name in zip(found, ("align", "task"), strict=True):
        torch.testing.assert_close(
            row, with_updates(base_folder, {adapter_folders[name]: 1.0})[0], rtol=1e-5, atol=1e-5
        )


def test_nothing_stays_behind_after_an_error(base, base_folder, adapter_folders):
    loaded = loaded_set(base, adapter_folders)
    with pytest.raises(RuntimeError, match="broken"), loaded.mixed(["task"]):
        raise RuntimeError("broken")
    assert not any(module._forward_hooks for module in base.model.modules())
    with loaded.active(None):
        torch.testing.assert_close(logits(base.model), logits(plain_base(base_folder)), rtol=1e-6, atol=1e-6)
    with loaded.active("task"):
        expected = with_updates(base_folder, {adapter_folders["task"]: 1.0})
        torch.testing.assert_close(logits(base.model), expected, rtol=1e-5, atol=1e-5)


def test_in_bfloat16_rows_stay_near_full_precision(base_folder, adapter_folders):
    loaded = loaded_set(bases.load(str(base_folder), dtype="bfloat16", device="cpu"), adapter_folders)
    found = of_rows(loaded, ["task"])
    assert found.dtype == torch.bfloat16
    expected = with_updates(base_folder, {adapter_folders["task"]: 1.0})
    assert (found.float() - expected).abs().max() < 0.1 * expected.abs().max()
