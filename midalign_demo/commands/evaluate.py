"""`midalign evaluate`: score variants on labelled data."""

from __future__ import annotations

import argparse
import os
import zlib
from pathlib import Path

from midalign_demo import adapters, tasks
from midalign_demo import variants as variant_names
from midalign_demo.commandline import comma_list, positive, progress_bar, report
from midalign_demo.commands import english, options
from midalign_demo.errors import InputError
from midalign_demo.examples import read_examples
from midalign_demo.tasks import comet, slot_readers, translation
from midalign_demo.tasks.question import Example


def add(commands) -> None:
    parser = options.command(commands, "evaluate", evaluate, "score variants on labelled data")
    parser.add_argument("task", choices=tuple(tasks.MODULES))
    parser.add_argument("path", metavar="FILE_OR_DIR")
    options.add_variants(parser, "task", "merged", "joint")
    parser.add_argument(
        "--language", type=options.language,
        help="only this language (for a file that names none, its language); of a translation the source",
    )  # fmt: skip
    parser.add_argument("--languages", type=comma_list, help="only these languages; of translations the sources")
    options.add_question(parser)
    parser.add_argument(
        "--split", choices=slot_readers.SPLITS, help="slot filling: only this part of the data, as training splits it"
    )
    parser.add_argument("--first", type=positive, default=1, help="first example of each language, counted from 1")
    parser.add_argument("--limit", type=positive, help="at most so many examples of each language")
    parser.add_argument(
        "--answers", type=Path, metavar="DIR",
        help="keep the answers here as they come; the same command goes on where an earlier run ended",
    )  # fmt: skip
    parser.add_argument(
        "--relate", action="store_true",
        help="also: are texts answered better whose English translation is found at the middle layer? For slot filling "
        "with the English originals, and translations into English",
    )  # fmt: skip
    parser.add_argument(
        "--comet", action=argparse.BooleanOptionalAction,
        help="translation: score with COMET as well; default: if unbabel-comet is installed and its model can be had",
    )  # fmt: skip
    options.add_model(parser)
    options.add_server(parser)
    options.add_merge(parser)


def evaluate(arguments: argparse.Namespace) -> None:
    result = document(arguments)
    if result is None:
        return
    if arguments.json:
        options.print_json(result)
    else:
        _print_table(arguments.task, result)


def document(arguments: argparse.Namespace) -> dict | None:
    """What the command prints with `--json`; docs/formats.md describes it. None in all processes but the first.

    Raises:
        InputError: an option that does not fit the data, the base or its adapters.
    """
    examples = read_examples(
        arguments.task, arguments.path, language=arguments.language, target=arguments.target, slots=arguments.slots,
        languages=arguments.languages, split=arguments.split, first=arguments.first, limit=arguments.limit,
    )  # fmt: skip
    if arguments.relate and options.has_server(arguments):
        raise InputError("relate: a server gives no middle layer; load the base here")
    pool = english.pool(arguments, examples) if arguments.relate else []
    variants = options.variants(arguments, arguments.task)

    from midalign_demo import evaluation
    from midalign_demo.answers import AnswerStore

    rank, world = processes()
    segment_metrics = _comet(arguments) if rank == 0 else {}
    settings = {
        key: str(value) if isinstance(value, Path) else value
        for key, value in vars(arguments).items()
        if key not in ("run", "json", "answers", "command", "usual_variants", "device", "comet", "relate")
    }
    settings.update(variants=variants, examples=_checksum(examples), adapters=_weights(arguments, variants))
    store = AnswerStore(arguments.answers, settings, rank=rank, world=world)
    engine = options.open_engine(arguments, arguments.task, variants)
    found = {variant: english.found(engine, examples, variant, pool) for variant in variants if pool and rank == 0}
    scores = evaluation.evaluate(
        engine, examples, variants, grammar=arguments.grammar, store=store, segment_metrics=segment_metrics,
        found=found, progress=progress_bar("answers") if rank == 0 else None,
    )  # fmt: skip
    if rank:
        return None
    result = {"task": arguments.task, "file": arguments.path, "n": len(examples)}
    held = examples[0].question.held if arguments.grammar is None else arguments.grammar
    result["grammar"] = held and engine.holds
    if arguments.task == translation.NAME:
        targets = sorted({target for example in examples if (target := example.question.target)})
        result["signatures"] = {tag: translation.signatures(tag) for tag in targets}
        if segment_metrics:
            result["comet_model"] = comet.MODEL
    if pool:
        result["pool"] = len(pool)
    result["adapters"] = {variant: engine.adapters_of(variant, arguments.task) for variant in variants}
    return {**result, **scores}


