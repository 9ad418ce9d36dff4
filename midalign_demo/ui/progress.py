"""Long work in the page: a line that says how far it is, instead of an animation that would take the model's time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, TimeoutError

from midalign_demo.ui import cards

Tell = Callable[[float, str], None]  # the share that is done, 0 to 1, and what is going on

_PAUSE = 0.5  # seconds between two lines


class _Left(Exception):
    """The visitor is no longer there."""


def told(work: Callable[[Tell], tuple], around: Callable[[str], tuple]) -> Iterator[tuple]:
    """Do work in a thread; yields what the page is to show meanwhile, and at last what the work returns.

    Closing the iterator returns at once; the work ends when it next tells how far it is.

    Args:
        work: raises what it likes; the reader gets it.
        around: of a line of HTML, what to show.
    """
    state, left = (0.0, ""), threading.Event()
    begun = time.monotonic()

    def tell(share: float, what: str) -> None:
        nonlocal state
        if left.is_set():
            raise _Left
        state = share, what

    # Not in a `with`: Gradio closes an abandoned generator on its event loop, where waiting for the work's end would
    # stop the pages of all visitors.
    pool = ThreadPoolExecutor(1, thread_name_prefix="page-work")
    future = pool.submit(work, tell)
    try:
        while True:
            try:
                result = future.result(timeout=_PAUSE)
            except TimeoutError:
                if future.done():  # it was the work's own, or the work has just ended
                    yield future.result()
                    return
                share, what = state
                if what:
                    seconds = time.monotonic() - begun
                    yield around(cards.notice(what, kind="wait", share=share, seconds=seconds))
            else:
                yield result
                return
    finally:
        left.set()
        pool.shutdown(wait=False)
