"""`midalign`: the app, and its parts as commands. Every command takes `--json`."""

from __future__ import annotations

import argparse
import sys
from functools import cache

from midalign_demo import __version__, bases, embedded, published, tasks, unseen
from midalign_demo.commandline import Parser, positive, report, run
from midalign_demo.commands import (
    adapters,
    compare,
    evaluate,
    export_encoder,
    export_model,
    options,
    probe,
    results,
    retrieval,
    space,
    stored_answers,
)
from midalign_demo.commands import map as map_command
from midalign_demo.errors import InputError


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    arguments = _parser().parse_args(argv)
    return run("midalign", lambda: arguments.run(arguments))


def _parser() -> Parser:
    parser = Parser(prog="midalign", description="See, measure and use middle-layer representation alignment.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = options.command(commands, "demo", _demo, "open the browser app")
    demo.add_argument("--host", help="address to listen on; default: $GRADIO_SERVER_NAME or 127.0.0.1")
    demo.add_argument("--port", type=positive, help="port; default: 7860 or the next free one")
    demo.add_argument("--share", action="store_true", help="make a public link through Gradio's relay")
    demo.add_argument(
        "--test-set", action="append", default=[], metavar="TASK=PATH",
        help="labelled data for `From the test set` and /evaluate_sample, in the place of midalign's own",
    )  # fmt: skip
    demo.add_argument(
        "--visitor-adapters", action="store_true",
        help="let visitors name LoRA adapters of their own, by hub id or by folder on this machine (read SECURITY.md)",
    )  # fmt: skip
    options.add_model(demo)
    options.add_server(demo)

    for module in (
        compare, evaluate, retrieval, probe, map_command, results, export_encoder, export_model, adapters, space,
        stored_answers,
    ):  # fmt: skip
        module.add(commands)

    base = options.command(commands, "bases", _bases, "list bases, or prepare the embedded one")
    base.add_argument("action", choices=("list", "prepare"))
    return parser


def _demo(arguments: argparse.Namespace) -> None:
    from midalign_demo.ui.demo import launch

    if arguments.visitor_adapters and options.has_server(arguments):
        raise InputError("visitor-adapters: a server answers, which has the adapters that it was started with")
    launch(
        host=arguments.host,
        port=arguments.port,
        share=arguments.share,
        base=arguments.base,
        sources=options.sources(arguments),
        labelled=_labelled(arguments.test_set),
        served=options.open_server(arguments) if options.has_server(arguments) else None,
        visitor_adapters=arguments.visitor_adapters,
        dtype=arguments.dtype,
        device=arguments.device,
        announce=lambda url: options.print_json({"url": url}) if arguments.json else print(f"midalign runs at {url}"),
    )


def _labelled(pairs: list[str]) -> dict[str, str]:
    """The paths that `--test-set` names, by task; each can be read."""
    named = {}
    for pair in pairs:
        task, equals, path = pair.partition("=")
        if task not in tasks.MODULES or not equals:
            raise InputError(
                f"test-set: {pair!r} is not of the form TASK=PATH with TASK one of {', '.join(tasks.MODULES)}"
            )
        unseen.read(task, path)
        named[task] = path
    return named


def _bases(arguments: argparse.Namespace) -> None:
    if arguments.action == "prepare":
        folder = embedded.prepare(report)
        options.print_json({"name": embedded.NAME, "folder": str(folder)}) if arguments.json else print(folder)
        return
    ready = embedded.is_complete(embedded.folder())
    listed = [{"name": embedded.NAME, "middle_layer": embedded.MIDDLE_LAYER, "prepared": ready}]
    memory, problem_of = published.device_memory_gib(), cache(published.hub_problem)
    presets = [
        {"name": name, "base": found.base, "task": found.task, "why_not": published.why_not(found, memory, problem_of)}
        for name, found in published.ALL.items()
    ]
    if arguments.json:
        options.print_json({"bases": listed, "families": list(bases.FAMILIES), "published": presets})
    else:
        print(
            f"{embedded.NAME}: middle layer {embedded.MIDDLE_LAYER}, {'prepared' if ready else 'prepared at first use'}"
        )
        print(f"or a folder or hub id of one of the families {', '.join(bases.FAMILIES)}")
        print("The adapters of the paper's authors (midalign compare --published NAME):")
        for preset in presets:
            print(f"{preset['name']:12} {preset['base']}, {preset['task']}: {preset['why_not'] or 'available'}")


if __name__ == "__main__":
    sys.exit(main())
