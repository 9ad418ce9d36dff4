"""The real app in a process of its own, as `midalign demo` opens it, and what is asked of it over loopback."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from midalign_demo.tasks import json_generation, slot_filling, translation
from midalign_demo.ui import examples

_START = 600  # seconds to the page's address; the model may have to be converted first
_OWN_WEIGHTS = (0.35, 1.2)  # of the alignment adapter, as two visitors' sliders would have them


@contextmanager
def running_app(options: Sequence[str] = ()) -> Iterator[tuple[str, int]]:
    """Address and process id of an app.

    Args:
        options: more of `midalign demo`.
    """
    command = [sys.executable, "-m", "midalign_demo.cli", "demo", "--host", "127.0.0.1", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        address = next((found for line in process.stdout if (found := re.search(r"http://\S+", line))), None)
        if address is None:
            raise RuntimeError(f"the app ended with status {process.wait(_START)}")
        yield address.group(), process.pid
    finally:
        process.terminate()
        process.wait(60)


def resident_bytes(process: int) -> int:
    """Resident memory of a process."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    assert found
    return int(found.group(1)) * 1024


def questions(count: int) -> list[dict[str, Any]]:
    """Arguments of `/compare`: midalign's examples of the three tasks in turn, some with settings of their own."""
    asked: list[dict[str, Any]] = []
    by_task = examples.by_task()
    for number in range(count):
        task = (slot_filling.NAME, translation.NAME, json_generation.NAME)[number % 3]
        turn = number // 3
        entry = by_task[task][turn % len(by_task[task])]
        question = {"text": entry["text"], "task": task, "language": entry["language"]}
        if task == translation.NAME:
            question["target"] = entry["target"]
        if turn % 2:
            question |= {"variants": ["task", "merged"], "align_weight": _OWN_WEIGHTS[turn // 2 % 2]}
        if task == slot_filling.NAME and turn % 3 == 2:
            question["slots"] = ["datetime", "location"]
        asked.append(question)
    return asked


def said(document: Mapping) -> list[tuple]:
    """What a document of `/compare` holds but for the time that it took."""
    return [
        (output["variant"], tuple(output["adapters"]), output["prompt"], output["text"], output["new_tokens"])
        for output in document["outputs"]
    ]


class Deadline:
    """So many minutes from now."""

    def __init__(self, minutes: float):
        self._minutes, self._end = minutes, time.monotonic() + 60 * minutes

    @property
    def seconds(self) -> float:
        """What is left.

        Raises:
            TimeoutError: nothing is.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"not done in {self._minutes:g} minutes")
        return left
