"""What cannot be converted is refused with its own reason, and every instance is accounted for."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pydicom.data
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from tasks.errors import catalogue
from tasks.lake import Lake
from tasks.volumes import stack
from tasks.volumes.folder import scan
from tasks.volumes.stage import VolumesStage
from tests.tasks.volumes.made import SERIES, STUDY, instance, positions, save

UP = np.array([0, 0, 2.0])


def series(n: int = 6) -> list[Dataset]:
    return [instance(position, number=number) for number, position in enumerate(positions(n, UP))]


def single() -> list[Dataset]:
    return series(1)


def missing_slice() -> list[Dataset]:
    slices = series()
    del slices[3]
    return slices


def duplicate_position() -> list[Dataset]:
    return [*series(), instance(positions(6, UP)[2], number=77)]


def tilted() -> list[Dataset]:
    return [instance(position, number=number) for number, position in enumerate(positions(6, np.array([0, 0.5, 2.0])))]


def mixed_matrix() -> list[Dataset]:
    return [*series(), instance(positions(7, UP)[6], number=77, columns=4)]


def mixed_spacing() -> list[Dataset]:
    return [*series(), instance(positions(7, UP)[6], number=77, PixelSpacing=[0.8, 0.6])]


def mixed_orientation() -> list[Dataset]:
    return [*series(), instance(positions(7, UP)[6], np.array([1.0, 0, 0, 0, 0, -1]), number=77)]


def jitter_beyond_the_certificate() -> list[Dataset]:
    slices = series()
    slices[2].ImagePositionPatient = [
        float(value) + shift for value, shift in zip(slices[2].ImagePositionPatient, (0.3, 0, 0), strict=True)
    ]
    return slices


def no_position() -> list[Dataset]:
    slices = series()
    del slices[2].ImagePositionPatient
    return slices


def bent_cosines() -> list[Dataset]:
    slices = series()
    slices[2].ImageOrientationPatient = [1, 0, 0, 0.1, 1, 0]
    return slices


def rescale_differs() -> list[Dataset]:
    slices = series()
    slices[2].RescaleSlope = 1.5
    return slices


def rescale_without_intercept() -> list[Dataset]:
    slices = series()
    for each in slices:
        del each.RescaleIntercept
    return slices


def rescale_type_differs() -> list[Dataset]:
    slices = series()
    slices[2].RescaleType = "HU"
    return slices


def values_that_leave_32_bits() -> list[Dataset]:
    slices = series()
    for each in slices:
        each.RescaleSlope = 10_000_000
    return slices


def a_table_instead_of_a_line() -> list[Dataset]:
    slices = series()
    slices[2].ModalityLUTSequence = [Dataset()]
    return slices


def localizer() -> list[Dataset]:
    slices = series()
    slices[2].ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    return slices


def two_frames_of_reference() -> list[Dataset]:
    slices = series()
    for each in slices:
        each.FrameOfReferenceUID = "2.25.1"
    slices[2].FrameOfReferenceUID = "2.25.2"
    return slices


def missing_among_very_thin_slices() -> list[Dataset]:
    slices = [instance(position, number=number) for number, position in enumerate(positions(40, np.array([0, 0, 0.05])))]
    del slices[20]
    return slices


def position_of_two_numbers() -> list[Dataset]:
    slices = series()
    for each in slices:
        each.ImagePositionPatient = [0, 0]
    return slices


def no_spacing() -> list[Dataset]:
    slices = series()
    slices[1].PixelSpacing = [0, 0.5]
    return slices


def enhanced() -> list[Dataset]:
    slices = series()
    slices[0].SOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1"
    return slices


def more_bits_than_allocated() -> list[Dataset]:
    slices = series()
    slices[0].BitsStored, slices[0].HighBit = 17, 16
    return slices


def no_pixels() -> list[Dataset]:
    slices = series()
    del slices[0].PixelData
    return slices


def ct_without_hu() -> list[Dataset]:
    slices = series()
    for each in slices:
        each.RescaleType = "US"
    return slices


def several_frames() -> list[Dataset]:
    slices = series()
    slices[0].NumberOfFrames = 2
    return slices


def colour() -> list[Dataset]:
    slices = series()
    slices[0].PhotometricInterpretation = "RGB"
    return slices


def inverted() -> list[Dataset]:
    slices = series()
    slices[0].PhotometricInterpretation = "MONOCHROME1"
    return slices


def high_bit_elsewhere() -> list[Dataset]:
    slices = series()
    slices[0].BitsStored, slices[0].HighBit = 12, 15
    return slices


def truncated_pixels() -> list[Dataset]:
    slices = series()
    slices[2].PixelData = slices[2].PixelData[:-8]
    return slices


def secondary_capture() -> list[Dataset]:
    slices = series()
    slices[0].SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    return slices


CASES = [
    (single, "E-VOLUME-SINGLE-SLICE"), (missing_slice, "E-VOLUME-UNEVEN-SPACING"), (duplicate_position, "E-VOLUME-DUPLICATE-POSITION"),
    (tilted, "E-VOLUME-TILT"), (mixed_matrix, "E-VOLUME-MIXED-MATRIX"), (mixed_spacing, "E-VOLUME-MIXED-SPACING"),
    (mixed_orientation, "E-VOLUME-MIXED-ORIENTATION"), (jitter_beyond_the_certificate, "E-VOLUME-CERTIFICATE"),
    (no_position, "E-VOLUME-GEOMETRY"), (bent_cosines, "E-VOLUME-GEOMETRY"), (rescale_differs, "E-VOLUME-RESCALE"),
    (ct_without_hu, "E-VOLUME-RESCALE"), (several_frames, "E-VOLUME-MULTIFRAME"), (colour, "E-VOLUME-PHOTOMETRIC"),
    (inverted, "E-VOLUME-PHOTOMETRIC"), (high_bit_elsewhere, "E-VOLUME-BITS"), (truncated_pixels, "E-VOLUME-DECODE"),
    (secondary_capture, "E-VOLUME-SOP-CLASS"), (rescale_without_intercept, "E-VOLUME-RESCALE"),
    (rescale_type_differs, "E-VOLUME-RESCALE"), (values_that_leave_32_bits, "E-VOLUME-RESCALE"),
    (a_table_instead_of_a_line, "E-VOLUME-RESCALE"), (localizer, "E-VOLUME-PROJECTION"),
    (two_frames_of_reference, "E-VOLUME-MIXED-FRAME"), (missing_among_very_thin_slices, "E-VOLUME-UNEVEN-SPACING"),
    (position_of_two_numbers, "E-VOLUME-GEOMETRY"), (no_spacing, "E-VOLUME-GEOMETRY"), (enhanced, "E-VOLUME-MULTIFRAME"),
    (more_bits_than_allocated, "E-VOLUME-BITS"), (no_pixels, "E-VOLUME-DECODE"),
]  # fmt: skip


def run(folder: Path, lake: Path):
    scan.cache_clear()
    return VolumesStage(Lake.open(lake), folder).run(STUDY, "", "f")


@pytest.mark.parametrize(("make", "reason"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_series_that_cannot_be_converted_is_refused_with_its_reason_and_accounted(make, reason: str, tmp_path: Path) -> None:
    slices = make()
    outcome = run(save(tmp_path / "dicom", slices), tmp_path / "lake")
    assert [(count.outcome, count.reason_code, count.n) for count in outcome.tally] == [("quarantined", reason, len(slices))]
    assert outcome.passed == 0
    assert not (tmp_path / "lake" / "volumes").exists()
    rows = pq.read_table(tmp_path / "lake" / "tables" / "volumes" / f"{STUDY}.parquet").to_pylist()
    assert [(row["SeriesInstanceUID"], row["status"], row["reason_code"], row["path"]) for row in rows] == [
        (SERIES, "quarantined", reason, None)
    ]
    assert pq.read_table(tmp_path / "lake" / "tables" / "instances" / f"{STUDY}.parquet").num_rows == len(slices)


def test_without_the_certificate_the_bent_stack_would_have_been_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "MAX_POSITION_ERROR_MM", 1.0)
    arranged = stack.arrange(stack.planes_of(jitter_beyond_the_certificate()))
    assert 0.1 < arranged.max_position_error_mm < 1.0


def test_every_declared_reason_of_a_series_has_a_case() -> None:
    elsewhere = {
        "IDENTIFIED",
        "FOREIGN-KEYS",
        "NOT-DICOM",
        "CONFLICT",
        "SOURCE",
    }  # of files and of the command: test_intake, test_command
    declared = {code for code in catalogue() if code.startswith("E-VOLUME-")}
    assert {code for _, code in CASES} == declared - {f"E-VOLUME-{name}" for name in elsewhere}


def test_without_the_limit_on_gaps_a_stack_of_very_thin_slices_with_a_hole_would_have_been_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stack, "_GAP", 100)
    assert stack.arrange(stack.planes_of(missing_among_very_thin_slices())).max_position_error_mm < 0.1


def test_flags_say_what_was_wrong_with_a_refused_series(tmp_path: Path) -> None:
    run(save(tmp_path / "dicom", missing_slice()), tmp_path / "lake")
    row = pq.read_table(tmp_path / "lake" / "tables" / "volumes" / f"{STUDY}.parquet").to_pylist()[0]
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
    outcome = run(tmp_path / "dicom", tmp_path / "lake")
    assert written > 80
    assert sum(count.n for count in outcome.tally) == written
    rows = pq.read_table(tmp_path / "lake" / "tables" / "volumes" / f"{STUDY}.parquet").to_pylist()
    converted = {names[row["SeriesInstanceUID"]] for row in rows if row["status"] == "converted"}
    assert converted == {
        "693_J2KI.dcm", "CT_small.dcm", "J2K_pixelrep_mismatch.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm",
        "MR_small_expb.dcm", "MR_small_implicit.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_padded.dcm", "examples_overlay.dcm",
    }  # fmt: skip
    reasons = {names[row["SeriesInstanceUID"]]: row["reason_code"] for row in rows if row["status"] == "quarantined"}
    assert reasons["rtdose.dcm"] == "E-VOLUME-MULTIFRAME"
    assert reasons["rtplan.dcm"] == reasons["test-SR.dcm"] == "E-VOLUME-SOP-CLASS"
    assert reasons["MR_truncated.dcm"] == "E-VOLUME-DECODE"