def _comet(arguments: argparse.Namespace) -> dict[str, comet.Comet]:
    if arguments.comet and arguments.task != translation.NAME:
        raise InputError(f"comet: scores translations, not {arguments.task}")
    if arguments.task != translation.NAME or not (comet.is_installed() if arguments.comet is None else arguments.comet):
        return {}
    try:
        return {comet.NAME: comet.Comet()}
    except InputError as error:
        if arguments.comet:
            raise
        report(f"Without COMET: {error}")
        return {}


def _checksum(examples: list[Example]) -> int:
    return zlib.crc32("\n".join(example.question.prompt() for example in examples).encode())


def _weights(arguments: argparse.Namespace, variants: list[str]) -> dict[str, int]:
    """A checksum of each adapter's weights: answers of an adapter that was trained anew are other answers."""
    if options.has_server(arguments):
        return {}  # its models have names, which are among the settings
    needed = variant_names.roles_of(variants)
    sources = {**variant_names.shipped_sources(arguments.base, arguments.task), **options.sources(arguments)}
    return {
        role: zlib.crc32((adapters.locate(source) / "adapter_model.safetensors").read_bytes())
        for role, source in sources.items()
        if role in needed
    }


def processes() -> tuple[int, int]:
    """This process's number and how many there are; more than one under `accelerate launch`."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return 0, 1
    from accelerate import PartialState

    state = PartialState(cpu=not _has_gpu())
    return state.process_index, state.num_processes


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _print_table(task: str, result: dict) -> None:
    scores, main = result["variants"], tasks.MODULES[task].MAIN_METRIC
    variants = list(scores)
    tags = list(scores[variants[0]]["languages"])
    for metric in (name for name in (main, comet.NAME) if name in scores[variants[0]]["overall"]):
        print(f"{'language':12}{'n':>6}" + "".join(f"{f'{variant} {metric}':>24}" for variant in variants))
        for tag in [*tags, "overall"]:
            cells = [scores[name]["languages"][tag] if tag in tags else scores[name]["overall"] for name in variants]
            shown = [
                f"{cell[metric]:.3f} [{cell['interval'][metric][0]:.3f}, {cell['interval'][metric][1]:.3f}]"
                for cell in cells
            ]
            print(f"{tag:12}{cells[0]['n']:>6}" + "".join(f"{cell:>24}" for cell in shown))
    for variant, related in result.get("relation", {}).items():
        print(_related(variant, related))
    for found in result["differences"]:
        first, second = found["variants"]
        low, high = found["interval"]
        by = f"{found['difference']:+.3f} [{low:+.3f}, {high:+.3f}] {found['metric']}"
        print(f"{second} - {first}: {by} (p = {found['p']:.3f}, paired randomisation)")


def _related(variant: str, related: dict) -> str:
    """A line on how a variant's scores go with what is found at the middle layer."""
    across, within = related["across_languages"], related["within_languages"]
    n = within["found"]["n"] + within["not_found"]["n"]
    parts = [f"{within['found']['n']} of {n} translations found"]
    parts += [
        f"{name.replace('_', ' ')}: {within[name]['score']:.3f}" for name in ("found", "not_found") if within[name]["n"]
    ]
    if within["difference"] is not None:
        parts.append(f"within languages {within['difference']:+.3f} (p = {within['p']:.3f})")
    if across["pearson"] is not None:
        parts.append(f"across {across['n']} languages r = {across['pearson']:+.2f} (p = {across['pearson_p']:.3f})")
    return f"{variant}: {'; '.join(parts)}"
