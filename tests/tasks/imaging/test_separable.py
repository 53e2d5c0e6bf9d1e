"""Between parallel grids, plane by plane: what ITK and scipy give for the same places, and the same bits however the source is stored."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from tasks.errors import SafelightError
from tasks.imaging.grids import Grid, fitted, to_spacing
from tasks.imaging.orientation import apply, turn_to
from tasks.imaging.resampling import resample
from tasks.imaging.separable import linear, nearest, parallel

CODES = ["".join(a) for order in permutations(("LR", "PA", "IS")) for a in product(*order)]


def oblique(shape: tuple[int, int, int], spacing: tuple[float, float, float], degrees: float = 20) -> Grid:
    a = np.radians(degrees)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(spacing)
    affine[:3, 3] = 3, -40, 7.5
    return Grid(shape, affine)


@given(
    shape=st.tuples(*[st.integers(1, 14)] * 3),
    spacing=st.tuples(*[st.floats(0.4, 4)] * 3),
    wanted=st.tuples(*[st.floats(0.4, 4)] * 3),
    codes=st.sampled_from(CODES),
    degrees=st.floats(-40, 40),
)
@settings(max_examples=80)
def test_values_are_itks(
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    wanted: tuple[float, float, float],
    codes: str,
    degrees: float,
) -> None:
    source = oblique(shape, spacing, degrees)
    voxels = np.asfortranarray(np.random.default_rng(0).integers(-1000, 3000, shape).astype(np.int16))
    target = to_spacing(turn_to(source, codes).target, wanted)
    made = linear(voxels, source, target)
    assert made.shape == target.shape[::-1]
    np.testing.assert_allclose(made.transpose(2, 1, 0), resample(voxels, source, target, outside="edge"), atol=0.02)


@pytest.mark.parametrize("wanted", [(1.0, 2.0, 3.0), (0.7, 1.1, 2.3), (2.0, 4.0, 6.0), (2.5, 2.5, 2.5)])
def test_the_way_the_source_is_stored_changes_no_bit(wanted: tuple[float, float, float]) -> None:
    grid = oblique((13, 11, 9), (1.0, 2.0, 3.0))
    voxels = np.random.default_rng(1).normal(0, 500, grid.shape).astype(np.float32)
    target = to_spacing(turn_to(grid, "LPS").target, wanted)
    expected = linear(voxels, grid, target)
    labels = (voxels > 0).astype(np.uint8)
    outlined = np.stack(list(nearest(labels, grid, target)), axis=-1)
    for codes in CODES:
        turn = turn_to(grid, codes)
        np.testing.assert_array_equal(linear(apply(voxels, turn), turn.target, target), expected, codes)
        np.testing.assert_array_equal(np.stack(list(nearest(apply(labels, turn), turn.target, target)), axis=-1), outlined, codes)


def test_values_are_scipys() -> None:
    grid = oblique((20, 17, 15), (1.0, 2.0, 3.0))
    voxels = np.random.default_rng(2).normal(0, 500, grid.shape)
    target = to_spacing(grid, (1.3, 1.7, 2.2))
    at = np.stack(np.meshgrid(*(axis.places for axis in parallel(grid, target)), indexing="ij"))
    expected = ndimage.map_coordinates(voxels, at, order=1, mode="nearest")
    np.testing.assert_allclose(linear(voxels, grid, target).transpose(2, 1, 0), expected, atol=0.01)


@pytest.mark.parametrize("codes", ["LPS", "SRA", "AIR"])
@pytest.mark.parametrize("outside", [0, 9])
def test_labels_are_itks(codes: str, outside: int) -> None:
    source = oblique((12, 11, 10), (1.0, 2.0, 3.0))
    labels = np.random.default_rng(3).integers(0, 9, source.shape).astype(np.uint8)
    target = fitted(to_spacing(turn_to(source, codes).target, (1.31, 1.77, 0.83)), (24, 30, 26))
    made = np.stack(list(nearest(labels, source, target, outside)), axis=-1)
    np.testing.assert_array_equal(made, resample(labels, source, target, "nearest", outside))
    assert (made == outside).any()


def test_a_plane_is_cleaned_once_before_it_is_interpolated() -> None:
    grid = oblique((8, 7, 6), (1.0, 1.0, 1.0))
    voxels = np.random.default_rng(4).integers(0, 100, grid.shape).astype(np.int16)
    seen = []

    def clean(plane: np.ndarray, stored: np.ndarray) -> None:
        np.testing.assert_array_equal(plane, stored)
        seen.append(stored.copy())
        np.maximum(plane, 50, out=plane)

    target = to_spacing(grid, (0.7, 0.9, 0.4))
    made = linear(voxels, grid, target, clean)
    np.testing.assert_allclose(made, linear(np.maximum(voxels, 50), grid, target))
    assert len(seen) == 6


def test_grids_at_an_angle_are_refused() -> None:
    grid = oblique((8, 8, 8), (1.0, 1.0, 1.0), 0)
    voxels = np.zeros((8, 8, 8), np.int16)
    with pytest.raises(SafelightError, match="E-IMAGING-GRID"):
        linear(voxels, grid, oblique((8, 8, 8), (1.0, 1.0, 1.0), 0.01))
    with pytest.raises(SafelightError, match="E-IMAGING-VOXELS"):
        linear(voxels[1:], grid, grid)
    with pytest.raises(SafelightError, match="E-IMAGING-VOXELS"):
        next(nearest(voxels[1:], grid, grid))
