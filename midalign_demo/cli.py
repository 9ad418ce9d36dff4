"""`midalign`: the app, and its parts as commands. Every command takes `--json`."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from midalign_demo import __version__, adapters, bases, embedded, languages, parallel
from midalign_demo import variants as variant_names
from midalign_demo.commandline import Parser, comma_list, positive, progress_bar, report, run
from midalign_demo.errors import InputError
from midalign_demo.retrieval import SCORES, retrieval_table
from midalign_demo.tasks import slot_filling, slot_readers

TASKS = (slot_filling.NAME,)


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    arguments = _parser().parse_args(argv)
    return run("midalign", lambda: arguments.run(arguments))


def _parser() -> Parser:
    parser = Parser(prog="midalign", description="See, measure and use middle-layer representation alignment.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = _command(commands, "demo", _demo, "open the browser app")
    demo.add_argument("--host", help="address to listen on; default: $GRADIO_SERVER_NAME or 127.0.0.1")
    demo.add_argument("--port", type=positive, help="port; default: 7860 or the next free one")
    demo.add_argument("--share", action="store_true", help="make a public link through Gradio's relay")
    _model_options(demo)

    compare = _command(commands, "compare", _compare, "one text, answered by several variants side by side")
    compare.add_argument("text")
    compare.add_argument("--task", choices=TASKS, default=slot_filling.NAME)
    compare.add_argument("--language", type=_language, help="language of the text, such as de")
    _variants_option(compare, "base", "task", "merged")
    compare.add_argument(
        "--slots", type=comma_list, help="slots that may be filled; default: those of a voice assistant"
    )
    _model_options(compare)
    _merge_option(compare)

    evaluate = _command(commands, "evaluate", _evaluate, "score variants on labelled data")
    evaluate.add_argument("task", choices=TASKS)
    evaluate.add_argument("path", metavar="FILE_OR_DIR")
    _variants_option(evaluate, "task", "merged")
    evaluate.add_argument(
        "--language", type=_language, help="only this language; for a file that names none, its language"
    )
    evaluate.add_argument("--slots", type=comma_list, help="slots listed in the prompt; default: those in the data")
    evaluate.add_argument(
        "--split", choices=slot_readers.SPLITS, help="only this part of the data, as training splits it"
    )
    evaluate.add_argument("--limit", type=positive, help="at most so many examples of each language")
    _model_options(evaluate)
    _merge_option(evaluate)

    retrieval = _command(
        commands, "retrieval", _retrieval, "retrieval accuracy over parallel text, by layer and language pair"
    )
    retrieval.add_argument("path", metavar="DIR")
    retrieval.add_argument("--languages", type=comma_list, help="default: all in DIR")
    _variants_option(retrieval, "base", "align")
    retrieval.add_argument(
        "--layers", default="middle", help="such as 11, 4,11, 1-18 or all; default: the base's middle layer"
    )
    retrieval.add_argument("--score", choices=SCORES, default="cosine")
    retrieval.add_argument("--centre", action="store_true", help="subtract each language's mean first")
    retrieval.add_argument("--include-bos", action="store_true", help="pool BOS in, as the reference code does")
    retrieval.add_argument("--limit", type=positive, help="only the first N lines")
    retrieval.add_argument("--first", type=positive, default=1, help="first line to take, counted from 1")
    _model_options(retrieval)
    _merge_option(retrieval)

    adapter = _command(commands, "adapters", _adapters, "list, show, merge or export adapters")
    adapter.add_argument("action", choices=("list", "show", "merge", "export"))
    adapter.add_argument(
        "names", nargs="*", metavar="NAME", help="show NAME; merge NAME*WEIGHT NAME*WEIGHT ..; export NAME"
    )
    adapter.add_argument("--output", type=Path, help="folder for merge and export")
    _model_options(adapter)

    base = _command(commands, "bases", _bases, "list bases, or prepare the embedded one")
    base.add_argument("action", choices=("list", "prepare"))
    return parser


def _command(commands, name: str, function, help_text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".")
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    parser.set_defaults(run=function)
    return parser


def _variants_option(parser: argparse.ArgumentParser, *usual: str) -> None:
    parser.add_argument("--variants", type=comma_list, help=f"default: those of {','.join(usual)} that there are")
    parser.set_defaults(usual_variants=usual)


def _model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--base", default=bases.DEFAULT, help=f"{bases.DEFAULT}, a folder or a hub id")
    parser.add_argument("--dtype", choices=bases.DTYPES, default="auto")
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--adapter", action="append", default=[], metavar="ROLE=SOURCE",
        help=f"adapter for a variant: ROLE is {', '.join(variant_names.ROLES)}; SOURCE a shipped one or a folder",
    )  # fmt: skip


def _merge_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--align-weight", type=float, metavar="W", help="weight of the alignment adapter in `merged`; default: as tuned"
    )


def _language(tag: str) -> str:
    try:
        return languages.normalize(tag)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _variants(arguments: argparse.Namespace, task: str) -> list[str]:
    """The variants asked for; else the usual ones as far as there are adapters for them, or `base`."""
    if arguments.variants is not None:
        return variant_names.check(arguments.variants)
    roles = {*variant_names.shipped_sources(arguments.base, task), *_sources(arguments)}
    return [name for name in arguments.usual_variants if variant_names.roles_of([name]) <= roles] or ["base"]


def _printable(text: str) -> str:
    """The text without control characters, which a terminal would obey."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _print_json(document: dict | list) -> None:
    print(json.dumps(document, ensure_ascii=False))


