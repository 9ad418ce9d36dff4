from importlib.resources import files

import pytest

from midalign_demo.errors import InputError
from train.recipe import KINDS, AlignRecipe, JointRecipe, TaskRecipe, build

SHIPPED = sorted(file.name.removesuffix(".yaml") for file in (files("train") / "recipes").iterdir())


@pytest.fixture
def write(tmp_path):
    def write_recipe(text: str) -> str:
        (tmp_path / "recipe.yaml").write_text(text, encoding="utf-8")
        return str(tmp_path / "recipe.yaml")

    return write_recipe


def message_of(*arguments) -> str:
    with pytest.raises(InputError) as caught:
        build(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_defaults_are_the_papers():
    recipe = build(AlignRecipe, None, {"data": ["x"]})
    assert (recipe.rank, recipe.alpha, recipe.dropout, recipe.learning_rate) == (8, 16, 0.1, 5e-4)
    assert (recipe.scheduler, recipe.warmup, recipe.patience, recipe.temperature) == ("inverse_sqrt", 0.03, 5, 0.1)
    assert len(recipe.target_modules) == 7
    assert recipe.layer is None


def test_options_lie_over_the_file(write):
    path = write("data: [a, b]\nsteps: 7\nlearning_rate: 1.0e-3\nlanguages: [de, sw*3]\n")
    recipe = build(AlignRecipe, path, {"steps": 9, "temperature": 0.2})
    assert recipe.data == ["a", "b"]
    assert (recipe.steps, recipe.learning_rate, recipe.temperature) == (9, 1e-3, 0.2)
    assert recipe.languages == ["de", "sw*3"]


def test_a_whole_number_is_taken_where_a_fraction_may_stand(write):
    recipe = build(AlignRecipe, write("data: [a]\ndropout: 0\ntemperature: 1\n"), {})
    assert (recipe.dropout, recipe.temperature) == (0.0, 1.0)
    assert isinstance(recipe.temperature, float)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_recipes_load(name):
    kind = JointRecipe if "-joint" in name else AlignRecipe if name.startswith("align") else TaskRecipe
    recipe = build(kind, name, {})
    assert recipe.data
    assert recipe.dev
    assert build(kind, name, {"steps": 3}).steps == 3


def test_shipped_recipes_are_there():
    assert {"align", "slot-filling", "slot-filling-joint", "json-joint", "translation-joint"} <= set(SHIPPED)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data: [a]\nstep: 5\n", "'step' in "),
        ("data: [a]\nsteps: many\n", "steps: 'many' is not of type int"),
        ("data: [a]\nsteps: 2.5\n", "steps: 2.5 is not of type int"),
        ("data: [a]\nsteps: true\n", "steps: True is not of type int"),
        ("data: [a]\nsteps: null\n", "steps: None is not of type int"),
        ("data: [a]\nsteps: 0\n", "steps: 0 is below 1"),
        ("data: [a]\nlearning_rate: 1e-3\n", "learning_rate: '1e-3' is not of type float"),
        ("data: [a]\nlearning_rate: -1.0\n", "learning_rate: -1.0 is below 0"),
        ("data: [a]\nlearning_rate: .nan\n", "learning_rate: nan is below 0"),
        ("data: [a]\ntemperature: 0\n", "temperature: 0.0 is below 1e-06"),
        ("data: [a]\ntoken_dropout: 1\n", "token_dropout: 1.0 is not below 1"),
        ("data: [a]\ninclude_bos: 1\n", "include_bos: 1 is not of type bool"),
        ("data: [a]\nscheduler: step\n", "scheduler: 'step' is not one of cosine"),
        ("data: [a]\ntarget_modules: [q_proj, lm_head]\n", "target_modules: 'lm_head' is not one of"),
        ("data: a\n", "data: 'a' is not a list"),
        ("data: [3]\n", "data: 3 is not of type str"),
        ("data: []\n", "data: no file or folder given"),
        ("data: [a]\nlanguages: [de, english]\n", "'english' is not a BCP 47 tag"),
        ("data: [a\n", "is not YAML"),
        ("- a\n", "must hold `key: value` lines"),
        ("", "must hold `key: value` lines"),
    ],
)
def test_bad_recipes_are_refused_with_key_and_value(write, text, expected):
    assert expected in message_of(AlignRecipe, write(text), {})


def test_unknown_keys_are_refused_with_those_there_are(write):
    message = message_of(TaskRecipe, write("data: [a]\ntemperature: 1\n"), {})
    assert "'temperature'" in message
    assert "learning_rate, lora_from" in message


def test_a_recipe_that_is_not_there_is_refused_with_the_shipped_ones():
    message = message_of(AlignRecipe, "no-such-recipe", {})
    assert "'no-such-recipe'" in message
    assert all(name in message for name in SHIPPED)


def test_options_are_checked_as_the_file_is():
    assert "direction: 'up' is not one of both, one" in message_of(
        AlignRecipe, None, {"data": ["a"], "direction": "up"}
    )
    assert "data: no file" in message_of(TaskRecipe, None, {})


def test_languages_may_be_given_with_commas():
    recipe = build(AlignRecipe, None, {"data": ["x"], "languages": ["am*3,cy", "de"]})
    assert recipe.languages == ["am*3", "cy", "de"]


def test_kinds_are_the_commands():
    assert list(KINDS.items()) == [("align", AlignRecipe), ("task", TaskRecipe), ("joint", JointRecipe)]
