"""`midalign export-model`: a variant as a model of its own, adapters added to the base's weights."""

from __future__ import annotations

import argparse
from pathlib import Path

from midalign_demo import tasks
from midalign_demo import variants as variant_names
from midalign_demo.commands import options


def add(commands) -> None:
    parser = options.command(commands, "export-model", export, "write a variant as a model without adapters")
    parser.add_argument("output", type=Path, metavar="OUT", help="folder to write")
    parser.add_argument("--variant", choices=variant_names.VARIANTS, default="merged", help="default: merged")
    parser.add_argument("--task", choices=tuple(tasks.MODULES), default=options.DEFAULT_TASK)
    options.add_model(parser)
    options.add_merge(parser)


def export(arguments: argparse.Namespace) -> None:
    from midalign_demo.full_model import write_model  # torch takes seconds to import

    engine = options.open_engine(arguments, arguments.task, variant_names.check([arguments.variant]))
    weights = engine.adapters_of(arguments.variant, arguments.task)
    write_model(engine.adapters, weights, arguments.output)
    written = {"output": str(arguments.output), "adapters": dict(weights)}
    options.print_json(written) if arguments.json else print(arguments.output)
