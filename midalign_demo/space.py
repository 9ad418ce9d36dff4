"""The app as a Hugging Face Space: a folder to upload, made from the Spacefile; trying it out; uploading it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import tomllib
import venv
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from midalign_demo import files, hub
from midalign_demo.errors import InputError

SPACEFILE = "Spacefile"
# What a Space's README may say of it (huggingface.co/docs/hub/spaces-config-reference), and what it must.
KEYS = {
    "title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version", "app_file", "app_port",
    "base_path", "short_description", "fullWidth", "header", "models", "datasets", "tags", "thumbnail", "pinned",
    "hf_oauth", "hf_oauth_scopes", "disable_embedding", "suggested_hardware", "suggested_storage",
    "startup_duration_timeout", "custom_headers", "preload_from_hub", "license",
}  # fmt: skip
NEEDED = ("title", "sdk", "sdk_version", "app_file", "license")
_CONTENTS = ("app.py", "midalign_demo", "LICENSE", "NOTICE", SPACEFILE)
_ZERO_GPU_TORCH = "torch>=2.8,<2.12"  # what ZeroGPU runs (huggingface.co/docs/hub/spaces-zerogpu)
_PORT_VARIABLE = "GRADIO_SERVER_PORT"
_START_SECONDS = 900
_QUESTION = "Wecke mich morgen um sieben Uhr"

Report = Callable[[str], None]


def read_spacefile(project: Path) -> dict:
    """The Space's description.

    Raises:
        InputError: no Spacefile, one that is not YAML, or that lacks a key or has one that Spaces do not know.
    """
    path = project / SPACEFILE
    try:
        content = yaml.safe_load(files.read_text(path))
    except yaml.YAMLError as error:
        raise InputError(f"space: {path} is not YAML") from error
    if not isinstance(content, Mapping):
        raise InputError(f"space: {path} is not a list of keys and values")
    for key in content:
        if key not in KEYS:
            raise InputError(f"space: {path} has {key!r}, which is not one of {', '.join(sorted(KEYS))}")
    for key in NEEDED:
        if key not in content:
            raise InputError(f"space: {path} lacks {key!r}")
    return dict(content)


def front_matter(description: Mapping) -> str:
    """The description as the head of a README, which is where the hub reads it."""
    return "---\n" + yaml.safe_dump(dict(description), allow_unicode=True, sort_keys=False) + "---\n"


def requirements(project: Path, description: Mapping) -> str:
    """`requirements.txt`: what the package needs, with the embedded base and without the package itself.

    A Space installs it before the code is there.
    """
    content = tomllib.loads(files.read_text(project / "pyproject.toml"))["project"]
    listed = [*content["dependencies"], *content["optional-dependencies"]["embedded"]]
    # The SDK's version is the Space's; pip must not choose another.
    pinned = {"gradio": f"gradio=={description['sdk_version']}"}
    if str(description.get("suggested_hardware", "")).startswith("zero"):
        pinned["torch"] = _ZERO_GPU_TORCH
    return "".join(f"{pinned.get(name.partition('>')[0], name)}\n" for name in listed)


def build(project: Path, output: Path) -> None:
    """Write the folder of a Space, ready to be uploaded.

    Args:
        project: a checkout of midalign.
        output: folder to write, which must not be there.

    Raises:
        InputError: see `read_spacefile`; not a checkout, or a folder that is there already.
    """
    description = read_spacefile(project)
    for name in (*_CONTENTS, "README.md", "pyproject.toml"):
        if not (project / name).exists():
            raise InputError(f"space: {project} has no {name}; give a checkout of midalign")
    with files.new_folder(output) as draft:
        for name in _CONTENTS:
            source = project / name
            if source.is_dir():
                shutil.copytree(source, draft / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", "answers"))
            else:
                shutil.copy(source, draft / name)
        (draft / "requirements.txt").write_text(requirements(project, description), encoding="utf-8")
        readme = files.read_text(project / "README.md")
        (draft / "README.md").write_text(front_matter(description) + "\n" + readme, encoding="utf-8")
        pictures = project / "docs"
        if pictures.is_dir():
            shutil.copytree(pictures, draft / "docs")


def check(folder: Path, *, report: Report = lambda message: None, constraints: Path | None = None) -> dict:
    """Start a built folder as a Gradio Space is started, and ask it a question.

    The requirements are installed into a new virtual environment before the code is there; then `python app.py` runs
    beside the code.

    Args:
        constraints: a file for pip's `-c`, such as the one that the README's commands use.

    Returns:
        What `/compare` answered.

    Raises:
        InputError: not a built folder, requirements that can't be installed, an app that does not start or answer.
    """
    description = read_spacefile(folder)
    with tempfile.TemporaryDirectory(prefix="midalign-space-") as scratch:
        environment = Path(scratch, "venv")
        venv.create(environment, with_pip=True)
        python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        shutil.copy(folder / "requirements.txt", scratch)
        report("Installing requirements.txt")
        chosen = ["-c", str(constraints.resolve())] if constraints else []
        command = [str(python), "-m", "pip", "install", "--quiet", *chosen, "-r", "requirements.txt"]
        installed = subprocess.run(command, cwd=scratch, capture_output=True, text=True)
        if installed.returncode:
            last = (installed.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            raise InputError(f"space: requirements.txt can't be installed ({last})")
        code = Path(scratch, "app")
        shutil.copytree(folder, code)
        with _running([str(python), description["app_file"]], code) as url:
            report(f"The app runs at {url}; asking a question")
            return _ask(url)


@contextmanager
def _running(command: list[str], folder: Path) -> Iterator[str]:
    """The address of an app that runs within the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Neither this checkout nor this environment is to help out.
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    log = folder.parent / "app.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            command, cwd=folder, env={**kept, _PORT_VARIABLE: str(port)}, stdout=stream, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            if process.poll() is not None or time.monotonic() > deadline:
                last = (log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it said nothing"])[
                    -1
                ]
                raise InputError(f"space: the app did not start ({last})")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def _ask(url: str) -> dict:
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    try:
        return Client(url, verbose=False).predict(_QUESTION, language="de", api_name="/compare")
    except AppError as error:
        raise InputError(f"space: the app did not answer ({error})") from error


def push(folder: Path, repo: str, *, private: bool = False) -> str:
    """Upload a built folder as a Space; its address.

    Args:
        repo: `owner/name`.
        private: of a Space that is not there yet.

    Raises:
        InputError: not a built folder, no access, or no such owner.
    """
    description = read_spacefile(folder)
    if not (folder / "requirements.txt").is_file():
        raise InputError(f"space: {folder} has no requirements.txt; make it with `midalign space build`")
    return hub.upload(folder, repo, "space", private=private, sdk=description["sdk"])


def own_project() -> Path:
    """The checkout that this package runs from, or the current folder."""
    checkout = Path(__file__).resolve().parent.parent
    return checkout if (checkout / SPACEFILE).is_file() else Path.cwd()
