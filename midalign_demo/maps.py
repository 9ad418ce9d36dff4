"""Maps of parallel sentences: where each lies under several variants, alignment strengths or layers.

What is measured stands beside the layout: retrieval accuracy and nearest neighbours are those of the original space.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from midalign_demo import projection
from midalign_demo.errors import InputError
from midalign_demo.retrieval import by_language, retrieval_table, unit_rows

if TYPE_CHECKING:
    from midalign_demo.adapters import Weights
    from midalign_demo.engines import EmbeddingEngine
    from midalign_demo.middle import Progress

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
COLOUR_BY = ("language", "script", "meaning")  # what a figure can group the points by
NEIGHBOURS = 5
_COSINE_DECIMALS = 6  # those of a layer differ from 1 by thousandths
SHOWS = ("variants", "strength", "layers")  # what a map's slices differ in


@dataclass(frozen=True)
class View:
    """What one slice of a map looks at.

    Attributes:
        label: its name, such as `base` or `align x 0.5`.
        weights: the adapters in force, each with its weight; none: the bare base.
        layer: whose embeddings are taken.
    """

    label: str
    weights: Weights
    layer: int


@dataclass(frozen=True)
class EncoderView:
    """As `View`, of another encoder: it has embeddings of its own, of no layer."""

    label: str
    layer: ClassVar[None] = None


@dataclass(frozen=True, eq=False)
class Slice:
    """All points of a map as one view shows them.

    Attributes:
        label, layer: of the view; the layer is None where it is another encoder's.
        coordinates: shape (n, dims).
        retrieval: `{"en-x": x or None, "all": x}`, in the original space.
        pairs: retrieval accuracy of each pair of languages, as `{"en-de": x, ..}`.
        neighbours: shape (n, k), the k <= 5 points with the highest cosine in the original space, best first.
        cosines: theirs, shape (n, k).
    """

    label: str
    layer: int | None
    coordinates: np.ndarray
    retrieval: Mapping[str, float | None]
    pairs: Mapping[str, float]
    neighbours: np.ndarray
    cosines: np.ndarray


@dataclass(frozen=True, eq=False)
class EmbeddingMap:
    """n points, each a sentence in one language, in one or several slices.

    Attributes:
        languages: tags.
        sentences: n texts; the last `added` ones have no translations, and retrieval accuracy leaves them out.
        language: for each point its number in `languages`.
        meaning: for each point a number; points that are translations of each other have the same.
        method: `umap` or `pca`, by which the coordinates were made.
        dims: 2 or 3.
        centred: whether each language's mean was subtracted from its embeddings first.
        added: how many sentences stand beside the parallel ones.
        slices: what is shown.
    """

    languages: list[str]
    sentences: list[str]
    language: list[int]
    meaning: list[int]
    method: str
    dims: int
    centred: bool
    added: int
    slices: list[Slice]

    def translations(self, language: str = "en") -> list[str | None]:
        """Each point's sentence in a language of the map; None for all in one that it doesn't have."""
        wanted = self.languages.index(language) if language in self.languages else None
        points = zip(self.language, self.meaning, self.sentences, strict=True)
        known = {meaning: sentence for number, meaning, sentence in points if number == wanted}
        return [known.get(meaning) for meaning in self.meaning]

    def to_dict(self, decimals: int = 4) -> dict:
        """As JSON can hold it, with numbers rounded: a layout is drawn on some hundred pixels."""
        return {
            "languages": list(self.languages),
            "sentences": list(self.sentences),
            "language": list(self.language),
            "meaning": list(self.meaning),
            "method": self.method,
            "dims": self.dims,
            "centred": self.centred,
            "added": self.added,
            "slices": [
                {
                    "label": found.label,
                    "layer": found.layer,
                    "coordinates": _rounded(found.coordinates, decimals),
                    "retrieval": dict(found.retrieval),
                    "pairs": {pair: round(value, decimals) for pair, value in found.pairs.items()},
                    "neighbours": found.neighbours.tolist(),
                    "cosines": _rounded(found.cosines, _COSINE_DECIMALS),
                }
                for found in self.slices
            ],
        }

    @classmethod
    def from_dict(cls, document: Mapping) -> EmbeddingMap:
        """The inverse of `to_dict`.

        Raises:
            InputError: a part is missing, or the parts don't fit each other.
        """
        try:
            slices = [
                Slice(
                    label=str(part["label"]),
                    layer=None if part["layer"] is None else int(part["layer"]),
                    coordinates=np.array(part["coordinates"], dtype=np.float32),
                    retrieval={key: part["retrieval"][key] for key in ("en-x", "all")},
                    pairs=dict(part["pairs"]),
                    neighbours=np.array(part["neighbours"], dtype=int),
                    cosines=np.array(part["cosines"], dtype=np.float32),
                )
                for part in document["slices"]
            ]
            parts = {key: document[key] for key in cls.__dataclass_fields__ if key != "slices"}
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"map: not one that midalign wrote ({type(error).__name__}: {error})") from error
        result = cls(**parts, slices=slices)
        n = len(result.sentences)
        shapes = {found.coordinates.shape for found in slices}
        lengths = {len(result.language), len(result.meaning), *(len(found.neighbours) for found in slices)}
        if shapes != {(n, result.dims)} or lengths != {n}:
            raise InputError(f"map: it has {n} sentences in {result.dims} dimensions, but coordinates {sorted(shapes)}")
        return result


def variant_views(engine: EmbeddingEngine, variants: Sequence[str], task: str, layer: int | None = None) -> list[View]:
    """Variants side by side at one layer, the base's middle layer unless another is named.

    Raises:
        InputError: a variant or a layer that the engine doesn't have.
    """
    layer = _layer(engine, layer)
    return [View(variant, engine.adapters_of(variant, task), layer) for variant in variants]


def strength_views(
    engine: EmbeddingEngine, weights: Sequence[float] = STRENGTHS, *, adapter: str = "align", layer: int | None = None
) -> list[View]:
    """One adapter at several weights: how the map changes from the base (0) to the adapter as trained (1).

    Raises:
        InputError: a layer that the base doesn't have.
    """
    layer = _layer(engine, layer)
    return [View(f"{adapter} x {weight:g}", {adapter: weight}, layer) for weight in weights]


def layer_views(engine: EmbeddingEngine, variants: Sequence[str], task: str) -> list[View]:
    """Variants at all layers, from the embeddings (0) to the last.

    One variant's layers are in the order opposite to the next one's: `projection.aligned` turns each slice to the one
    before, so these have to be near each other.

    Raises:
        InputError: a variant that the engine doesn't have.
    """
    views = []
    for number, variant in enumerate(variants):
        layers = range(engine.base.num_layers + 1)
        weights = engine.adapters_of(variant, task)
        views += [View(variant, weights, layer) for layer in (layers if number % 2 else reversed(layers))]
    return views


def views_for(
    show: str, engine: EmbeddingEngine, variants: Sequence[str], task: str, layer: int | None = None
) -> list[View]:
    """The views of one kind of map: `variant_views`, `strength_views` or `layer_views`.

    Args:
        show: one of `SHOWS`.
        variants: not needed for `strength`.
        layer: not needed for `layers`.

    Raises:
        InputError: an unknown kind, or a variant, adapter or layer that the engine doesn't have.
    """
    if show not in SHOWS:
        raise InputError(f"show: {show!r} is not one of {', '.join(SHOWS)}")
    if show == "layers":
        return layer_views(engine, variants, task)
    if show == "variants":
        return variant_views(engine, variants, task, layer)
    if "align" not in engine.adapters.names:
        raise InputError(f"strength: there is no alignment adapter for {engine.base.name}")
    return strength_views(engine, layer=layer)


def _layer(engine: EmbeddingEngine, layer: int | None) -> int:
    return engine.base.middle_layer if layer is None else engine.base.check_layer(layer)


def embeddings(
    engine: EmbeddingEngine,
    corpus: Mapping[str, Sequence[str]],
    views: Sequence[View],
    *,
    progress: Progress | None = None,
) -> list[np.ndarray]:
    """The embeddings that views look at.

    Args:
        corpus: for each language its sentences, as `midalign_demo.parallel.read` gives them.
        views: those of the same adapters and weights go through the model together.
        progress: called with (sentences done, sentences times passes) after each batch.

    Returns:
        For each view an array (n, width); the points are in the order of the corpus, language after language.

    Raises:
        InputError: an adapter that is not loaded, or as `midalign_demo.middle.embed`.
    """
    sentences = [line for lines in corpus.values() for line in lines]
    passes: dict[tuple, list[int]] = {}
    for view in views:
        passes.setdefault(tuple(sorted(view.weights.items())), []).append(view.layer)
    found: dict[tuple, dict[int, np.ndarray]] = {}
    for number, (weights, layers) in enumerate(passes.items()):

        def tell(done: int, n: int, before: int = number * len(sentences)) -> None:
            if progress:
                progress(before + done, n * len(passes))

        found[weights] = engine.embed(sentences, dict(weights), layers=layers, progress=tell)
    return [found[tuple(sorted(view.weights.items()))][view.layer] for view in views]


def lay_out(
    corpus: Mapping[str, Sequence[str]],
    views: Sequence[View | EncoderView],
    rows: Sequence[np.ndarray],
    *,
    method: str = "umap",
    dims: int = 2,
    centre: bool = False,
    added: Sequence[tuple[str, str]] = (),
) -> EmbeddingMap:
    """The map of some embeddings. Layouts are made of the directions alone, as retrieval is.

    Args:
        corpus, views: what the embeddings are of.
        rows: for each view an array (n, width), as `embeddings` gives them; then the rows of `added`.
        method: `umap` or `pca`; few points get PCA in any case, see `EmbeddingMap.method`.
        dims: 2 or 3.
        centre: subtract each language's mean first, for the layout and for what is measured.
        added: (language, sentence) without translations, to be shown among the others.

    Raises:
        InputError: fewer than two languages, sentence counts that differ, centring of a single sentence or of added
            ones, or as `midalign_demo.projection.aligned`.
    """
    if len(corpus) < 2:
        raise InputError(f"languages: {', '.join(corpus) or 'none'} given; a map needs at least two")
    counts = {tag: len(lines) for tag, lines in corpus.items()}
    if len(set(counts.values())) > 1:
        raise InputError(f"sentences: the languages differ in number: {counts}")
    per_language = len(next(iter(corpus.values())))
    if centre and per_language < 2:
        raise InputError("centre: a language's mean needs at least two sentences, one given")
    if centre and added:
        raise InputError("centre: added sentences are too few for their language's mean")
    parallel = per_language * len(corpus)
    n = parallel + len(added)
    method = projection.method_for(n, dims, method)
    apart = [by_language(array[:parallel], corpus) for array in rows]
    units = [
        np.concatenate([*(unit_rows(own, centre=centre) for own in found.values()), unit_rows(array[parallel:])])
        for found, array in zip(apart, rows, strict=True)
    ]
    slices = []
    for view, found, unit, layout in zip(views, apart, units, projection.aligned(units, dims, method), strict=True):
        table = retrieval_table(found, centre=centre)
        neighbours, cosines = nearest(unit, min(NEIGHBOURS, n - 1))
        accuracy = {key: table[key] for key in ("en-x", "all")}
        slices.append(Slice(view.label, view.layer, layout, accuracy, table["pairs"], neighbours, cosines))
    tags = list(dict.fromkeys([*corpus, *(tag for tag, _ in added)]))
    return EmbeddingMap(
        languages=tags,
        sentences=[line for lines in corpus.values() for line in lines] + [line for _, line in added],
        language=[at for at in range(len(corpus)) for _ in range(per_language)] + [tags.index(tag) for tag, _ in added],
        meaning=list(range(per_language)) * len(corpus) + list(range(per_language, per_language + len(added))),
        method=method,
        dims=dims,
        centred=centre,
        added=len(added),
        slices=slices,
    )


def nearest(units: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """For each of n points the k others with the highest cosine, best first, and the cosines: both (n, k)."""
    from sklearn.neighbors import NearestNeighbors

    distances, points = NearestNeighbors(n_neighbors=k, metric="cosine", algorithm="brute").fit(units).kneighbors()
    return points, 1 - distances


def _rounded(array: np.ndarray, decimals: int) -> list:
    return np.round(array.astype(float), decimals).tolist()
