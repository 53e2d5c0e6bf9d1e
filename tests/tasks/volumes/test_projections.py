"""Projections become images with their spacing, its source, and their photometric interpretation stated; they get no place in the patient."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from pydicom.dataset import Dataset

from tests.tasks.volumes.classes import CLASSES
from tests.tasks.volumes.phantom import projection, run

_ROOT = "1.2.840.10008.5.1.4.1.1."


def only(folder: Path, slices: list[Dataset]) -> tuple[np.ndarray, dict, nibabel.Nifti1Image]:
    ran = run(folder, slices)
    [row] = ran.rows
    image = ran.image(row)
    return np.asarray(image.dataobj), row, image


def test_stored_values_and_spacing_are_those_of_the_file(tmp_path: Path) -> None:
    made = projection(f"{_ROOT}1.1", "DX", ImagerPixelSpacing=[0.14, 0.15], PhotometricInterpretation="MONOCHROME1")
    pixels, row, image = only(tmp_path, [made])
    assert np.array_equal(pixels.T, made.pixel_array - 1024)
    assert (row["kind"], row["PhotometricInterpretation"], row["spacing_source"]) == ("2d", "MONOCHROME1", "ImagerPixelSpacing")
    assert (row["row_spacing_mm"], row["column_spacing_mm"]) == (0.14, 0.15)
    assert row["affine"] is None
    assert row["max_position_error_mm"] is None
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (0, 0)
    assert np.allclose(image.header.get_zooms(), (0.15, 0.14))
    assert np.allclose(SimpleITK.ReadImage(str(tmp_path / "lake" / row["path"])).GetSpacing()[:2], (0.15, 0.14))


def test_a_calibrated_spacing_comes_before_the_detectors(tmp_path: Path) -> None:
    made = projection(f"{_ROOT}1.1", "DX", ImagerPixelSpacing=[0.14, 0.14], PixelSpacing=[0.1, 0.1])
    row = only(tmp_path, [made])[1]
    assert (row["spacing_source"], row["row_spacing_mm"]) == ("PixelSpacing", 0.1)


def test_no_spacing_is_made_up(tmp_path: Path) -> None:
    _, row, image = only(tmp_path, [projection(f"{_ROOT}1", "CR")])
    assert (row["spacing_source"], row["row_spacing_mm"], row["column_spacing_mm"]) == (None, None, None)
    assert image.header.get_xyzt_units()[0] == "unknown"


def test_ultrasound_keeps_its_colours_and_has_the_spacing_of_its_region(tmp_path: Path) -> None:
    pixels, row, _ = only(tmp_path, CLASSES["ultrasound in colour"].make())
    colours = np.stack([pixels[name] for name in "RGB"], axis=-1).transpose(1, 0, 2)
    assert colours.ravel().tolist() == list(range(90))
    assert (row["dtype"], row["spacing_source"]) == ("rgb24", "SequenceOfUltrasoundRegions")
    assert (row["row_spacing_mm"], row["column_spacing_mm"]) == pytest.approx((0.3, 0.2))


def test_two_regions_of_different_scale_give_no_spacing(tmp_path: Path) -> None:
    [made] = CLASSES["ultrasound in colour"].make()
    other = Dataset()
    other.PhysicalUnitsXDirection = other.PhysicalUnitsYDirection = 3
    other.PhysicalDeltaX = other.PhysicalDeltaY = 0.5
    made.SequenceOfUltrasoundRegions = [*made.SequenceOfUltrasoundRegions, other]
    assert only(tmp_path, [made])[1]["spacing_source"] is None


def test_the_frames_of_a_run_are_along_the_fourth_axis(tmp_path: Path) -> None:
    pixels, row, _ = only(tmp_path, CLASSES["XA cine"].make())
    assert pixels.shape == (5, 6, 1, 3)
    assert (row["n_volumes"], row["fourth_axis"], row["source_frames"]) == (3, "NumberOfFrames", [1, 2, 3])
