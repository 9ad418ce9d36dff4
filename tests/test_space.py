"""The Space's folder is built from this checkout; starting it is `midalign space check`, which installs for minutes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from midalign_demo import space
from midalign_demo.errors import InputError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("space") / "out"
    space.build(ROOT, folder)
    return folder


def test_the_folder_is_described_by_the_spacefile_alone(built):
    described = yaml.safe_load((ROOT / "Spacefile").read_text(encoding="utf-8"))
    _, front, readme = (built / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    assert yaml.safe_load(front) == described
    assert readme.strip() == (ROOT / "README.md").read_text(encoding="utf-8").strip()
    listed = (built / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert f"gradio=={described['sdk_version']}" in listed
    assert not any(line.startswith(("midalign", ".", "-")) for line in listed)
    assert any(line.startswith("gemma3-270m") for line in listed)


def test_the_folder_has_all_that_the_app_needs(built):
    files = {str(file.relative_to(built)) for file in built.rglob("*") if file.is_file()}
    shipped = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "midalign_demo").rglob("*")
        if file.is_file() and not {"__pycache__", "answers"} & set(file.parts)
    }
    assert shipped | {"app.py", "LICENSE", "NOTICE"} <= files
    assert not any("__pycache__" in file for file in files)


def test_the_sdk_version_is_one_that_the_package_allows():
    import tomllib

    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    allowed = next(Requirement(line) for line in project["dependencies"] if line.startswith("gradio"))
    described = space.read_spacefile(ROOT)
    assert described["sdk_version"] in allowed.specifier
    assert described["python_version"] in {"3.11", "3.12", "3.13"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("title: a\ncolour: red\n", "has 'colour', which is not one of "),
        ("title: a\n", "lacks 'sdk'"),
        ("- a\n", "is not a list of keys and values"),
        ("title: [\n", "is not YAML"),
    ],
)
def test_a_bad_spacefile_is_refused(tmp_path, text, expected):
    (tmp_path / "Spacefile").write_text(text)
    with pytest.raises(InputError, match=expected):
        space.read_spacefile(tmp_path)


def test_only_a_checkout_can_be_built(tmp_path, refused):
    (tmp_path / "Spacefile").write_text((ROOT / "Spacefile").read_text(encoding="utf-8"))
    line = refused("space", "build", str(tmp_path / "out"), "--project", str(tmp_path))
    assert "has no app.py; give a checkout of midalign" in line
    assert not (tmp_path / "out").exists()


def test_an_app_is_started_and_waited_for(tmp_path):
    app = tmp_path / "code" / "app.py"
    app.parent.mkdir()
    app.write_text(
        "import http.server, os\n"
        "http.server.HTTPServer(('127.0.0.1', int(os.environ['GRADIO_SERVER_PORT'])), "
        "http.server.SimpleHTTPRequestHandler).serve_forever()\n"
    )
    import urllib.request

    with space._running([sys.executable, "app.py"], app.parent) as url:
        assert urllib.request.urlopen(url, timeout=10).status == 200
    app.write_text("raise SystemExit('no model here')\n")
    with (
        pytest.raises(InputError, match=r"^space: the app did not start \(no model here\)$"),
        space._running([sys.executable, "app.py"], app.parent),
    ):
        pass


def test_upload_makes_the_space_and_sends_the_folder(built, hub_calls):
    assert space.push(built, "someone/demo") == "https://huggingface.co/spaces/someone/demo"
    assert hub_calls[0] == (
        "create_repo", "someone/demo",
        {"repo_type": "space", "space_sdk": "gradio", "private": False, "exist_ok": True},
    )  # fmt: skip
    assert hub_calls[1][1]["folder_path"] == built
    assert hub_calls[1][1]["delete_patterns"] == "*"


def test_upload_without_a_built_folder_is_refused(tmp_path):
    (tmp_path / "Spacefile").write_text((ROOT / "Spacefile").read_text(encoding="utf-8"))
    with pytest.raises(InputError, match="has no requirements.txt; make it with `midalign space build`$"):
        space.push(tmp_path, "someone/demo")
