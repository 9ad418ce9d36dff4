"""`midalign-train data`: text to train on, made from packages that are on PyPI or npm."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from midalign_demo import languages
from midalign_demo.commandline import comma_list, positive, report
from midalign_demo.errors import InputError
from midalign_demo.examples import read_commands
from midalign_demo.parallel import write_folder
from train import cldr, home_assistant, messages
from train.data import ENGLISH
from train.parallel_commands import DRAWN, parallel_commands


def add(kinds) -> None:
    """Describe the command to the parser."""
    parser = kinds.add_parser("data", help="Make data to train on.", description="Make data to train on.")
    sources = parser.add_subparsers(dest="source", required=True)
    for name, help_text in (
        ("home-assistant", "labelled voice commands in 60 languages, sampled from Home Assistant's templates"),
        ("commands", "parallel voice commands: the same asked for in several languages, from the same templates"),
        ("cldr", "parallel vocabulary in 100 languages: emoji names and keywords"),
        ("messages", "parallel sentences from the messages of translated programs"),
    ):
        source = sources.add_parser(name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".")
        source.add_argument("--languages", type=_tags, required=True, metavar="TAGS", help="such as de,th,sw")
        source.add_argument("--output", type=Path, required=True)
        source.add_argument("--json", action="store_true", help="print one JSON document on stdout")
        if name == "cldr":
            source.add_argument(
                "--archive", required=True, metavar="TGZ", help="what `npm pack cldr-annotations-full` downloads"
            )
        elif name == "messages":
            source.add_argument(
                "--folder",
                required=True,
                metavar="DIR",
                help="searched for LANGUAGE/LC_MESSAGES/*.mo (gettext) and LANGUAGE.json beside en.json (MediaWiki)",
            )
        elif name == "commands":
            source.add_argument("--count", type=positive, default=DRAWN, help="commands to draw in each language")
            source.add_argument("--seed", type=int, default=1)
            source.add_argument(
                "--exclude",
                metavar="FILE_OR_DIR",
                help="labelled commands that are not to be among them, in any language",
            )
        else:
            source.add_argument("--count", type=positive, default=2000, help="commands in each language")
            source.add_argument("--seed", type=int, default=1)
            source.add_argument(
                "--lists",
                type=Path,
                metavar="FILE",
                help='JSON with your own rooms and devices: {"de": {"area": [..]}}',
            )  # fmt: skip


def make(arguments: argparse.Namespace) -> None:
    """Write the data and say how much there is."""
    if arguments.source == "home-assistant":
        counts = _sample(arguments)
    else:
        tags = [ENGLISH, *(tag for tag in arguments.languages if tag != ENGLISH)]
        if arguments.source == "cldr":
            corpus = cldr.read_annotations(arguments.archive, tags)
        elif arguments.source == "commands":
            unwanted = [command.text for command in read_commands(arguments.exclude)] if arguments.exclude else []
            corpus = parallel_commands(tags, drawn=arguments.count, seed=arguments.seed, exclude=unwanted)
        else:
            corpus = messages.read_messages(arguments.folder, tags)
        write_folder(corpus, arguments.output)
        counts = {tag: len(lines) for tag, lines in corpus.items()}
    if arguments.json:
        print(json.dumps({"output": str(arguments.output), "counts": counts}))
    else:
        print(f"{arguments.output}: " + ", ".join(f"{tag} {count}" for tag, count in counts.items()))


def _sample(arguments: argparse.Namespace) -> dict[str, int]:
    own = home_assistant.read_lists(arguments.lists) if arguments.lists else {}
    known = home_assistant.default_lists()
    sampled = {}
    for tag in arguments.languages:
        sampled[tag] = home_assistant.sample_commands(tag, arguments.count, lists=own.get(tag), seed=arguments.seed)
        if tag not in known and tag not in own:
            report(f"{tag}: midalign has no names of rooms and devices; sentences with them are left out (--lists)")
        if len(sampled[tag]) < arguments.count:
            report(f"{tag}: its templates gave {len(sampled[tag])} of {arguments.count} commands")
    home_assistant.write_commands(arguments.output, sampled)
    return {tag: len(commands) for tag, commands in sampled.items()}


def _tags(text: str) -> list[str]:
    try:
        return list(dict.fromkeys(languages.normalize(tag) for tag in comma_list(text)))
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
