"""`midalign stored-answers`: the answers that the app shows before anyone asks."""

from __future__ import annotations

import argparse
from pathlib import Path

from midalign_demo import embedded
from midalign_demo.commandline import progress_bar
from midalign_demo.commands import options


def add(commands) -> None:
    parser = options.command(
        commands, "stored-answers", store, "answer the app's examples with the shipped adapters and store the answers"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: the file that comes with midalign")


def store(arguments: argparse.Namespace) -> None:
    from midalign_demo import library
    from midalign_demo.ui import stored

    midalign = library.load(embedded.NAME, dtype=stored.DTYPE, device="cpu")
    made = stored.make(midalign, progress_bar("answering"))
    path = arguments.output or stored.path()
    stored.write(made, path)
    count = len(made["answers"])
    options.print_json({"output": str(path), "n": count}) if arguments.json else print(f"{path}: {count} answers")
