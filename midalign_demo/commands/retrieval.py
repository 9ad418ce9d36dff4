"""`midalign retrieval`: retrieval accuracy over parallel text, by layer and language pair."""

from __future__ import annotations

import argparse

from midalign_demo import bases
from midalign_demo.commandline import comma_list, progress_bar
from midalign_demo.commands import options
from midalign_demo.errors import InputError
from midalign_demo.retrieval import SCORES
from midalign_demo.tasks import slot_filling


def add(commands) -> None:
    parser = options.command(
        commands, "retrieval", retrieval, "retrieval accuracy over parallel text, by layer and language pair"
    )
    parser.add_argument("path", metavar="DIR")
    options.add_parallel(parser)
    options.add_variants(parser, "base", "align")
    parser.add_argument(
        "--layers", default="middle", help="such as 11, 4,11, 1-18 or all; default: the base's middle layer"
    )
    parser.add_argument(
        "--score", type=_scores, default=["cosine"], metavar="SCORE[,SCORE..]",
        help=f"{', '.join(SCORES)}, or several, of which the first is the main one",
    )  # fmt: skip
    parser.add_argument("--include-bos", action="store_true", help="pool BOS in, as the reference code does")
    options.add_encoders(parser)
    options.add_model(parser)
    options.add_merge(parser)


def retrieval(arguments: argparse.Namespace) -> None:
    result = document(arguments)
    if arguments.json:
        options.print_json(result)
    else:
        for number, score in enumerate(arguments.score):
            _print_table(result, score, main=number == 0)


def document(arguments: argparse.Namespace) -> dict:
    """What the command prints with `--json`; docs/formats.md describes it.

    Raises:
        InputError: an option that does not fit the base, its adapters or the text.
    """
    corpus = options.read_parallel(arguments, "retrieval")

    from midalign_demo.library import retrieval_by_layer

    variants = options.variants(arguments, slot_filling.NAME)
    engine = options.open_engine(arguments, slot_filling.NAME, variants)
    layers = chosen_layers(arguments.layers, engine.base)
    return retrieval_by_layer(
        engine, corpus, variants, layers, score=arguments.score, centre=arguments.centre,
        include_bos=arguments.include_bos, others=arguments.encoder, progress=progress_bar("embedding"),
    )  # fmt: skip


def _scores(text: str) -> list[str]:
    names = comma_list(text)
    unknown = [name for name in names if name not in SCORES]
    if unknown or not names or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"{text!r} is not one or more of {', '.join(SCORES)}, each once")
    return names


def _print_table(result: dict, score: str, *, main: bool) -> None:
    variants = list(result["variants"])
    layers = list(result["variants"][variants[0]]["layers"])

    def accuracy(variant: str, layer: str) -> dict:
        table = result["variants"][variant]["layers"][layer]
        return table if main else table[score]

    print(f"{result['n']} sentences in {', '.join(result['languages'])}; {score}; * marks each variant's best layer")
    print(f"{'layer':>5}" + "".join(f"{variant + ' en-x':>14}{variant + ' all':>14}" for variant in variants))
    best = {variant: max(layers, key=lambda layer: accuracy(variant, layer)["all"]) for variant in variants}
    for layer in layers:
        line = f"{layer:>5}"
        for variant in variants:
            table = accuracy(variant, layer)
            english = "-" if table["en-x"] is None else f"{table['en-x']:.3f}"
            line += f"{english:>14}{table['all']:>13.3f}" + ("*" if layer == best[variant] else " ")
        print(line.rstrip())
    for name, of in result.get("encoders", {}).items():
        table = of if main else of[score]
        english = "" if table["en-x"] is None else f"en-x {table['en-x']:.3f}, "
        print(f"{name}: {english}all {table['all']:.3f}")


def chosen_layers(text: str, base: bases.Base) -> list[int]:
    """The layers that `--layers` names.

    Raises:
        InputError: not of that form, or a layer that the base doesn't have.
    """
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