def _open_engine(arguments: argparse.Namespace, task: str, variants: list[str]):
    """The base and the variants' adapters, which the options name; the embedded base comes with its shipped ones."""
    from midalign_demo.engine import open_engine  # torch takes seconds to import

    options = {"dtype": arguments.dtype, "device": arguments.device, "report": report}
    engine = open_engine(arguments.base, task, sources=_sources(arguments), variants=variants, **options)
    if arguments.align_weight is not None:
        if "merged" not in engine.variants(task):
            raise InputError(f"align-weight: {arguments.align_weight} given, but there is nothing to merge")
        engine.set_merge(task, arguments.align_weight)
    return engine


def _sources(arguments: argparse.Namespace) -> dict[str, str]:
    """The adapters that `--adapter` names, by role."""
    sources = {}
    for pair in arguments.adapter:
        role, equals, source = pair.partition("=")
        if role not in variant_names.ROLES or not equals:
            roles = ", ".join(variant_names.ROLES)
            raise InputError(f"adapter: {pair!r} is not of the form ROLE=SOURCE with ROLE one of {roles}")
        sources[role] = source
    return sources


def _demo(arguments: argparse.Namespace) -> None:
    from midalign_demo.ui.demo import launch

    launch(
        host=arguments.host,
        port=arguments.port,
        share=arguments.share,
        base=arguments.base,
        sources=_sources(arguments),
        dtype=arguments.dtype,
        device=arguments.device,
        announce=lambda url: _print_json({"url": url}) if arguments.json else print(f"midalign runs at {url}"),
    )


def _compare(arguments: argparse.Namespace) -> None:
    from midalign_demo.comparison import check_text, compare

    variants = _variants(arguments, arguments.task)
    inventory = slot_filling.check_inventory(arguments.slots or slot_filling.DEFAULT_INVENTORY)
    check_text(arguments.text)
    engine = _open_engine(arguments, arguments.task, variants)
    result = compare(engine, arguments.text, variants, inventory=inventory, language=arguments.language)
    if arguments.json:
        _print_json(result)
        return
    for output in result["outputs"]:
        print(f"{output['variant']:8} {_printable(output['text'])}")
        for slot in output["parsed"]:
            print(
                f"{'':8}   {slot['slot']} = {_printable(slot['value'])}"
                + ("" if slot["start"] is not None else "   (not in the text)")
            )


