"""`midalign export-encoder`: the middle layer as a sentence-transformers model."""

from __future__ import annotations

import argparse
from pathlib import Path

from midalign_demo import variants as variant_names
from midalign_demo.commandline import positive
from midalign_demo.commands import options
from midalign_demo.tasks import slot_filling


def add(commands) -> None:
    parser = options.command(commands, "export-encoder", export, "write the middle layer as a SentenceTransformer")
    parser.add_argument("output", type=Path, metavar="OUT", help="folder to write")
    parser.add_argument("--variant", choices=variant_names.VARIANTS, default="align", help="default: align")
    parser.add_argument("--layer", type=positive, help="default: the base's middle layer")
    options.add_model(parser)
    options.add_merge(parser)


def export(arguments: argparse.Namespace) -> None:
    from midalign_demo.encoder import write_encoder  # torch takes seconds to import

    task = slot_filling.NAME
    engine = options.open_engine(arguments, task, variant_names.check([arguments.variant]))
    weights = engine.adapters_of(arguments.variant, task)
    layer = engine.base.middle_layer if arguments.layer is None else arguments.layer
    width = write_encoder(engine.adapters, weights, arguments.output, layer=layer)
    written = {"output": str(arguments.output), "layer": layer, "width": width, "adapters": dict(weights)}
    options.print_json(written) if arguments.json else print(arguments.output)
