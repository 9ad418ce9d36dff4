"""Fixtures: tiny base models and adapters in folders, made once; bases loaded afresh for each test that asks.

And `midalign` run as its users do: `output`, `document` and `refused`.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest
import torch
from hypothesis import HealthCheck, settings

from midalign_demo import bases, cli
from midalign_demo.adapters import AdapterSet
from midalign_demo.engine import Engine
from midalign_demo.full_model import write_model
from tests import tiny

SENTENCES = [
    "The kettle is on the stove.",
    "Der Kessel steht auf dem Herd, und niemand hört ihn pfeifen.",
    "केतली चूल्हे पर है।",
    "Do",
]


# Under `--hypothesis-profile=long` tests/fuzz and tests/ui/test_fuzzed_endpoints.py try 10,000 inputs; otherwise a few,
# always the same ones.
_FUZZ = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}
settings.register_profile("short", max_examples=15, derandomize=True, **_FUZZ)
settings.register_profile("long", max_examples=1150, **_FUZZ)
settings.load_profile("short")


@pytest.fixture(autouse=True)
def one_thread():
    """Sums are rounded alike only over one number of threads, and UMAP, run in a test before, raises torch's."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def base_folders(tmp_path_factory):
    """Folder of each family's tiny base, by name."""
    root = tmp_path_factory.mktemp("bases")
    return {family: tiny.save_base(root / family, family) for family in tiny.CONFIGS}


@pytest.fixture(scope="session")
def base_folder(base_folders):
    return base_folders["llama"]


@pytest.fixture(scope="session")
def adapter_folders(tmp_path_factory, base_folder):
    """Two adapters of different rank for the tiny Llama; `align` has weights in the lower two layers only."""
    root = tmp_path_factory.mktemp("adapters")
    return {
        "task": tiny.save_adapter(root / "task", base_folder, rank=3, alpha=6, seed=1),
        "align": tiny.save_adapter(root / "align", base_folder, rank=2, alpha=8, seed=2, layers=[0, 1]),
    }


@pytest.fixture
def load_base(base_folders):
    """Loads a family's tiny base afresh, since adapters change a base in place."""

    def load(family: str = "llama", **options) -> bases.Base:
        return bases.load(str(base_folders[family]), dtype="float32", device="cpu", **options)

    return load


@pytest.fixture
def base(load_base):
    return load_base()


@pytest.fixture
def engine(base, adapter_folders):
    """The tiny Llama with both adapters, for slot filling."""
    result = Engine(base)
    result.add_task("slot-filling", {role: str(folder) for role, folder in adapter_folders.items()})
    return result


@pytest.fixture
def tiny_model(base_folder, adapter_folders):
    """Options for the tiny base with a task and an alignment adapter."""
    options = ["--base", str(base_folder), "--dtype", "float32", "--device", "cpu"]
    for role, folder in adapter_folders.items():
        options += ["--adapter", f"{role}={folder}"]
    return options


@pytest.fixture
def output(capsys):
    """Runs a command that succeeds and returns what it prints on stdout."""

    def run(*arguments) -> str:
        capsys.readouterr()
        assert cli.main([str(argument) for argument in arguments]) == 0
        return capsys.readouterr().out

    return run


@pytest.fixture
def document(output):
    """Runs a command with `--json`; its standard output must be one line, which is returned parsed."""

    def run(*arguments):
        printed = output(*arguments, "--json")
        assert printed.count("\n") == 1
        return json.loads(printed)

    return run


@pytest.fixture
def refused(capsys):
    """Runs a command that must exit with 2, nothing on stdout and one line on stderr, which is returned.

    Progress may come before that line.
    """

    def run(*arguments) -> str:
        capsys.readouterr()
        try:
            status = cli.main([str(argument) for argument in arguments])
        except SystemExit as stop:
            status = stop.code
        out, error = capsys.readouterr()
        *progress, last = error.splitlines()
        assert (status, out) == (2, "")
        assert last.startswith("midalign")
        assert all(line.startswith(("Loading ", "Laying out ", "embedding")) or not line.strip() for line in progress)
        return last

    return run


@pytest.fixture(scope="session")
def sentences():
    return list(SENTENCES)


@pytest.fixture(scope="session")
def parallel_folder(tmp_path_factory):
    """48 aligned lines in en, de and sw: the same numbers and things in made-up patterns."""
    folder = tmp_path_factory.mktemp("parallel")
    things = [("cat", "Katze", "paka"), ("cup", "Tasse", "kikombe"), ("door", "Tür", "mlango"), ("hat", "Hut", "kofia")]
    lines = {"en": [], "de": [], "sw": []}
    for number in range(12):
        for english, german, swahili in things:
            lines["en"].append(f"I saw {number} of the {english}")
            lines["de"].append(f"Ich sah {number} mal {german}")
            lines["sw"].append(f"Niliona {swahili} {number}")
    for tag, text in lines.items():
        (folder / f"{tag}.txt").write_text("\n".join(text) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def slots_file(tmp_path_factory):
    """60 commands in English and German with slots `time` and `room`."""
    path = tmp_path_factory.mktemp("slots") / "commands.jsonl"
    records = []
    for number in range(30):
        for tag, pattern in (
            ("en", "lights off in room {room} at {time}"),
            ("de", "Licht aus im Raum {room} um {time}"),
        ):
            room, clock = f"R{number}", f"{number % 12 + 1}:30"
            slots = [{"slot": "time", "values": [clock]}, {"slot": "room", "values": [room]}]
            text = pattern.format(room=room, time=clock)
            records.append({"id": f"block{number}:{tag}", "lang": tag, "utt": text, "slots": slots})
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def served_models(tmp_path_factory):
    """Folders of a base that answers in words, and of the base with an adapter in its weights."""
    root = tmp_path_factory.mktemp("served")
    base = tiny.save_base(root / "base", "llama")
    adapters = AdapterSet(bases.load(str(base), dtype="float32", device="cpu"))
    adapters.load("task", str(tiny.save_adapter(root / "adapter", base, rank=3, alpha=6, seed=1)))
    write_model(adapters, {"task": 1.0}, root / "task")
    return {"base": str(base), "task": str(root / "task")}


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Address of a server that speaks OpenAI's protocol, that of transformers; a model's name there is its folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("log") / "server.txt"
    program = Path(sys.executable).with_name("transformers")
    with log.open("w") as out:
        process = subprocess.Popen(
            [program, "serve", "--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"],
            env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}, stdout=out, stderr=out,
        )  # fmt: skip
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                break
        except (URLError, OSError):
            time.sleep(0.3)
    else:
        raise AssertionError(log.read_text())
    yield f"http://127.0.0.1:{port}/v1"
    process.terminate()
    process.wait(30)


@pytest.fixture
def hub_calls(monkeypatch):
    """What is asked of the hub, instead of asking it: (method, arguments..) in order."""
    import huggingface_hub

    calls = []

    class Hub:
        def create_repo(self, repo, **options):
            calls.append(("create_repo", repo, options))
            kind = "spaces/" if options["repo_type"] == "space" else ""
            return huggingface_hub.RepoUrl(f"https://huggingface.co/{kind}{repo}")

        def upload_folder(self, **options):
            calls.append(("upload_folder", options))

    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    return calls
