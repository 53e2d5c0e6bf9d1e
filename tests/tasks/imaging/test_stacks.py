"""Uneven stacks become even ones: by numpy's interpolation, slice by slice, and old slices as they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import SafelightError
from tasks.imaging.stacks import even_stack


def noise(slices: int, *more: int, dtype: Any = np.int16) -> np.ndarray:
    return np.random.default_rng(slices).normal(0, 400, (4, 3, slices, *more)).astype(dtype)


@settings(deadline=None)
@given(gaps=st.lists(st.floats(0.3, 7.0), min_size=1, max_size=12), step=st.floats(0.3, 6.0), first=st.floats(-500, 500))
def test_every_column_is_numpys_interpolation(gaps: list[float], step: float, first: float) -> None:
    at = first + np.concatenate([[0], np.cumsum(gaps)])
    voxels = noise(len(at))
    made = even_stack(voxels, at, step)
    np.testing.assert_allclose(np.diff(made.positions_mm), step)
    assert made.positions_mm[0] == at[0]
    assert abs(made.positions_mm[-1] - at[-1]) <= step / 2 + 1e-9
    for i, j in np.ndindex(4, 3):
        expected = np.interp(made.positions_mm, at, voxels[i, j].astype(np.float64))
        np.testing.assert_allclose(made.voxels[i, j], expected, atol=2e-4 * 4000 / min(gaps))


def test_one_missing_slice_is_made_of_its_neighbours_and_the_others_stay() -> None:
    at = 2.5 * np.array([0, 1, 2, 4, 5]) - 100
    voxels = noise(5)
    made = even_stack(voxels, at, 2.5, rounded=True)
    assert made.voxels.dtype == np.int16
    np.testing.assert_array_equal(made.voxels[:, :, [0, 1, 2, 4, 5]], voxels)
    np.testing.assert_array_equal(made.voxels[:, :, 3], np.rint((voxels[:, :, 2] + voxels[:, :, 3].astype(float)) / 2))
    np.testing.assert_array_equal(made.gap_mm, [0, 0, 0, 5, 0, 0])
    assert made.interpolated == 1


def test_slices_that_state_their_position_state_it_between_too() -> None:
    at = np.array([0, 0.6, 1.1, 3.0, 3.2, 7.0])
    voxels = np.broadcast_to(at * 10, (4, 3, 6)).astype(np.float32)
    made = even_stack(voxels, at, 0.7)
    np.testing.assert_allclose(made.voxels, np.broadcast_to(made.positions_mm * 10, made.voxels.shape), atol=1e-4)


def test_an_even_stack_keeps_its_bytes_though_its_positions_were_written_as_decimals() -> None:
    at = [round(float(position), 4) for position in -123.4567 + np.arange(40) * 1.25003]
    voxels = noise(40)
    made = even_stack(voxels, at, 1.25003, rounded=True)
    assert made.voxels.tobytes() == voxels.tobytes()
    assert made.interpolated == 0


def test_a_fourth_axis_is_kept() -> None:
    voxels = noise(4, 3, dtype=np.float32)
    made = even_stack(voxels, [0, 1, 3, 4], 1.0)
    assert made.voxels.shape == (4, 3, 5, 3)
    for t in range(3):
        np.testing.assert_array_equal(made.voxels[..., t], even_stack(voxels[..., t], [0, 1, 3, 4], 1.0).voxels)


def test_one_slice_is_an_even_stack() -> None:
    made = even_stack(noise(1), [5.0], 2.0)
    np.testing.assert_array_equal(made.voxels, noise(1))


@pytest.mark.parametrize(("at", "step"), [
    ([0, 1], 1.0), ([0, 2, 1], 1.0), ([0, 1, 1], 1.0), ([0, 1, np.nan], 1.0), ([0, 1, 2], 0.0), ([0, 1, 2], np.inf), ([0, 1, 2], np.nan),
])  # fmt: skip
def test_positions_that_make_no_stack_are_refused(at: list[float], step: float) -> None:
    with pytest.raises(SafelightError, match="E-IMAGING-POSITIONS"):
        even_stack(noise(3), at, step)
