import subprocess
import sys

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from midalign_demo import projection
from midalign_demo.errors import InputError


@pytest.fixture
def rows():
    return np.random.default_rng(7).normal(size=(9, 6)) * [5, 3, 2, 1, 0.5, 0.1] + 4


@pytest.mark.parametrize("dims", [2, 3])
def test_pca_is_the_best_projection_of_the_centred_rows(rows, dims):
    layout = projection.pca(rows, dims)
    centred = rows - rows.mean(axis=0)
    kept = np.linalg.svd(centred, compute_uv=False)[:dims]
    np.testing.assert_allclose(np.linalg.norm(layout, axis=0), kept, rtol=1e-5)
    np.testing.assert_allclose(layout.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(layout.T @ layout, np.diag(kept**2), atol=1e-3)


def test_pca_of_many_rows_is_that_of_few():
    """Another solver; repeated rows span few dimensions."""
    few = np.random.default_rng(5).normal(size=(30, 80))
    many = np.tile(few, (4, 1))
    np.testing.assert_allclose(np.abs(projection.pca(many, 2)[:30]), np.abs(projection.pca(few, 2)), atol=1e-4)
    assert not projection.pca(np.ones((200, 80)), 2).any()


def test_pca_has_a_fixed_sign(rows):
    """Reordering the rows can turn the SVD's vectors round; the layout must be reordered and nothing else."""
    order = np.random.default_rng(1).permutation(len(rows))
    np.testing.assert_allclose(projection.pca(rows[order], 3), projection.pca(rows, 3)[order], atol=1e-5)
    first_axis = np.linalg.lstsq(rows - rows.mean(axis=0), projection.pca(rows, 2)[:, 0], rcond=None)[0]
    assert first_axis[np.abs(first_axis).argmax()] > 0


@pytest.mark.parametrize(("n", "width"), [(1, 5), (2, 5), (5, 1)])
def test_pca_of_few_dimensions_leaves_the_other_coordinates_at_0(n, width):
    layout = projection.pca(np.arange(n * width, dtype=float).reshape(n, width) ** 2, 3)
    assert layout.shape == (n, 3)
    np.testing.assert_allclose(layout[:, 1:], 0, atol=1e-10)
    assert n == 1 or np.ptp(layout[:, 0]) > 1


@pytest.mark.parametrize(
    ("n", "dims", "asked", "expected"),
    [
        (3, 2, "umap", "pca"),
        (4, 2, "umap", "umap"),
        (4, 3, "umap", "pca"),
        (5, 3, "umap", "umap"),
        (99, 2, "pca", "pca"),
    ],
)
def test_method_for(n, dims, asked, expected):
    assert projection.method_for(n, dims, asked) == expected


def test_umap_of_too_few_points_is_pca(rows):
    np.testing.assert_array_equal(projection.umap(rows[:3], 2), projection.pca(rows[:3], 2))
    for layout, part in zip(projection.aligned([rows[:4], -rows[:4]], 3, "umap"), (1, -1), strict=True):
        np.testing.assert_allclose(pdist(layout), pdist(projection.pca(part * rows[:4], 3)), rtol=1e-4)


def two_bunches(size: int = 5) -> np.ndarray:
    """Two directions, with points at all distances along them: cosine tells them apart, Euclid does not."""
    along = np.linspace(1, 200, size)[:, None]
    noise = np.random.default_rng(3).normal(size=(2 * size, 4)) * 0.01
    return np.concatenate([along * [1, 0, 0, 0], along * [0, 1, 0, 0]]) + noise * np.concatenate([along, along])


def is_in_two_bunches(layout: np.ndarray) -> bool:
    half = len(layout) // 2
    distances = np.linalg.norm(layout[:, None] - layout[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    return all((nearest < half) == (point < half) for point, nearest in enumerate(distances.argmin(axis=1)))


def test_umap_goes_by_cosine_and_repeats_itself():
    bunches = two_bunches()
    layout = projection.umap(bunches, 2)
    assert (layout.shape, layout.dtype) == ((10, 2), np.float32)
    assert is_in_two_bunches(layout)
    assert not is_in_two_bunches(projection.pca(bunches, 2))
    np.testing.assert_array_equal(projection.umap(bunches, 2), layout)
    assert not np.array_equal(projection.umap(bunches, 2, seed=5), layout)


def test_aligned_umap_gives_slices_that_can_be_compared():
    """The second slice is the first one turned round in space: the same neighbours, so nothing should move far."""
    bunches = two_bunches()
    turned = bunches[:, [2, 3, 1, 0]] * [1, 1, -1, 1]
    first, second = projection.aligned([bunches, turned], 2, "umap")
    assert is_in_two_bunches(first)
    assert is_in_two_bunches(second)
    moved = np.linalg.norm(first - second, axis=1)
    assert moved.mean() < 0.25 * pdist(first).max()
    again, _ = projection.aligned([bunches, turned], 2, "umap")
    np.testing.assert_array_equal(again, first)


def test_aligned_pca_turns_each_slice_onto_the_one_before_and_keeps_its_distances(rows):
    mirrored = -rows[:, ::-1]
    assert not np.allclose(projection.pca(mirrored, 2), projection.pca(rows, 2), atol=1)
    first, second, third = projection.aligned([rows, mirrored, 2 * rows], 2, "pca")
    np.testing.assert_array_equal(first, projection.pca(rows, 2))
    np.testing.assert_allclose(second, first, atol=1e-4)
    np.testing.assert_allclose(third, 2 * first, atol=1e-4)
    other = rows + np.random.default_rng(4).normal(size=rows.shape)
    _, turned = projection.aligned([rows, other], 2, "pca")
    np.testing.assert_allclose(pdist(turned), pdist(projection.pca(other, 2)), rtol=1e-4)


def test_slices_may_differ_in_width(rows):
    assert [layout.shape for layout in projection.aligned([rows, rows[:, :3]], 2, "pca")] == [(9, 2), (9, 2)]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda rows: projection.pca(rows, 4), "dims: 4 is not one of 2, 3"),
        (lambda rows: projection.umap(rows[0], 2), r"rows: an array of shape \(6,\)"),
        (lambda rows: projection.pca(rows[:0], 2), r"rows: an array of shape \(0, 6\)"),
        (lambda rows: projection.umap(rows * np.nan, 2), "not finite"),
        (lambda rows: projection.aligned([rows], 2, "tsne"), "method: 'tsne' is not one of umap, pca"),
        (lambda rows: projection.aligned([], 2, "pca"), "slices: none given"),
        (lambda rows: projection.aligned([rows, rows[1:]], 2, "pca"), r"slices: \[9, 8\] points"),
    ],
)
def test_bad_input_is_named(rows, call, expected):
    with pytest.raises(InputError, match=expected) as caught:
        call(rows)
    assert "\n" not in str(caught.value)


def test_warming_up_goes_through_the_aligned_layout(monkeypatch):
    calls = []
    monkeypatch.setattr(
        projection, "aligned", lambda slices, dims, method: calls.append((len(slices[0]), dims, method))
    )
    projection.warm_up()
    assert calls == [(6, 2, "umap")]
    assert projection.method_for(6, 2, "umap") == "umap"


def test_importing_it_leaves_umap_alone():
    code = "import sys, midalign_demo.projection; print('umap' in sys.modules, 'sklearn' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]
