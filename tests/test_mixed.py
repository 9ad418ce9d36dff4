import pytest
import torch
from peft import PeftModel

from midalign_demo import bases, mixed
from midalign_demo.adapters import AdapterSet
from tests.test_adapters import IDS, loaded_set, logits, plain_base, with_updates


def of_rows(loaded: AdapterSet, rows: list[dict[str, float]]) -> torch.Tensor:
    with loaded.rows(rows), torch.no_grad():
        return loaded.base.model(IDS.expand(len(rows), -1)).logits


def test_each_row_is_computed_with_its_own_updates_added_to_the_weights(base, base_folder, adapter_folders):
    loaded = loaded_set(base, adapter_folders)
    rows = [{"task": 0.7, "align": 1.6}, {}, {"align": 1}, {"task": 1}, {}]
    found = of_rows(loaded, rows)
    for row, weights in zip(found, rows, strict=True):
        expected = with_updates(base_folder, {adapter_folders[name]: weight for name, weight in weights.items()})
        torch.testing.assert_close(row, expected[0], rtol=1e-5, atol=1e-5)


def test_rows_of_the_bare_base_are_untouched_to_the_last_bit(base, base_folder, adapter_folders):
    loaded = loaded_set(base, adapter_folders)
    with torch.no_grad():
        expected = plain_base(base_folder)(IDS.expand(2, -1)).logits
    assert torch.equal(of_rows(loaded, [{"task": 1}, {}])[1], expected[1])


def test_rows_agree_with_peft(base, base_folder, adapter_folders):
    loaded = loaded_set(base, adapter_folders)
    for name in ("task", "align"):
        whole = PeftModel.from_pretrained(plain_base(base_folder), adapter_folders[name]).eval()
        torch.testing.assert_close(of_rows(loaded, [{name: 1}]), logits(whole), rtol=1e-5, atol=1e-5)


def test_new_weights_take_effect_in_the_next_batch(base, base_folder, adapter_folders):
    loaded = loaded_set(base, adapter_folders)
    of_rows(loaded, [{"task": 1.0, "align": 1.0}])
    found = of_rows(loaded, [{"task": 1.0, "align": 0.25}])
    expected = with_updates(base_folder, {adapter_folders["task"]: 1.0, adapter_folders["align"]: 0.25})
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_one_row_of_weights_goes_for_any_number_of_rows(base, adapter_folders):
    loaded = loaded_set(base, adapter_folders)
    with loaded.under({"task": 0.5}), torch.no_grad():
        three = base.model(IDS.expand(3, -1)).logits
    for row in three:
        torch.testing.assert_close(row, of_rows(loaded, [{"task": 0.5}])[0], rtol=1e-5, atol=1e-5)


def test_an_adapter_loaded_later_joins_the_batch(base, base_folder, adapter_folders):
    loaded = loaded_set(base, adapter_folders, names=("task",))
    of_rows(loaded, [{"task": 1}])
    loaded.load("align", str(adapter_folders["align"]))
    found = of_rows(loaded, [{"align": 1}, {"task": 1}])
    for row, name in zip(found, ("align", "task"), strict=True):
        torch.testing.assert_close(
            row, with_updates(base_folder, {adapter_folders[name]: 1.0})[0], rtol=1e-5, atol=1e-5
        )


def test_nothing_stays_behind_after_an_error(base, base_folder, adapter_folders):
    loaded = loaded_set(base, adapter_folders)
    with pytest.raises(RuntimeError, match="broken"), loaded.under({"task": 1}):
        raise RuntimeError("broken")
    assert not any(module._forward_hooks for module in base.model.modules())
    with loaded.under({}):
        torch.testing.assert_close(logits(base.model), logits(plain_base(base_folder)), rtol=0, atol=0)
    with loaded.under({"task": 1}):
        expected = with_updates(base_folder, {adapter_folders["task"]: 1.0})
        torch.testing.assert_close(logits(base.model), expected, rtol=1e-5, atol=1e-5)


def test_in_bfloat16_rows_stay_near_full_precision(base_folder, adapter_folders):
    loaded = loaded_set(bases.load(str(base_folder), dtype="bfloat16", device="cpu"), adapter_folders)
    found = of_rows(loaded, [{"task": 1}])
    assert found.dtype == torch.bfloat16
    expected = with_updates(base_folder, {adapter_folders["task"]: 1.0})
    assert (found.float() - expected).abs().max() < 0.1 * expected.abs().max()


def test_of_the_sets_of_adapters_a_few_are_kept_and_each_is_right(base, base_folder, adapter_folders, monkeypatch):
    monkeypatch.setattr(mixed, "MOST_STACKS", 2)
    loaded = loaded_set(base, adapter_folders)
    for names in (["task"], ["align"], [], ["task", "align"], ["task"], ["align"]):
        weights = dict.fromkeys(names, 1.0)
        expected = with_updates(base_folder, {adapter_folders[name]: 1.0 for name in names})
        torch.testing.assert_close(of_rows(loaded, [weights]), expected, rtol=1e-5, atol=1e-5)
        assert len(loaded._rows._stacks) <= 2
