"""What the engine and the evaluation have to know of a task."""

from __future__ import annotations

from dataclasses import Field, dataclass
from typing import Any, ClassVar, Protocol

from midalign_demo.characters import cleaned, is_blank
from midalign_demo.errors import InputError

MAX_CHARACTERS = 1000


class Question(Protocol):
    """One text, and what is asked of it: a frozen dataclass, of which `replace` makes others."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    task: ClassVar[str]
    held: ClassVar[bool]  # whether answers are held to the grammar where the user doesn't say

    @property
    def text(self) -> str: ...

    @property
    def language(self) -> str | None:
        """Of the text, where it is known."""

    @property
    def target(self) -> str | None:
        """Language of a translation; None in other tasks."""

    def prompt(self) -> str:
        """What a model that was tuned on the task is asked."""

    def prompt_with_examples(self) -> str:
        """The same after a few answered questions, for models that were not tuned on the task."""

    def grammar(self) -> str | None:
        """A Lark grammar in llguidance's dialect that every proper answer fits; None where any line of text does."""

    def read(self, answer: str) -> tuple[Any, bool]:
        """What the answer says, as JSON values, and whether all of it has the form asked for."""

    def answer_limit(self, text_tokens: int) -> int:
        """Most tokens of an answer, given the number of tokens of the text."""


@dataclass(frozen=True)
class Example:
    """A question and what the answer should say, in the task's own form (see the `statistics` of its module)."""

    question: Question
    gold: Any


def check_text(text: str) -> str:
    """The text, stripped, and without what is no text, see `midalign_demo.characters`.

    Raises:
        InputError: it is no text, has nothing to see in it, or is too long.
    """
    if not isinstance(text, str):
        raise InputError(f"text: it is of type {type(text).__name__}; give a string")
    text = text.strip()
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"text: it has {len(text)} characters, at most {MAX_CHARACTERS} are allowed")
    text = cleaned(text).strip()
    if is_blank(text):
        raise InputError("text: it is empty; type a sentence such as 'Wake me at seven'")
    return text
