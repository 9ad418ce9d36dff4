"""`midalign space`: the app as a Hugging Face Space."""

from __future__ import annotations

import argparse
from pathlib import Path

from midalign_demo.commandline import report
from midalign_demo.commands import options


def add(commands) -> None:
    parser = options.command(commands, "space", None, "the app as a Hugging Face Space")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    build = options.command(actions, "build", _build, "write the folder of a Space, ready to be uploaded")
    build.add_argument("output", type=Path, metavar="OUT", help="folder to write")
    build.add_argument("--project", type=Path, help="a checkout of midalign; default: the one this runs from")
    check = options.command(actions, "check", _check, "start a built folder as Spaces do, and ask it a question")
    check.add_argument("folder", type=Path, metavar="DIR", help="what `midalign space build` wrote")
    check.add_argument("--constraints", type=Path, help="a file for pip's -c")
    push = options.command(actions, "push", _push, "upload a built folder with your Hugging Face token")
    push.add_argument("folder", type=Path, metavar="DIR", help="what `midalign space build` wrote")
    push.add_argument("repo", metavar="OWNER/NAME")
    push.add_argument("--private", action="store_true", help="make a new Space private")


def _build(arguments: argparse.Namespace) -> None:
    from midalign_demo import space

    space.build(arguments.project or space.own_project(), arguments.output)
    options.print_json({"output": str(arguments.output)}) if arguments.json else print(arguments.output)


def _check(arguments: argparse.Namespace) -> None:
    from midalign_demo import space

    answered = space.check(arguments.folder, report=report, constraints=arguments.constraints)
    if arguments.json:
        options.print_json(answered)
    else:
        for output in answered["outputs"]:
            print(f"{output['variant']:8} {output['text']}")


def _push(arguments: argparse.Namespace) -> None:
    from midalign_demo import space

    url = space.push(arguments.folder, arguments.repo, private=arguments.private)
    options.print_json({"url": url}) if arguments.json else print(url)
