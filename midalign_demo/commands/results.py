"""`midalign results`: make the published result tables again."""

from __future__ import annotations

import argparse
import datetime
import shlex
from collections.abc import Mapping
from pathlib import Path

from midalign_demo import __version__, bases, provenance, tables, variants
from midalign_demo.commandline import Parser, report
from midalign_demo.commands import evaluate, options, retrieval
from midalign_demo.errors import InputError
from midalign_demo.table_definitions import ALL, DATA, Definition
from midalign_demo.tables import RETRIEVAL, ResultTable
from midalign_demo.tasks import slot_filling


def add(commands) -> None:
    parser = options.command(commands, "results", results, "make the published result tables again")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="holds parallel/, slots/ and ner/")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the tables go")
    parser.add_argument(
        "--only", nargs="+", choices=tuple(ALL), default=tuple(ALL), metavar="NAME",
        help=f"only these tables, of {', '.join(ALL)}",
    )  # fmt: skip
    parser.add_argument(
        "--answers", type=Path, metavar="DIR",
        help="keep answers here, so that the same command goes on where it was cut off; default: answers in --output",
    )  # fmt: skip
    options.add_model(parser)
    parser.set_defaults(dtype="float32")  # another machine's bfloat16 would give other figures


def results(arguments: argparse.Namespace) -> None:
    # Before a long time's work: is everything there, and was nothing of it trained on?
    plans = [plan(ALL[name], arguments) for name in arguments.only]
    written = []
    for number, (definition, command, adapters) in enumerate(plans, start=1):
        report(f"{definition.name} ({number} of {len(plans)}): {shown(command)}")
        table = make(definition, command, adapters, arguments)
        if table is not None:
            written.append(str(tables.write(table, arguments.output)))
    if not written:  # one of several processes, and not the first
        return
    if arguments.json:
        options.print_json({"written": written})
    else:
        for path in written:
            print(path)


def plan(definition: Definition, arguments: argparse.Namespace) -> tuple[Definition, list[str], dict[str, str]]:
    """The command for a table with the adapters there are, and those adapters by role.

    Raises:
        InputError: no such text in the data folder, or an adapter that was trained or tuned on it.
    """
    path = _resolved(definition.path, arguments.data)
    if not path.exists():
        raise InputError(f"data: {path} is not there; {definition.name} needs it")
    task = slot_filling.NAME if definition.task == RETRIEVAL else definition.task
    given = options.sources(arguments)
    available = {**variants.shipped_sources(arguments.base, task), **given}
    measured = [name for name in definition.variants if variants.roles_of([name]) <= available.keys()]
    needed = {role: available[role] for role in variants.ROLES if role in variants.roles_of(measured)}
    for source in needed.values():
        training = provenance.training_of(source)
        found = provenance.seen(definition.sources, training, held_out_split=definition.held_out_split)
        if not training.complete:
            raise InputError(
                f"{definition.name}: a part of what the adapter {source!r} was made from has no training.json "
                "that says what it was trained on"
            )
        if found:
            raise InputError(f"{definition.name}: the adapter {source!r} was trained or tuned on {', '.join(found)}")
    command = [*definition.arguments, "--variants", ",".join(measured), "--dtype", arguments.dtype]
    if arguments.base != bases.DEFAULT:
        command += ["--base", arguments.base]
    for role, source in given.items():
        if role in needed:
            command += ["--adapter", f"{role}={source}"]
    return definition, command, needed


def make(
    definition: Definition, command: list[str], adapters: Mapping[str, str], arguments: argparse.Namespace
) -> ResultTable | None:
    """Run a table's command. None in all processes but the first, where several share the work.

    Args:
        command, adapters: of `plan`.

    Raises:
        InputError: as the command.
    """
    parsed = _parser().parse_args(command)
    parsed.path = str(_resolved(definition.path, arguments.data))
    parsed.device = arguments.device  # does not belong to what is published: figures in float32 hold for any
    if definition.task == RETRIEVAL:
        result = retrieval.document(parsed) if evaluate.processes()[0] == 0 else None
    else:
        parsed.answers = (arguments.answers or arguments.output / "answers") / definition.name
        parsed.comet = False  # a table has the same columns wherever it is made
        result = evaluate.document(parsed)
    if result is None:
        return None
    if "file" in result:
        result["file"] = definition.path
    name, licence = definition.data
    trainings = [provenance.training_of(source) for source in adapters.values()]
    return ResultTable(
        name=definition.name,
        title=definition.title,
        command=shown(command),
        made=datetime.datetime.now(datetime.UTC).date().isoformat(),
        version=__version__,
        base=arguments.base,
        adapters=[
            {"role": role, "name": Path(source).name, "sha256": provenance.checksum(source)}
            for role, source in adapters.items()
        ],
        data={"name": name, "licence": licence, "text": definition.text, "sources": list(definition.sources)},
        languages={
            row: {"language": tag, "group": provenance.group_of(tag, trainings)} for row, tag in _rows(result).items()
        },
        result=result,
    )


def shown(command: list[str]) -> str:
    """A command as it is typed."""
    return shlex.join(["midalign", *command])


def _parser() -> Parser:
    parser = Parser(prog="midalign")
    commands = parser.add_subparsers(dest="command", required=True)
    for module in (evaluate, retrieval):
        module.add(commands)
    return parser


def _resolved(path: str, data: Path) -> Path:
    return data / path.removeprefix(f"{DATA}/")


def _rows(result: dict) -> dict[str, str]:
    """A document's rows, and each one's language; of a direction of translation the source."""
    if "task" not in result:
        return {tag: tag for tag in result["languages"]}
    first = next(iter(result["variants"].values()))
    targets = result.get("signatures", ())  # a translation's, by language translated into
    return {row: next((row.removesuffix(f"-{to}") for to in targets if row.endswith(f"-{to}")), row)
            for row in first["languages"]}  # fmt: skip
