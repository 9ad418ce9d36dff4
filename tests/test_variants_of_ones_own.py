"""Adapters under names of the user's own: each a variant, wherever variants are asked for."""

import pytest

from midalign_demo import library, variants
from midalign_demo.errors import InputError


@pytest.fixture
def mine(adapter_folders, base_folder):
    """Options that give an adapter a name of its own beside the task adapter."""
    return [
        "--base", base_folder, "--adapter", f"mine={adapter_folders['align']}",
        "--adapter", f"task={adapter_folders['task']}",
    ]  # fmt: skip


def answers(document):
    return {output["variant"]: (output["adapters"], output["text"]) for output in document["outputs"]}


def test_compare_shows_it_beside_the_others_and_asks_it_as_a_task_adapter(document, mine, adapter_folders, base_folder):
    found = document("compare", "wake me at seven", *mine)
    by_variant = answers(found)
    assert list(by_variant) == ["base", "task", "mine"]
    assert by_variant["mine"][0] == {"mine": 1.0} or by_variant["mine"][0] == ["mine"]
    prompts = {output["variant"]: output["prompt"] for output in found["outputs"]}
    assert prompts["mine"] == prompts["task"] != prompts["base"]
    # The same adapter in the role `task` answers the same.
    as_task = document(
        "compare", "wake me at seven", "--base", base_folder, "--adapter", f"task={adapter_folders['align']}"
    )
    assert by_variant["mine"][1] == answers(as_task)["task"][1]
    assert list(answers(document("compare", "wake me at seven", *mine, "--variants", "mine"))) == ["mine"]


def test_evaluate_and_retrieval_take_it(document, mine, slots_file, parallel_folder):
    found = document("evaluate", "slot-filling", slots_file, *mine, "--variants", "task,mine", "--limit", "2")
    assert list(found["variants"]) == ["task", "mine"]
    found = document("retrieval", parallel_folder, *mine, "--variants", "base,mine", "--layers", "2")
    assert list(found["variants"]) == ["base", "mine"]
    assert found["variants"]["base"] != found["variants"]["mine"]


def test_the_library_takes_it(base_folder, adapter_folders):
    loaded = library.load(base_folder, adapters={"mine": str(adapter_folders["task"])})
    assert loaded.variants() == ["base", "mine"]
    assert loaded.embed(["a", "b"], variant="mine").shape[0] == 2


@pytest.mark.parametrize("name", ["slot-filling", "json-joint", "<b>", "-x", "a" * 41, "", "a b"])
def test_names_that_cannot_be_are_refused(name):
    with pytest.raises(InputError, match=r"^variants: .* can't be a name of your own; give letters"):
        variants.own_of([name])


def test_a_variant_that_nobody_named_is_refused_with_those_there_are(refused, mine):
    said = refused("compare", "stop", *mine, "--variants", "yours")
    assert "'yours' is not one of base, task, align, merged, joint, mine" in said
    assert "is not of the form ROLE=SOURCE" in refused("compare", "stop", "--adapter", "base=x")
