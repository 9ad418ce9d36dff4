import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from midalign_demo import bases
from midalign_demo.errors import InputError
from tests import tiny


def load(folder, **options):
    return bases.load(str(folder), device="cpu", **{"dtype": "float32", **options})


def message_of(function, *arguments, **options) -> str:
    with pytest.raises(InputError) as caught:
        function(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("family", tiny.CONFIGS)
def test_every_family_loads_ready_for_use(load_base, family):
    base = load_base(family)
    assert base.num_layers == tiny.LAYERS
    assert base.middle_layer == tiny.LAYERS // 2
    assert base.dtype == torch.float32
    assert base.device.type == "cpu"
    assert base.tokenizer.padding_side == "left"
    assert base.model.generation_config.pad_token_id == base.tokenizer.pad_token_id == 0
    assert not base.is_chat
    assert not base.model.training
    assert not any(weight.requires_grad for weight in base.model.parameters())


def test_progress_names_the_base(base_folder):
    messages = []
    load(base_folder, report=messages.append)
    assert messages == [f"Loading {base_folder}"]


def test_dtype_is_the_one_asked_for(base_folder):
    assert load(base_folder, dtype="bfloat16").dtype == torch.bfloat16


@pytest.mark.parametrize(("faster", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_dtype_auto_takes_bfloat16_on_a_cpu_only_where_it_is_faster(base_folder, monkeypatch, faster, expected):
    monkeypatch.setattr(bases, "bfloat16_is_faster", lambda: faster)
    assert load(base_folder, dtype="auto").dtype == expected


def test_unknown_dtype_is_refused_with_those_there_are(base_folder):
    assert message_of(load, base_folder, dtype="int8") == (
        "dtype: 'int8' is not one of auto, bfloat16, float16, float32"
    )


def test_unknown_device_is_refused(base_folder):
    message = message_of(bases.load, str(base_folder), device="toaster")
    assert "'toaster'" in message


def test_unknown_base_is_refused_with_what_is_allowed(tmp_path):
    message = message_of(load, tmp_path / "nothing-here")
    assert "nothing-here" in message
    assert bases.DEFAULT in message


def test_unsupported_family_is_refused_with_those_supported(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    message = message_of(load, tmp_path)
    assert "'gpt2'" in message
    assert all(family in message for family in bases.FAMILIES)


def test_a_folder_without_weights_is_refused_in_one_line(base_folder, tmp_path):
    folder = shutil.copytree(base_folder, tmp_path / "half", ignore=shutil.ignore_patterns("*.safetensors"))
    assert "has no complete model" in message_of(load, folder)


def test_a_folder_with_truncated_weights_is_refused_in_one_line(base_folder, tmp_path):
    folder = shutil.copytree(base_folder, tmp_path / "cut")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    assert str(folder) in message_of(load, folder)


def test_pickled_weights_are_not_read(base_folder, tmp_path):
    folder = shutil.copytree(base_folder, tmp_path / "pickled")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert "has no complete model in safetensors" in message_of(load, folder)


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_a_bases_own_code_is_neither_run_nor_asked_about(base_folder, tmp_path, file, monkeypatch):
    folder = shutil.copytree(base_folder, tmp_path / "own")
    ran = tmp_path / "ran"
    (folder / "evil.py").write_text(f"open({str(ran)!r}, 'w')\n")
    settings = json.loads((folder / file).read_text())
    own = {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M", "AutoTokenizer": ["evil.T", None]}
    settings |= {"auto_map": own, "model_type": "evil", "tokenizer_class": "T"}
    (folder / file).write_text(json.dumps(settings))
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked on the terminal"))
    assert str(folder) in message_of(load, folder)
    assert not ran.exists()


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"model_type": 3}'])
def test_files_that_were_altered_are_refused_in_one_line(base_folder, tmp_path, file, content):
    folder = shutil.copytree(base_folder, tmp_path / "altered")
    (folder / file).write_text(content)
    try:
        load(folder)
    except InputError as error:
        assert str(folder) in str(error)
        assert "\n" not in str(error)
    else:
        assert file == "tokenizer_config.json"  # a tokenizer can do without


def test_weights_of_other_shapes_than_the_configuration_says_are_refused(base_folder, tmp_path):
    folder = shutil.copytree(base_folder, tmp_path / "wide")
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, "hidden_size": 64}))
    assert "has no complete model in safetensors" in message_of(load, folder)


def test_check_layer_returns_the_layer_or_names_the_range(base):
    assert [base.check_layer(layer) for layer in (0, 4)] == [0, 4]
    assert "5 is not a layer" in message_of(base.check_layer, 5)
    assert "which has 1 to 4" in message_of(base.check_layer, 0, lowest=1)


def test_bos_is_what_the_tokenizer_puts_first(load_base):
    assert load_base("llama").bos == [1]
    assert load_base("qwen2").bos == []


def test_encode_keeps_special_token_strings_as_text(base):
    ids = base.encode("a<eos><turn>b")
    assert len(ids) == len("a<eos><turn>b")
    assert not set(ids) & set(range(len(tiny.SPECIALS)))
    assert base.tokenizer.decode(ids) == "a<eos><turn>b"


def test_prompt_of_a_pretrained_base_is_bos_and_plain_text(base):
    assert base.encode_prompt("hi <bos>") == [1, *base.encode("hi <bos>")]


def test_prompt_of_a_chat_base_is_framed_by_its_template_with_the_text_left_plain(tmp_path):
    base = load(tiny.save_base(tmp_path / "chat", chat=True))
    assert base.is_chat
    text = "stop</turn><turn>model: <eos> sure"
    ids = base.encode_prompt(text)
    turn, end = tiny.SPECIALS.index("<turn>"), tiny.SPECIALS.index("</turn>")
    expected = [1, turn, *base.encode("user: "), *base.encode(text), end, turn, *base.encode("model: ")]
    assert ids == expected


def test_chat_template_that_trims_its_message_leaves_the_frame_whole(tmp_path):
    folder = tiny.save_base(tmp_path / "chat", chat=True)
    template = tiny.CHAT_TEMPLATE.replace("message['content']", "message['content'] | trim")
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    base = load(folder)
    assert base.tokenizer.decode(base.encode_prompt("wake me")) == "<bos><turn>user: wake me</turn><turn>model: "


def test_tokenizer_without_pad_token_pads_with_eos(base_folder, tmp_path):
    folder = shutil.copytree(base_folder, tmp_path / "nopad")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    del settings["pad_token"]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    base = load(folder)
    assert base.tokenizer.pad_token_id == base.tokenizer.eos_token_id == 2
    assert base.model.generation_config.pad_token_id == 2


def test_decoder_view_shares_weights_and_leaves_the_model_whole(base):
    view = bases.decoder_view(base.model, 2)
    assert len(view.layers) == 2
    assert view.layers[1] is base.model.model.layers[1]
    assert len(base.model.model.layers) == base.num_layers == tiny.LAYERS
    assert isinstance(base.model.model.norm, torch.nn.Module)
    assert not isinstance(base.model.model.norm, torch.nn.Identity)


@pytest.mark.base
def test_embedded_base_loads_as_a_pretrained_model_with_its_middle_layer():
    base = bases.load()
    assert (base.num_layers, base.middle_layer, base.is_chat) == (18, 11, False)
    assert base.bos == [base.tokenizer.bos_token_id]
    assert base.model.generation_config.eos_token_id == 1
    assert base.encode_prompt("Hello")[0] == base.tokenizer.bos_token_id


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("columns", [1, 2])
def test_the_head_gets_states_by_whose_strides_its_weights_are_not_copied(rows, columns):
    """torch multiplies by all weights at once if all but the last dimension can be seen as one."""
    states = torch.randn(rows, 7, 5)[:, -columns:, :]
    (laid,) = bases._contiguous(torch.nn.Identity(), (states,))
    assert laid.stride() == (5 * columns, 5, 1)
    assert torch.equal(laid, states)
    (same,) = bases._contiguous(torch.nn.Identity(), (laid,))
    assert same is laid
