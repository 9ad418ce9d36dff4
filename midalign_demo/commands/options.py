"""Options that several commands have, and what they stand for."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

from midalign_demo import bases, embedded, examples, languages
from midalign_demo import variants as variant_names
from midalign_demo.commandline import comma_list, positive, report
from midalign_demo.errors import InputError
from midalign_demo.sentences import own_sentences
from midalign_demo.tasks import slot_filling

DEFAULT_TASK = slot_filling.NAME


def command(commands, name: str, function: Callable | None, help_text: str) -> argparse.ArgumentParser:
    """A command's parser, with `--json`."""
    parser = commands.add_parser(name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".")
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    parser.set_defaults(run=function)
    return parser


def add_variants(parser: argparse.ArgumentParser, *usual: str) -> None:
    parser.add_argument("--variants", type=comma_list, help=f"default: those of {','.join(usual)} that there are")
    parser.set_defaults(usual_variants=usual)


def add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--base", default=bases.DEFAULT, help=f"{bases.DEFAULT}, a folder or a hub id")
    parser.add_argument("--dtype", choices=bases.DTYPES, default="auto")
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--adapter", action="append", default=[], metavar="ROLE=SOURCE",
        help=f"adapter for a variant: ROLE is {', '.join(variant_names.ROLES)} or a name of your own, for a variant "
        "that is this adapter; SOURCE a shipped one, a folder or a hub id",
    )  # fmt: skip


def add_server(parser: argparse.ArgumentParser) -> None:
    """Answers of a server in the place of a base loaded here."""
    parser.add_argument(
        "--server", metavar="URL",
        help="ask a server that speaks OpenAI's protocol (vLLM, SGLang, llama.cpp), such as http://localhost:8000/v1",
    )  # fmt: skip
    parser.add_argument(
        "--served", action="append", default=[], metavar="VARIANT=MODEL",
        help="with --server: the name that it gives a variant's model; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--chat", action="store_true", help="with --server: ask through its chat template, as tuned chat models want it"
    )


def add_merge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--align-weight", type=float, metavar="W", help="weight of the alignment adapter in `merged`; default: as tuned"
    )


def add_parallel(parser: argparse.ArgumentParser) -> None:
    """What to take of the parallel text that the command's `path` names, see `read_parallel`."""
    parser.add_argument("--languages", type=comma_list, help="default: all there are")
    parser.add_argument("--first", type=positive, default=1, help="first line to take, counted from 1")
    parser.add_argument("--limit", type=positive, help="only so many lines")
    parser.add_argument("--centre", action="store_true", help="subtract each language's mean first")


def add_encoders(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--encoder", action="append", default=[], metavar="ID_OR_FOLDER",
        help="a sentence-transformers model beside the variants, such as sentence-transformers/LaBSE; may be repeated",
    )  # fmt: skip


def add_question(parser: argparse.ArgumentParser) -> None:
    """What the tasks' questions need beside the text."""
    parser.add_argument("--target", type=language, help="translation: language to translate into, such as en")
    parser.add_argument("--slots", type=comma_list, help="slot filling: slots that may be filled, listed in the prompt")
    parser.add_argument(
        "--grammar", action=argparse.BooleanOptionalAction,
        help="hold answers to the task's grammar: slots and words of the text, JSON that fits the schema; "
        "default: only JSON",
    )  # fmt: skip


def language(tag: str) -> str:
    """A BCP 47 tag, for argparse."""
    try:
        return languages.normalize(tag)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def read_parallel(arguments: argparse.Namespace, needed_by: str) -> dict[str, list[str]]:
    """The parallel text that the options name; midalign's own sentences where `path` is None.

    Args:
        needed_by: what there must be two languages for, for the message.

    Raises:
        InputError: as `midalign_demo.parallel.read`; or fewer than two languages.
    """
    tags = [languages.normalize(tag) for tag in arguments.languages] if arguments.languages else None
    lines = {"first": arguments.first, "last": arguments.first + arguments.limit - 1 if arguments.limit else None}
    if arguments.path is None:
        corpus = own_sentences(tags, **lines)
    else:
        corpus = examples.read_parallel(arguments.path, tags, **lines)
    if len(corpus) < 2:
        raise InputError(f"languages: {', '.join(corpus)} given; {needed_by} needs at least two")
    return corpus


def variants(arguments: argparse.Namespace, task: str) -> list[str]:
    """The variants asked for; else the usual ones as far as there are adapters for them, or `base`.

    Of a server, all that it serves.
    """
    if arguments.variants is not None:
        named = _served(arguments) if has_server(arguments) else sources(arguments)
        return variant_names.check(arguments.variants, variant_names.own_of(named))
    if has_server(arguments):
        return open_server(arguments).variants(task)
    given = sources(arguments)
    roles = {*variant_names.shipped_sources(arguments.base, task), *given}
    usual = [name for name in arguments.usual_variants if variant_names.roles_of([name]) <= roles]
    return [*usual, *variant_names.own_of(given)] or ["base"]


def sources(arguments: argparse.Namespace) -> dict[str, str]:
    """The adapters that `--adapter` names, by role."""
    named = {}
    for pair in arguments.adapter:
        role, equals, source = pair.partition("=")
        if not equals or not source or role in ("base", "merged"):
            roles = ", ".join(variant_names.ROLES)
            raise InputError(
                f"adapter: {pair!r} is not of the form ROLE=SOURCE with ROLE one of {roles}, or a name of your own"
            )
        named[role] = source
    variant_names.own_of(named)
    return named


def has_server(arguments: argparse.Namespace) -> bool:
    """Whether a server answers.

    Raises:
        InputError: options that belong to a server without one, or one with options of a base loaded here.
    """
    server = getattr(arguments, "server", None)
    if server is None and (getattr(arguments, "served", None) or getattr(arguments, "chat", False)):
        raise InputError("server: not given, but --served or --chat; they say how it is asked")
    if server is not None and (arguments.adapter or getattr(arguments, "align_weight", None) is not None):
        raise InputError("server: given, and --adapter or --align-weight as well; adapters are the server's to load")
    return server is not None


def _served(arguments: argparse.Namespace) -> dict[str, str]:
    """The server's models by variant."""
    named = {}
    for pair in arguments.served:
        variant, equals, model = pair.partition("=")
        if not equals or not model:
            raise InputError(f"served: {pair!r} is not of the form VARIANT=MODEL")
        named[variant] = model
    return named


def open_server(arguments: argparse.Namespace):
    """The server that the options name, as what answers."""
    from midalign_demo.served import ServedEngine

    return ServedEngine(arguments.server, _served(arguments), chat=arguments.chat)


def open_engine(arguments: argparse.Namespace, task: str, wanted: list[str]):
    """The base and the variants' adapters, which the options name; the embedded base comes with its shipped ones.

    Or the server that they name.
    """
    if has_server(arguments):
        return open_server(arguments)
    embedded.check_ahead(arguments.base)
    from midalign_demo.engine import open_engine as open_with  # torch takes seconds to import

    options = {"dtype": arguments.dtype, "device": arguments.device, "report": report}
    engine = open_with(arguments.base, task, sources=sources(arguments), variants=wanted, **options)
    if arguments.align_weight is not None:
        if "merged" not in engine.variants(task):
            raise InputError(f"align-weight: {arguments.align_weight} given, but there is nothing to merge")
        engine.set_merge(task, arguments.align_weight)
    return engine


def printable(text: str) -> str:
    """The text without control characters, which a terminal would obey."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def print_json(document: dict | list) -> None:
    print(json.dumps(document, ensure_ascii=False))
