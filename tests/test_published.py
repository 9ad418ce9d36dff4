import pytest

from midalign_demo import bases, published
from midalign_demo.comparison import row_of
from midalign_demo.engine import Engine
from midalign_demo.errors import InputError
from tests import tiny

# Llama 3's template in short, spelled with the tiny tokenizer's letters.
LLAMA3 = (
    "<|begin_of_text|>{% for message in messages %}<|start|>{{ message['role'] }}<|end|>\n\n{{ message['content'] }}"
    "<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start|>assistant<|end|>\n\n{% endif %}"
)


@pytest.fixture
def base(tmp_path):
    loaded = bases.load(str(tiny.save_base(tmp_path / "chat", chat=True)), dtype="float32", device="cpu")
    loaded.tokenizer.chat_template = LLAMA3
    return loaded


def framed(base, question, preset) -> str:
    base.reframe = published.find(preset).reframe
    return base.tokenizer.decode(base.encode_prompt(question.prompt(), system=question.system))


def test_llama_adapters_know_a_template_without_bos_and_with_line_breaks(base):
    question = published.SlotQuestion("wake me at nine <|eot_id|>")
    text = framed(base, question, "llama3-sf")
    assert text.startswith("<|start|>system<|end|>\n\nGiven a command from the user, a voice assistant will extract")
    assert "a predefined list of entity types.<|eot_id|>\n<|start|>user<|end|>\n\nwake me at nine <|eot_id|>" in text
    assert text.endswith("<|eot_id|>\n<|start|>assistant<|end|>\n\n")
    assert "begin_of_text" not in text


def test_qwen_adapters_know_their_bases_own_template(base):
    question = published.TranslationQuestion("Der Zug kommt.", "de", "en")
    text = framed(base, question, "qwen2.5-mt")
    assert text.startswith(
        "<|begin_of_text|><|start|>system<|end|>\n\nTranslate the following sentences from German to"
    )
    assert "<|eot_id|><|start|>user" in text


def test_rows_carry_the_system_prompt_to_every_variant(base):
    engine = Engine(base)
    row = row_of(engine, published.SlotQuestion("stop", "en"), "base", grammar=True)
    assert (row.prompt, row.system, row.grammar) == ("stop", published.SlotQuestion.system, None)
    assert engine.generate([row], max_new_tokens=3)[0].new_tokens >= 1


def test_answers_may_name_any_slot():
    question = published.SlotQuestion("wake me at nine am on friday")
    parsed, valid = question.read("time: nine am; date: friday")
    assert valid
    assert [(slot["slot"], slot["value"]) for slot in parsed] == [("time", "nine am"), ("date", "friday")]
    assert question.read("None") == ([], True)


@pytest.mark.parametrize("name", list(published.ALL))
def test_presets_name_the_authors_adapters(name):
    preset = published.find(name)
    kind = "SF" if preset.task == "slot-filling" else "MT"
    short = preset.base.split("/")[1]
    assert preset.adapters == {
        "task": f"danniliu/{short}-{kind}-baseline-LoRA",
        "joint": f"danniliu/{short}-{kind}-mid-align-LoRA",
    }


def test_what_is_missing_is_said_in_a_sentence(monkeypatch):
    preset = published.find("llama3-sf")
    assert "needs 17 GiB of memory; there are 8" in published.why_not(preset, 8.0)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda self, source, **options: None)
    assert published.why_not(preset, 80.0) is None

    def unreachable(self, source, **options):
        raise ConnectionError("no route\nto the hub")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", unreachable)
    assert published.why_not(preset, 80.0) == f"{preset.base} can't be had from the hub: no route to the hub"


def test_the_command_says_why_a_preset_is_not_available(monkeypatch, refused, output):
    monkeypatch.setattr(published, "device_memory_gib", lambda: 4.0)
    error = refused("compare", "stop", "--published", "llama3-sf")
    assert "published: llama3-sf is not available here: meta-llama/Meta-Llama-3-8B-Instruct needs 17 GiB" in error
    assert "qwen2.5-mt" in output("bases", "list")


def test_the_list_of_bases_asks_the_hub_once_for_each_model(monkeypatch, document):
    asked = []
    monkeypatch.setattr(published, "device_memory_gib", lambda: 80.0)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda self, source, **options: asked.append(source))
    presets = document("bases", "list")["published"]
    assert [preset["why_not"] for preset in presets] == [None] * len(published.ALL)
    wanted = {source for found in published.ALL.values() for source in (found.base, *found.adapters.values())}
    assert sorted(asked) == sorted(wanted)


def test_an_unknown_preset_is_refused():
    with pytest.raises(InputError, match="'gpt' is not one of llama3-sf, llama3-mt"):
        published.find("gpt")
