"""What cannot be converted is refused with its own reason, and every instance is accounted for."""

from pathlib import Path

import nibabel
import numpy as np
import pydicom.data
import pyarrow.parquet as pq
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from tasks.errors import SafelightError
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
    slices[2].RescaleSlope = 2
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
    (secondary_capture, "E-VOLUME-SOP-CLASS"),
]  # fmt: skip


def run(folder: Path, lake: Path):
    scan.cache_clear()
    return VolumesStage(Lake.open(lake), folder).run(STUDY, "", "f")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("make", "reason"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_series_that_cannot_be_converted_is_refused_with_its_reason_and_accounted(make, reason: str, tmp_path: Path) -> None:
    slices = make()
    outcome = run(save(tmp_path / "dicom", slices), tmp_path / "lake")
    assert [(count.outcome, count.reason_code, count.n) for count in outcome.tally] == [("refused", reason, len(slices))]
    assert outcome.passed == 0
    assert not (tmp_path / "lake" / "volumes").exists()
    rows = pq.read_table(tmp_path / "lake" / "tables" / "volumes" / f"{STUDY}.parquet").to_pylist()
    assert [(row["SeriesInstanceUID"], row["status"], row["reason_code"], row["path"]) for row in rows] == [
        (SERIES, "refused", reason, None)
    ]
    assert pq.read_table(tmp_path / "lake" / "tables" / "instances" / f"{STUDY}.parquet").num_rows == len(slices)


def test_without_the_certificate_the_bent_stack_would_have_been_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "MAX_POSITION_ERROR_MM", 1.0)
    arranged = stack.arrange(stack.planes_of(jitter_beyond_the_certificate()))
    assert 0.1 < arranged.max_position_error_mm < 1.0


def test_an_overlay_in_the_unused_high_bits_is_no_part_of_the_value(tmp_path: Path) -> None:
    slices = series()
    for each in slices:
        each.BitsStored, each.HighBit, each.PixelRepresentation = 12, 11, 0
        each.PixelData = np.full((6, 5), 0x8123, "<u2").tobytes()
    assert run(save(tmp_path / "dicom", slices), tmp_path / "lake").passed == 1
    image = nibabel.load(next((tmp_path / "lake" / "volumes").rglob("*.nii.gz")))
    assert set(np.asarray(image.dataobj).ravel()) == {0x123 - 1024}


@pytest.mark.parametrize(("change", "code"), [
    ({"PatientIdentityRemoved": "NO"}, "E-VOLUME-IDENTIFIED"), ({"PatientID": "12345"}, "E-VOLUME-FOREIGN-KEYS"),
    ({"SeriesInstanceUID": "1.2.3"}, "E-VOLUME-FOREIGN-KEYS"),
])  # fmt: skip
def test_nothing_is_written_of_a_study_that_is_not_surely_clean(change, code: str, tmp_path: Path) -> None:
    slices = series()
    for keyword, value in change.items():
        setattr(slices[3], keyword, value)
    folder = save(tmp_path / "dicom", slices)
    if code == "E-VOLUME-IDENTIFIED":
        assert scan(folder).rejected == {code: 1}
    scan.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.volumes.stage.scan", lambda _: type("F", (), {"studies": {STUDY: tuple(sorted(folder.iterdir()))}}))
        with pytest.raises(SafelightError, match=code):
            VolumesStage(Lake.open(tmp_path / "lake"), folder).run(STUDY, "", "f")
    assert Lake.open(tmp_path / "lake").files("") == []


@pytest.mark.filterwarnings("ignore")
def test_real_files_of_every_kind_are_converted_or_refused_and_never_crash(tmp_path: Path) -> None:
    root = Path(pydicom.data.__file__).parent / "test_files"
    taken = 0
    for number, file in enumerate(sorted(root.glob("*.dcm"))):
        try:
            dataset = dcmread(file)
            dataset.StudyInstanceUID, dataset.PatientID = STUDY, "SL-ABCDEFGHIJKL"
            dataset.SeriesInstanceUID, dataset.SOPInstanceUID = f"2.25.{5000 + number}", f"2.25.{7000 + number}"
            dataset.PatientIdentityRemoved = "YES"
            (tmp_path / "dicom").mkdir(exist_ok=True)
            dataset.save_as(tmp_path / "dicom" / f"{number}.dcm")
            dcmread(tmp_path / "dicom" / f"{number}.dcm", stop_before_pixels=True).SOPClassUID  # noqa: B018
            taken += 1
        except Exception:  # noqa: BLE001 - what pydicom itself cannot copy is no input for this stage
            (tmp_path / "dicom" / f"{number}.dcm").unlink(missing_ok=True)
    assert taken > 40
    outcome = run(tmp_path / "dicom", tmp_path / "lake")
    assert sum(count.n for count in outcome.tally) == taken
