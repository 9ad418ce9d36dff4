"""The adapters that the paper's authors published (Liu & Niehues, ACL 2025), and how they want to be asked.

Their system prompts and template are part of what the adapters were trained on. The wording of the prompts is quoted
from `scripts/run_inference_massive.py` and `scripts/run_inference_eval_wmt23.py` in github.com/dannigt/mid-align.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from midalign_demo import languages
from midalign_demo.errors import InputError
from midalign_demo.tasks import slot_filling, translation
from midalign_demo.tasks.question import Question

_SLOTS_SYSTEM = (
    "Given a command from the user, a voice assistant will extract entities essential for carry out the command.\n"
    "For example, for a command about playing a specific song, the name of the song mentioned by the user would be an "
    'entity, falling under the type of "song name".\n'
    "Your task is to extract the entities as words from the command if they fall under a predefined list of entity "
    "types."
)


@dataclass(frozen=True)
class Published:
    """A base with the authors' adapters for one task.

    Attributes:
        name: what `--published` takes.
        adapters: hub ids by role; `task` is their baseline, `joint` their aligned model.
        gib: memory that the base takes in bfloat16.
        eot_breaks: their template: no BOS, and a line break after each `<|eot_id|>`.
    """

    name: str
    base: str
    task: str
    adapters: Mapping[str, str]
    gib: float
    eot_breaks: bool

    def reframe(self, frame: str) -> str:
        """The filled-in chat template as these adapters know it."""
        if not self.eot_breaks:
            return frame
        return frame.replace("<|eot_id|>", "<|eot_id|>\n").replace("<|begin_of_text|>", "")


def _published(name: str, base: str, task: str, gib: float) -> Published:
    short, kind = base.split("/")[1], {"slot-filling": "SF", "translation": "MT"}[task]
    adapters = {
        role: f"danniliu/{short}-{kind}-{suffix}-LoRA"
        for role, suffix in (("task", "baseline"), ("joint", "mid-align"))
    }
    return Published(name, base, task, adapters, gib, eot_breaks="Llama" in base)


_LLAMA, _QWEN = "meta-llama/Meta-Llama-3-8B-Instruct", "Qwen/Qwen2.5-7B-Instruct"
ALL = {
    found.name: found
    for found in (
        _published("llama3-sf", _LLAMA, slot_filling.NAME, 15.0),
        _published("llama3-mt", _LLAMA, translation.NAME, 15.0),
        _published("qwen2.5-sf", _QWEN, slot_filling.NAME, 14.2),
        _published("qwen2.5-mt", _QWEN, translation.NAME, 14.2),
    )
}


@dataclass(frozen=True)
class SlotQuestion:
    """A command as the authors' slot-filling adapters are asked: no list of slots, any name may come back."""

    text: str
    language: str | None = None
    system: ClassVar[str] = _SLOTS_SYSTEM
    task: ClassVar[str] = slot_filling.NAME
    held: ClassVar[bool] = False
    target: ClassVar[None] = None

    def prompt(self) -> str:
        return self.text

    def prompt_with_examples(self) -> str:
        return self.text

    def grammar(self) -> None:
        return None

    def read(self, answer: str) -> tuple[list[dict], bool]:
        names = tuple(name.strip() for name in re.findall(r"(?:^|;)([^:;]+):", answer))
        return slot_filling.Question(self.text, names).read(answer)

    def answer_limit(self, text_tokens: int) -> int:
        return slot_filling.Question(self.text).answer_limit(text_tokens)


@dataclass(frozen=True)
class TranslationQuestion(translation.Question):
    """A sentence as the authors' translation adapters are asked."""

    @property
    def system(self) -> str:
        source, target = languages.name(self.language), languages.name(self.target)
        return f"Translate the following sentences from {source} to {target}."

    def prompt(self) -> str:
        return self.text

    def prompt_with_examples(self) -> str:
        return self.text


def framed(question: Question) -> Question:
    """A question of slot filling or translation as the authors' adapters are asked it."""
    if isinstance(question, translation.Question):
        return TranslationQuestion(question.text, question.language, question.target)
    return SlotQuestion(question.text, question.language)


def find(name: str) -> Published:
    """The published adapters of a name.

    Raises:
        InputError: there are none.
    """
    if name not in ALL:
        raise InputError(f"published: {name!r} is not one of {', '.join(ALL)}")
    return ALL[name]


def hub_problem(source: str) -> str | None:
    """Why a model can't be had from the hub, in a sentence; None where it can. Asks the hub."""
    from huggingface_hub import HfApi

    try:
        HfApi().model_info(source, timeout=5)
    except Exception as error:  # offline, gated, gone: all sorts of types
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        return f"{source} can't be had from the hub: {reason}"
    return None


def why_not(
    published: Published, memory_gib: float, problem_of: Callable[[str], str | None] = hub_problem
) -> str | None:
    """Why these adapters can't be run here, in a sentence; None where they can.

    Args:
        memory_gib: memory of the device that would hold the base.
        problem_of: what tells why a model can't be had; for several presets, one that remembers, since they share
            bases.
    """
    if memory_gib < published.gib * 1.15:  # beside the weights, room for activations and the cache
        return f"{published.base} needs {published.gib * 1.15:.0f} GiB of memory; there are {memory_gib:.0f}"
    problems = map(problem_of, (published.base, *published.adapters.values()))
    return next((problem for problem in problems if problem), None)


def device_memory_gib() -> float:
    """Memory of the GPU, or of the machine where there is none."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_properties(0).total_memory / 2**30
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
