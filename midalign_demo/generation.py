"""Greedy generation for a batch of rows under different adapters: what all rows share is computed once, and none that
has ended is computed further.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from transformers import LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from midalign_demo.adapters import AdapterSet, Weights
from midalign_demo.bases import Base
from midalign_demo.constraint import CLOSING_TOKENS, GrammarProcessor, Grammars
from midalign_demo.errors import InputError
from midalign_demo.prefixes import Prefixes

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


class Generation:
    """Generates for one base. Whoever calls holds the base's lock."""

    def __init__(self, base: Base, adapters: AdapterSet):
        self._base, self._adapters = base, adapters
        self._grammars = Grammars(base)
        self._prefixes = Prefixes(base, adapters)

    def run(self, rows: Sequence[Row], watcher: Watcher, max_new_tokens: int) -> None:
        """Answer rows; the watcher has the answers.

        Raises:
            InputError: an adapter that is not loaded, a prompt that is too long, or a grammar that can't be read.
        """
        prompts = [self._base.encode_prompt(row.prompt, system=row.system) for row in rows]
        longest = max(map(len, prompts))
        if longest > MAX_PROMPT_TOKENS:
            raise InputError(f"text: the prompt has {longest} tokens, at most {MAX_PROMPT_TOKENS} are allowed")
        processors = LogitsProcessorList()
        if any(row.grammar is not None for row in rows):
            held = [row.grammar for row in rows]
            processors.append(
                GrammarProcessor(self._grammars, held, limit=max_new_tokens, prompt_length=longest, ends=watcher.ends)
            )
            max_new_tokens += CLOSING_TOKENS
        if watcher.cancelled.is_set():
            return
        watcher.start(longest)
        cache = self._prefixes.cache(prompts, [row.adapters for row in rows])
        device = self._base.device
        ids = torch.full((len(rows), longest), self._base.tokenizer.pad_token_id)
        attention = torch.zeros_like(ids)
        for number, prompt in enumerate(prompts):
            ids[number, longest - len(prompt) :] = torch.tensor(prompt)
            attention[number, longest - len(prompt) :] = 1
        ids, attention = ids.to(device), attention.to(device)
        while True:
            with self._adapters.rows([rows[number].adapters for number in watcher.left]), torch.inference_mode():
                made = self._base.model.generate(
                    input_ids=ids,
                    attention_mask=attention,
                    past_key_values=cache,
                    max_new_tokens=longest + max_new_tokens - ids.shape[1],
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
        done = [self._answers[number].done for number in self.left]
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
