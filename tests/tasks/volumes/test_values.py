"""A voxel's value is what the file means, by GDCM's reading of real compressed files and by values known beforehand."""

from pathlib import Path

import nibabel
import numpy as np
import pyarrow.parquet as pq
import pydicom.data
import pytest
import SimpleITK
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, MRImageStorage, PositronEmissionTomographyImageStorage, RLELossless

from tasks.lake import Lake
from tasks.volumes.folder import scan
from tasks.volumes.stage import VolumesStage
from tests.tasks.volumes.made import PATIENT, SERIES, STUDY, instance, positions, save

BUNDLED = Path(pydicom.data.__file__).parent / "test_files"
COMPRESSED = [
    "693_J2KI.dcm", "CT_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm", "examples_overlay.dcm",
]  # fmt: skip


def slices(n: int = 3, **change) -> list[Dataset]:
    return [instance(position, number=number, **change) for number, position in enumerate(positions(n, np.array([0, 0, 2.0])))]


def convert(folder: Path, tmp_path: Path) -> tuple[np.ndarray, dict]:
    """The voxels (column, row, slice) and the table's row."""
    scan.cache_clear()
    outcome = VolumesStage(Lake.open(tmp_path / "lake"), folder).run(STUDY, "", "f")
    assert outcome.passed == 1, outcome.tally
    row = pq.read_table(tmp_path / "lake" / "tables" / "volumes" / f"{STUDY}.parquet").to_pylist()[0]
    return np.asarray(nibabel.load(tmp_path / "lake" / row["path"]).dataobj), row


def stored(value: object, datasets: list[Dataset], dtype: str = "<i2") -> list[Dataset]:
    for dataset in datasets:
        dataset.PixelData = np.broadcast_to(np.asarray(value), (6, 5)).astype(dtype).tobytes()
    return datasets


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", COMPRESSED)
def test_real_files_have_the_values_that_gdcm_reads(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "dicom"
    folder.mkdir()
    dataset = dcmread(BUNDLED / name)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.PatientID = STUDY, SERIES, PATIENT
    dataset.PatientIdentityRemoved = "YES"
    normal = np.cross(*np.array(dataset.ImageOrientationPatient, float).reshape(2, 3))
    for copy in range(2):
        dataset.SOPInstanceUID = f"2.25.{copy + 1}"
        dataset.ImagePositionPatient = [
            f"{v:.9f}"[:16] for v in np.array(dataset.ImagePositionPatient, float) + copy * 3 * normal
        ]
        dataset.save_as(folder / f"{copy}.dcm")
    voxels, row = convert(folder, tmp_path)
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(folder / "0.dcm"))
    theirs = SimpleITK.GetArrayFromImage(reader.Execute())[0]
    assert np.ptp(theirs) > 100
    for place in range(2):
        assert np.array_equal(voxels[:, :, place].T, theirs)
    assert row["lossy"] is (name == "693_J2KI.dcm")


@pytest.mark.parametrize(("bits", "signed", "value"), [
    (12, 0, 0), (12, 0, 4095), (12, 1, -2048), (12, 1, 2047), (16, 0, 65535), (16, 1, -32768), (16, 1, -31744), (13, 1, -1),
])  # fmt: skip
def test_every_width_and_sign_keeps_its_extremes(bits: int, signed: int, value: int, tmp_path: Path) -> None:
    made = slices(BitsStored=bits, HighBit=bits - 1, PixelRepresentation=signed)
    voxels, row = convert(save(tmp_path / "dicom", stored(value, made, "<i2" if signed else "<u2")), tmp_path)
    assert set(voxels.ravel()) == {value - 1024}
    assert row["dtype"] == ("int16" if -32768 <= value - 1024 <= 32767 else "uint16" if value > 0 else "int32")
    assert (row["BitsStored"], row["PixelRepresentation"]) == (bits, "signed" if signed else "unsigned")
    assert (row["value_min"], row["value_max"], row["exact"]) == (value - 1024, value - 1024, True)


@pytest.mark.parametrize(("signed", "value"), [(0, 0x123), (1, -0x123)])
def test_an_overlay_in_the_unused_high_bits_is_no_part_of_the_value(signed: int, value: int, tmp_path: Path) -> None:
    made = slices(BitsStored=12, HighBit=11, PixelRepresentation=signed)
    voxels, row = convert(save(tmp_path / "dicom", stored((value & 0x0FFF) | 0x8000, made, "<u2")), tmp_path)
    assert set(voxels.ravel()) == {value - 1024}
    assert row["high_bits_masked"] is True
    _, plain = convert(save(tmp_path / "plain", stored(value, made, "<i2")), tmp_path)
    assert plain["high_bits_masked"] is False


def test_a_value_in_the_high_bits_is_shifted_down(tmp_path: Path) -> None:
    made = slices(BitsStored=12, HighBit=15, PixelRepresentation=0)
    voxels, _ = convert(save(tmp_path / "dicom", stored(0x7FF0, made, "<u2")), tmp_path)
    assert set(voxels.ravel()) == {0x7FF - 1024}


def test_eight_bits_and_big_endian_and_run_lengths(tmp_path: Path) -> None:
    picture = np.arange(30).reshape(6, 5) * 8
    eight = stored(picture, slices(BitsAllocated=8, BitsStored=8, HighBit=7, PixelRepresentation=0), "u1")
    big, packed = stored(picture, slices(), ">i2"), stored(picture, slices())
    for each in big:
        each.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        each["PixelData"].VR = "OW"
    for each in packed:
        each.compress(RLELossless, generate_instance_uid=False)
    for name, made in (("eight", eight), ("big", big), ("packed", packed)):
        voxels, _ = convert(save(tmp_path / name, made), tmp_path)
        assert np.array_equal(voxels[:, :, 1], picture.T - 1024), name


