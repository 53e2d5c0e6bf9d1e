"""Resampled voxels: gaps are filled by what lies between, a tilted stack is set upright, and padding leaves no halo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK

from tests.tasks.volumes.classes import CLASSES, LEANING
from tests.tasks.volumes.phantom import offsets, run, stack


def test_a_tilted_stack_is_set_upright_and_itk_opens_it(tmp_path: Path) -> None:
    ran = run(tmp_path, CLASSES["gantry tilt"].make())
    acquired, upright = ran.rows
    assert (acquired["is_sheared"], upright["is_sheared"]) == (True, False)
    assert acquired["max_position_error_mm"] < 0.001
    assert upright["max_position_error_mm"] is None
    assert np.isclose(acquired["shear_deg"], np.degrees(np.arctan2(0.5, 2.0)))
    assert (upright["resampled_from"], upright["reason_code"], upright["exact"]) == (0, "E-VOLUME-TILT", False)
    assert upright["regularly_spaced_3d_volume"] is True
    assert np.isclose(upright["slice_spacing_mm"], 2.0)
    image = SimpleITK.ReadImage(str(tmp_path / "lake" / upright["path"]))
    directions = np.array(image.GetDirection()).reshape(3, 3)
    assert np.allclose(directions.T @ directions, np.eye(3), atol=1e-6)
    assert offsets(ran, upright) == [-1024]


def test_a_filled_slice_is_what_lies_between_and_the_others_are_untouched(tmp_path: Path) -> None:
    case = CLASSES["a slice is missing, one may be filled"]
    ran = run(tmp_path, case.make(), case.settings)
    whole = run(tmp_path / "whole", stack())
    [row] = ran.rows
    assert (row["n_slices"], row["resampled_from"], row["missing_positions_mm"]) == (6, None, [11.0])
    filled, there = (np.asarray(each.image(each.rows[0]).dataobj, np.int32) for each in (ran, whole))
    others = [0, 1, 2, 4, 5]
    assert np.array_equal(filled[..., others], there[..., others])
    assert np.abs(filled[..., 3] - there[..., 3]).max() <= 1
    assert np.allclose(ran.image(row).affine, whole.image(whole.rows[0]).affine)


def test_padding_leaves_no_halo(tmp_path: Path) -> None:
    slices = stack(step=LEANING)
    for each in slices:
        pixels = each.pixel_array.copy()
        pixels[:3] = -30000
        each.PixelData, each.PixelPaddingValue = pixels.tobytes(), -30000
    acquired, upright = run(tmp_path, slices).rows
    assert acquired["padding_range"] == [-31024.0, -31024.0]
    assert upright["padding_range"] is None
    assert upright["value_min"] > -31024
