"""Training data as a fixed schedule of micro-batches.

Item i of a schedule is the i-th micro-batch of the run, a function of the data and the seed alone. So the order
does not depend on how often a run was interrupted, and a resumed run sees what an unbroken one would have seen.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from torch.utils.data import Dataset

from midalign_demo.errors import InputError

ENGLISH = "en"
_WINDOW = 8  # micro-batches among which sentences are sorted by length


class AlignmentSchedule(Dataset):
    """Micro-batches of parallel sentences.

    Each holds `lines` lines of one corpus in `views` languages, English (or else the corpus's first language) first,
    each view in one language, so that
    the contrast is between meanings and never between languages. Within a corpus its languages take turns,
    as evenly as the weights allow.

    Items are `{"objective": "align", "seed": str, "languages": [views], "sentences": [views][lines]}`; the seed is
    for what is drawn at random within the micro-batch.
    """

    def __init__(
        self,
        corpora: Sequence[dict[str, list[str]]],
        *,
        lines: int,
        views: int,
        steps: int,
        seed: int,
        weights: Mapping[str, int] | None = None,
    ):
        """
        Args:
            corpora: parallel texts; drawn from in proportion to their lines, one given twice twice as often.
            lines, views: shape of a micro-batch.
            steps: number of micro-batches.
            weights: how many turns a language gets for one turn of the others; default: all get as many.

        Raises:
            InputError: a corpus with no second language, or with too few lines that differ.
        """
        if views < 2:
            raise InputError(f"views: {views} given; a micro-batch needs English and at least one more language")
        if lines < 2:
            raise InputError(f"lines: {lines} given; contrasting needs at least 2 lines in a micro-batch")
        self._corpora = list(corpora)
        self._views = views
        self._weights = dict(weights or {})
        self._others = []
        for number, corpus in enumerate(self._corpora, start=1):
            anchor = anchor_of(corpus)
            others = [tag for tag in corpus if tag != anchor]
            if not others:
                raise InputError(f"data: corpus {number} has {anchor!r} and none of the languages to align with it")
            if len(corpus[anchor]) < lines:
                raise InputError(
                    f"data: corpus {number} has {len(corpus[anchor])} lines; "
                    f"one micro-batch takes {lines} (option lines)"
                )
            if (different := len(set(corpus[anchor]))) < lines:
                raise InputError(
                    f"data: corpus {number} has {different} different lines in {anchor!r}, the others are copies; "
                    f"one micro-batch takes {lines} (option lines)"
                )
            self._others.append(others)
        self._seed = seed
        self._plan = self._make_plan(lines, steps, random.Random(seed))

    def _make_plan(self, lines: int, steps: int, rng: random.Random) -> list[tuple[int, list[int], list[str]]]:
        # By corpus: a language that only some of them have should not lose its turns in one to those in another.
        turns = [dict.fromkeys(others, 0.0) for others in self._others]
        plan: list[tuple[int, list[int], list[str]]] = []
        while len(plan) < steps:
            epoch: list[tuple[int, list[int]]] = []
            for number, corpus in enumerate(self._corpora):
                lengths = [len(line) for line in corpus[anchor_of(corpus)]]
                epoch.extend((number, rows) for rows in batches_of_similar_length(lengths, lines, rng))
            rng.shuffle(epoch)
            for number, rows in epoch:
                # The languages that had the fewest turns so far, ties in random order.
                others = sorted(
                    rng.sample(self._others[number], len(self._others[number])), key=turns[number].__getitem__
                )
                chosen = others[: self._views - 1]
                for tag in chosen:
                    turns[number][tag] += 1 / self._weights.get(tag, 1)
                plan.append((number, rows, chosen))
        return plan[:steps]

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, index: int) -> dict:
        number, rows, others = self._plan[index]
        corpus = self._corpora[number]
        tags = [anchor_of(corpus), *others]
        return {
            "objective": "align",
            "seed": f"{self._seed}/{index}",
            "languages": tags,
            "sentences": [[corpus[tag][row] for row in rows] for tag in tags],
        }


class TaskSchedule(Dataset):
    """Micro-batches of task examples.

    Items are `{"objective": "task", "prompts": [rows], "answers": [rows]}`.
    """

    def __init__(
        self,
        records: Sequence,
        to_example: Callable[[object, random.Random], tuple[str, str]],
        *,
        rows: int,
        steps: int,
        seed: int,
    ):
        """
        Args:
            records: the task's examples, in the task's own form.
            to_example: a record -> its prompt and answer; may draw from the given generator (a step's own).
            rows: examples in a micro-batch.
            steps: number of micro-batches.

        Raises:
            InputError: fewer records than a micro-batch takes.
        """
        if len(records) < rows:
            raise InputError(f"data: {len(records)} examples given; one micro-batch takes {rows} (option rows)")
        self._records, self._to_example, self._seed = records, to_example, seed
        rng = random.Random(seed)
        lengths = [len(str(record)) for record in records]
        plan: list[list[int]] = []
        while len(plan) < steps:
            epoch = batches_of_similar_length(lengths, rows, rng)
            rng.shuffle(epoch)
            plan.extend(epoch)
        self._plan = plan[:steps]

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, index: int) -> dict:
        rng = random.Random(f"{self._seed}/{index}")
        examples = [self._to_example(self._records[row], rng) for row in self._plan[index]]
        return {
            "objective": "task",
            "prompts": [prompt for prompt, _ in examples],
            "answers": [answer for _, answer in examples],
        }


class JointSchedule(Dataset):
    """Micro-batches of a task and of alignment, in one of the `train.recipe.MODES`.

    Items are those of the two schedules, the task's first; in mode `sum`
    `{"objective": "sum", "task": item, "align": item}`.
    """

    def __init__(self, task: Dataset, align: Dataset, *, mode: str, every: int, steps: int):
        """
        Args:
            task, align: schedules with as many items as `shares` says.
            every: task micro-batches before one of alignment, in mode `every`.
            steps: number of micro-batches.
        """
        self._task, self._align, self._mode, self._steps = task, align, mode, steps
        self._cycle = every + 1 if mode == "every" else 2

    @staticmethod
    def shares(mode: str, every: int, steps: int) -> tuple[int, int]:
        """How many of a number of micro-batches are the task's, and how many are alignment's."""
        if mode == "sum":
            return steps, steps
        aligned = steps // (every + 1 if mode == "every" else 2)
        return steps - aligned, aligned

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> dict:
        if self._mode == "sum":
            return {"objective": "sum", "task": self._task[index], "align": self._align[index]}
        aligned_before, place = divmod(index, self._cycle)
        if place == self._cycle - 1:
            return self._align[aligned_before]
        return self._task[index - aligned_before]


def batches_of_similar_length(lengths: Sequence[int], size: int, rng: random.Random) -> list[list[int]]:
    """One pass over the rows in random batches of `size`, alike in length within a batch; a short rest is left out."""
    rows = list(range(len(lengths)))
    rng.shuffle(rows)
    batches: list[list[int]] = []
    for start in range(0, len(rows), size * _WINDOW):
        window = sorted(rows[start : start + size * _WINDOW], key=lambda row: lengths[row])
        batches.extend(window[at : at + size] for at in range(0, len(window), size))
    return [batch for batch in batches if len(batch) == size]


def anchor_of(corpus: Mapping[str, object]) -> str:
    """The language that the others are aligned with: English, or the corpus's first where it has no English."""
    return ENGLISH if ENGLISH in corpus else next(iter(corpus))
