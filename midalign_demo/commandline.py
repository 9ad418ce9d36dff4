"""What both commands share: one-line errors, option types, progress on stderr."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from safetensors import SafetensorError

from midalign_demo.errors import InputError

# torch's threads meet many times a step. If they wait for each other by spinning, as is the default, any other program
# on the machine (the browser, say) costs them several times its share. OpenMP reads this when torch is imported, so it
# is set as soon as a command's modules are.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, with exit status 2."""

    def error(self, message: str):
        print(f"{self.prog}: {message} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(2)


def comma_list(text: str) -> list[str]:
    """`a,b` -> `["a", "b"]`."""
    return [part.strip() for part in text.split(",") if part.strip()]


def positive(text: str) -> int:
    """A whole number above 0, for argparse."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return number


def run(program: str, command: Callable[[], None]) -> int:
    """Run a command; an `InputError` becomes one line on stderr and status 2."""
    try:
        command()
    except InputError as error:
        _end_bars()
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, such as `head`, has what it wants
        sys.stderr.close()
        return 0
    except OSError as error:  # a disk that is full, a folder that may not be written, a port that is taken
        _end_bars()
        where = f"{error.filename}: " if error.filename else ""
        print(f"{program}: {where}{error.strerror or ' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except SafetensorError as error:  # what safetensors makes of a write that fails
        _end_bars()
        print(f"{program}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{program}: stopped", file=sys.stderr)
        return 130
    return 0


def report(message: str) -> None:
    """A line of progress."""
    print(message, file=sys.stderr, flush=True)


def _end_bars() -> None:
    """End the bars still open, so that what is printed next has a line of its own."""
    from tqdm import tqdm

    for bar in list(getattr(tqdm, "_instances", ())):
        bar.close()


def progress_bar(label: str) -> Callable[[int, int], None]:
    """A `progress(done, total)` function that draws a bar on stderr."""
    from tqdm import tqdm

    bar: tqdm | None = None  # made at the first step: a command that fails before it prints its error alone

    def update(done: int, total: int) -> None:
        nonlocal bar
        if bar is None:
            bar = tqdm(desc=label, total=total, file=sys.stderr, leave=False)
        bar.update(done - bar.n)
        if done >= total:
            bar.close()

    return update
