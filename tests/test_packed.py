import copy
import pickle
import platform

import pytest
import torch

from midalign_demo import bases, packed
from midalign_demo.packed import PackedLinear, pack

DTYPES = (torch.float32, torch.bfloat16)


def layers(*, bias: bool = True, dtype: torch.dtype = torch.float32) -> tuple[torch.nn.Linear, torch.nn.Linear]:
    """The same layer twice, as torch has it and packed."""
    if not packed._works(dtype):
        pytest.skip(f"this torch or this CPU has no such weights in {dtype}")
    usual = torch.nn.Linear(24, 40, bias=bias, dtype=dtype).requires_grad_(False)
    quick = copy.deepcopy(usual)
    pack(quick)
    assert type(quick) is PackedLinear
    return usual, quick


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(24,), (0, 24), (1, 24), (5, 24), (2, 3, 24), (7, 1, 24), (40, 9, 24)])
def test_the_same_comes_out_for_any_shape_and_strides(shape, dtype, bias):
    usual, quick = layers(bias=bias, dtype=dtype)
    states = torch.randn(*shape[:-1], 48, dtype=dtype)[..., ::2]
    tolerance = {"rtol": 0.02, "atol": 0.01} if dtype == torch.bfloat16 else {}
    torch.testing.assert_close(quick(states), usual(states), **tolerance)
    assert quick(states).shape == (*shape[:-1], 40)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_weight_is_still_there_bit_for_bit(dtype):
    usual, quick = layers(dtype=dtype)
    assert torch.equal(quick.weight, usual.weight)
    assert torch.equal(quick.state_dict()["weight"], usual.weight)
    assert torch.equal(quick.state_dict()["bias"], usual.bias)


@pytest.mark.skipif(
    platform.machine().lower() not in {"x86_64", "amd64"} or not torch.backends.mkldnn.is_available(),
    reason="no oneDNN for x86 in this torch",
)
def test_this_torch_can_do_it():
    assert packed._works(torch.float32)


def test_weights_are_held_once():
    _, quick = layers()
    assert [name for name, _ in quick.named_parameters()] == ["bias"]
    assert quick._kept is None


def test_gradients_go_through():
    usual, quick = layers()
    states = [torch.randn(6, 24), None]
    states[1] = states[0].clone()
    for layer, its in zip((usual, quick), states, strict=True):
        layer(its.requires_grad_()).square().sum().backward()
    torch.testing.assert_close(states[1].grad, states[0].grad)


@pytest.mark.parametrize(
    "change",
    [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer)), torch.nn.Module.double],
    ids=["copied", "pickled", "in another dtype"],
)
def test_what_is_made_of_it_is_torch_s_own_layer(change):
    usual, quick = layers()
    found = change(quick)
    assert type(found) is torch.nn.Linear
    assert torch.equal(found.weight.float(), usual.weight)
    assert torch.equal(found.bias.float(), usual.bias)
    assert not found.weight.requires_grad
    states = torch.randn(3, 24)
    torch.testing.assert_close(found(states.to(found.weight.dtype)).float(), usual(states))


def test_a_copy_leaves_the_layer_packed():
    _, quick = layers()
    copy.deepcopy(quick)
    assert type(quick) is PackedLinear


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_model_that_is_large_for_the_machine_is_left_as_it_is(monkeypatch, share):
    layer = torch.nn.Linear(24, 40).requires_grad_(False)
    monkeypatch.setattr(packed, "_works", lambda dtype: True)
    monkeypatch.setattr(packed, "_memory", lambda: (layer.weight.nbytes - 1 + share) / packed.MOST_OF_MEMORY)
    monkeypatch.setattr(PackedLinear, "_pack", lambda self, keep: None)
    pack(layer)
    assert type(layer) is (PackedLinear if share else torch.nn.Linear)


class Own(torch.nn.Linear):
    """Another class than torch's own."""


@pytest.mark.parametrize("other", [Own(24, 40), torch.nn.Linear(24, 40, dtype=torch.float64)])
def test_others_are_left_as_they_are(other):
    kind = type(other)
    pack(other)
    assert type(other) is kind
    assert "weight" in dict(other.named_parameters())


def test_where_torch_can_not_do_it_nothing_is_packed(monkeypatch):
    monkeypatch.setattr(packed, "_works", lambda dtype: False)
    layer = torch.nn.Linear(24, 40)
    pack(layer)
    assert type(layer) is torch.nn.Linear


@pytest.mark.parametrize("machine", ["arm64", "aarch64"])
def test_only_x86_packs(monkeypatch, machine):
    monkeypatch.setattr(packed.platform, "machine", lambda: machine)
    assert packed._works.__wrapped__(torch.float32) is False


def test_a_torch_without_the_operation_does_not_pack(monkeypatch):
    def missing(*arguments):
        raise NotImplementedError

    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", missing)
    assert packed._works.__wrapped__(torch.float32) is False


needs_float32 = pytest.mark.skipif(
    not packed._works(torch.float32), reason="this torch or this CPU has no such weights"
)
FAMILIES = ("llama", "gemma2", "gemma3_text", "qwen3")


@needs_float32
@pytest.mark.parametrize("family", FAMILIES)
def test_a_packed_base_says_the_same_and_has_the_same_weights(load_base, family):
    usual, quick = load_base(family, trainable=True).model, load_base(family).model
    linear = [module for module in quick.modules() if isinstance(module, torch.nn.Linear)]
    assert linear
    assert all(type(module) is PackedLinear for module in linear)
    assert not any(isinstance(module, PackedLinear) for module in usual.modules())
    ids = torch.tensor([[5, 6, 7], [9, 3, 4]])
    with torch.inference_mode():
        torch.testing.assert_close(quick(input_ids=ids).logits, usual(input_ids=ids).logits)
    found, expected = quick.state_dict(), usual.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@needs_float32
@pytest.mark.parametrize("change", [lambda model: model, copy.deepcopy, lambda model: model.to(torch.bfloat16)])
def test_a_tied_head_still_has_the_embedding_s_weight(load_base, change):
    model = load_base("gemma3_text").model
    assert type(model.get_output_embeddings()) is PackedLinear
    model = change(model)
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


def test_a_base_that_is_to_be_trained_is_not_packed(base_folder):
    model = bases.load(str(base_folder), dtype="float32", trainable=True).model
    assert {type(module) for module in model.modules() if isinstance(module, torch.nn.Linear)} == {torch.nn.Linear}
