"""Greedy generation for a batch of rows under different adapters: what all rows share is computed once, and none that
has ended is computed further.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from transformers import LogitsProcessorList, StoppingCriteriaList

from midalign_demo.adapters import AdapterSet, Weights
from midalign_demo.bases import Base
from midalign_demo.batches import Batch
from midalign_demo.constraint import CLOSING_TOKENS, GrammarProcessor, Grammars, Held
from midalign_demo.errors import InputError
from midalign_demo.prefixes import Prefixes
from midalign_demo.watcher import Watcher

if TYPE_CHECKING:
    import llguidance

MAX_PROMPT_TOKENS = 2048


@dataclass(frozen=True)
class Row:
    """A question to the model.

    Attributes:
        prompt: what is asked.
        adapters: the adapters in force, each with its weight; none: the bare base.
        system: what comes before the prompt in a chat model's template.
        grammar: what the answer is held to, in llguidance's Lark; None: nothing.
        limit: most tokens of the answer; None: as many as are asked for with all rows.
    """

    prompt: str
    adapters: Weights = field(default_factory=dict)
    grammar: str | None = None
    system: str | None = None
    limit: int | None = None


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

    @property
    def size(self) -> int:
        """Tokens that prompt and answer come to, but for those in which a grammar is brought to its end."""
        return len(self.ids) + self.limit


class Generation:
    """Generates for one base."""

    def __init__(self, base: Base, adapters: AdapterSet):
        self._base, self._adapters = base, adapters
        self._grammars = Grammars(base)
        self._prefixes = Prefixes(base, adapters)

    def ready(self, row: Row, limit: int) -> Ready:
        """Check a row and make it ready, which needs the tokenizer, not the model.

        Args:
            limit: most tokens of the answer, unless the row has its own.

        Raises:
            InputError: an adapter that is not loaded, a prompt that is too long, or a grammar that can't be read.
        """
        self._adapters.check(row.adapters)
        ids = self._base.encode_prompt(row.prompt, system=row.system)
        if len(ids) > MAX_PROMPT_TOKENS:
            raise InputError(f"text: the prompt has {len(ids)} tokens, at most {MAX_PROMPT_TOKENS} are allowed")
        limit = limit if row.limit is None else row.limit
        return Ready(row, ids, limit, None if row.grammar is None else self._grammars.matcher(row.grammar))

    def run(self, watcher: Watcher) -> None:
        """Answer a watcher's rows, and those that come to it meanwhile; it has the answers. Whoever calls holds the
        base's lock.
        """
        batch: Batch | None = None
        held: dict[int, Held] = {}
        while True:
            begun = watcher.paused()
            held = {number: its for number, its in held.items() if not watcher.is_done(number)}
            if begun:
                rows = [watcher.ready(number) for number in begun]
                held |= {number: Held(ready.matcher, ready.limit) for number, ready in zip(begun, rows, strict=True)
                         if ready.matcher is not None}  # fmt: skip
                prompts = [ready.ids for ready in rows]
                fresh = Batch.of(self._base, begun, prompts)
                fresh.cache = self._prefixes.cache(prompts, [ready.row.adapters for ready in rows])
                if batch is None:
                    batch = fresh
                else:
                    one = self._grown(fresh, watcher, held, tokens=1)  # and they have what the others have
                    batch = self._left(batch, watcher)  # some may have been ended in the meantime
                    batch = batch.beside(one, self._base) if batch and one else batch or one
            batch = batch and self._left(batch, watcher)
            if batch is None:
                break
            batch = self._grown(batch, watcher, held)
        watcher.end_all()

    def _grown(
        self, batch: Batch, watcher: Watcher, held: dict[int, Held], *, tokens: int | None = None
    ) -> Batch | None:
        """Generate so many tokens for each row, or until the watcher pauses; the rows that have not ended, if any."""
        rows = [watcher.ready(number) for number in batch.numbers]
        processors = LogitsProcessorList()
        if any(number in held for number in batch.numbers):
            grammars = [held.get(number) for number in batch.numbers]
            processors.append(
                GrammarProcessor(
                    self._grammars, grammars, ends=watcher.ends,
                    has_ended=lambda place: watcher.leaving or watcher.is_done(batch.numbers[place]),
                )
            )  # fmt: skip
        watcher.compute(batch.numbers)
        with self._adapters.rows([ready.row.adapters for ready in rows]), torch.inference_mode():
            made = self._base.model.generate(
                input_ids=batch.ids,
                attention_mask=batch.attention,
                past_key_values=batch.cache,
                max_new_tokens=tokens or max(watcher.left_of(number) for number in batch.numbers),
                do_sample=False,
                return_dict_in_generate=True,
                logits_processor=processors,
                stopping_criteria=StoppingCriteriaList([watcher]),
            )
        return self._left(batch.grown(made.sequences, made.past_key_values), watcher)

    @staticmethod
    def _left(batch: Batch, watcher: Watcher) -> Batch | None:
        """The rows that have not ended, if any."""
        kept = [place for place, number in enumerate(batch.numbers) if not watcher.is_done(number)]
        return batch.only(kept) if kept and not watcher.cancelled.is_set() else None
