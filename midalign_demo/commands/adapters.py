"""`midalign adapters`: list, show, merge, export or upload adapters, write scores into their cards."""

from __future__ import annotations

import argparse
import math
import shutil
from pathlib import Path

from midalign_demo import adapters, files, hub
from midalign_demo.commands import options
from midalign_demo.errors import InputError


def add(commands) -> None:
    parser = options.command(
        commands, "adapters", run_adapters, "list, show, merge, export or upload adapters, score their cards"
    )
    parser.add_argument("action", choices=("list", "show", "merge", "export", "push", "card"))
    parser.add_argument(
        "names", nargs="*", metavar="NAME",
        help="show NAME; merge NAME*WEIGHT NAME*WEIGHT ..; export NAME; push NAME OWNER/REPOSITORY (to the "
        "Hugging Face hub, with your token); card NAME .. (writes scores into their cards)",
    )  # fmt: skip
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder for merge and export")
    parser.add_argument("--private", action="store_true", help="for push: make a new repository private")
    parser.add_argument(
        "--tables", type=Path, metavar="DIR",
        help="for card: the tables of midalign results; default: those of the package",
    )  # fmt: skip


def run_adapters(arguments: argparse.Namespace) -> None:
    if arguments.action == "list":
        found = [
            {"name": name, "folder": str(adapters.locate(name)), "rank": adapters.read_config(name)["r"]}
            for name in adapters.shipped()
        ]
        if arguments.json:
            options.print_json(found)
        else:
            for entry in found:
                print(f"{entry['name']:20} rank {entry['rank']:<4} {entry['folder']}")
        return
    if not arguments.names:
        raise InputError(f"adapters {arguments.action}: no NAME given; there are {', '.join(adapters.shipped())}")
    if arguments.action == "show":
        name = arguments.names[0]
        card = files.read_text(adapters.locate(name) / "README.md")
        options.print_json(
            {"name": name, "config": adapters.read_config(name), "card": card}
        ) if arguments.json else print(card)
        return
    if arguments.action == "card":
        _score_cards(arguments)
        return
    if arguments.action == "push":
        _push(arguments)
        return
    if arguments.output is None:
        raise InputError(f"adapters {arguments.action}: no --output given")
    if arguments.action == "export":
        with files.new_folder(arguments.output) as draft:
            shutil.copytree(adapters.locate(arguments.names[0]), draft, dirs_exist_ok=True)
    else:
        _merge(arguments)
    options.print_json({"output": str(arguments.output)}) if arguments.json else print(arguments.output)


def _push(arguments: argparse.Namespace) -> None:
    if len(arguments.names) != 2:
        raise InputError(f"push: {' '.join(arguments.names)!r} given; it takes NAME OWNER/REPOSITORY")
    name, repo = arguments.names
    url = hub.upload(adapters.locate(name), repo, "model", private=arguments.private, files=hub.ADAPTER_FILES)
    options.print_json({"url": url}) if arguments.json else print(url)


def _score_cards(arguments: argparse.Namespace) -> None:
    from midalign_demo import card_scores, tables

    where = arguments.tables or tables.folder()
    found = [tables.read(path) for path in tables.paths_in(where)]
    if not found:
        raise InputError(f"card: there are no result tables in {where}; midalign results makes them")
    written = [str(card_scores.update(name, found)) for name in arguments.names]
    options.print_json({"written": written}) if arguments.json else print("\n".join(written))


def _merge(arguments: argparse.Namespace) -> None:
    from midalign_demo.merging import write_sum  # torch takes seconds to import

    weights: dict[str, float] = {}
    for part in arguments.names:
        name, star, weight = part.partition("*")
        try:
            weights[name] = float(weight) if star else 1.0
        except ValueError as error:
            raise InputError(f"merge: {part!r} is not of the form NAME or NAME*WEIGHT with a number") from error
        if not math.isfinite(weights[name]):
            raise InputError(f"merge: the weight of {name!r} is {weights[name]}; give a number")
    write_sum(weights, arguments.output)
