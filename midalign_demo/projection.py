"""Layouts of embeddings in two or three dimensions, from plain arrays: PCA, UMAP, and comparable ones of both.

A layout is for looking at: neighbourhoods in it are only partly those of the embeddings, and its axes have no unit.
Whoever shows one shows what was measured in the original space beside it.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence

import numpy as np

from midalign_demo.errors import InputError

METHODS = ("umap", "pca")
DIMS = (2, 3)
_NEIGHBOURS = 15
_FEW = 50
_SEED = 0

# numba's `workqueue` threads end the whole process when two threads of ours enter a parallel function at once.
_UMAP_LOCK = threading.Lock()


def pca(rows: np.ndarray, dims: int) -> np.ndarray:
    """Principal components of the centred rows (Pearson 1901).

    Of each axis' two directions the one is taken in which its largest weight is positive, so the result does not
    depend on the SVD's. Where the rows span fewer dimensions, the other coordinates are 0.

    Args:
        rows: shape (n, width).
        dims: 2 or 3.

    Returns:
        Shape (n, dims), float32.

    Raises:
        InputError: `dims` that is neither, no rows, an array that is not two-dimensional, or a value that is no number.
    """
    from sklearn.decomposition import PCA

    rows = _check(rows, dims)
    layout = np.zeros((len(rows), dims), dtype=np.float32)
    if (rows != rows[0]).any():  # of a single one there is no variance to explain
        # A whole SVD of some hundred rows takes a second, these few vectors a twentieth of it; both are exact.
        solver = "arpack" if min(rows.shape) > _FEW else "full"
        found = PCA(min(dims, *rows.shape), svd_solver=solver, random_state=_SEED).fit_transform(rows)
        layout[:, : found.shape[1]] = found
    return layout


def umap(rows: np.ndarray, dims: int, seed: int = _SEED) -> np.ndarray:
    """UMAP over cosine distances (McInnes, Healy & Melville 2018, arXiv 1802.03426), with the library's defaults.

    The same on every run on one machine, not on every machine. Of fewer than dims + 2 points it is `pca`.

    Args:
        rows: shape (n, width).
        dims: 2 or 3.
        seed: of its random numbers.

    Returns:
        Shape (n, dims), float32.

    Raises:
        InputError: as `pca`.
    """
    rows = _check(rows, dims)
    if method_for(len(rows), dims, "umap") == "pca":
        return pca(rows, dims)
    with _UMAP_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about few neighbours, and about the parallelism that a seed excludes
        from umap import UMAP

        fitted = UMAP(**_settings(len(rows), dims, seed), n_jobs=1).fit_transform(rows)
    return np.asarray(fitted, dtype=np.float32)


def aligned(slices: Sequence[np.ndarray], dims: int, method: str, seed: int = _SEED) -> list[np.ndarray]:
    """Layouts of the same points under several adapters, strengths or layers, which can be compared.

    With `umap`, AlignedUMAP fits all at once and holds each point near its places in the neighbouring slices; with
    `pca`, each slice's own layout is rotated and mirrored onto the one before (orthogonal Procrustes, Schönemann
    1966), which leaves all distances as they were. AlignedUMAP pulls slices together: the less two differ in a map,
    the less that says.

    Args:
        slices: arrays (n, width), row i of each for the same point; the widths may differ.
        dims: 2 or 3.
        method: `umap` or `pca`; see `method_for` for when UMAP is not possible.
        seed: of UMAP's random numbers.

    Returns:
        For each slice a layout (n, dims), float32.

    Raises:
        InputError: no slice, row counts that differ, an unknown method; or as `pca`.
    """
    if not slices:
        raise InputError("slices: none given")
    slices = [_check(rows, dims) for rows in slices]
    counts = [len(rows) for rows in slices]
    if len(set(counts)) > 1:
        raise InputError(f"slices: {counts} points given; each slice needs the same points")
    if method_for(counts[0], dims, method) == "pca":
        return _rotated([pca(rows, dims) for rows in slices])
    if len(slices) == 1:
        return [umap(slices[0], dims, seed)]
    identity = {point: point for point in range(counts[0])}
    with _UMAP_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from umap import AlignedUMAP

        fitted = AlignedUMAP(**_settings(counts[0], dims, seed), transform_seed=seed)
        fitted.fit(slices, relations=[identity] * (len(slices) - 1))
    return [np.asarray(layout, dtype=np.float32) for layout in fitted.embeddings_]


def method_for(n: int, dims: int, method: str) -> str:
    """The method that lays out n points when `method` is asked for: UMAP's spectral start needs dims + 2 of them.

    Raises:
        InputError: an unknown method.
    """
    if method not in METHODS:
        raise InputError(f"method: {method!r} is not one of {', '.join(METHODS)}")
    return "pca" if n < dims + 2 else method


def warm_up() -> None:
    """Import UMAP and have numba compile what it needs, which takes most of a minute the first time.

    For an app to call in a thread of its own, but not while people wait for the model. A layout that is asked for
    meanwhile waits for it.
    """
    points = np.random.default_rng(_SEED).normal(size=(6, 4))
    aligned([points, points[::-1]], 2, "umap")


def _settings(n: int, dims: int, seed: int) -> dict:
    return {
        "n_components": dims,
        "n_neighbors": min(_NEIGHBOURS, n - 1),
        "metric": "cosine",
        "random_state": seed,
    }


def _rotated(layouts: list[np.ndarray]) -> list[np.ndarray]:
    from scipy.linalg import orthogonal_procrustes

    result = layouts[:1]
    for layout in layouts[1:]:
        rotation, _ = orthogonal_procrustes(layout, result[-1])
        result.append((layout @ rotation).astype(np.float32))
    return result


def _check(rows: np.ndarray, dims: int) -> np.ndarray:
    if dims not in DIMS:
        raise InputError(f"dims: {dims!r} is not one of {', '.join(map(str, DIMS))}")
    rows = np.asarray(rows)
    if rows.ndim != 2 or not rows.size:
        raise InputError(f"rows: an array of shape {rows.shape} given; it has to be (points, width), neither of them 0")
    if not np.isfinite(rows).all():
        raise InputError("rows: some values are not finite numbers")
    return rows
