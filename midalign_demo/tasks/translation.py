"""Translation of a sentence from one language into another.

    Translate this from German to English:
    German: Der Zug kommt heute später an.
    English: The train arrives later today.

The prompt is the one of ALMA (Xu et al. 2024), which many translation models share.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from sacrebleu.metrics import BLEU, CHRF

from midalign_demo import languages
from midalign_demo.errors import InputError

NAME = "translation"
MAIN_METRIC = "chrf"
COMPARED = (MAIN_METRIC,)

# Scripts without spaces between words: sacrebleu's BLEU counts their characters.
_UNSPACED = frozenset({"Hans", "Hant", "Hani", "Jpan", "Hira", "Kana", "Thai", "Laoo", "Khmr", "Mymr", "Tibt"})

_BLEU_STATISTICS = 10  # lengths of translation and reference, and for each of four n: n-grams right and given

_EXAMPLES = (
    ("de", "en", "Der Zug kommt heute eine Stunde später an.", "The train arrives an hour later today."),
    ("en", "es", "The library opens at nine in the morning.", "La biblioteca abre a las nueve de la mañana."),
    ("fr", "en", "Ma sœur travaille dans un hôpital.", "My sister works in a hospital."),
)


@dataclass(frozen=True)
class Question:
    """A sentence to be translated from `language` into `target` (BCP 47 tags)."""

    text: str
    language: str
    target: str
    task: ClassVar[str] = NAME
    held: ClassVar[bool] = False

    def prompt(self) -> str:
        source, target = languages.name(self.language), languages.name(self.target)
        return f"Translate this from {source} to {target}:\n{source}: {' '.join(self.text.split())}\n{target}:"

    def prompt_with_examples(self) -> str:
        shown = [
            f"{Question(text, source, target).prompt()}{answer(translation)}"
            for source, target, text, translation in _EXAMPLES
        ]
        return "\n\n".join([*shown, self.prompt()])

    def grammar(self) -> None:
        return None

    def read(self, answer: str) -> tuple[str, bool]:
        line = answer.strip().split("\n", 1)[0].strip()
        return line, bool(line)

    def answer_limit(self, text_tokens: int) -> int:
        # The languages that take the most tokens take about four times those of English.
        return 32 + 4 * text_tokens


def answer(translation: str) -> str:
    """What the model is to say after the prompt."""
    return f" {' '.join(translation.split())}"


def check_direction(language: str | None, target: str | None) -> tuple[str, str]:
    """The two languages of a translation.

    Raises:
        InputError: one is missing, or both are the same.
    """
    if not language or not target:
        missing = "language" if not language else "target"
        raise InputError(f"{missing}: none given; a translation needs the language of the text and the target")
    if language == target:
        raise InputError(f"target: {target!r} is the language of the text as well")
    return language, target


@lru_cache
def _metrics(target: str) -> tuple[BLEU, CHRF]:
    """sacrebleu's metrics for translations into a language.

    BLEU counts words as sacrebleu's tokenizer `13a` finds them, Chinese ones by `zh`, and characters in languages
    that are written without spaces between words.
    """
    script = languages.script(target)
    tokenizer = "zh" if script in ("Hans", "Hant") else "char" if script in _UNSPACED else "13a"
    return BLEU(tokenize=tokenizer), CHRF()


def statistics(question: Question, gold: str, answer: str) -> list[float]:
    """What a translation adds to the totals of `scores`: BLEU's counts, then chrF's.

    Args:
        gold: the reference translation.
    """
    # sacrebleu's own paired tests are built on these; its public functions give corpus scores only.
    rows = [metric._extract_corpus_statistics([answer], [[gold]])[0] for metric in _metrics(question.target)]
    return [*rows[0], *rows[1]]


def scores(totals: np.ndarray) -> dict[str, np.ndarray]:
    """Sums of statistics (..., k) -> `{"bleu", "chrf"}` (...), 0 to 100."""
    totals = np.asarray(totals)
    rows = totals.reshape(-1, totals.shape[-1]).tolist()
    bleu, chrf = BLEU(), CHRF()
    found = {
        "bleu": [bleu._compute_score_from_stats(row[:_BLEU_STATISTICS]).score for row in rows],
        "chrf": [chrf._compute_score_from_stats(row[_BLEU_STATISTICS:]).score for row in rows],
    }
    return {name: np.array(values).reshape(totals.shape[:-1]) for name, values in found.items()}


def signatures(target: str) -> dict[str, str]:
    """How the scores are computed, in sacrebleu's notation."""
    signed = {}
    for name, metric in zip(("bleu", "chrf"), _metrics(target), strict=True):
        metric.corpus_score(["a"], [["a"]])  # the signature knows the number of references only after a score
        signed[name] = str(metric.get_signature())
    return signed
