"""Fixtures: tiny base models and adapters in folders, made once; bases loaded afresh for each test that asks.

And `midalign` run as its users do: `output`, `document` and `refused`.
"""

from __future__ import annotations

import json
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest
import torch

from midalign_demo import bases, cli
from midalign_demo.engine import Engine
from tests import tiny

torch.set_num_threads(1)

SENTENCES = [
    "The kettle is on the stove.",
    "Der Kessel steht auf dem Herd, und niemand hört ihn pfeifen.",
    "केतली चूल्हे पर है।",
    "Do",
]


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

    def load(family: str = "llama") -> bases.Base:
        return bases.load(str(base_folders[family]), dtype="float32", device="cpu")

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
