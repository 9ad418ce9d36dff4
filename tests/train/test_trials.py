"""train.trials: what is run and what is made of it; the runs themselves are those of other commands."""

import json
from dataclasses import replace

import pytest

from midalign_demo.errors import InputError
from train import cli, trials
from train.recipe import AlignRecipe, build


@pytest.fixture
def calls(monkeypatch):
    """The commands that were called; retrieval finds .5 under `base`, and under `align` .75 or, under seed 2, 1."""
    made = []

    def call(module: str, *arguments: str) -> str:
        made.append((module, arguments))
        options = dict(zip(arguments, arguments[1:], strict=False))
        if module == "train":
            folder = options["--output"]
            trials.Path(folder).mkdir(parents=True)
            (trials.Path(folder) / "adapter_model.safetensors").touch()
            return ""
        aligned = 1.0 if options["--adapter"].endswith("-2") else 0.75
        tags = options["--languages"].split(",")

        def table(value: float) -> dict:
            return {"all": value, "en-x": value, "pairs": {f"en-{tag}": value for tag in tags if tag != "en"}}

        layer = options["--layers"]
        return json.dumps(
            {"variants": {"base": {"layers": {layer: table(0.5)}}, "align": {"layers": {layer: table(aligned)}}}}
        )

    monkeypatch.setattr(trials, "_call", call)
    return made


def test_a_study_trains_and_measures_each_trial_once(calls, tmp_path, capfd):
    arguments = [
        "trials",
        "--study",
        "pairs",
        "--seeds",
        "1,2",
        "--data-root",
        "D",
        "--output",
        str(tmp_path),
        "--json",
    ]
    assert cli.main(arguments) == 0
    assert json.loads(capfd.readouterr().out) == {"written": [str(tmp_path / "pairs.json")]}
    document = json.loads((tmp_path / "pairs.json").read_text())
    assert [row["trial"] for row in document["rows"]] == ["50", "200", "724"]
    for row in document["rows"]:
        assert row["align"]["unaligned"] == {"mean": 0.875, "seeds": [0.75, 1.0]}
        assert row["base"]["aligned"] == {"mean": 0.5, "seeds": [0.5, 0.5]}
    assert [module for module, _ in calls] == ["train", "midalign_demo.cli"] * 6
    assert cli.main(arguments) == 0
    assert len(calls) == 12  # nothing is done twice


def test_figures_of_other_options_are_not_taken_for_these(calls, tmp_path):
    first, second, _ = trials.STUDIES["pairs"]
    trials._measured(first, tmp_path, "1", _arguments())
    with pytest.raises(InputError, match="holds a run with other options"):
        trials._measured(replace(second, name=first.name), tmp_path, "1", _arguments())


def test_a_run_that_was_cut_short_is_resumed(calls, tmp_path):
    (tmp_path / "pairs" / "50-1" / "checkpoints").mkdir(parents=True)
    with pytest.raises(FileExistsError):  # the stand-in makes the folder anew
        trials._measured(trials.STUDIES["pairs"][0], tmp_path / "pairs", "1", _arguments())
    assert "--resume" in calls[0][1]


def _arguments():
    import argparse

    return argparse.Namespace(data_root=trials.Path("D"))


@pytest.mark.parametrize(
    "trial", [trial for study in trials.STUDIES.values() for trial in study], ids=lambda trial: trial.name
)
def test_every_trial_is_a_recipe_that_keeps_away_from_what_it_is_measured_on(trial):
    options = vars(cli._parser().parse_args(["align", *trial.options, "--output", "x"]))
    recipe = build(
        AlignRecipe,
        options.pop("recipe"),
        {key: value for key, value in options.items() if key not in ("kind", "output", "resume", "json")},
    )
    assert recipe.layer in (None, trial.layer)
    assert set(recipe.languages) == set(trial.aligned)
    assert not set(trial.aligned) & set(trials._UNALIGNED)
    [source] = recipe.data
    assert int(source.partition(":")[2].partition("-")[0]) > 264


def test_seeds_are_whole_numbers(tmp_path, capfd):
    assert cli.main(["trials", "--seeds", "1,x", "--data-root", "D", "--output", str(tmp_path)]) == 2
    assert "seeds: '1,x' is not a list of whole numbers" in capfd.readouterr().err
