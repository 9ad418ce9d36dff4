"""Labelled examples in the page: *From the test set*, and the endpoint `/evaluate_sample`."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache

from midalign_demo import unseen
from midalign_demo.line import Asker
from midalign_demo.tasks.question import Example
from midalign_demo.ui.host import ModelHost


class LabelledExamples:
    """A host's labelled examples: midalign's own, which no shipped adapter was trained on, or the owner's.

    Args:
        paths: the owner's, by task, see `midalign_demo.unseen.read`.
    """

    def __init__(self, host: ModelHost, paths: Mapping[str, str] | None = None):
        self._host = host
        given = dict(paths or {})
        self.of = cache(lambda task: unseen.read(task, given.get(task)))

    def pick(self, task: str, *, other_than: str = "") -> Example:
        """Any of a task's examples.

        Args:
            other_than: the text that the visitor has already.

        Raises:
            InputError: a file that can't be read.
        """
        found = self.of(task)
        return random.choice([one for one in found if one.question.text != other_than.strip()] or found)

    async def evaluate_sample(
        self, task: str = "slot-filling", language: str = "", n: int = 8, variants: list[str] | None = None
    ) -> dict:
        """Score variants on labelled examples that no shipped adapter was trained on; always the same ones.

        Without a language they are in many; without variants all that there are answer.
        """

        def work(asker: Asker) -> dict:
            examples = unseen.sample(self.of(task), language or None, n)
            engine = self._host.engine_for(task, asker, asked=variants or ())
            chosen = variants or engine.variants(task)
            return unseen.evaluate_sample(engine, examples, chosen)

        return await self._host.visits.ask(work)
