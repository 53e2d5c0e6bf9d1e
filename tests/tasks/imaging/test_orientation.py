"""Arrays are turned to any of the 48 orders of axes, as nibabel turns them, and back to the same bytes."""

from __future__ import annotations

from itertools import permutations, product

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import SafelightError
from tasks.imaging.grids import Grid
from tasks.imaging.orientation import apply, lean, turn_to, undo
from tests.tasks.imaging.made import affine, grids, places, stating

CODES = [
    "".join(pair[side] for pair, side in zip(order, sides, strict=True))
    for order in permutations(("LR", "PA", "IS"))
    for sides in product((0, 1), repeat=3)
]


def test_there_are_48() -> None:
    assert len(set(CODES)) == 48


@pytest.mark.parametrize("codes", CODES)
def test_every_order_is_nibabels_and_every_voxel_stays_where_it_is(codes: str) -> None:
    grid = Grid((4, 5, 6), affine((0.7, 0.9, 3.0), (10.0, -12.0, 20.0)))
    voxels = np.random.default_rng(1).integers(-1000, 1000, (4, 5, 6), np.int16)
    turn = turn_to(grid, codes)
    made = apply(voxels, turn)
    image = nibabel.Nifti1Image(voxels, grid.affine_ras)
    change = nibabel.orientations.ornt_transform(
        nibabel.orientations.io_orientation(grid.affine_ras), nibabel.orientations.axcodes2ornt(tuple(codes))
    )
    theirs = image.as_reoriented(change)
    np.testing.assert_array_equal(made, np.asarray(theirs.dataobj))
    np.testing.assert_allclose(turn.target.affine_ras, theirs.affine, atol=1e-12)
    assert "".join(nibabel.aff2axcodes(turn.target.affine_ras)) == lean(turn.target).codes == codes
    np.testing.assert_allclose(stating(turn.target), apply(stating(grid), turn), atol=1e-4)


@settings(deadline=None)
@given(grid=grids(), codes=st.sampled_from(CODES), volumes=st.sampled_from([None, 2]), fortran=st.booleans())
def test_back_are_the_same_bytes(grid: Grid, codes: str, volumes: int | None, fortran: bool) -> None:
    shape = grid.shape if volumes is None else (*grid.shape, volumes)
    voxels = np.asarray(np.random.default_rng(0).integers(-9, 9, shape, np.int16), order="F" if fortran else "C")
    turn = turn_to(grid, codes)
    made = apply(voxels, turn)
    assert made.shape[:3] == turn.target.shape
    back = undo(made, turn)
    assert back.tobytes() == voxels.tobytes()
    assert np.shares_memory(back, voxels)
    np.testing.assert_allclose(places(turn.target), apply(places(grid), turn), atol=1e-9)


@settings(deadline=None)
@given(grid=grids())
def test_its_own_codes_turn_nothing(grid: Grid) -> None:
    turn = turn_to(grid, lean(grid).codes)
    assert (turn.order, turn.flips) == ((0, 1, 2), (False, False, False))
    np.testing.assert_array_equal(turn.target.affine_ras, grid.affine_ras)


@settings(deadline=None)
@given(degrees=st.tuples(*[st.floats(-29.0, 29.0)] * 3))
def test_the_codes_are_nibabels_where_the_nearest_axis_is_plain(degrees: tuple[float, float, float]) -> None:
    made = affine((1.0, 1.0, 2.0), degrees)
    assert lean(Grid((3, 3, 3), made)).codes == "".join(nibabel.aff2axcodes(made))


@pytest.mark.parametrize("tilt", [-25.0, 0.0, 0.7, 17.5])
def test_a_tilt_is_measured_in_degrees(tilt: float) -> None:
    found = lean(Grid((4, 4, 4), affine(tilt=tilt)))
    assert found.shear_deg == pytest.approx(abs(tilt), abs=1e-6)
    assert found.slice_lean_deg == pytest.approx(abs(tilt), abs=1e-5)
    assert found.angles_deg == pytest.approx((0, 0, abs(tilt)), abs=1e-5)
    assert found.codes == "LPS"


def test_a_turn_is_measured_in_degrees() -> None:
    found = lean(Grid((4, 4, 4), affine(degrees=(0.0, 0.0, 20.0))))
    assert found.angles_deg == pytest.approx((20, 20, 0), abs=1e-5)
    assert found.shear_deg == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("codes", ["RA", "RRS", "RAX", "ras", "RASS", ""])
def test_what_is_no_code_is_refused(codes: str) -> None:
    with pytest.raises(SafelightError, match="E-IMAGING-AXES"):
        turn_to(Grid((2, 2, 2), affine()), codes)


def test_an_array_of_another_shape_is_refused() -> None:
    turn = turn_to(Grid((2, 3, 4), affine()), "SPL")
    for change in (apply, undo):
        with pytest.raises(SafelightError, match="E-IMAGING-VOXELS"):
            change(np.zeros((3, 3, 4)), turn)
        with pytest.raises(SafelightError, match="E-IMAGING-VOXELS"):
            change(np.zeros((2, 3)), turn)
