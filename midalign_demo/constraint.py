"""Answers held to a grammar while they are generated, by llguidance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import llguidance
import llguidance.hf
import numpy as np
import torch
from transformers import LogitsProcessor

from midalign_demo.bases import Base
from midalign_demo.errors import InputError

# Tokens beyond an answer's limit in which it is brought to an end, so that what a grammar began is whole.
CLOSING_TOKENS = 256

_CLOSERS = '"]}'


class Grammars:
    """Compiles grammars for one base's tokenizer. The first compilation takes a second or more."""

    def __init__(self, base: Base):
        self._base = base

    @cached_property
    def _tokenizer(self) -> llguidance.LLTokenizer:
        """Its own copy of the base's tokenizer, which may be used by several threads."""
        size = self._base.model.get_output_embeddings().out_features
        end = self._base.model.generation_config.eos_token_id
        return llguidance.hf.from_tokenizer(self._base.tokenizer, n_vocab=size, eos_token=end)

    @cached_property
    def closers(self) -> dict[str, np.ndarray]:
        """Tokens that end JSON strings, arrays or objects, by their first character: boolean (vocabulary,) each."""
        with self._base.tokenizing:
            kinds = {first: np.zeros(self._tokenizer.vocab_size, dtype=bool) for first in _CLOSERS}
            vocabulary = self._base.tokenizer.get_vocab()
        for text, token in vocabulary.items():
            if text and set(text) <= set(_CLOSERS):
                kinds[text[0]][token] = True
        return kinds

    def matcher(self, grammar: str) -> llguidance.LLMatcher:
        """A fresh matcher.

        Raises:
            InputError: llguidance can't read the grammar, or a JSON Schema in it asks for something it can't do.
        """
        with self._base.tokenizing:  # made once
            tokenizer = self._tokenizer
        matcher = llguidance.LLMatcher(tokenizer, grammar)
        if matcher.is_error():
            said, _, _ = matcher.get_error().partition("\n")  # below it the grammar is shown, which users never wrote
            raise InputError(f"grammar: {' '.join(said.split())[:300]}")
        return matcher


class Held:
    """How far a row's answer has come in its grammar.

    Attributes:
        matcher: of the grammar.
        limit: tokens of the answer after which it is brought to an end.
        tokens: that it has been asked for.
    """

    def __init__(self, matcher: llguidance.LLMatcher, limit: int):
        """
        Args:
            matcher: at its beginning; stays there.
        """
        self.matcher, self.limit, self.tokens = matcher.deep_copy(), limit, 0


class GrammarProcessor(LogitsProcessor):
    """Rules out the tokens that a row's grammar does not allow at each step.

    From a row's limit on, only what ends the answer is allowed, as far as the grammar leaves a choice: the end mark,
    else what ends an object, an array or a string.
    """

    def __init__(
        self, grammars: Grammars, held: Sequence[Held | None], *, ends: set[int], has_ended: Callable[[int], bool]
    ):
        """
        Args:
            held: each row's grammar, which moves on with every step; None leaves the row free.
            ends: ids of end marks.
            has_ended: of a row's place, whether it gets nothing but padding any longer.
        """
        self._held, self._has_ended = held, has_ended
        self._closers = grammars.closers
        self._size = len(self._closers['"'])
        self._ends = np.array(sorted(ends))

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        for number, row in enumerate(self._held):
            if row is None or self._has_ended(number):
                continue
            matcher = row.matcher
            if row.tokens and not matcher.is_stopped() and not matcher.consume_token(int(input_ids[number, -1])):
                raise RuntimeError(f"a token that its grammar does not allow: {matcher.get_error()}")
            allowed = self._allowed(matcher, late=row.tokens >= row.limit)
            row.tokens += 1
            mask = torch.from_numpy(allowed[: scores.shape[1]]).to(scores.device)
            scores[number].masked_fill_(~mask, float("-inf"))
        return scores

    def _allowed(self, matcher: llguidance.LLMatcher, *, late: bool) -> np.ndarray:
        """Which tokens may come next: boolean (vocabulary,)."""
        if matcher.is_stopped():  # nothing can follow: what is left is the end mark
            return self._only(self._ends, True)
        allowed = np.unpackbits(np.frombuffer(matcher.compute_bitmask(), np.uint8), bitorder="little").astype(bool)
        allowed = allowed[: self._size]
        return self._narrowed(allowed) if late else allowed

    def _narrowed(self, allowed: np.ndarray) -> np.ndarray:
        if allowed[self._ends].any():
            return self._only(self._ends, allowed[self._ends])
        string, array, document = (allowed & self._closers[first] for first in _CLOSERS)
        # Only inside a string may both brackets stand: there they end nothing.
        if array.any() and document.any() and string.any():
            return string
        return next((kind for kind in (array, document, string) if kind.any()), allowed)

    def _only(self, tokens: np.ndarray, values) -> np.ndarray:
        only = np.zeros(self._size, dtype=bool)
        only[tokens] = values
        return only
