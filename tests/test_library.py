import numpy as np
import pytest

import midalign_demo as midalign
from midalign_demo.middle import embed


@pytest.fixture
def tiny(base_folder, adapter_folders):
    adapters = {role: str(folder) for role, folder in adapter_folders.items()}
    return midalign.load(str(base_folder), adapters=adapters, dtype="float32", device="cpu")


def test_compare_gives_the_commands_document(tiny, tiny_model, document):
    found = tiny.compare("Wake me at seven", language="en", variants=["base", "task", "merged"])
    printed = document("compare", "Wake me at seven", "--language", "en", "--variants", "base,task,merged", *tiny_model)
    for one in (found, printed):
        for output in one["outputs"]:
            output.pop("seconds")
    assert found == printed
    assert tiny.variants() == ["base", "task", "align", "merged"]


def test_other_tasks_are_there_when_asked_for(tiny):
    assert tiny.compare("Guten Tag", "translation", language="de", target="en", variants=["task"])["target"] == "en"
    assert tiny.compare("Ada lives in Rome", "json", variants=["align"])["outputs"][0]["valid"] is True


def test_embed_is_the_middle_layer_under_a_variant(tiny, load_base, sentences):
    np.testing.assert_allclose(tiny.embed(sentences, variant="base"), embed(load_base(), sentences)[2], rtol=1e-5)
    assert np.abs(tiny.embed(sentences, layer=1) - tiny.embed(sentences, variant="base", layer=1)).max() > 1e-4


def test_retrieval_gives_the_commands_document(tiny, tiny_model, document, parallel_folder):
    printed = document("retrieval", parallel_folder, "--layers", "1-3", *tiny_model)
    assert tiny.retrieval(str(parallel_folder), layers=[1, 2, 3]) == printed


def test_what_to_look_for_in_json_can_be_named(tiny):
    found = tiny.compare("Ada lives in Rome", "json", types=["person"], variants=["task"])
    assert "person" in found["outputs"][0]["prompt"]


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda m: m.compare("Hello", "poetry"), "task: 'poetry' is not one of "),
        (lambda m: m.variants("poetry"), "task: 'poetry' is not one of "),
        (lambda m: m.compare("Hello", variants="task"), "variants: 'task' is not a list such as "),
        (lambda m: m.compare("Hello", slots="datetime"), "slots: 'datetime' is not a list such as "),
        (lambda m: m.compare("Hello", "json", types="person"), "types: 'person' is not a list such as "),
        (lambda m: m.compare("Hallo", language="German"), "language: 'German' is not a BCP 47 tag"),
        (lambda m: m.compare("Hallo", "translation", language="de", target="german"), "language: 'german' is not a "),
        (lambda m: m.embed(["Hello"], variant="joint"), "variants: 'joint' has no adapter for slot-filling"),
        (lambda m: m.embed(["Hello"], layer=9), "layer: 9 is not a layer of "),
        (lambda m: m.embed("Hello"), "sentences: 'Hello' is not a list such as "),
        (lambda m: m.embed([None]), "sentences: None is in the list, where str is meant"),
        (lambda m: m.retrieval({"en": ["a", "b", "c"], "de": ["d"]}), "sentences: the languages differ in number: "),
        (lambda m: m.retrieval({"en": "a", "de": "d"}), "corpus: en: 'a' is not a list such as "),
        (lambda m: m.retrieval({"en": ["a"], "de": ["d"]}, layers=2), "layers: 2 is not a list such as "),
        (lambda m: m.retrieval({"en": ["a"], "de": ["d"]}, variants="base"), "variants: 'base' is not a list such as "),
    ],
)
def test_what_is_wrong_is_an_input_error(tiny, ask, said):
    with pytest.raises(midalign.InputError) as error:
        ask(tiny)
    assert str(error.value).startswith(said)


def test_an_adapter_that_is_not_there_is_said_before_anything_is_loaded():
    with pytest.raises(midalign.InputError, match="^adapter: './no-such'"):
        midalign.load("gemma3-270m", adapters={"task": "./no-such"})


def test_a_base_is_short_to_print(base):
    assert len(repr(base)) < 300
