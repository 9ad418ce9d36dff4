"""A thousand requests in a row, every tenth cancelled or broken: `python -m benchmarks.soak [--json]`.

Exit status 1 if the app's resident memory at the end is not within 5 % of that after the first hundred, if one was
answered that should have been refused, or if what was asked first is answered otherwise at the end. It stops at one
that should have been answered and was not. In bfloat16 (`--dtype bfloat16`) an answer may turn on a rounding once the
beginning of its prompt comes from the cache. Needs the extras `embedded` and `test`, and Linux.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass

from gradio_client import Client

from benchmarks.app_process import Deadline, questions, resident_bytes, running_app, said
from midalign_demo.variants import VARIANTS

FIRST = 0.1  # of the requests, after which memory is measured
GOAL = 0.05  # by which it may have changed at the end
_BEFORE_CANCELLING = (0.0, 0.1, 0.5, 1.0)  # seconds

BROKEN = (
    {"text": "x" * 100_000},
    {"text": "hello", "variants": ["none such"]},
    {"text": "hello", "task": "json", "schema": {"type": "no type"}},
    {"text": " "},
    {"text": "hello", "task": "poetry"},
    {"text": "hello", "slots": ["a:b"]},
)


@dataclass(frozen=True)
class Outcome:
    """Attributes:
    answered, cancelled, refused: requests.
    problems: what should not have been.
    first_bytes, last_bytes: resident memory of the app after the first requests, and at the end.
    right: whether the next answer is what it was at first.
    """

    answered: int
    cancelled: int
    refused: int
    problems: list[str]
    first_bytes: int
    last_bytes: int
    right: bool

    @property
    def change(self) -> float:
        """Of resident memory, as a share."""
        return self.last_bytes / self.first_bytes - 1

    @property
    def is_good(self) -> bool:
        return self.right and not self.problems and abs(self.change) <= GOAL


def soak(url: str, process: int, requests: int, deadline: Deadline) -> Outcome:
    """Ask so many things, one after the other."""
    client = Client(url, verbose=False)
    # One variant each, in turns: so many requests are to be made in good time.
    asked = [{**of, "variants": [name]} for name in VARIANTS for of in questions(24)]

    def answer(number: int) -> list[tuple]:
        job = client.submit(**asked[number % len(asked)], api_name="/compare")
        return said(job.result(timeout=deadline.seconds))

    counts = {"answered": 0, "cancelled": 0, "refused": 0}
    problems: list[str] = []
    first = answer(0)
    first_bytes = 0
    for number in range(1, requests + 1):
        tenth, rest = divmod(number, 10)
        if rest:
            answer(number)
            counts["answered"] += 1
        elif tenth % 2:
            job = client.submit(**asked[number % len(asked)], api_name="/compare")
            time.sleep(_BEFORE_CANCELLING[tenth // 2 % len(_BEFORE_CANCELLING)])
            job.cancel()
            counts["cancelled"] += 1
        else:
            broken = BROKEN[tenth // 2 % len(BROKEN)]
            try:
                client.predict(**broken, api_name="/compare")
                problems.append(f"answered: {str(broken)[:100]}")
            except Exception as error:  # what gradio_client makes of a refusal
                counts["refused"] += 1
                if "went wrong" in str(error) or "Traceback" in str(error):
                    problems.append(f"{str(broken)[:100]}: {error}")
        if number == max(1, round(FIRST * requests)):
            first_bytes = resident_bytes(process)
        if number % 50 == 0:
            print(f"{number} requests: {resident_bytes(process) / 1e6:.0f} MB", file=sys.stderr)
    last_bytes = resident_bytes(process)
    right = answer(0) == first
    client.close()
    return Outcome(**counts, problems=problems, first_bytes=first_bytes, last_bytes=last_bytes, right=right)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--requests", type=int, default=1000, metavar="N", help="default: 1000")
    parser.add_argument("--dtype", default="float32", help="the app's, as `midalign demo` takes it; default: float32")
    parser.add_argument("--minutes", type=float, default=120, help="after which it ends; default: 120")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    args = parser.parse_args()
    with running_app(["--dtype", args.dtype]) as (url, process):
        outcome = soak(url, process, args.requests, Deadline(args.minutes))
    if args.json:
        print(json.dumps({**asdict(outcome), "change": round(outcome.change, 4)}))
    else:
        for problem in outcome.problems:
            print(problem)
        print(
            f"{outcome.answered} answered, {outcome.cancelled} cancelled, {outcome.refused} refused; "
            f"{outcome.first_bytes / 1e6:.0f} MB after the first {FIRST:.0%}, {outcome.last_bytes / 1e6:.0f} MB at "
            f"the end ({outcome.change:+.1%}, goal: within {GOAL:.0%}); the next answer is "
            f"{'' if outcome.right else 'not '}what it was at first"
        )
    sys.exit(0 if outcome.is_good else 1)


if __name__ == "__main__":
    main()
