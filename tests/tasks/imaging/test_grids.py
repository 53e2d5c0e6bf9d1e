"""Grids: what they refuse, and where the made ones are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import SafelightError
from tasks.imaging.extent import fit
from tasks.imaging.grids import Grid, fitted, isotropic, orthogonal, to_spacing
from tasks.imaging.orientation import lean
from tests.tasks.imaging.made import affine, grids, indices, places, shapes, spacings, stating, within


@pytest.mark.parametrize(("shape", "change"), [
    ((0, 2, 2), {}), ((2, 2), {}), ((2.5, 2, 2), {}), ((2, 2, 2), {"column": 0}), ((2, 2, 2), {"column": 1}), ((2, 2, 2), {"value": np.nan}),
    ((2, 2, 2), {"last": 1.0}),
])  # fmt: skip
def test_what_is_no_grid_is_refused(shape: tuple[int, int, int], change: dict[str, float]) -> None:
    made = affine()
    if change.get("column") == 0:
        made[:3, 0] = 0
    if change.get("column") == 1:
        made[:3, 0] = 3 * made[:3, 1]
    made[0, 3] += change.get("value", 0.0)
    made[3, 2] += change.get("last", 0.0)
    with pytest.raises(SafelightError, match="E-IMAGING-GRID"):
        Grid(shape, made)


def test_a_grid_keeps_its_own_affine() -> None:
    given_affine = affine()
    grid = Grid((2, 2, 2), given_affine)
    given_affine[0, 3] = 99
    assert grid.affine_ras[0, 3] == -20
    with pytest.raises(ValueError, match="read-only"):
        grid.affine_ras[0, 0] = 1


@settings(deadline=None)
@given(grid=grids(), wanted=spacings)
def test_another_spacing_keeps_the_outer_edges(grid: Grid, wanted: tuple[float, float, float]) -> None:
    made = to_spacing(grid, wanted)
    np.testing.assert_allclose(made.spacing_mm, wanted, rtol=1e-9)
    edges = {one: one.affine_ras @ [-0.5, -0.5, -0.5, 1] for one in (grid, made)}
    np.testing.assert_allclose(edges[grid], edges[made], atol=1e-9)
    for axis in range(3):
        have, want = grid.shape[axis] * grid.spacing_mm[axis], made.shape[axis] * wanted[axis]
        assert abs(have - want) <= wanted[axis] / 2 + 1e-9 or made.shape[axis] == 1
    assert to_spacing(grid, grid.spacing_mm) is grid


@settings(deadline=None)
@given(grid=grids())
def test_isotropic_is_the_finest_or_as_asked(grid: Grid) -> None:
    np.testing.assert_allclose(isotropic(grid).spacing_mm, min(grid.spacing_mm))
    np.testing.assert_allclose(isotropic(grid, 2.0).spacing_mm, 2.0)


def test_no_spacing_is_refused() -> None:
    with pytest.raises(SafelightError, match="E-IMAGING-GRID"):
        to_spacing(Grid((2, 2, 2), affine()), (1.0, 0.0, 1.0))


@settings(deadline=None)
@given(grid=grids(), shape=shapes)
def test_a_fitted_grid_is_where_the_fitted_array_is(grid: Grid, shape: tuple[int, int, int]) -> None:
    made = fitted(grid, shape)
    array = fit(stating(grid), shape, np.nan)
    assert array.shape == made.shape == shape
    there = np.isfinite(array)
    assert there.any()
    np.testing.assert_allclose(array[there], stating(made)[there], atol=1e-3)


@pytest.mark.parametrize("tilt", [-28.0, -3.0, 0.5, 12.0, 25.0])
@pytest.mark.parametrize("degrees", [(0.0, 0.0, 0.0), (4.0, -8.0, 15.0)])
def test_a_sheared_grid_becomes_orthogonal(tilt: float, degrees: tuple[float, float, float]) -> None:
    grid = Grid((20, 24, 12), affine((0.7, 0.7, 3.0), degrees, tilt))
    made = orthogonal(grid)
    found = lean(made)
    assert found.shear_deg == pytest.approx(0, abs=1e-6)
    np.testing.assert_array_equal(made.affine_ras[:3, :2], grid.affine_ras[:3, :2])
    assert made.spacing_mm[2] == pytest.approx(3.0)  # the step along the normal: `affine` shears by tan, along the slices
    assert made.affine_ras[:3, 2] @ grid.affine_ras[:3, 2] > 0
    assert made.shape[0] == 20
    assert made.shape[2] == 12
    assert made.shape[1] == 24 + np.ceil(11 * 3.0 * np.tan(np.radians(abs(tilt))) / 0.7 - 1e-9)
    at = indices(made, grid)
    assert (at > -1e-4).all()
    assert all((each < n - 1 + 1e-4).all() for each, n in zip(at, made.shape, strict=True))
    first = at[:, 0, 0, 0]
    np.testing.assert_allclose(first, np.rint(first), atol=1e-6)


@settings(deadline=None)
@given(grid=grids())
def test_any_grid_becomes_orthogonal_and_is_covered(grid: Grid) -> None:
    made = orthogonal(grid)
    assert lean(made).shear_deg < 1e-4
    assert within(made, grid, -1e-4).all()
    assert orthogonal(made).same_as(made)


def test_a_grid_without_shear_is_kept_though_its_numbers_were_rounded() -> None:
    grid = Grid((512, 512, 300), affine((0.7, 0.7, 1.0), (4.0, -8.0, 15.0)).astype(np.float32))
    assert orthogonal(grid) is grid


def test_axes_that_are_skewed_in_plane_are_made_perpendicular() -> None:
    made = affine()
    made[0, 1] = 0.3
    assert lean(orthogonal(Grid((5, 6, 7), made))).shear_deg < 1e-5


@settings(deadline=None)
@given(grid=grids(), shift=st.floats(0.001, 0.5))
def test_grids_are_the_same_only_where_all_voxels_are(grid: Grid, shift: float) -> None:
    moved = np.array(grid.affine_ras)
    moved[:3, 3] += moved[:3, 1] * shift
    assert grid.same_as(Grid(grid.shape, grid.affine_ras))
    assert not grid.same_as(Grid(grid.shape, moved))
    assert grid.same_as(Grid(grid.shape, moved), tolerance=shift * 1.001)
    assert not grid.same_as(Grid((*grid.shape[:2], grid.shape[2] + 1), grid.affine_ras))
    assert places(grid).shape == (*grid.shape, 3)
