"""midalign from Python: `import midalign_demo as midalign; m = midalign.load()`.

The same core as the commands and the app. Results are the documents that the commands print with `--json`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from midalign_demo import adapters as adapter_folders
from midalign_demo import bases, encoders, languages, tasks, variants
from midalign_demo.errors import InputError
from midalign_demo.retrieval import by_language, retrieval_table
from midalign_demo.tasks import slot_filling

if TYPE_CHECKING:
    import numpy as np

    from midalign_demo.engine import Engine
    from midalign_demo.middle import Progress


class Midalign:
    """A base with its adapters; tasks' adapters are loaded when they are first asked for.

    It may be shared by threads: model calls wait for each other.

    Attributes:
        engine: the `midalign_demo.engine.Engine` behind it, which holds the base and what is loaded of the adapters.
    """

    def __init__(self, engine: Engine, sources: Mapping[str, str]):
        """As `load` makes it.

        Args:
            engine: with the base; adapters may be loaded already.
            sources: adapters in the place of the shipped ones, by role.
        """
        self.engine = engine
        self._sources = dict(sources)

    def variants(self, task: str = slot_filling.NAME) -> list[str]:
        """The variants that a task can be answered by.

        Args:
            task: `slot-filling`, `translation` or `json`.

        Raises:
            InputError: no such task.
        """
        return self._with(task).variants(task)

    def compare(
        self,
        text: str,
        task: str = slot_filling.NAME,
        *,
        language: str | None = None,
        target: str | None = None,
        slots: Sequence[str] | None = None,
        types: Sequence[str] | None = None,
        schema: Any = None,
        variants: Sequence[str] | None = None,
        grammar: bool | None = None,
        merge: tuple[float, float] | None = None,
    ) -> dict:
        """Answer a text under several variants, in one batch.

        Args:
            text, task, language, target, slots, types, schema: the question, see
                `midalign_demo.questions.question_of`; the tasks are `slot-filling`, `translation` and `json`.
            variants: default: all that there are.
            grammar, merge: see `midalign_demo.comparison.compare`.

        Returns:
            The document of `midalign_demo.comparison.compare`.

        Raises:
            InputError: a bad question, or a variant that there is not.
        """
        from midalign_demo.comparison import compare
        from midalign_demo.questions import question_of

        language, target = (None if tag is None else languages.normalize(tag) for tag in (language, target))
        for name, given in (("slots", slots), ("types", types), ("variants", variants)):
            if given is not None:
                _check_list(name, given, str, "['a', 'b']")
        question = question_of(task, text, language=language, target=target, slots=slots, types=types, schema=schema)
        chosen = variants if variants is not None else self.variants(task)
        return compare(self._with(task), question, chosen, grammar=grammar, merge=merge)

    def embed(
        self, sentences: Sequence[str], *, variant: str = "align", layer: int | None = None, include_bos: bool = False
    ) -> np.ndarray:
        """Sentences' embeddings.

        Args:
            sentences: n sentences.
            variant: under which adapters; `task`, `merged` and `joint` are those of slot filling.
            layer: 0 (the input embeddings) to the number of decoder blocks; default: the base's middle layer.
            include_bos: whether BOS is part of the mean.

        Returns:
            An array (n, width), float32, not normalised.

        Raises:
            InputError: an empty sentence, a variant or a layer that there is not.
        """
        _check_list("sentences", sentences, str, "['Guten Morgen']")
        engine = self._with(slot_filling.NAME)
        layer = engine.base.middle_layer if layer is None else layer
        weights = engine.adapters_of(variant, slot_filling.NAME)
        return engine.embed(sentences, weights, layers=[layer], include_bos=include_bos)[layer]

    def retrieval(
        self,
        corpus: Mapping[str, Sequence[str]] | str | Path,
        *,
        variants: Sequence[str] = ("base", "align"),
        layers: Sequence[int] | None = None,
        score: str | Sequence[str] = "cosine",
        centre: bool = False,
        include_bos: bool = False,
        encoders: Sequence[str] = (),
    ) -> dict:
        """Retrieval accuracy over parallel text.

        Args:
            corpus: for each language its n sentences, aligned; or a path that `midalign_demo.parallel.read` takes.
            variants, include_bos: as for `embed`.
            layers: default: the base's middle layer.
            score, centre: see `midalign_demo.retrieval.retrieval_table`; of several scores the first is the main one.
            encoders: sentence-transformers models to measure beside the variants, see `midalign_demo.encoders`.

        Returns:
            `{"n", "languages", "adapters", "variants": {"base": {"layers": {"11": {"en-x", "all", "pairs"}}}}}`; each
            further score has the same beside them, under its name. Encoders are there as
            `"encoders": {"LaBSE": {"en-x", "all", "pairs"}}`. Accuracies are shares from 0 to 1; `en-x` is None where
            English is not among the languages.

        Raises:
            InputError: text that can't be read, or a variant, layer, score or encoder that there is not.
        """
        from midalign_demo import parallel

        if isinstance(corpus, str | Path):
            corpus = parallel.read(corpus)
        for tag, lines in corpus.items():
            _check_list(f"corpus: {tag}", lines, str, "['Guten Morgen', 'Gute Nacht']")
        _check_list("variants", variants, str, "['base', 'align']")
        if layers is not None:
            _check_list("layers", layers, int, "[10, 11]")
        engine = self._with(slot_filling.NAME)
        chosen = [engine.base.middle_layer] if layers is None else list(layers)
        return retrieval_by_layer(
            engine, corpus, variants, chosen, score=score, centre=centre, include_bos=include_bos, others=encoders
        )

    def _with(self, task: str) -> Engine:
        if task not in tasks.MODULES:
            raise InputError(f"task: {task!r} is not one of {', '.join(tasks.MODULES)}")
        self.engine.add_task(task, {**variants.shipped_sources(self.engine.base.name, task), **self._sources})
        return self.engine


def load(
    base: str = bases.DEFAULT,
    *,
    adapters: Mapping[str, str] | None = None,
    dtype: str = "auto",
    device: str = "auto",
) -> Midalign:
    """Load a base with its adapters.

    Args:
        base, dtype, device: see `midalign_demo.bases.load`.
        adapters: for the roles `task`, `align` and `joint` a folder or a shipped adapter's name, in the place of the
            shipped ones. A `task` or `joint` adapter then answers whatever task is asked. Under any other name an
            adapter is a variant of that name.

    Raises:
        InputError: see `midalign_demo.bases.load`; or an adapter that is not there.
    """
    from midalign_demo.engine import Engine

    for source in (adapters or {}).values():
        adapter_folders.locate(source)
    return Midalign(Engine(bases.load(base, dtype=dtype, device=device)), adapters or {})


def retrieval_by_layer(
    engine: Engine,
    corpus: Mapping[str, Sequence[str]],
    variants: Sequence[str],
    layers: Sequence[int],
    *,
    score: str | Sequence[str] = "cosine",
    centre: bool = False,
    include_bos: bool = False,
    others: Sequence[str] = (),
    progress: Progress | None = None,
) -> dict:
    """The document of `Midalign.retrieval`.

    Args:
        corpus: for each language its n sentences.
        others: encoders.
        progress: called with (sentences done, sentences to do), over all variants.

    Raises:
        InputError: as there.
    """
    counts = {tag: len(lines) for tag, lines in corpus.items()}
    if len(set(counts.values())) > 1:
        raise InputError(f"sentences: the languages differ in number: {counts}")
    names = [score] if isinstance(score, str) else list(score)

    def scored(rows: np.ndarray) -> dict:
        found = by_language(rows, corpus)
        main, *further = (retrieval_table(found, score=name, centre=centre) for name in names)
        return {**main, **dict(zip(names[1:], further, strict=True))}

    encoders.check(others, variants)
    sentences = [line for lines in corpus.values() for line in lines]
    in_force = {variant: engine.adapters_of(variant, slot_filling.NAME) for variant in variants}
    n = len(next(iter(corpus.values()), ()))
    result: dict = {"n": n, "languages": list(corpus), "adapters": in_force, "variants": {}}
    for number, variant in enumerate(variants):

        def tell(done: int, n: int, before: int = number * len(sentences)) -> None:
            if progress:
                progress(before + done, n * len(variants))

        rows = engine.embed(sentences, in_force[variant], layers=layers, include_bos=include_bos, progress=tell)
        result["variants"][variant] = {"layers": {str(layer): scored(rows[layer]) for layer in layers}}
    if others:
        result["encoders"] = {encoders.name_of(other): scored(encoders.embed(other, sentences)) for other in others}
    return result


def _check_list(name: str, given: object, kind: type, example: str) -> None:
    """
    Raises:
        InputError: a text or a number where a list of them is meant, or something else among them.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InputError(f"{name}: {given!r} is not a list such as {example}")
    for one in given:
        if not isinstance(one, kind):
            raise InputError(f"{name}: {one!r} is in the list, where {kind.__name__} is meant, such as {example}")
