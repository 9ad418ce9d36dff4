"""`python -m benchmarks --list` names the benchmarks; `python -m benchmarks NAME [--json]` runs one."""

from __future__ import annotations

import argparse
import sys

from benchmarks import answers, embeddings, harness, joint, prompts, starting, training

ALL = {
    benchmark.name: benchmark
    for benchmark in (*answers.ALL, *prompts.ALL, *embeddings.ALL, *training.ALL, *joint.ALL, *starting.ALL)
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="midalign's way against the plain way")
    parser.add_argument("name", nargs="?", choices=ALL, metavar="NAME")
    parser.add_argument("--list", action="store_true", help="name the benchmarks")
    parser.add_argument("--pairs", type=int, default=harness.PAIRS, metavar="N", help=f"default: {harness.PAIRS}")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    args = parser.parse_args()
    if args.list:
        for benchmark in ALL.values():
            print(f"{benchmark.name:16} {benchmark.what} (goal: {_goal(benchmark)})")
        return
    if args.name is None or args.pairs < 1:
        parser.error("NAME of a benchmark, see --list; --pairs from 1")
    outcome = harness.run(ALL[args.name], args.pairs)
    if args.json:
        print(outcome.as_json())
        return
    memory = "unknown" if outcome.memory_ratio is None else f"{outcome.memory_ratio:.2f} of it"
    print(
        f"{outcome.name}: {outcome.ratio:.2f} x as fast as the plain way [{outcome.low:.2f}, {outcome.high:.2f}], "
        f"{outcome.pairs} pairs; peak memory {memory} (goal: {_goal(outcome)})"
    )
    sys.exit(0 if outcome.meets_goals else 1)


def _goal(of: harness.Benchmark | harness.Outcome) -> str:
    memory = "" if of.memory_goal is None else f", {of.memory_goal:.2f} of the memory"
    return f"{of.goal:g} x{memory}"


if __name__ == "__main__":
    main()
