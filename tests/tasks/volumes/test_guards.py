"""Guards that keep a wrong volume from being published are seen to fire; real files of every kind have an end."""

from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from pydicom import dcmread

from data_contracts.volumes import CONTRACT
from tasks.errors import catalogue
from tasks.lake import Lake
from tasks.volumes import grouping, stack
from tasks.volumes.folder import scan
from tasks.volumes.frames import plane_of
from tasks.volumes.stack import Planes, Stack
from tasks.volumes.stage import VolumesStage
from tests.tasks.volumes.classes import CLASSES
from tests.tasks.volumes.made import STUDY
from tests.tasks.volumes.phantom import run


def arranged(name: str) -> Stack:
    return stack.arrange(Planes.of([plane_of(each) for each in CLASSES[name].make()]))


def test_without_the_certificate_the_bent_stack_would_have_been_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "MAX_POSITION_ERROR_MM", 1.0)
    found = arranged("a position that is off by 0.3 mm")
    assert 0.1 < found.max_position_error_mm < 1.0


def test_every_declared_reason_of_a_series_has_a_class() -> None:
    elsewhere = {
        "IDENTIFIED",
        "FOREIGN-KEYS",
        "NOT-DICOM",
        "CONFLICT",
        "SOURCE",
    }  # of files and of the command: test_intake, test_command
    declared = {code for code in catalogue() if code.startswith("E-VOLUME-")}
    assert {part.reason for each in CLASSES.values() for part in each.parts} - {""} == declared - {
        f"E-VOLUME-{name}" for name in elsewhere
    }


@pytest.mark.parametrize("name", ["two kernels at positions between each other", "two echoes", "two slice thicknesses"])
def test_without_the_traits_stacks_would_have_been_interleaved_or_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouping, "ALWAYS", {})
    ran = run(tmp_path, CLASSES[name].make())
    expected = [(part.status, part.slices) for part in CLASSES[name].parts]
    assert [(row["status"], row["n_slices"]) for row in ran.rows] != expected


def test_a_volume_that_says_the_wrong_place_is_seen_by_the_phantom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack.np, "argsort", lambda values, **_: np.arange(len(values))[::-1])
    ran = run(tmp_path, CLASSES["slices in any order"].make())
    assert ran.rows[0]["status"] == "quarantined", "the certificate has to fire where slices are in the wrong order"


def test_without_the_limit_on_gaps_a_stack_of_very_thin_slices_with_a_hole_would_have_been_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stack, "_GAP", 100)
    assert arranged("a very thin slice is missing").max_position_error_mm < 0.1


def test_flags_say_what_was_wrong_with_a_series_that_is_held_back(tmp_path: Path) -> None:
    [row] = run(tmp_path, CLASSES["a slice is missing"].make()).rows
    assert np.allclose(row["missing_positions_mm"], [11.0])
    names = ("single_orientation", "consistent_image_dimensions", "consistent_pixel_spacing", "unique_slice_positions")
    assert all(row[name] is True for name in names)
    assert row["uniform_slice_spacing"] is False
    assert row["regularly_spaced_3d_volume"] is False


#: pydicom's own collection of real and broken files: CT, MR, ultrasound, NM, RT, SR, ECG, compressed in every way.
REAL = sorted((Path(pydicom.data.__file__).parent / "test_files").glob("*.dcm"))


@pytest.mark.filterwarnings("ignore")
def test_real_files_of_every_kind_have_an_end_and_the_right_ones_become_volumes(tmp_path: Path) -> None:
    """Each file twice, 3 mm apart along its normal where it states a position: a stack of two where it is one slice of something."""
    (tmp_path / "dicom").mkdir()
    written, names = 0, {}
    for number, file in enumerate(REAL):
        try:
            dataset = dcmread(file)
            _ = dataset.SOPClassUID
        except Exception:  # noqa: BLE001 - what pydicom itself cannot read is no input of this test
            continue
        dataset.StudyInstanceUID, dataset.PatientID, dataset.PatientIdentityRemoved = STUDY, "SL-ABCDEFGHIJKL", "YES"
        dataset.SeriesInstanceUID = f"2.25.{5000 + number}"
        for copy in range(2):
            dataset.SOPInstanceUID = f"2.25.{7000 + 2 * number + copy}"
            if copy and "ImagePositionPatient" in dataset:
                normal = np.cross(*np.array(dataset.ImageOrientationPatient, float).reshape(2, 3))
                moved = np.array(dataset.ImagePositionPatient, float) + 3 * normal
                dataset.ImagePositionPatient = [f"{value:.9f}"[:16] for value in moved]
            try:
                dataset.save_as(tmp_path / "dicom" / f"{number}-{copy}.dcm")
            except Exception:  # noqa: BLE001 - what pydicom itself cannot write is no input of this test
                (tmp_path / "dicom" / f"{number}-{copy}.dcm").unlink(missing_ok=True)
                break
            written += 1
            names[dataset.SeriesInstanceUID] = file.name
    scan.cache_clear()
    lake = Lake.open(tmp_path / "lake")
    outcome = VolumesStage(lake, tmp_path / "dicom").run(STUDY, "", "f")
    assert written > 80
    assert sum(count.n for count in outcome.tally) == written
    rows = lake.table(CONTRACT).to_pylist()
    converted = {names[row["SeriesInstanceUID"]] for row in rows if row["status"] == "converted"}
    assert converted == {
        "693_J2KI.dcm", "CT_small.dcm", "J2K_pixelrep_mismatch.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm",
        "MR_small_expb.dcm", "MR_small_implicit.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_padded.dcm", "examples_overlay.dcm", "ExplVR_BigEnd.dcm", "examples_jpeg2k.dcm", "examples_palette.dcm", "examples_rgb_color.dcm",
        "examples_ybr_color.dcm",
    }  # fmt: skip
    reasons = {names[row["SeriesInstanceUID"]]: row["reason_code"] for row in rows if row["status"] == "quarantined"}
    assert reasons["rtdose.dcm"] == "E-VOLUME-SOP-CLASS"
    assert reasons["rtplan.dcm"] == reasons["test-SR.dcm"] == "E-VOLUME-SOP-CLASS"
    assert reasons["MR_truncated.dcm"] == "E-VOLUME-DECODE"
