"""One base with its adapters answers a batch of (prompt, adapter) rows in one `generate` call."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from transformers import LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from midalign_demo import bases
from midalign_demo.adapters import AdapterSet, Weights
from midalign_demo.bases import Base
from midalign_demo.constraint import CLOSING_TOKENS, GrammarProcessor, Grammars
from midalign_demo.errors import InputError
from midalign_demo.middle import Progress, embed
from midalign_demo.variants import (
    ROLES,
    VARIANTS,
    adapter_name,
    align_weight,
    check,
    own_of,
    roles_of,
    shipped_sources,
)

MAX_PROMPT_TOKENS = 2048


@dataclass(frozen=True)
class Row:
    """A question to the model.

    Attributes:
        prompt: what is asked.
        adapters: the adapters in force, each with its weight; none: the bare base.
        system: what comes before the prompt in a chat model's template.
        grammar: what the answer is held to, in llguidance's Lark; None: nothing.
    """

    prompt: str
    adapters: Weights = field(default_factory=dict)
    grammar: str | None = None
    system: str | None = None


@dataclass(frozen=True)
class Answer:
    """An answer as far as it has come.

    Attributes:
        text: what was generated, up to a line break.
        new_tokens: number of generated tokens, the end mark included.
        seconds: from the start of the batch to this row's last token.
        done: whether the row has ended.
        truncated: whether it ended only because it reached the limit of tokens.
    """

    text: str
    new_tokens: int
    seconds: float
    done: bool
    truncated: bool = False


class Engine:
    """Answers prompts under several adapters.

    Model calls are serialised by `base.lock`; an engine may be shared by threads.
    """

    holds = True  # whether answers can be held to a grammar

    def __init__(self, base: Base):
        self.base = base
        self.adapters = AdapterSet(base)
        self._grammars = Grammars(base)
        self._merge_weights: dict[str, tuple[float, float]] = {}
        self._own: dict[str, list[str]] = {}  # by task, the variants that the user named

    def add_task(self, task: str, sources: Mapping[str, str]) -> None:
        """Load what a task's variants need, as far as it is given and not loaded yet.

        Args:
            task: name of the task, such as `slot-filling`.
            sources: for the roles `task`, `align` and `joint` a shipped adapter's name, a folder or a
                hub id; none is a must. Under any other name an adapter is a variant of that name.

        Raises:
            InputError: an adapter that is not there or does not fit the base.
        """
        self._own[task] = own_of(sources)
        for role in (*ROLES, *self._own[task]):
            name = adapter_name(role, task)
            if role in sources and name not in self.adapters.names:
                self.adapters.load(name, sources[role])
        if "task" in sources and "align" in sources:
            self.set_merge(task, align_weight(task, sources))

    def set_merge(self, task: str, align_weight: float, task_weight: float = 1.0) -> None:
        """The weights of a task's `merged` variant where a question names none."""
        self._merge_weights[task] = task_weight, align_weight

    def merge_weights(self, task: str) -> tuple[float, float]:
        """Weights of task and alignment adapter in a task's `merged` variant."""
        return self._merge_weights.get(task, (1.0, 1.0))

    def variants(self, task: str) -> list[str]:
        """The variants that the loaded adapters allow for a task, in the usual order, and the user's own."""
        loaded = set(self.adapters.names)
        usual = [name for name in VARIANTS if {adapter_name(role, task) for role in roles_of([name])} <= loaded]
        return [*usual, *self._own.get(task, ())]

    def adapters_of(self, variant: str, task: str, merge: tuple[float, float] | None = None) -> dict[str, float]:
        """The adapters behind a variant, each with its weight.

        Args:
            merge: weights of task and alignment adapter in `merged`; default: those of `set_merge`.

        Raises:
            InputError: not a variant, or an adapter of it is not loaded.
        """
        check([variant], self._own.get(task, ()))
        if variant not in self.variants(task):
            raise InputError(
                f"variants: {variant!r} has no adapter for {task}; there are {', '.join(self.variants(task))}"
            )
        if variant == "merged":
            weights = merge or self.merge_weights(task)
            return {adapter_name(role, task): weight for role, weight in zip(("task", "align"), weights, strict=True)}
        return {adapter_name(role, task): 1.0 for role in roles_of([variant])}

    def count_tokens(self, text: str) -> int:
        """How many tokens a text has."""
        with self.base.lock:
            return len(self.base.encode(text))

    def embed(
        self,
        sentences: Sequence[str],
        weights: Weights,
        *,
        layers: Sequence[int],
        include_bos: bool = False,
        progress: Progress | None = None,
    ) -> dict[int, np.ndarray]:
        """Embeddings of n sentences under adapters: for each layer (n, width), see `midalign_demo.middle.embed`.

        Raises:
            InputError: an adapter that is not loaded, or as there.
        """
        with self.adapters.under(weights):
            return embed(self.base, sentences, layers=layers, include_bos=include_bos, progress=progress)

    def generate(self, rows: Sequence[Row], *, max_new_tokens: int = 96) -> list[Answer]:
        """Answer all rows in one batch, greedily; an answer ends at the end mark, a line break or `max_new_tokens`.

        An answer with a grammar is not cut off there, but brought to an end, for which it gets some tokens more.

        Raises:
            InputError: an adapter that is not loaded, a prompt that is too long, or a grammar that can't be read.
        """
        watcher = _Watcher(self.base, rows, max_new_tokens)
        self._run(rows, watcher, max_new_tokens)
        return watcher.answers()

    def stream(self, rows: Sequence[Row], *, max_new_tokens: int = 96) -> Generator[list[Answer], None, None]:
        """As `generate`, but yields all rows' answers as they grow. Closing the iterator stops the computation.

        Raises:
            InputError: as `generate`.
        """
        snapshots: queue.SimpleQueue[list[Answer] | BaseException | None] = queue.SimpleQueue()
        watcher = _Watcher(self.base, rows, max_new_tokens, on_step=snapshots.put)

        def work() -> None:
            try:
                self._run(rows, watcher, max_new_tokens)
                snapshots.put(watcher.answers())
                snapshots.put(None)
            except BaseException as error:  # handed to the reader, which would otherwise wait for ever
                snapshots.put(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            while (item := snapshots.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            watcher.cancelled.set()
            thread.join()

    def _run(self, rows: Sequence[Row], watcher: _Watcher, max_new_tokens: int) -> None:
        if not rows:
            return
        with self.base.lock:  # the tokenizer has state as well
            token_ids = [self.base.encode_prompt(row.prompt, system=row.system) for row in rows]
        longest = max(len(ids) for ids in token_ids)
        if longest > MAX_PROMPT_TOKENS:
            raise InputError(f"text: the prompt has {longest} tokens, at most {MAX_PROMPT_TOKENS} are allowed")
        inputs = torch.full((len(rows), longest), self.base.tokenizer.pad_token_id)
        attention = torch.zeros((len(rows), longest), dtype=torch.long)
        for number, ids in enumerate(token_ids):
            inputs[number, longest - len(ids) :] = torch.tensor(ids)
            attention[number, longest - len(ids) :] = 1
        processors = LogitsProcessorList()
        if any(row.grammar is not None for row in rows):
            held = [row.grammar for row in rows]
            processors.append(
                GrammarProcessor(self._grammars, held, limit=max_new_tokens, prompt_length=longest, ends=watcher.ends)
            )
            max_new_tokens += CLOSING_TOKENS
        with self.adapters.rows([row.adapters for row in rows]), torch.inference_mode():
            if watcher.cancelled.is_set():
                return
            watcher.start(longest)
            self.base.model.generate(
                input_ids=inputs.to(self.base.device),
                attention_mask=attention.to(self.base.device),
                max_new_tokens=max_new_tokens,
                do_sample=False,
                logits_processor=processors,
                stopping_criteria=StoppingCriteriaList([watcher]),
            )
        watcher.finish()


def open_engine(
    base: str,
    task: str,
    *,
    sources: Mapping[str, str] | None = None,
    variants: Sequence[str] = VARIANTS,
    dtype: str = "auto",
    device: str = "auto",
    report: Callable[[str], None] = lambda message: None,
) -> Engine:
    """A base with the adapters for a task: the shipped ones where they fit, and those given.

    Args:
        base, dtype, device, report: see `midalign_demo.bases.load`.
        sources: see `Engine.add_task`; each takes the place of the shipped one.
        variants: only the adapters that these need are loaded, and those under names of the user's own.

    Raises:
        InputError: see `midalign_demo.bases.load` and `Engine.add_task`.
    """
    engine = Engine(bases.load(base, dtype=dtype, device=device, report=report))
    available = {**shipped_sources(base, task), **(sources or {})}
    needed = roles_of(variants) | set(own_of(sources or {}))
    engine.add_task(task, {role: source for role, source in available.items() if role in needed})
    return engine


class _Watcher(StoppingCriteria):
    """Sees every step of a generation: reports it, ends rows where they should, and ends all when cancelled.

    A row ends at a line break and, if no grammar brings it to an end, at its most tokens.
    """

    def __init__(
        self,
        base: Base,
        rows: Sequence[Row],
        most_tokens: int,
        on_step: Callable[[list[Answer]], None] | None = None,
    ):
        self.cancelled = threading.Event()
        self._tokenizer = base.tokenizer
        end = base.model.generation_config.eos_token_id
        self.ends = set(end if isinstance(end, list) else [end])
        self._on_step = on_step
        self._answers = [Answer("", 0, 0.0, False)] * len(rows)
        self._most = [most_tokens if row.grammar is None else most_tokens + CLOSING_TOKENS for row in rows]
        self._prompt_length = 0
        self._started = 0.0

    def start(self, prompt_length: int) -> None:
        self._prompt_length, self._started = prompt_length, time.perf_counter()

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **kwargs) -> torch.BoolTensor:
        seconds = time.perf_counter() - self._started
        for number, ids in enumerate(input_ids[:, self._prompt_length :].tolist()):
            if not self._answers[number].done:
                self._answers[number] = self._answer(ids, seconds, self._most[number])
        if self._on_step:
            self._on_step(self.answers())
        done = [answer.done or self.cancelled.is_set() for answer in self._answers]
        return torch.tensor(done, device=input_ids.device)

    def _answer(self, ids: list[int], seconds: float, most: int) -> Answer:
        text = self._tokenizer.decode(ids, skip_special_tokens=True).strip(" ").lstrip("\n")
        line, line_break, _ = text.partition("\n")
        # A character of several tokens shows up as U+FFFD until its last token is there.
        ended = bool(line_break) or ids[-1] in self.ends
        truncated = not ended and len(ids) >= most
        return Answer(line.rstrip("\ufffd").strip(), len(ids), seconds, ended or truncated, truncated)

    def finish(self) -> None:
        """Rows that were cancelled are done as well, though not complete."""
        self._answers = [
            answer if answer.done else replace(answer, done=True, truncated=True) for answer in self._answers
        ]

    def answers(self) -> list[Answer]:
        return list(self._answers)
