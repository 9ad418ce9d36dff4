"""`midalign map`: a map of parallel sentences at a middle layer, as a page, a picture or data."""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

from midalign_demo import encoders, files, maps
from midalign_demo.commandline import progress_bar, report
from midalign_demo.commands import options
from midalign_demo.errors import InputError
from midalign_demo.projection import DIMS, METHODS
from midalign_demo.tasks import slot_filling

_PNG_WIDTH = 1100


def add(commands) -> None:
    parser = options.command(
        commands, "map", draw, "a map of parallel sentences at a middle layer, one panel for each variant"
    )
    parser.add_argument("path", metavar="DIR", nargs="?", help="parallel text; default: midalign's own sentences")
    parser.add_argument("--output", required=True, metavar="FILE", help=".html (needs no network), .json or .png")
    options.add_parallel(parser)
    options.add_variants(parser, "base", "align")
    parser.add_argument(
        "--show", choices=maps.SHOWS, default="variants",
        help="variants beside each other, the alignment adapter at weights from 0 to 1, or all layers",
    )  # fmt: skip
    parser.add_argument("--layer", type=int, help="default: the base's middle layer")
    parser.add_argument("--method", choices=METHODS, default="umap")
    parser.add_argument("--dims", type=int, choices=DIMS, default=2)
    parser.add_argument("--colour-by", choices=maps.COLOUR_BY, default="language")
    options.add_encoders(parser)
    options.add_model(parser)
    options.add_merge(parser)


def draw(arguments: argparse.Namespace) -> None:
    output = Path(arguments.output)
    write = _writer(output)
    corpus = options.read_parallel(arguments, "a map")
    variants = ["align"] if arguments.show == "strength" else options.variants(arguments, slot_filling.NAME)
    if arguments.encoder and arguments.show != "variants":
        raise InputError(f"encoder: given, but the map shows {arguments.show}; encoders stand beside variants")
    others = encoders.check(arguments.encoder, variants)
    engine = options.open_engine(arguments, slot_filling.NAME, variants)
    looked_at = maps.views_for(arguments.show, engine, variants, slot_filling.NAME, arguments.layer)
    rows = maps.embeddings(engine, corpus, looked_at, progress=progress_bar("embedding"))
    views: list[maps.View | maps.EncoderView] = [*looked_at]
    for other in others:
        views.append(maps.EncoderView(encoders.name_of(other)))
        rows.append(encoders.embed(other, [line for lines in corpus.values() for line in lines]))
    report(f"Laying out {sum(map(len, corpus.values()))} points")
    shown = maps.lay_out(corpus, views, rows, method=arguments.method, dims=arguments.dims, centre=arguments.centre)
    if shown.method != arguments.method:
        report(f"Laid out by {shown.method}: too few points for {arguments.method}")
    write(shown, arguments.show, arguments.colour_by)
    slices = [{"label": part.label, "layer": part.layer, **part.retrieval} for part in shown.slices]
    if arguments.json:
        n = len(set(shown.meaning))
        options.print_json({"output": str(output), "n": n, "languages": shown.languages, "slices": slices})
        return
    for part in slices:
        english = "" if part["en-x"] is None else f", en-x {part['en-x']:.3f}"
        where = "" if part["layer"] is None else f", layer {part['layer']}"
        print(f"{part['label']}{where}: retrieval accuracy all {part['all']:.3f}{english}")
    print(output)


def _writer(output: Path) -> Callable:
    """What writes a map to this file; found before the model is loaded, so that a mistake shows at once."""
    if output.is_dir():
        raise InputError(f"output: {str(output)!r} is a folder; give a file")

    def as_json(shown, show: str, colour_by: str) -> None:
        with files.replacing(output) as file:
            json.dump(shown.to_dict(), file, ensure_ascii=False)

    def as_page(shown, show: str, colour_by: str) -> None:
        from midalign_demo import pages

        document = pages.map_document(shown, show=show, colour_by=colour_by)
        with files.replacing(output) as file:
            file.write(pages.map_page(pages.as_json(document)))

    def as_picture(shown, show: str, colour_by: str) -> None:
        from midalign_demo.figures import map_figure

        figure = map_figure(shown, colour_by=colour_by).update_layout(paper_bgcolor="white", width=_PNG_WIDTH)
        try:
            picture = figure.to_image(format="png", scale=2)
        except (RuntimeError, ValueError) as error:  # kaleido draws with a Chrome, which it has to find
            raise InputError(
                f"output: kaleido could not draw {output} ({str(error).strip().splitlines()[0]})"
            ) from error
        with files.replacing(output, binary=True) as file:
            file.write(picture)

    writers = {".html": as_page, ".json": as_json, ".png": as_picture}
    if output.suffix not in writers:
        raise InputError(f"output: {str(output)!r} ends in none of {', '.join(writers)}")
    if output.suffix == ".png" and importlib.util.find_spec("kaleido") is None:
        raise InputError(f"output: {str(output)!r} needs kaleido (pip install kaleido), or give a .html file")
    return writers[output.suffix]
