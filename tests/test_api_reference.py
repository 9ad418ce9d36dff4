"""The API reference, made by CONTRIBUTING's own command: what is public is in it, and said in full."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import midalign_demo as midalign

pytest.importorskip("pdoc", reason="the API reference is made by pdoc")

ROOT = Path(__file__).resolve().parent.parent
PUBLIC = [getattr(midalign, name) for name in midalign.__all__]
FUNCTIONS = [
    function
    for one in PUBLIC
    for function in ([one] if inspect.isfunction(one) else vars(one).values())
    if inspect.isfunction(function) and (function.__name__ == "__init__" or not function.__name__.startswith("_"))
]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of `midalign_demo`."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^\.venv/bin/pdoc -d google -o site (.*?[^\\])$", text, flags=re.MULTILINE | re.DOTALL)
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        ["bash", "-c", f'"$PYTHON" -m pdoc -d google -o "$FOLDER" {command}'], check=True, cwd=ROOT,
        env={**os.environ, "PYTHON": sys.executable, "FOLDER": str(folder)},
    )  # fmt: skip
    return (folder / "midalign_demo.html").read_text(encoding="utf-8")


def docstring(page: str, anchor: str) -> str:
    """What the page says of a name, as HTML; nothing where it says nothing."""
    _, _, after = page.partition(f'id="{anchor}"')
    own = re.split(r'<section id="|<div id="', after, maxsplit=1)[0]
    return own.partition('<div class="docstring">')[2]


def test_every_public_name_is_on_the_page_with_its_docstring(page):
    anchors = [*midalign.__all__, *(f.__qualname__ for f in FUNCTIONS)]
    assert {"Midalign.compare", "Midalign.embed", "Midalign.retrieval", "load"} <= set(anchors)
    assert [anchor for anchor in anchors if not docstring(page, anchor)] == []


def test_the_example_is_shown_as_code(page):
    example = page.partition('<div class="docstring">')[2].partition("</pre>")[0]
    assert "<pre>" in example
    assert "compare" in example.partition("<pre>")[2]


def test_what_it_refers_to_is_in_the_reference(page):
    assert "midalign_demo/questions.html#question_of" in docstring(page, "Midalign.compare")
    said = "".join(docstring(page, anchor) for anchor in [*midalign.__all__, *(f.__qualname__ for f in FUNCTIONS)])
    assert re.findall(r"<code>(midalign_demo[^<]*)</code>", said) == []  # a name that is there has a link inside


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__qualname__)
def test_docstrings_name_every_argument(function):
    arguments = set(inspect.signature(function).parameters) - {"self"}
    assert arguments <= set(re.findall(r"\w+", inspect.getdoc(function).partition("Args:")[2]))
