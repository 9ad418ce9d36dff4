"""train.trials and train.studies: what is run, and what is made of it. The runs themselves are other commands'."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pytest

from midalign_demo.errors import InputError
from train import cli, studies, trials
from train.recipe import KINDS, build

ALIGNMENT = ("layer", "temperature", "pairs", "languages", "objective")
TRAINED = [(name, trial) for name, study in studies.STUDIES.items() for trial in study.trials if trial.kind]


@pytest.fixture
def calls(monkeypatch):
    """The commands that were called. Under `align` and `joint` scores are .75, or 1 with seed 2; else .5."""
    made = []

    def call(module: str, *arguments: str) -> str:
        made.append((module, arguments))
        options = dict(zip(arguments, arguments[1:], strict=False))
        if module == "train":
            folder = Path(options["--output"])
            folder.mkdir(parents=True)
            (folder / "adapter_model.safetensors").touch()
            return ""
        trained = 1.0 if options.get("--adapter", "").endswith("-2") else 0.75
        values = {variant: trained if variant in ("align", "joint") else 0.5 for variant in variants_of(options)}
        tags = options["--languages"].split(",") if "--languages" in options else ["en", "de", "ja", "lt"]
        if arguments[0] == "retrieval":
            cells = {name: retrieval_cell(options["--layers"], tags, value) for name, value in values.items()}
        else:
            # Languages without task data are half as good.
            cells = {
                name: {"languages": {tag: {"f1": value * (1 if tag in ("en", "de") else 0.5)} for tag in tags}}
                for name, value in values.items()
            }
        return json.dumps({"variants": cells})

    monkeypatch.setattr(trials, "_call", call)
    return made


def variants_of(options: dict) -> list[str]:
    return options["--variants"].split(",")


def retrieval_cell(layer: str, tags: list[str], value: float) -> dict:
    pairs = {f"en-{tag}": value for tag in tags if tag != "en"}
    return {"layers": {layer: {"all": value, "en-x": value, "pairs": pairs}}}


def run(tmp_path, study: str, seeds: str = "1,2") -> int:
    return cli.main(
        ["trials", "--study", study, "--seeds", seeds, "--data-root", "D", "--output", str(tmp_path), "--json"]
    )


def test_a_study_trains_and_measures_each_trial_once(calls, tmp_path, capfd):
    assert run(tmp_path, "pairs") == 0
    assert json.loads(capfd.readouterr().out) == {"written": [str(tmp_path / "pairs.json")]}
    document = json.loads((tmp_path / "pairs.json").read_text())
    assert [row["trial"] for row in document["rows"]] == ["50", "200", "724"]
    for row in document["rows"]:
        assert row["scores"]["align, unaligned"] == {"mean": 0.875, "seeds": [0.75, 1.0]}
        assert row["scores"]["base, aligned"] == {"mean": 0.5, "seeds": [0.5, 0.5]}
    # The base, which is the same in all of them, is measured once.
    assert [variants_of(dict(zip(of, of[1:], strict=False))) for module, of in calls if module != "train"] == [
        ["base"],
        *[["align"]] * 6,
    ]
    assert [module for module, _ in calls].count("train") == 6
    assert run(tmp_path, "pairs") == 0
    assert len(calls) == 13  # nothing is done twice


def test_a_trial_that_studies_have_in_common_is_trained_once(calls, tmp_path):
    arguments = ["trials", "--study", "pairs", "objective", "layer", "--data-root", "D", "--output", str(tmp_path)]
    assert cli.main(arguments) == 0
    trained = [tuple(of[: of.index("--output")]) for module, of in calls if module == "train"]
    assert len(trained) == len(set(trained)) == 3 + 5 + 4  # 724 lines, as shipped but for two languages, layer 11
    rows = json.loads((tmp_path / "objective.json").read_text())["rows"]
    assert rows[0]["scores"] == json.loads((tmp_path / "pairs.json").read_text())["rows"][-1]["scores"]


def test_what_is_shipped_is_measured_once_and_what_is_trained_under_each_seed(calls, tmp_path):
    assert run(tmp_path, "slot-filling") == 0
    rows = {row["trial"]: row for row in json.loads((tmp_path / "slot-filling.json").read_text())["rows"]}
    column = "xSID, none (2)"  # ja and lt
    assert rows["task"]["train"] is None
    assert rows["task"]["scores"][column]["seeds"] == [0.25]
    assert rows["joint"]["scores"][column]["seeds"] == [0.375, 0.5]
    assert rows["joint"]["scores"]["xSID, task data (2)"]["seeds"] == [0.75, 1.0]
    assert rows["joint"]["scores"]["xSID, none, other scripts (1)"]["seeds"] == [0.375, 0.5]
    merged = next(arguments for _, arguments in calls if "merged" in arguments)
    assert [merged[at + 1] for at, part in enumerate(merged) if part == "--adapter"] == [
        "task=slot-filling",
        "align=align",
    ]


def test_a_trial_that_goes_on_from_another_is_given_its_folder(calls, tmp_path):
    assert run(tmp_path, "json") == 0
    task = str(tmp_path / "json" / "task")
    trained = [arguments for module, arguments in calls if module == "train"]
    assert [arguments[arguments.index("--output") + 1] for arguments in trained] == [
        str(tmp_path / "json" / name)
        for name in ("task", "task-adapter-trained-on-for-as-many-task-steps-averaged", "joint-1", "joint-2")
    ]
    assert [arguments[arguments.index("--init") + 1] for arguments in trained] == ["slot-filling", task, task, task]
    assert f"task={task}" in next(arguments for _, arguments in calls if "merged" in arguments)
    rows = {row["trial"]: row for row in json.loads((tmp_path / "json.json").read_text())["rows"]}
    assert rows["joint"]["train"] == "midalign-train joint --recipe json-joint-2 --init OUTPUT/json/task"


def test_figures_of_other_options_are_not_taken_for_these(calls, tmp_path):
    assert run(tmp_path, "pairs", "1") == 0
    first, second, _ = studies.STUDIES["pairs"].trials
    with pytest.raises(InputError, match="holds a run with other options"):
        trials._measured("pairs", replace(second, name=first.name), "1", arguments_for(tmp_path), {})


def test_a_run_that_was_cut_short_is_resumed(calls, tmp_path):
    (tmp_path / "pairs" / "50-1" / "checkpoints").mkdir(parents=True)
    with pytest.raises(FileExistsError):  # the stand-in makes the folder anew
        trials._measured("pairs", studies.STUDIES["pairs"].trials[0], "1", arguments_for(tmp_path), {})
    assert "--resume" in calls[0][1]


def arguments_for(tmp_path) -> argparse.Namespace:
    return argparse.Namespace(data_root=Path("D"), output=tmp_path)


@pytest.mark.parametrize(("study", "trial"), TRAINED, ids=lambda value: getattr(value, "name", value))
def test_every_trial_is_a_recipe_that_keeps_away_from_what_it_is_measured_on(study, trial):
    options = vars(cli._parser().parse_args([trial.kind, *trial.options, "--output", "x"]))
    recipe = build(
        KINDS[trial.kind],
        options.pop("recipe"),
        {key: value for key, value in options.items() if key not in ("kind", "output", "resume", "json")},
    )
    if study in ALIGNMENT:
        assert recipe.layer in (None, trial.layer)
        assert set(recipe.languages) == set(trial.aligned)
        assert not set(trial.aligned) & set(studies.UNALIGNED)
    else:
        assert recipe.split  # measured on parts that are not trained on, or on languages that are not
        measured = {tag for *_, command, _ in studies._COMMANDS for tag in command[-1].split(",")}
        assert not {f"slots/homeassistant/{tag}.jsonl" for tag in measured} & {
            source.partition("*")[0] for source in recipe.data
        }
        assert not any(source.startswith("ner/") and ".dev." in source for source in recipe.data)
        assert {source.split("/")[-1] for source in recipe.dev if source.startswith("ner/")} <= {
            "da_ddt.dev.iob2", "pt_bosque.dev.iob2", "zh_gsdsimp.dev.iob2"
        }  # fmt: skip
    for source in [*recipe.data, *getattr(recipe, "parallel", ())]:
        if "ntrex" in source:
            assert int(source.partition(":")[2].partition("-")[0]) > 264


def test_seeds_are_whole_numbers(tmp_path, capfd):
    assert run(tmp_path, "layer", "1,x") == 2
    assert "seeds: '1,x' is not a list of whole numbers" in capfd.readouterr().err
