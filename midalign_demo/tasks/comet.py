"""COMET (Rei et al. 2022), a learned metric of translations, where the package unbabel-comet is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from midalign_demo.errors import InputError
from midalign_demo.tasks.question import Example

NAME = "comet"
MODEL = "Unbabel/wmt22-comet-da"
_BATCH = 16


def is_installed() -> bool:
    return importlib.util.find_spec("comet") is not None


class Comet:
    """A COMET model.

    Args:
        model: id of a reference-based model on the hub.

    Raises:
        InputError: the package is not installed, or the model can't be had.
    """

    def __init__(self, model: str = MODEL):
        if not is_installed():
            raise InputError("comet: the package is not installed; pip install unbabel-comet")
        from comet import download_model, load_from_checkpoint

        try:
            self._model = load_from_checkpoint(download_model(model))
        except Exception as error:  # no network, no such model: all sorts of types
            reason = " ".join(str(error).split())[:300]
            raise InputError(f"comet: {model} can't be had: {reason}") from error

    def __call__(self, examples: Sequence[Example], answers: Sequence[str]) -> list[float]:
        """Each translation's score, mostly 0 to 1."""
        import torch

        rows = [
            {"src": example.question.text, "mt": answer, "ref": example.gold}
            for example, answer in zip(examples, answers, strict=True)
        ]
        gpus = int(torch.cuda.is_available())
        return [float(score) for score in self._model.predict(rows, batch_size=_BATCH, gpus=gpus).scores]