def _evaluate(arguments: argparse.Namespace) -> None:
    commands = slot_readers.read_folder_or_file(
        arguments.path, split=arguments.split, language=arguments.language if Path(arguments.path).is_file() else None
    )
    if arguments.language:
        commands = [command for command in commands if command.language == arguments.language]
        if not commands:
            raise InputError(f"language: {arguments.path} has no command in {arguments.language!r}")
    inventory = slot_filling.check_inventory(arguments.slots or slot_filling.inventory_of(commands))
    if arguments.limit:
        seen: dict[str, int] = {}
        kept = []
        for command in commands:
            seen[command.language] = seen.get(command.language, 0) + 1
            if seen[command.language] <= arguments.limit:
                kept.append(command)
        commands = kept

    from midalign_demo.evaluation import evaluate_slot_filling

    variants = _variants(arguments, arguments.task)
    engine = _open_engine(arguments, arguments.task, variants)
    scores = evaluate_slot_filling(engine, commands, variants, inventory=inventory, progress=progress_bar("answers"))
    result = {"task": arguments.task, "file": arguments.path, "n": len(commands), "variants": scores}
    if arguments.json:
        _print_json(result)
        return
    print(f"{'language':12}{'n':>6}" + "".join(f"{variant + ' F1':>12}" for variant in variants))
    tags = list(scores[variants[0]]["languages"])
    for tag in [*tags, "overall"]:
        cells = [
            scores[variant]["languages"][tag] if tag in tags else scores[variant]["overall"] for variant in variants
        ]
        print(f"{tag:12}{cells[0]['n']:>6}" + "".join(f"{cell['f1']:>12.3f}" for cell in cells))


def _retrieval(arguments: argparse.Namespace) -> None:
    tags = [languages.normalize(tag) for tag in arguments.languages] if arguments.languages else None
    last = arguments.first + arguments.limit - 1 if arguments.limit else None
    corpus = parallel.read(arguments.path, tags, first=arguments.first, last=last)
    if len(corpus) < 2:
        raise InputError(f"languages: {', '.join(corpus)} given; retrieval needs at least two")

    from midalign_demo.middle import embed

    variants = _variants(arguments, slot_filling.NAME)
    engine = _open_engine(arguments, slot_filling.NAME, variants)
    names = {variant: engine.adapter_of(variant, slot_filling.NAME) for variant in variants}
    layers = _layers(arguments.layers, engine.base)
    sentences = [line for lines in corpus.values() for line in lines]
    n = len(sentences) // len(corpus)
    result: dict = {"n": n, "languages": list(corpus), "variants": {}}
    for variant in variants:
        with engine.adapters.active(names[variant]):
            rows = embed(
                engine.base, sentences, layers=layers, include_bos=arguments.include_bos, progress=progress_bar(variant)
            )
        tables = {
            str(layer): retrieval_table(
                {tag: rows[layer][at * n : (at + 1) * n] for at, tag in enumerate(corpus)},
                score=arguments.score,
                centre=arguments.centre,
            )
            for layer in layers
        }
        result["variants"][variant] = {"layers": tables}
    if arguments.json:
        _print_json(result)
        return
    print(f"{n} sentences in {', '.join(corpus)}; {arguments.score}; * marks each variant's best layer")
    print(f"{'layer':>5}" + "".join(f"{variant + ' en-x':>14}{variant + ' all':>14}" for variant in variants))
    best = {
        variant: max(layers, key=lambda layer: result["variants"][variant]["layers"][str(layer)]["all"])
        for variant in variants
    }
    for layer in layers:
        line = f"{layer:>5}"
        for variant in variants:
            table = result["variants"][variant]["layers"][str(layer)]
            english = "-" if table["en-x"] is None else f"{table['en-x']:.3f}"
            line += f"{english:>14}{table['all']:>13.3f}" + ("*" if layer == best[variant] else " ")
        print(line.rstrip())


