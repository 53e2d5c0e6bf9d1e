"""What research computes with is the same on both sides: geometry, pixels, HU, the inputs of SUV that Safe Harbor leaves, b-values, volumes.

SimpleITK reads the original and the released series and is the judge of pixels and geometry; the volumes are those of the stage `volumes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from pydicom.uid import JPEG2000Lossless, MRImageStorage, PositronEmissionTomographyImageStorage, RLELossless
from scipy.spatial.transform import Rotation

from tasks.deid.stage import DeidentifyStage
from tasks.lake import Lake
from tasks.pseudonyms import Pseudonyms
from tasks.vault import Vault
from tasks.volumes.folder import scan
from tasks.volumes.stage import VolumesStage
from tests.tasks.deid.making import spool
from tests.tasks.volumes.made import SERIES, STUDY, instance, positions, save
from tests.tasks.volumes.phantom import mosaic

OBLIQUE = Rotation.from_euler("xyz", [20, -35, 50], degrees=True).as_matrix()[:2].ravel()
SLICES = 7
#: What a series needs to be placed, calibrated and told apart (PS3.3 C.7.6.2, C.7.6.3, C.11.1).
GEOMETRY = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "Rows", "Columns", "BitsAllocated", "BitsStored",
            "HighBit", "PixelRepresentation", "SamplesPerPixel", "PhotometricInterpretation", "InstanceNumber", "RescaleSlope",
            "RescaleIntercept", "Modality", "PatientSex", "PatientAge")  # fmt: skip


def item(**attributes: Any) -> Sequence:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return Sequence([made])


def series(**change: Any) -> list[Dataset]:
    """An oblique series whose every voxel states its own position, with names and dates in it."""
    normal = np.cross(OBLIQUE[:3], OBLIQUE[3:])
    return [
        instance(
            position, OBLIQUE, number=number, rows=40, columns=36, PatientName="Zwiebelturm^Zita", PatientBirthDate="19590412",
            StudyDescription="CHEST Zwiebelturm", AcquisitionDate="20250317", FrameOfReferenceUID="1.3.6.1.4.1.99999.1", **change,
        )
        for number, position in enumerate(positions(SLICES, 2.5 * normal), start=1)
    ]  # fmt: skip


@pytest.fixture
def sides(vault: Vault, lake: Lake, tmp_path: Path) -> Iterator[Any]:
    """A function of a series: its files before, and after by InstanceNumber, through the stage."""

    def both(datasets: list[Dataset]) -> tuple[list[Path], list[Path]]:
        folder = save(tmp_path / "original", datasets)
        before = sorted(folder.iterdir())
        key = spool(vault, [path.read_bytes() for path in before], study=STUDY)
        outcome = DeidentifyStage(vault, lake, "safe_harbor").run(key, "", "f")
        assert outcome.passed == len(datasets), outcome.tally
        root = lake.root
        assert root is not None
        released = [root / path for path in lake.files("dicom")]
        return before, sorted(released, key=lambda path: int(dcmread(path, specific_tags=["InstanceNumber"]).InstanceNumber))

    yield both
    scan.cache_clear()


def image(paths: list[Path]) -> SimpleITK.Image:
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames([str(path) for path in paths])
    return reader.Execute()


def alike(before: list[Path], after: list[Path], names: tuple[str, ...]) -> None:
    for left, right in zip(before, after, strict=True):
        first, second = dcmread(left), dcmread(right)
        for name in names:
            if name in first:
                assert second[name].value == first[name].value, name


@pytest.mark.parametrize("syntax", [None, RLELossless, JPEG2000Lossless], ids=["native", "RLE", "JPEG 2000"])
def test_geometry_pixels_and_hu_are_the_same_by_simpleitk(syntax: str | None, sides: Any) -> None:
    datasets = series(RescaleSlope="1.5", RescaleIntercept="-1000.25", KVP="120", ConvolutionKernel="B31f", RescaleType="HU")
    if syntax:
        for dataset in datasets:
            dataset.PixelRepresentation = 0
            dataset.compress(syntax, generate_instance_uid=False)
    before, after = sides(datasets)
    alike(before, after, (*GEOMETRY, "KVP", "ConvolutionKernel", "RescaleType", "PixelData"))
    ours, theirs = image(after), image(before)
    assert np.array_equal(SimpleITK.GetArrayFromImage(ours), SimpleITK.GetArrayFromImage(theirs))
    assert ours.GetOrigin() == theirs.GetOrigin()
    assert ours.GetSpacing() == theirs.GetSpacing()
    assert ours.GetDirection() == theirs.GetDirection()


def test_volumes_from_both_sides_are_equal_voxel_by_voxel_and_as_simpleitk_reads_them(
    sides: Any, lake: Lake, tmp_path: Path
) -> None:
    before, after = sides(series())
    key = after[0].parts[-3]
    released, original = Lake.open(lake.url), Lake.open(tmp_path / "other")
    assert VolumesStage(released).run(key, "", "f").passed == 1
    assert VolumesStage(original, before[0].parent).run(STUDY, "", "f").passed == 1
    volumes = [next(Path(each.url).joinpath("volumes").rglob("*.nii.gz")) for each in (original, released)]
    first, second = (nibabel.load(path) for path in volumes)
    assert np.array_equal(np.asarray(first.dataobj), np.asarray(second.dataobj))
    assert np.array_equal(first.affine, second.affine)
    assert first.get_data_dtype() == second.get_data_dtype()
    theirs = np.sort(SimpleITK.GetArrayFromImage(image(before)).ravel())
    assert np.array_equal(np.sort(np.asarray(second.dataobj).ravel()), theirs)
    made = SimpleITK.ReadImage(str(volumes[1]))
    for corner in np.ndindex(2, 2, 2):
        index = [int(each * (size - 1)) for each, size in zip(corner, made.GetSize(), strict=True)]
        point = made.TransformIndexToPhysicalPoint(index)
        source = image(before)
        assert made.GetPixel(index) == source.GetPixel(source.TransformPhysicalPointToIndex(point))


def test_the_inputs_of_suv_stay_but_the_times(sides: Any) -> None:
    datasets = series(
        SOPClassUID=PositronEmissionTomographyImageStorage, Modality="PT", Units="BQML", DecayCorrection="START", PatientWeight="71.5",
        PatientSize="1.68", CorrectedImage=["DECY", "ATTN", "SCAT"], FrameReferenceTime="1500.5", ActualFrameDuration="180000",
        DecayFactor="1.0143", DoseCalibrationFactor="1.25", RescaleSlope="1.7532", RescaleIntercept="0",
        SeriesTime="101112", AcquisitionTime="101520",
        RadiopharmaceuticalInformationSequence=item(
            RadionuclideTotalDose="310500000", RadionuclideHalfLife="6586.2", RadionuclidePositronFraction="0.967",
            RadiopharmaceuticalStartTime="091015",
        ),
    )  # fmt: skip
    for dataset in datasets:
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    before, after = sides(datasets)
    names = ("Units", "DecayCorrection", "PatientWeight", "PatientSize", "CorrectedImage", "FrameReferenceTime", "ActualFrameDuration",
             "DecayFactor", "DoseCalibrationFactor", "PixelData")  # fmt: skip
    alike(before, after, (*GEOMETRY, *names))
    left, right = (dcmread(paths[0]).RadiopharmaceuticalInformationSequence[0] for paths in (before, after))
    for name in ("RadionuclideTotalDose", "RadionuclideHalfLife", "RadionuclidePositronFraction"):
        assert right[name].value == left[name].value
    # Safe Harbor takes times: the decay between injection and scan cannot be computed, and docs/deidentify.md says so.
    assert not right.get("RadiopharmaceuticalStartTime")


def test_b_values_and_directions_stay(sides: Any) -> None:
    datasets = series(SOPClassUID=MRImageStorage, Modality="MR", ImageType=["ORIGINAL", "PRIMARY", "DIFFUSION"], EchoTime="61.5",
                      RepetitionTime="5100", FlipAngle="90", MagneticFieldStrength="3", BodyPartExamined="ABDOMEN")  # fmt: skip
    for number, dataset in enumerate(datasets):
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.DiffusionBValue = 125.5 * number
        dataset.DiffusionGradientOrientation = [0.5, -0.5, 0.7071]
        dataset.MRDiffusionSequence = item(DiffusionBValue=125.5 * number, DiffusionDirectionality="DIRECTIONAL")
    before, after = sides(datasets)
    alike(
        before, after, (*GEOMETRY, "DiffusionBValue", "DiffusionGradientOrientation", "EchoTime", "RepetitionTime", "FlipAngle")
    )
    inner = [dcmread(path).MRDiffusionSequence[0] for path in after]
    assert [each.DiffusionBValue for each in inner] == [125.5 * number for number in range(SLICES)]


def test_a_release_that_moves_one_slice_or_one_voxel_is_seen(sides: Any) -> None:
    before, after = sides(series())
    broken = dcmread(after[3])
    broken.ImagePositionPatient = [float(each) + 0.01 for each in broken.ImagePositionPatient]
    broken.save_as(after[3])
    with pytest.raises(AssertionError, match="ImagePositionPatient"):
        alike(before, after, GEOMETRY)
    pixels = bytearray(broken.PixelData)
    pixels[20] ^= 1
    broken.PixelData = bytes(pixels)
    broken.save_as(after[3])
    assert not np.array_equal(SimpleITK.GetArrayFromImage(image(after)), SimpleITK.GetArrayFromImage(image(before)))


def test_the_series_key_is_the_pseudonym_of_the_original(sides: Any, vault: Vault) -> None:
    _, after = sides(series())
    assert {path.parts[-2] for path in after} == {Pseudonyms(vault.site_key()).uid(SERIES)}


def test_a_mosaic_keeps_the_direction_of_its_slices_and_becomes_a_volume(sides: Any, lake: Lake) -> None:
    slices = [mosaic(7, normal=(0, 0, -1))]
    slices[0].PatientName = "Zwiebelturm^Zita"
    _, after = sides(slices)
    outcome = VolumesStage(Lake.open(lake.url)).run(after[0].parts[-3], "", "f")
    assert outcome.passed == 1, outcome.tally
    image = nibabel.load(next((Path(lake.url) / "volumes").rglob("*.nii.gz")))
    assert image.shape == (5, 6, 7)
    assert image.affine[2, 2] == 2.0
