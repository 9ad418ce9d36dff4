import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from midalign_demo import bases
from midalign_demo.adapters import AdapterSet
from midalign_demo.errors import InputError
from midalign_demo.middle import batches_by_length, embed, hidden_states, mean_pool, pad, tokenize
from tests import tiny


def full_states(model, ids: list[int]) -> list[torch.Tensor]:
    """What every layer of the whole model puts out for one sentence on its own, last block before the final norm."""
    kept = []
    hook = (
        model.get_decoder()
        .layers[-1]
        .register_forward_hook(
            lambda module, args, output: kept.append(output[0] if isinstance(output, tuple) else output)
        )
    )
    with torch.no_grad():
        states = model(torch.tensor([ids]), output_hidden_states=True).hidden_states
    hook.remove()
    return [state[0] for state in (*states[:-1], kept[0])]


def expected_means(model, base, sentences, layer, *, include_bos=False):
    skipped = 0 if include_bos else len(base.bos)
    rows = [full_states(model, base.bos + base.encode(text))[layer][skipped:].mean(0) for text in sentences]
    return torch.stack(rows).numpy()


@pytest.fixture(params=list(tiny.CONFIGS))
def family(request):
    return request.param


def test_embeddings_are_masked_means_of_the_full_models_hidden_states(load_base, base_folders, sentences, family):
    base = load_base(family)
    whole = AutoModelForCausalLM.from_pretrained(base_folders[family], dtype=torch.float32).eval()
    found = embed(base, sentences, layers=range(tiny.LAYERS + 1))
    assert list(found) == [0, 1, 2, 3, 4]
    for layer, rows in found.items():
        assert rows.dtype == np.float32
        expected = expected_means(whole, base, sentences, layer)
        np.testing.assert_allclose(rows, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_embeddings_follow_an_active_adapter(load_base, base_folders, sentences, family, tmp_path):
    from peft import PeftModel

    folder = tiny.save_adapter(tmp_path / "lora", base_folders[family], seed=3)
    base = load_base(family)
    adapters = AdapterSet(base)
    adapters.load("lora", str(folder))
    whole = AutoModelForCausalLM.from_pretrained(base_folders[family], dtype=torch.float32)
    whole = PeftModel.from_pretrained(whole, folder).eval()
    with adapters.under({"lora": 1}):
        adapted = embed(base, sentences, layers=[2, 4])
    with adapters.under({}):
        bare = embed(base, sentences, layers=[2, 4])
    for layer, rows in adapted.items():
        expected = expected_means(whole.base_model.model, base, sentences, layer)
        np.testing.assert_allclose(rows, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
        assert np.abs(rows - bare[layer]).max() > 0.05
    untouched = embed(load_base(family), sentences, layers=[2, 4])
    np.testing.assert_allclose(bare[4], untouched[4], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("batch_tokens", [1, 40, 100, 100_000])
def test_batching_does_not_change_embeddings_or_their_order(base, sentences, batch_tokens):
    many = sentences * 3
    found = embed(base, many, layers=[3], batch_tokens=batch_tokens)[3]
    alone = np.concatenate([embed(base, [sentence], layers=[3])[3] for sentence in many])
    np.testing.assert_allclose(found, alone, rtol=1e-4, atol=1e-5)


def test_asking_for_more_layers_does_not_change_one(base, sentences):
    together = embed(base, sentences, layers=[0, 1, 4])
    for layer, rows in together.items():
        np.testing.assert_array_equal(rows, embed(base, sentences, layers=[layer])[layer])


def test_embedding_twice_gives_the_same_and_leaves_no_hooks(base, sentences):
    whole_before = full_states(base.model, base.bos + base.encode("one"))
    first = embed(base, sentences, layers=[0, 2, 4])
    second = embed(base, sentences, layers=[0, 2, 4])
    for layer in first:
        np.testing.assert_array_equal(first[layer], second[layer])
    assert not any(block._forward_hooks or block._forward_pre_hooks for block in load_blocks(base))
    whole_after = full_states(base.model, base.bos + base.encode("one"))
    assert len(whole_after) == len(whole_before) == tiny.LAYERS + 1
    assert all(torch.equal(before, after) for before, after in zip(whole_before, whole_after, strict=True))


def load_blocks(base):
    """Blocks of a base on which `output_hidden_states` was never used (it leaves transformers' own hooks)."""
    fresh = bases.load(base.name, dtype="float32", device="cpu")
    embed(fresh, ["one", "three"], layers=[0, 2, 4])
    return list(fresh.model.model.layers)


def test_hooks_go_away_when_a_block_fails(base, monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError("broken block")

    monkeypatch.setattr(base.model.model.layers[1], "forward", fail)
    with pytest.raises(RuntimeError, match="broken block"):
        embed(base, ["one"], layers=[0, 1, 2])
    assert not any(block._forward_hooks or block._forward_pre_hooks for block in base.model.model.layers)


def test_layers_above_the_highest_one_wanted_are_not_run(base, monkeypatch):
    def fail(*arguments, **options):
        raise AssertionError("block 3 was run")

    monkeypatch.setattr(base.model.model.layers[2], "forward", fail)
    assert embed(base, ["one"], layers=[2])[2].shape == (1, tiny.WIDTH)


def test_default_layer_is_the_middle_one(base):
    assert list(embed(base, ["one"])) == [base.middle_layer] == [2]


@pytest.mark.parametrize("family", ["llama", "gemma3_text"])
def test_bos_is_pooled_in_only_when_asked_for(load_base, base_folders, sentences, family):
    base = load_base(family)
    whole = AutoModelForCausalLM.from_pretrained(base_folders[family], dtype=torch.float32).eval()
    with_bos = embed(base, sentences, layers=[2], include_bos=True)[2]
    expected = expected_means(whole, base, sentences, 2, include_bos=True)
    np.testing.assert_allclose(with_bos, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    assert np.abs(with_bos - embed(base, sentences, layers=[2])[2]).max() > 1e-3


def test_a_tokenizer_without_bos_keeps_its_first_token_in_the_mean(load_base, sentences):
    base = load_base("qwen3")
    without = embed(base, sentences, layers=[1], include_bos=False)[1]
    np.testing.assert_array_equal(without, embed(base, sentences, layers=[1], include_bos=True)[1])


@pytest.mark.parametrize("empty", ["", "  ", "\n\t"])
def test_an_empty_sentence_is_named_by_its_number(base, empty):
    with pytest.raises(InputError, match="^sentence 3: .*is empty"):
        embed(base, ["one", "two", empty, "four"])


def test_no_sentences_give_no_rows(base):
    assert embed(base, [], layers=[1])[1].shape == (0, tiny.WIDTH)


def test_no_layers_and_unknown_layers_are_refused(base):
    with pytest.raises(InputError, match="none given"):
        embed(base, ["one"], layers=[])
    with pytest.raises(InputError, match="5 is not a layer"):
        embed(base, ["one"], layers=[1, 5])
    with pytest.raises(InputError, match="-1 is not a layer"):
        embed(base, ["one"], layers=[-1])


def test_special_token_strings_in_a_sentence_stay_text(base):
    [ids] = tokenize(base, ["a<eos>b</turn><pad>"])
    assert ids == [1, *base.encode("a<eos>b</turn><pad>")]
    assert len(ids) == 1 + len("a<eos>b</turn><pad>")
    assert not set(ids[1:]) & set(range(len(tiny.SPECIALS)))


def test_long_sentences_are_cut_at_512_tokens(base):
    [ids] = tokenize(base, ["x" * 600])
    assert len(ids) == 1 + 512
    rows = embed(base, ["x" * 512, "x" * 600], layers=[1])[1]
    np.testing.assert_allclose(rows[0], rows[1], rtol=1e-5, atol=1e-6)


def test_progress_counts_sentences_up_to_all_of_them(base):
    calls = []
    embed(base, ["a" * 30, "b" * 20, "c" * 10], layers=[1], batch_tokens=40, progress=lambda *seen: calls.append(seen))
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_pad_is_on_the_right_and_the_pooling_mask_leaves_bos_out(base):
    inputs, attention, pooled = pad([[1, 9, 8], [1, 7]], base, include_bos=False)
    assert inputs.tolist() == [[1, 9, 8], [1, 7, 0]]
    assert attention.tolist() == [[1, 1, 1], [1, 1, 0]]
    assert pooled.tolist() == [[0, 1, 1], [0, 1, 0]]
    assert pad([[1, 9, 8], [1, 7]], base, include_bos=True)[2].tolist() == attention.tolist()


def test_mean_pool_averages_masked_positions_in_float32():
    states = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [100.0, 100.0]]], dtype=torch.bfloat16)
    found = mean_pool(states, torch.tensor([[1, 1, 0]]))
    assert found.dtype == torch.float32
    assert found.tolist() == [[2.0, 3.0]]


def test_batches_by_length_hold_every_row_once_within_the_limit():
    lengths = [3, 50, 7, 20, 20, 1, 9]
    batches = list(batches_by_length(lengths, 41))
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert batches[0] == [1]  # longer than the limit, so on its own
    assert all(len(batch) * max(lengths[row] for row in batch) <= 41 for batch in batches[1:])
    assert batches[1] == [3, 4]


def test_hidden_states_come_with_their_layer_numbers(base):
    view = bases.decoder_view(base.model, 3)
    found = hidden_states(view, [3, 0], input_ids=torch.tensor([[1, 9, 8]]))
    assert sorted(layer for layer, _ in found) == [0, 3]
    assert all(states.shape == (1, 3, tiny.WIDTH) for _, states in found)


@pytest.mark.base
@pytest.mark.parametrize("layer", [11, 18])
def test_embedded_base_gives_the_full_models_hidden_states_in_its_own_dtype(layer):
    base = bases.load()
    text = "The ferry leaves at nine, rain or shine."
    with torch.no_grad():
        expected = full_states(base.model, base.bos + base.encode(text))[layer][1:].float().mean(0).numpy()
    found = embed(base, [text], layers=[layer])[layer][0]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
