"""docs/quickstart.ipynb: it runs from beginning to end, and what is stored in it is what it gives."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="reads the notebook")

NOTEBOOK = Path(__file__).resolve().parent.parent / "docs" / "quickstart.ipynb"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def stored():
    return nbformat.read(NOTEBOOK, as_version=4)


def kinds(notebook) -> list[list[tuple[str, list[str]]]]:
    """For each code cell its outputs, each as its type and the forms it is stored in."""
    return [
        [(output.output_type, sorted(output.get("data", {}))) for output in cell.outputs]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def pictures(notebook) -> Iterator[bytes]:
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                yield base64.b64decode(output.data["image/png"])


def test_it_is_stored_executed_and_clean(stored):
    nbformat.validate(stored)
    assert stored.metadata.kernelspec.name == "python3"
    assert NOTEBOOK.stat().st_size < 600_000
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    # No warning or progress bar (stderr is a stream), no traceback, and no path of whoever ran it.
    assert {kind for outputs in kinds(stored) for kind, _ in outputs} == {"display_data", "execute_result"}
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert [part for part in ("/home/", "/root/", "/tmp/", "/Users/", "site-packages") if part in text] == []


def test_the_stored_pictures_are_pictures(stored):
    found = list(pictures(stored))
    assert len(found) == 2
    assert all(picture.startswith(PNG) and len(picture) > 10_000 for picture in found)


@pytest.mark.base
def test_it_runs_and_gives_what_is_stored(stored, tmp_path):
    nbclient = pytest.importorskip("nbclient", reason="executes the notebook")
    again = nbformat.read(NOTEBOOK, as_version=4)
    for cell in again.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    # A cell that fails raises CellExecutionError. The kernel runs elsewhere, so that only the package is found.
    nbclient.NotebookClient(again, timeout=1200, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert kinds(again) == kinds(stored)
    assert len(list(pictures(again))) == 2
