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


def test_what_is_wrong_is_an_input_error(tiny):
    with pytest.raises(midalign.InputError, match="^task: 'poetry' is not one of "):
        tiny.compare("Hello", "poetry")
    with pytest.raises(midalign.InputError, match="^variants: 'joint' has no adapter for slot-filling"):
        tiny.embed(["Hello"], variant="joint")
    with pytest.raises(midalign.InputError, match="^layer: 9 is not a layer of "):
        tiny.embed(["Hello"], layer=9)
