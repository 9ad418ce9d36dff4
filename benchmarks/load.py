"""Many clients at once against the real app on loopback: `python -m benchmarks.load [--json]`.

A number of questions of all three tasks are asked by one client, one after the other; then, again and again in another
order, by many. Every answer has to be the one that was given alone. Exit status 1 if one is not, if one is lost, or if
sixteen clients together get fewer than three times the answers in a minute that one gets. In bfloat16 (`--dtype
bfloat16`) roundings differ with the rows of a batch, and some answers turn on them: those count as wrong here. Needs
the extras `embedded` and `test`.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from gradio_client import Client

from benchmarks.app_process import Deadline, questions, running_app, said

GOAL = 3.0  # times the throughput of one client


@dataclass(frozen=True)
class Crowd:
    """What came of many clients at once.

    Attributes:
        wrong, lost: how many answers were not those given alone, or none.
        per_minute: answers.
        median, percentile_95: seconds from asking to the answer.
    """

    clients: int
    requests: int
    wrong: int
    lost: int
    per_minute: float
    median: float
    percentile_95: float


def crowd(
    url: str,
    asked: Sequence[Mapping[str, Any]],
    expected: Sequence[list[tuple]] | None,
    *,
    clients: int,
    deadline: Deadline,
) -> tuple[Crowd, list[list[tuple]]]:
    """Ask questions from so many clients, each of which asks the next one when it has its answer.

    Args:
        expected: of each question what it was answered alone; None: whatever comes is right.

    Returns:
        What came of it, and each question's answer; an empty one if it was lost.
    """
    callers = [Client(url, verbose=False) for _ in range(clients)]
    turns = iter(range(len(asked)))
    found: list[list[tuple]] = [[] for _ in asked]
    seconds = []

    def ask(caller: Client) -> None:
        for number in turns:  # shared by all: each number is one caller's
            begun = time.perf_counter()
            try:
                made = caller.submit(**asked[number], api_name="/compare").result(timeout=deadline.seconds)
                found[number] = said(made)
            except Exception as error:  # whatever it was, the answer is lost
                print(f"lost: {asked[number]}: {error}", file=sys.stderr)
            seconds.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(ask, callers))
    took = time.perf_counter() - begun
    for caller in callers:
        caller.close()
    wrong = 0
    for number, (its, right) in enumerate(zip(found, expected or found, strict=True)):
        if its and its != right:
            wrong += 1
            print(f"wrong: {asked[number]}:\n  {its}\n  {right}", file=sys.stderr)
    lost = sum(not its for its in found)
    outcome = Crowd(
        clients, len(asked), wrong, lost, 60 * (len(asked) - lost) / took,
        float(np.median(seconds)), float(np.percentile(seconds, 95)),
    )  # fmt: skip
    print(told(outcome), file=sys.stderr)
    return outcome, found


def told(outcome: Crowd) -> str:
    """In a sentence."""
    return (
        f"{outcome.clients} client{'s' * (outcome.clients > 1)}, {outcome.requests} requests: {outcome.wrong} wrong, "
        f"{outcome.lost} lost; {outcome.per_minute:.1f} answers a minute; waited for {outcome.median:.1f} s (median), "
        f"{outcome.percentile_95:.1f} s (95th percentile)"
    )


def repeated(count: int, of: int, seed: int) -> list[int]:
    """Numbers of so many questions: all of them, in an order of its own each time."""
    rng = random.Random(seed)
    numbers: list[int] = []
    while len(numbers) < count:
        numbers += rng.sample(range(of), of)
    return numbers[:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--requests", type=int, default=200, metavar="N", help="of the most clients; default: 200")
    parser.add_argument("--clients", type=int, default=32, metavar="N", help="default: 32")
    parser.add_argument("--some", type=int, default=16, metavar="N", help="clients held against one; default: 16")
    parser.add_argument("--questions", type=int, default=24, metavar="N", help="different ones; default: 24")
    parser.add_argument("--minutes", type=float, default=40, help="after which it ends; default: 40")
    parser.add_argument("--dtype", default="float32", help="the app's, as `midalign demo` takes it; default: float32")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    args = parser.parse_args()
    asked, deadline = questions(args.questions), Deadline(args.minutes)
    with running_app(["--dtype", args.dtype]) as (url, _):
        crowd(url, asked[:6], None, clients=1, deadline=deadline)  # loads the tasks' adapters
        alone, expected = crowd(url, asked, None, clients=1, deadline=deadline)
        outcomes = [alone]
        for clients, count in ((args.some, 2 * len(asked)), (args.clients, args.requests)):
            numbers = repeated(count, len(asked), seed=clients)
            outcome, _ = crowd(
                url, [asked[one] for one in numbers], [expected[one] for one in numbers], clients=clients,
                deadline=deadline,
            )  # fmt: skip
            outcomes.append(outcome)
    ratio = outcomes[1].per_minute / alone.per_minute if alone.per_minute else 0.0
    if args.json:
        print(json.dumps({"crowds": [asdict(one) for one in outcomes], "ratio": round(ratio, 3), "goal": GOAL}))
    else:
        for one in outcomes:
            print(told(one))
        print(f"{args.some} clients get {ratio:.2f} x the answers of one (goal: {GOAL:g} x)")
    good = ratio >= GOAL and not any(one.wrong or one.lost for one in outcomes)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
