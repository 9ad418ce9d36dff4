"""Variants that a server answers for: vLLM, SGLang, llama.cpp, or whatever else speaks OpenAI's protocol.

Each variant is the name of a model there, such as one of vLLM's `--lora-modules`. The questions are those that
`midalign_demo.engine.Engine` asks; this stands in for it where nothing but answers is needed.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from midalign_demo.errors import InputError
from midalign_demo.generation import Row
from midalign_demo.variants import VARIANTS, check, own_of
from midalign_demo.watcher import Answer

if TYPE_CHECKING:
    import openai

_SECONDS = 120.0  # without a sign of life
_AT_ONCE = 16  # requests that are under way at a time; the server makes batches of them


class ServedEngine:
    """Answers prompts by asking a server, which may be shared by threads.

    Attributes:
        url: the server's, up to and including `/v1`.
        models: for each variant the name of a model there.
    """

    holds = False  # whether answers can be held to a grammar
    batch_tokens = None  # its memory is the server's own concern

    def __init__(self, url: str, models: Mapping[str, str], *, chat: bool = False):
        """
        Args:
            chat: ask through the chat template that the server has, as tuned chat models want it; otherwise the prompt
                is continued as it is.

        Raises:
            InputError: no models, a name that can't be a variant's, or the package `openai` is not installed.
        """
        if not url.startswith(("http://", "https://")):
            raise InputError(f"server: {url[:200]!r} is not an address such as http://localhost:8000/v1")
        if not models:
            raise InputError("served: no model given; name one for each variant, such as base=gemma-3-270m")
        self._own = own_of(models)
        try:
            import openai
        except ImportError as error:
            raise InputError("server: the package openai is not installed; pip install 'midalign[server]'") from error
        self.url, self.models, self._chat = url, dict(models), chat
        key = os.environ.get("OPENAI_API_KEY", "none")  # servers of one's own want none, the client wants some
        self._client = openai.OpenAI(base_url=url, api_key=key, timeout=_SECONDS, max_retries=1)

    def variants(self, task: str) -> list[str]:
        """The variants that there are models for, in the usual order, and the user's own."""
        return [*(variant for variant in VARIANTS if variant in self.models), *self._own]

    def adapters_of(self, variant: str, task: str, merge: tuple[float, float] | None = None) -> dict[str, float]:
        """The model behind a variant.

        Raises:
            InputError: not a variant, or there is no model for it.
        """
        check([variant], self._own)
        if variant not in self.models:
            raise InputError(
                f"variants: {variant!r} has no model at {self.url}; there are {', '.join(self.variants(task))}"
            )
        return {self.models[variant]: 1.0}

    def merge_weights(self, task: str) -> tuple[float, float]:
        """Weights of a merge, which is the server's to make."""
        return 1.0, 1.0

    def count_tokens(self, text: str) -> int:
        """About how many tokens a text has: at most one for each character in nearly all languages."""
        return len(text)

    def generate(self, rows: Sequence[Row], *, max_new_tokens: int = 96) -> list[Answer]:
        """Answer all rows, greedily; an answer ends at the end mark, a line break or `max_new_tokens`.

        Raises:
            InputError: a server that can't be reached, or that refuses a question.
        """
        answers: list[Answer] = []
        for answers in self.stream(rows, max_new_tokens=max_new_tokens):  # noqa: B007
            pass
        return answers

    def stream(self, rows: Sequence[Row], *, max_new_tokens: int = 96) -> Generator[list[Answer], None, None]:
        """As `generate`, but yields all rows' answers as they grow. Closing the iterator ends the requests.

        Raises:
            InputError: as `generate`.
        """
        answers = [Answer("", 0, 0.0, False)] * len(rows)
        news: queue.SimpleQueue[tuple[int, Answer | BaseException]] = queue.SimpleQueue()
        stopped, places = threading.Event(), threading.Semaphore(_AT_ONCE)
        started = time.perf_counter()

        def ask(number: int) -> None:
            with places:
                try:
                    row = rows[number]
                    for answer in self._ask(row, max_new_tokens if row.limit is None else row.limit, started):
                        news.put((number, answer))
                        if stopped.is_set():
                            return
                except BaseException as error:  # handed to the reader, which would otherwise wait for ever
                    news.put((number, error))

        for number in range(len(rows)):
            threading.Thread(target=ask, args=(number,), daemon=True).start()
        try:
            while not all(answer.done for answer in answers):
                number, found = news.get()
                if isinstance(found, BaseException):
                    raise found
                answers[number] = found
                yield list(answers)
        finally:
            stopped.set()

    def _ask(self, row: Row, limit: int, started: float) -> Iterator[Answer]:
        """One row's answer as it grows; the last one is done."""
        import openai

        (model,) = row.adapters
        answer, said, tokens, end = Answer("", 0, 0.0, False), "", 0, None
        try:
            with self._request(model, row, limit) as pieces:
                for piece, reason in self._texts(pieces):
                    end = reason or end
                    if not piece:
                        continue
                    said, tokens = said + piece, tokens + 1
                    line, line_break, _ = said.strip(" ").lstrip("\n").partition("\n")
                    answer = Answer(line.strip(), tokens, time.perf_counter() - started, bool(line_break))
                    yield answer
                    if answer.done:  # leaving the block ends the request
                        return
        except openai.APIConnectionError as error:
            raise InputError(f"server: {self.url} can't be reached") from error
        except _broken_connections():
            end = None
        except openai.APIError as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"server: {self.url} does not answer as {model!r}: {reason}") from error
        if end is None:  # part of an answer would pass for the whole
            raise InputError(
                f"server: {self.url} broke off what it answered as {model!r}; it may take one question at a time"
            )
        yield replace(answer, done=True, truncated=end == "length")

    def _request(self, model: str, row: Row, limit: int) -> openai.Stream:
        options = {"model": model, "max_tokens": limit, "temperature": 0.0, "stream": True}
        if not self._chat:
            return self._client.completions.create(prompt=row.prompt, **options)
        turns = [{"role": "system", "content": row.system}] if row.system is not None else []
        return self._client.chat.completions.create(
            messages=[*turns, {"role": "user", "content": row.prompt}], **options
        )

    def _texts(self, pieces: openai.Stream) -> Iterator[tuple[str, str | None]]:
        """What is said, piece by piece, and with the last piece why it ended: `stop` or `length`."""
        for piece in pieces:
            for choice in piece.choices:
                yield (choice.delta.content if self._chat else choice.text) or "", choice.finish_reason


def _broken_connections() -> tuple[type[Exception], ...]:
    """What the client's HTTP library raises where a connection breaks; openai's versions differ in which one it is."""
    return tuple(sys.modules[name].HTTPError for name in ("httpx", "httpx2") if name in sys.modules)