def _layers(text: str, base: bases.Base) -> list[int]:
    if text == "middle":
        return [base.middle_layer]
    if text == "all":
        return list(range(base.num_layers + 1))
    layers: set[int] = set()
    for part in comma_list(text):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise InputError(f"layers: {part!r} is not a layer such as 11, a range such as 1-18, 'middle' or 'all'")
        layers.update(base.check_layer(layer) for layer in range(int(first), int(last or first) + 1))
    if not layers:
        raise InputError(f"layers: {text!r} names no layer")
    return sorted(layers)


def _adapters(arguments: argparse.Namespace) -> None:
    if arguments.action == "list":
        found = [
            {"name": name, "folder": str(adapters.locate(name)), "rank": adapters.read_config(name)["r"]}
            for name in adapters.shipped()
        ]
        if arguments.json:
            _print_json(found)
        else:
            for entry in found:
                print(f"{entry['name']:20} rank {entry['rank']:<4} {entry['folder']}")
        return
    if not arguments.names:
        raise InputError(f"adapters {arguments.action}: no NAME given; there are {', '.join(adapters.shipped())}")
    if arguments.action == "show":
        name = arguments.names[0]
        card = parallel.read_text(adapters.locate(name) / "README.md")
        _print_json({"name": name, "config": adapters.read_config(name), "card": card}) if arguments.json else print(
            card
        )
        return
    if arguments.output is None:
        raise InputError(f"adapters {arguments.action}: no --output given")
    if arguments.action == "export":
        _copy_folder(adapters.locate(arguments.names[0]), arguments.output)
    else:
        _merge(arguments)
    _print_json({"output": str(arguments.output)}) if arguments.json else print(arguments.output)


def _merge(arguments: argparse.Namespace) -> None:
    from midalign_demo.adapters import AdapterSet

    weights: dict[str, float] = {}
    for part in arguments.names:
        name, star, weight = part.partition("*")
        try:
            weights[name] = float(weight) if star else 1.0
        except ValueError as error:
            raise InputError(f"merge: {part!r} is not of the form NAME or NAME*WEIGHT with a number") from error
        adapters.read_config(name)
    if len(weights) < 2:
        raise InputError("merge: give at least two adapters, such as slot-filling align*0.5")
    loaded = AdapterSet(bases.load(arguments.base, dtype=arguments.dtype, device=arguments.device, report=report))
    labels = {name: f"part{number}" for number, name in enumerate(weights)}
    for name, label in labels.items():
        loaded.load(label, name)
    loaded.merge("merged", {labels[name]: weight for name, weight in weights.items()})
    loaded.save("merged", arguments.output)


def _copy_folder(source: Path, target: Path) -> None:
    if target.exists():
        raise InputError(f"output: {target} is there already; give a folder that is not")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as work:
        shutil.copytree(source, Path(work, "copy"))
        Path(work, "copy").rename(target)


def _bases(arguments: argparse.Namespace) -> None:
    if arguments.action == "prepare":
        folder = embedded.prepare(report)
        _print_json({"name": embedded.NAME, "folder": str(folder)}) if arguments.json else print(folder)
        return
    ready = embedded.is_complete(embedded.folder())
    listed = [{"name": embedded.NAME, "middle_layer": embedded.MIDDLE_LAYER, "prepared": ready}]
    if arguments.json:
        _print_json({"bases": listed, "families": list(bases.FAMILIES)})
    else:
        print(
            f"{embedded.NAME}: middle layer {embedded.MIDDLE_LAYER}, {'prepared' if ready else 'prepared at first use'}"
        )
        print(f"or a folder or hub id of one of the families {', '.join(bases.FAMILIES)}")


if __name__ == "__main__":
    sys.exit(main())
