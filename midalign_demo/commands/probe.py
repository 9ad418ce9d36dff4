"""`midalign probe`: how well intents can be told from the layers, by a probe trained on English."""

from __future__ import annotations

import argparse

import numpy as np

from midalign_demo.commandline import comma_list, progress_bar
from midalign_demo.commands import options
from midalign_demo.commands.retrieval import chosen_layers
from midalign_demo.errors import InputError
from midalign_demo.examples import read_commands
from midalign_demo.languages import normalize
from midalign_demo.significance import share_interval
from midalign_demo.tasks import slot_filling


def add(commands) -> None:
    parser = options.command(
        commands, "probe", probe, "how well intents of commands can be told from the layers, learnt from English alone"
    )
    parser.add_argument("path", metavar="FILE_OR_DIR", help="labelled commands with intents and their English wording")
    parser.add_argument("--languages", type=comma_list, help="only these languages")
    options.add_variants(parser, "base", "align")
    parser.add_argument("--layers", default="middle", help="as of `midalign retrieval`")
    options.add_model(parser)
    options.add_merge(parser)


def probe(arguments: argparse.Namespace) -> None:
    result = document(arguments)
    if arguments.json:
        options.print_json(result)
    else:
        _print_table(result)


def document(arguments: argparse.Namespace) -> dict:
    """What the command prints with `--json`; docs/formats.md describes it.

    Raises:
        InputError: no commands with intent and English wording, or an option that does not fit the base.
    """
    commands = _commands(arguments)
    english = {wording: intent for _, wording, intent in commands}
    if len(set(english.values())) < 2:
        raise InputError(f"probe: the commands of {arguments.path} have no two different intents")

    from midalign_demo.probe import fold_of, right

    variants = options.variants(arguments, slot_filling.NAME)
    engine = options.open_engine(arguments, slot_filling.NAME, variants)
    layers = chosen_layers(arguments.layers, engine.base)
    sentences = [*english, *(command.text for command, _, _ in commands)]
    # The English sentences are tested as well: how far they are told themselves is the most there can be.
    wanted = [*english.values(), *(intent for _, _, intent in commands)]
    folds = [fold_of(sentence) for sentence in [*english, *(wording for _, wording, _ in commands)]]
    tags = ["en"] * len(english) + [command.language for command, _, _ in commands]
    count = len(english)
    result: dict = {"file": arguments.path, "n": len(commands), "english": count, "intents": len(set(english.values()))}
    result["adapters"] = {variant: engine.adapters_of(variant, slot_filling.NAME) for variant in variants}
    result["variants"] = {}
    for variant in variants:
        tell = progress_bar(f"embedding, {variant}")
        rows = engine.embed(sentences, result["adapters"][variant], layers=layers, progress=tell)
        result["variants"][variant] = {
            "layers": {
                str(layer): _by_language(right(at[:count], wanted[:count], folds[:count], at, wanted, folds), tags)
                for layer, at in rows.items()
            }
        }
    return result


def _commands(arguments: argparse.Namespace) -> list[tuple[slot_filling.Command, str, str]]:
    """Commands in other languages than English, each with its English wording and its intent."""
    found = [
        (command, command.english, command.intent)
        for command in read_commands(arguments.path)
        if command.english and command.intent and command.language != "en"
    ]
    if not found:
        raise InputError(f"probe: {arguments.path} has no commands with an intent and an English wording")
    present = {command.language for command, _, _ in found}
    tags = [normalize(tag) for tag in arguments.languages] if arguments.languages else present
    missing = [tag for tag in tags if tag not in present and tag != "en"]
    if missing:
        raise InputError(
            f"languages: {', '.join(missing)} not in {arguments.path}, which has {', '.join(sorted(present))}"
        )
    return [entry for entry in found if entry[0].language in tags]


def _by_language(told: np.ndarray, tags: list[str]) -> dict:
    """Accuracy by language, and the mean over languages other than English."""
    languages: dict[str, dict] = {}
    for tag in dict.fromkeys(tags):
        of = told[[number for number, other in enumerate(tags) if other == tag]]
        low, high = share_interval(float(of.mean()), len(of))
        languages[tag] = {"accuracy": float(of.mean()), "n": len(of), "interval": [low, high]}
    others = [of["accuracy"] for tag, of in languages.items() if tag != "en"]
    return {"mean": float(np.mean(others)), "languages": languages}


def _print_table(result: dict) -> None:
    print(f"{result['n']} commands, {result['intents']} intents learnt from {result['english']} English sentences")
    columns = [(variant, layer) for variant, of in result["variants"].items() for layer in of["layers"]]
    print(f"{'language':14}" + "".join(f"{f'{variant}, {layer}':>14}" for variant, layer in columns))
    tables = [result["variants"][variant]["layers"][layer] for variant, layer in columns]
    for tag in tables[0]["languages"]:
        print(f"{tag:14}" + "".join(f"{table['languages'][tag]['accuracy']:>14.3f}" for table in tables))
    print(f"{'mean, but en':14}" + "".join(f"{table['mean']:>14.3f}" for table in tables))
