import importlib.machinery
import sys
from types import ModuleType, SimpleNamespace

import pytest

from midalign_demo.commands import evaluate
from midalign_demo.errors import InputError
from midalign_demo.tasks import comet
from midalign_demo.tasks.question import Example
from midalign_demo.tasks.translation import Question

EXAMPLES = [
    Example(Question("Guten Tag", "de", "en"), "Good day"),
    Example(Question("Danke", "de", "en"), "Thanks"),
]


class Model:
    """A checkpoint as unbabel-comet 2 has it: `predict` takes records and gives an object with `scores`."""

    def predict(self, samples, batch_size=16, gpus=1, progress_bar=True):
        assert gpus == 0
        scores = [float(sample["mt"] == sample["ref"] and sample["src"] != "") for sample in samples]
        return SimpleNamespace(scores=scores, system_score=sum(scores) / len(scores))


@pytest.fixture
def package(monkeypatch):
    """A stand-in for the installed package, whose model can be had."""
    module = ModuleType("comet")
    module.__spec__ = importlib.machinery.ModuleSpec("comet", None)
    module.download_model = lambda name: f"/models/{name}/checkpoints/model.ckpt"
    module.load_from_checkpoint = lambda path: Model()
    monkeypatch.setitem(sys.modules, "comet", module)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    return module


@pytest.fixture
def no_package(monkeypatch):
    monkeypatch.setattr(comet, "is_installed", lambda: False)


def test_each_translation_gets_its_score(package):
    assert comet.Comet()(EXAMPLES, ["Good day", "Please"]) == [1.0, 0.0]


def test_a_missing_package_is_named(no_package):
    with pytest.raises(InputError, match=r"^comet: the package is not installed; pip install unbabel-comet$"):
        comet.Comet()


def test_a_model_that_can_not_be_had_is_named(package):
    def refuse(name):
        raise OSError("no\nnetwork")

    package.download_model = refuse
    with pytest.raises(InputError, match=r"^comet: Unbabel/wmt22-comet-da can't be had: no network$"):
        comet.Comet()


def asked(wanted: bool | None, task: str = "translation"):
    return evaluate._comet(SimpleNamespace(comet=wanted, task=task))


def test_it_is_used_where_it_is_installed(package):
    assert list(asked(None)) == ["comet"]
    assert list(asked(True)) == ["comet"]
    assert asked(False) == {}
    assert asked(None, "json") == {}


def test_unless_asked_for_it_is_left_out_with_the_reason(package, no_package, capsys):
    assert asked(None) == {}
    with pytest.raises(InputError, match="not installed"):
        asked(True)
    with pytest.raises(InputError, match="scores translations, not json"):
        asked(True, "json")


def test_an_evaluation_goes_on_without_a_model_that_can_not_be_had(package, capsys):
    package.load_from_checkpoint = lambda path: 1 / 0
    assert asked(None) == {}
    assert "Without COMET: comet: Unbabel/wmt22-comet-da can't be had" in capsys.readouterr().err