def test_a_fraction_in_the_rescale_gives_float32_rounded_once(tmp_path: Path) -> None:
    made = stored(np.arange(30).reshape(6, 5), slices(SOPClassUID=MRImageStorage, Modality="MR"))
    for each in made:
        each.RescaleSlope, each.RescaleIntercept, each.RescaleType = "0.1234567", "-7.5", "US"
    voxels, row = convert(save(tmp_path / "dicom", made), tmp_path)
    assert (row["dtype"], row["units"]) == ("float32", "unspecified")
    assert np.array_equal(voxels[:, :, 0].T, np.array([np.float32(v * 0.1234567 - 7.5) for v in range(30)]).reshape(6, 5))


def test_whole_rescales_may_differ_between_slices_because_nothing_is_rounded(tmp_path: Path) -> None:
    made = stored(100, slices())
    for number, each in enumerate(made):
        each.RescaleSlope, each.RescaleIntercept = number + 1, -number
    voxels, row = convert(save(tmp_path / "dicom", made), tmp_path)
    assert [set(voxels[:, :, place].ravel()) for place in range(3)] == [{100}, {199}, {298}]
    assert row["dtype"] == "int16"


def test_slopes_that_differ_between_slices_give_float32(tmp_path: Path) -> None:
    made = stored(101, slices(SOPClassUID=PositronEmissionTomographyImageStorage, Modality="PT", Units="BQML"))
    for number, each in enumerate(made):
        each.RescaleSlope, each.RescaleIntercept = f"{0.123 + number:.3f}", 0
    voxels, row = convert(save(tmp_path / "dicom", made), tmp_path)
    assert [set(voxels[:, :, place].ravel()) for place in range(3)] == [
        {np.float32(101 * (0.123 + number))} for number in range(3)
    ]
    assert (row["dtype"], row["units"], row["exact"]) == ("float32", "BQML", False)


@pytest.mark.parametrize(
    ("slope", "intercept", "dtype"), [("0.5", "-3.25", "int16"), ("0.1", "0", "float32"), ("2", "1", "int16")]
)
def test_the_header_scales_only_where_its_float32_is_exact(slope: str, intercept: str, dtype: str, tmp_path: Path) -> None:
    made = stored(np.arange(30).reshape(6, 5), slices(SOPClassUID=MRImageStorage, Modality="MR"))
    for each in made:
        each.RescaleSlope, each.RescaleIntercept = slope, intercept
    voxels, row = convert(save(tmp_path / "dicom", made), tmp_path)
    wanted = np.arange(30).reshape(6, 5) * float(slope) + float(intercept)
    assert np.array_equal(voxels[:, :, 0].T, wanted if row["exact"] else wanted.astype(np.float32))
    assert (row["dtype"], row["exact"]) == (dtype, dtype != "float32")
    assert row["scl_slope"] == (0.5 if slope == "0.5" else 1.0)
    theirs = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "lake" / row["path"])))
    assert np.array_equal(theirs, np.asarray(voxels, np.float32).T)


def test_bytes_stay_bytes_and_inverted_ones_are_kept_and_stated(tmp_path: Path) -> None:
    made = stored(np.arange(30).reshape(6, 5) * 8, slices(BitsAllocated=8, BitsStored=8, HighBit=7, PixelRepresentation=0), "u1")
    for each in made:
        each.SOPClassUID, each.Modality, each.PhotometricInterpretation = MRImageStorage, "MR", "MONOCHROME1"
        del each.RescaleSlope, each.RescaleIntercept
    voxels, row = convert(save(tmp_path / "dicom", made), tmp_path)
    assert np.array_equal(voxels[:, :, 0].T, np.arange(30).reshape(6, 5) * 8)
    assert (row["dtype"], row["PhotometricInterpretation"]) == ("uint8", "MONOCHROME1")


def test_another_rescale_type_is_the_unit(tmp_path: Path) -> None:
    assert convert(save(tmp_path / "one", slices(RescaleType="Z_EFF")), tmp_path)[1]["units"] == "Z_EFF"
    assert convert(save(tmp_path / "two", slices(RescaleType="US")), tmp_path)[1]["units"] == "unspecified"


def test_an_mr_without_rescale_keeps_its_stored_values(tmp_path: Path) -> None:
    made = stored(77, slices(SOPClassUID=MRImageStorage, Modality="MR"))
    for each in made:
        del each.RescaleSlope, each.RescaleIntercept
    voxels, row = convert(save(tmp_path / "dicom", made), tmp_path)
    assert set(voxels.ravel()) == {77}
    assert row["units"] == "unspecified"


def test_padding_is_kept_and_stated_in_the_voxels_own_values(tmp_path: Path) -> None:
    made = stored(-2000, slices(PixelPaddingValue=-2000))
    voxels, row = convert(save(tmp_path / "dicom", made), tmp_path)
    assert set(voxels.ravel()) == {-3024}
    assert row["padding_range"] == [-3024.0, -3024.0]
    made[1].PixelPaddingValue = -1999
    assert convert(save(tmp_path / "other", made), tmp_path)[1]["padding_range"] is None


def test_loss_is_stated_where_the_header_remembers_it(tmp_path: Path) -> None:
    made = slices()
    assert convert(save(tmp_path / "one", made), tmp_path)[1]["lossy"] is False
    made[1].LossyImageCompression, made[1].LossyImageCompressionRatio = "01", [4, 2.5]
    made[1].LossyImageCompressionMethod = ["ISO_10918_1", "ISO_15444_1"]
    row = convert(save(tmp_path / "two", made), tmp_path)[1]
    assert (row["lossy"], row["LossyImageCompressionRatio"]) == (True, 10.0)
