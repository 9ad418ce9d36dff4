"""Greedy generation for a batch of rows under different adapters: what all rows share is computed once, and none that
has ended is computed further.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from transformers import LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from midalign_demo.adapters import AdapterSet, Weights
from midalign_demo.bases import Base
from midalign_demo.constraint import CLOSING_TOKENS, GrammarProcessor, Grammars
from midalign_demo.errors import InputError
from midalign_demo.prefixes import Prefixes

if TYPE_CHECKING:
    import llguidance

MAX_PROMPT_TOKENS = 2048
# Below as many rows a step takes as long as it takes to read the weights, however many rows it has.
_FEW_ROWS = 8


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


@dataclass(frozen=True)
class Ready:
    """A row that has been checked and can be computed, beside whatever others and more than once.

    Attributes:
        row: what is asked.
        ids: the prompt's tokens.
        limit: most tokens of the answer; one with a grammar gets some more to be brought to an end in.
        matcher: of the grammar, at its beginning; None: the answer is free.
    """

    row: Row
    ids: list[int]
    limit: int
    matcher: llguidance.LLMatcher | None = None

    @property
    def most(self) -> int:
        """Tokens after which the answer is cut off."""
        return self.limit if self.matcher is None else self.limit + CLOSING_TOKENS


class Generation:
    """Generates for one base."""

    def __init__(self, base: Base, adapters: AdapterSet):
        self._base, self._adapters = base, adapters
        self._grammars = Grammars(base)
        self._prefixes = Prefixes(base, adapters)

    def ready(self, row: Row, limit: int) -> Ready:
        """Check a row and make it ready, which needs the tokenizer, not the model.

        Args:
            limit: most tokens of the answer.

        Raises:
            InputError: an adapter that is not loaded, a prompt that is too long, or a grammar that can't be read.
        """
        self._adapters.check(row.adapters)
        ids = self._base.encode_prompt(row.prompt, system=row.system)
        if len(ids) > MAX_PROMPT_TOKENS:
            raise InputError(f"text: the prompt has {len(ids)} tokens, at most {MAX_PROMPT_TOKENS} are allowed")
        return Ready(row, ids, limit, None if row.grammar is None else self._grammars.matcher(row.grammar))

    def run(self, rows: Sequence[Ready], watcher: Watcher) -> None:
        """Answer rows; the watcher, which is theirs, has the answers. Whoever calls holds the base's lock."""
        prompts = [ready.ids for ready in rows]
        longest = max(map(len, prompts))
        most = max(ready.most for ready in rows)
        processors = LogitsProcessorList()
        if any(ready.matcher is not None for ready in rows):
            held = [None if ready.matcher is None else ready.matcher.deep_copy() for ready in rows]
            limits = [ready.limit for ready in rows]
            processors.append(
                GrammarProcessor(self._grammars, held, limits=limits, prompt_length=longest, ends=watcher.ends)
            )
        if watcher.cancelled.is_set():
            return
        watcher.start(longest)
        adapters = [ready.row.adapters for ready in rows]
        cache = self._prefixes.cache(prompts, adapters)
        device = self._base.device
        ids = torch.full((len(rows), longest), self._base.tokenizer.pad_token_id)
        attention = torch.zeros_like(ids)
        for number, prompt in enumerate(prompts):
            ids[number, longest - len(prompt) :] = torch.tensor(prompt)
            attention[number, longest - len(prompt) :] = 1
        ids, attention = ids.to(device), attention.to(device)
        while True:
            with self._adapters.rows([adapters[number] for number in watcher.left]), torch.inference_mode():
                made = self._base.model.generate(
                    input_ids=ids,
                    attention_mask=attention,
                    past_key_values=cache,
                    max_new_tokens=longest + most - ids.shape[1],
                    do_sample=False,
                    return_dict_in_generate=True,
                    logits_processor=processors,
                    stopping_criteria=StoppingCriteriaList([watcher]),
                )
            kept = watcher.drop_done()
            if not kept:
                break
            places = torch.tensor(kept, device=device)
            cache = made.past_key_values
            cache.batch_select_indices(places)
            for processor in processors:
                processor.keep(kept)
            added = made.sequences.shape[1] - ids.shape[1]
            ids, attention = made.sequences[places], torch.nn.functional.pad(attention[places], (0, added), value=1)
        watcher.finish()


class Watcher(StoppingCriteria):
    """Sees every step of a generation: reports it, ends rows where they should, and ends all when cancelled.

    A row ends at a line break, at its most tokens, or when nobody waits for it any longer.
    """

    def __init__(self, base: Base, rows: Sequence[Ready], on_step: Callable[[list[Answer]], None] | None = None):
        """
        Args:
            on_step: called with all rows' answers after each step.
        """
        self.cancelled = threading.Event()
        self._base = base
        end = base.model.generation_config.eos_token_id
        self.ends = set(end if isinstance(end, list) else [end])
        self._on_step = on_step
        self._answers = [Answer("", 0, 0.0, False)] * len(rows)
        self._most = [ready.most for ready in rows]
        self.left = list(range(len(rows)))  # numbers of the rows that are in the batch
        self._prompt_length = 0
        self._started = 0.0

    def start(self, prompt_length: int) -> None:
        self._prompt_length, self._started = prompt_length, time.perf_counter()

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **kwargs) -> torch.BoolTensor:
        seconds = time.perf_counter() - self._started
        for number, ids in zip(self.left, input_ids[:, self._prompt_length :].tolist(), strict=True):
            if not self._answers[number].done:
                self._answers[number] = self._answer(ids, seconds, self._most[number])
        if self._on_step:
            self._on_step(self.answers())
        done = [self._answers[number].done for number in self.left]  # some of them since that call
        # Ended rows leave the batch a quarter of it at a time: a batch is not made smaller for nothing.
        leave = self.cancelled.is_set() or (len(done) >= _FEW_ROWS and 4 * sum(done) >= len(done))
        return torch.tensor([True] * len(done) if leave else done, device=input_ids.device)

    def drop_done(self) -> list[int]:
        """Take the rows that have ended out of the batch; the places in it of those that are left."""
        kept = (
            []
            if self.cancelled.is_set()
            else [place for place, number in enumerate(self.left) if not self._answers[number].done]
        )
        self.left = [self.left[place] for place in kept]
        return kept

    def end(self, numbers: Iterable[int]) -> None:
        """End rows where they are, though they are not complete."""
        for number in numbers:
            if not self._answers[number].done:
                self._answers[number] = replace(self._answers[number], done=True, truncated=True)

    def _answer(self, ids: list[int], seconds: float, most: int) -> Answer:
        text = self._base.decode(ids).strip(" ").lstrip("\n")
        line, line_break, _ = text.partition("\n")
        # A character of several tokens shows up as U+FFFD until its last token is there.
        ended = bool(line_break) or ids[-1] in self.ends
        truncated = not ended and len(ids) >= most
        return Answer(line.rstrip("\ufffd").strip(), len(ids), seconds, ended or truncated, truncated)

    def finish(self) -> None:
        """Rows that were cancelled are done as well, though not complete."""
        self.end(range(len(self._answers)))

    def answers(self) -> list[Answer]:
        return list(self._answers)
