"""What `series` and `instances` say of the acquisition: the classic and the enhanced form alike, real types, and never one image's value for all."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ComputedRadiographyImageStorage, ImplicitVRLittleEndian
from scipy.spatial.transform import Rotation

from data_contracts import instances, series, studies
from tasks.volumes import acquisition
from tasks.volumes.intake import Instance, read
from tests.tasks.volumes.phantom import EnhancedMRImageStorage, enhanced, mr, pet, projection, run, stack

CT = {
    "KVP": 120, "ConvolutionKernel": ["B30f", "1"], "FilterType": "WEDGE", "ScanOptions": "HELICAL", "GantryDetectorTilt": -12.5,
    "XRayTubeCurrent": 200, "Exposure": 80, "ExposureTime": 500, "CTDIvol": 7.5, "DataCollectionDiameter": 500, "ReconstructionDiameter": 350,
    "SpiralPitchFactor": 0.9, "RevolutionTime": 0.5, "SingleCollimationWidth": 0.6, "TotalCollimationWidth": 38.4,
}  # fmt: skip
CT_GROUPS = {
    "CTXRayDetailsSequence": {"KVP": 120, "FilterType": "WEDGE"},
    "CTReconstructionSequence": {"ConvolutionKernel": ["B30f", "1"], "ReconstructionDiameter": 350},
    "CTAcquisitionDetailsSequence": {
        "GantryDetectorTilt": -12.5, "DataCollectionDiameter": 500, "RevolutionTime": 0.5, "SingleCollimationWidth": 0.6,
        "TotalCollimationWidth": 38.4,
    },
    "CTExposureSequence": {"XRayTubeCurrentInmA": 200, "ExposureInmAs": 80, "ExposureTimeInms": 500, "CTDIvol": 7.5},
    "CTTableDynamicsSequence": {"SpiralPitchFactor": 0.9},
}  # fmt: skip
MR = {
    "MagneticFieldStrength": 3, "MRAcquisitionType": "2D", "ScanningSequence": "SE", "SequenceName": "tse2d1_15", "RepetitionTime": 4000,
    "InversionTime": 150, "FlipAngle": 150, "EchoTrainLength": 15, "PixelBandwidth": 200, "ImagingFrequency": 123.2, "ImagedNucleus": "1H",
    "NumberOfAverages": 2, "InPlanePhaseEncodingDirection": "ROW", "ReceiveCoilName": "HEAD",
}  # fmt: skip
MR_GROUPS = {
    "MRTimingAndRelatedParametersSequence": {"RepetitionTime": 4000, "FlipAngle": 150, "EchoTrainLength": 15},
    "MRModifierSequence": {"InversionTimes": 150.0},
    "MRImagingModifierSequence": {"PixelBandwidth": 200, "TransmitterFrequency": 123.2},
    "MRAveragesSequence": {"NumberOfAverages": 2},
    "MRFOVGeometrySequence": {"InPlanePhaseEncodingDirection": "ROW"},
    "MRReceiveCoilSequence": {"ReceiveCoilName": "HEAD"},
}
MR_TOP = {
    "MagneticFieldStrength": 3, "MRAcquisitionType": "2D", "EchoPulseSequence": "SE", "PulseSequenceName": "tse2d1_15", "ResonantNucleus": "1H",
}  # fmt: skip


def told(folder: Path, datasets: list[Dataset]) -> dict[str, Any]:
    """The row of the one series, as it lies in the lake."""
    [row] = run(folder, datasets).lake.table(series.CONTRACT).to_pylist()
    return row


def with_all(slices: list[Dataset], values: dict[str, Any]) -> list[Dataset]:
    for each in slices:
        for keyword, value in values.items():
            setattr(each, keyword, value)
    return slices


def grouped(made: Dataset, groups: dict[str, dict[str, Any]]) -> Dataset:
    shared = made.SharedFunctionalGroupsSequence[0]
    for sequence, values in groups.items():
        item = Dataset()
        for keyword, value in values.items():
            setattr(item, keyword, value)
        setattr(shared, sequence, Items([item]))
    return made


def forms() -> dict[str, tuple[list[Dataset], list[Dataset], set[str]]]:
    ct = with_all(stack(4), CT)
    pure = stack(4)
    mr_slices = with_all(mr(4, EchoTime=90.0, DiffusionBValue=800.0), MR)
    mr_pure = mr(4, EchoTime=90.0, DiffusionBValue=800.0)
    made = grouped(enhanced(mr_pure, EnhancedMRImageStorage, **MR_TOP), MR_GROUPS)
    return {
        "CT": (ct, [grouped(enhanced(pure, ScanOptions="HELICAL"), CT_GROUPS)], set(CT)),
        "MR": (mr_slices, [made], {*MR, "EchoTime", "DiffusionBValue"}),
    }


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_the_classic_and_the_enhanced_form_of_an_acquisition_say_the_same(modality: str, tmp_path: Path) -> None:
    classic, multi, stated = forms()[modality]
    one, other = told(tmp_path / "a", classic), told(tmp_path / "b", multi)
    of_form = {
        "SOPClassUID", "sop_class_name", "n_instances", "series_size_MB", "SeriesInstanceUID", "ImageType", "mixed",
    }  # fmt: skip
    assert {name: value for name, value in one.items() if name not in of_form} == {
        name: value for name, value in other.items() if name not in of_form
    }
    for name in stated:
        assert one.get(name, one.get(f"{name}_min")) is not None, name
    assert (one["mixed"], one["n_instances"], other["n_instances"], other["n_frames"]) == ([], 4, 1, 4)


def test_numbers_are_numbers_and_several_words_are_joined(tmp_path: Path) -> None:
    row = told(tmp_path, with_all(stack(3), CT))
    assert (row["KVP"], row["ConvolutionKernel"], row["GantryDetectorTilt"]) == (120.0, "B30f\\1", -12.5)
    assert (row["Rows"], row["Columns"], row["PixelSpacing_row_mm"], row["PixelSpacing_col_mm"]) == (6, 5, 0.8, 0.5)
    assert (row["sop_class_name"], row["transfer_syntax_name"]) == ("CT Image Storage", "Explicit VR Little Endian")
    assert row["PixelRepresentation"] == "signed"


def test_what_differs_is_null_and_named_and_stands_in_instances(tmp_path: Path) -> None:
    slices = with_all(stack(3), CT)
    slices[1].KVP, slices[2].ConvolutionKernel = 100, "B70f"
    del slices[0].FilterType
    ran = run(tmp_path, slices)
    [row] = ran.lake.table(series.CONTRACT).to_pylist()
    assert (row["KVP"], row["ConvolutionKernel"], row["FilterType"]) == (None, None, None)
    assert row["mixed"] == ["ConvolutionKernel", "FilterType", "KVP"]
    assert sorted(each["KVP"] for each in ran.instances) == [100, 120, 120]
    assert sorted(each["ConvolutionKernel"] for each in ran.instances) == ["B30f\\1", "B30f\\1", "B70f"]


def test_the_same_number_in_other_words_is_the_same(tmp_path: Path) -> None:
    slices = with_all(stack(3), CT)
    slices[0].KVP, slices[1].KVP, slices[2].KVP = "120", "120.0", "1.2E2"
    assert told(tmp_path, slices)["KVP"] == 120


def test_lists_hold_every_value_once_and_ranges_the_ends(tmp_path: Path) -> None:
    slices = [each for b in (800, 0, 800) for each in mr(2, DiffusionBValue=float(b), EchoTime=90 + b / 800)]
    for number, each in enumerate(slices):
        each.SOPInstanceUID = each.file_meta.MediaStorageSOPInstanceUID = f"2.25.{7000 + number}"
        each.XRayTubeCurrentInuA = 1000 * (number + 1)
    row = told(tmp_path, slices)
    assert (row["DiffusionBValue"], row["EchoTime"]) == ([0.0, 800.0], [90.0, 91.0])
    assert (row["XRayTubeCurrent_min"], row["XRayTubeCurrent_max"]) == (1.0, 6.0)
    assert row["mixed"] == []


@pytest.mark.parametrize(("group", "creator", "element", "vr", "stated"), [
    (0x0019, "SIEMENS MR HEADER", 0x0C, "IS", 1000),
    (0x2001, "Philips Imaging DD 001", 0x03, "FL", 1000.0),
    (0x0043, "GEMS_PARM_01", 0x39, "IS", [1000001000, 8, 0, 0]),
])  # fmt: skip
def test_a_vendors_b_value_counts_where_the_standards_is_not_there(group, creator, element, vr, stated, tmp_path: Path) -> None:
    slices = mr(3)
    for each in slices:
        each.private_block(group, creator, create=True).add_new(element, vr, stated)
    ran = run(tmp_path, slices)
    assert ran.lake.table(series.CONTRACT)["DiffusionBValue"].to_pylist() == [[1000.0]]
    assert {each["DiffusionBValue"] for each in ran.instances} == {1000.0}


def drug(**values: Any) -> Dataset:
    item = Dataset()
    item.Radiopharmaceutical, item.RadionuclideTotalDose, item.RadionuclideHalfLife = "FDG", 3.5e8, 6586.2
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "C-111A1", "SRT", "^18^Fluorine"
    item.RadionuclideCodeSequence = Items([code])
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def test_pet_says_what_was_given_and_what_was_corrected(tmp_path: Path) -> None:
    slices = pet(
        3, CorrectedImage=["ATTN", "DECY"], DecayCorrection="START", SeriesType=["STATIC", "IMAGE"], ActualFrameDuration=120000,
        RadiopharmaceuticalInformationSequence=Items([drug()]),
    )  # fmt: skip
    row = told(tmp_path / "one", slices)
    assert (row["CorrectedImage"], row["DecayCorrection"], row["SeriesType"]) == ("ATTN\\DECY", "START", "STATIC\\IMAGE")
    assert (row["Radiopharmaceutical"], row["RadionuclideCodeMeaning"]) == ("FDG", "^18^Fluorine")
    assert (row["RadionuclideTotalDose"], row["RadionuclideHalfLife"]) == (3.5e8, 6586.2)
    assert row["ActualFrameDuration"] == [120000.0]
    for each in slices:
        each.RadiopharmaceuticalInformationSequence = Items([drug(), drug(Radiopharmaceutical="Ga-68")])
    assert told(tmp_path / "two", slices)["Radiopharmaceutical"] is None


def test_projections_say_from_where_they_are_seen(tmp_path: Path) -> None:
    made = projection(
        ComputedRadiographyImageStorage, "CR", ViewPosition="PA", PatientOrientation=["L", "F"], ImagerPixelSpacing=[0.2, 0.1],
        ExposureInuAs=2500,
    )  # fmt: skip
    row = told(tmp_path, [made])
    assert (row["ViewPosition"], row["PatientOrientation"]) == ("PA", "L\\F")
    assert (row["ImagerPixelSpacing_row_mm"], row["ImagerPixelSpacing_col_mm"], row["Exposure_max"]) == (0.2, 0.1, 2.5)
    assert (row["regularly_spaced_3d_volume"], row["single_orientation"]) == (None, None)


@pytest.mark.parametrize("broken", ["", "nan", "inf", "1e999", "12O"])
def test_what_cannot_be_read_is_null(broken: str, tmp_path: Path) -> None:
    slices = stack(3)
    with pydicom.config.disable_value_validation():
        for each in slices:
            each.add_new("ProtocolName", "LO", "  ")
            each.add(pydicom.DataElement(0x00180060, "DS", None))
        source = tmp_path / "dicom"
        run(tmp_path, slices)
    for file in source.iterdir():
        content = file.read_bytes()
        at = content.index(b"\x18\x00\x60\x00DS")
        value = broken.encode().ljust(len(broken) + len(broken) % 2)
        file.write_bytes(content[: at + 6] + len(value).to_bytes(2, "little") + value + content[at + 8 :])
    members = [found for file in source.iterdir() if (found := read(file))]
    row = acquisition.of_series(members)
    assert (row["KVP"], row["ProtocolName"], row["mixed"]) == (None, None, [])


def test_no_column_holds_a_uid_that_we_did_not_make(tmp_path: Path) -> None:
    foreign = "1.2.840.113619.2.55.3"
    row = told(tmp_path / "foreign", with_all(stack(3), {"FrameOfReferenceUID": foreign}))
    assert row["FrameOfReferenceUID"] is None
    assert foreign not in str(row)
    assert told(tmp_path / "ours", with_all(stack(3), {"FrameOfReferenceUID": "2.25.5"}))["FrameOfReferenceUID"] == "2.25.5"


def test_every_column_is_filled_by_one_of_the_readers(tmp_path: Path) -> None:
    [path] = run(tmp_path, [projection(ComputedRadiographyImageStorage, "CR")]).lake.root.glob("../dicom/*.dcm")
    [member] = [read(path)]
    assert isinstance(member, Instance)
    keys = {"StudyInstanceUID", "PatientID", "SeriesInstanceUID"}
    made = {*acquisition.of_series([member]), *acquisition.outcome([])}
    assert made == {column.name for column in series.CONTRACT.columns} - keys
    assert set(acquisition.of_instances([member])[0]) <= {column.name for column in instances.CONTRACT.columns}


def test_what_became_of_a_series_is_counted_and_adds_up_in_its_study(tmp_path: Path) -> None:
    good, bad = with_all(stack(4), {}), with_all(stack(4), {"SeriesInstanceUID": "2.25.201"})
    for number, each in enumerate(bad):
        each.SOPInstanceUID = each.file_meta.MediaStorageSOPInstanceUID = f"2.25.{8000 + number}"
    bad[1].PixelData = bad[1].PixelData[:-2]
    ran = run(tmp_path, [*good, *bad])
    rows = {row["SeriesInstanceUID"]: row for row in ran.lake.table(series.CONTRACT).to_pylist()}
    first, second = rows["2.25.200"], rows["2.25.201"]
    assert (first["n_volumes"], first["n_quarantined"], first["reason_codes"]) == (1, 0, [])
    assert (second["n_volumes"], second["n_resampled"]) == (0, 0)
    assert second["reason_codes"] == sorted({row["reason_code"] for row in ran.rows if row["SeriesInstanceUID"] == "2.25.201"})
    assert second["n_quarantined"] == 1
    [study] = ran.lake.table(studies.CONTRACT).to_pylist()
    assert (study["n_series"], study["n_volumes"], study["n_quarantined"]) == (2, 1, 1)
    assert first["series_size_MB"] == pytest.approx(
        sum(f.stat().st_size for f in sorted((tmp_path / "dicom").iterdir())[:4]) / 1e6
    )


def test_an_implicit_file_says_what_an_explicit_one_says(tmp_path: Path) -> None:
    explicit = with_all(stack(3), CT)
    implicit = deepcopy(explicit)
    for each in implicit:
        each.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    one, other = told(tmp_path / "a", explicit), told(tmp_path / "b", implicit)
    differing = {name for name in one if one[name] != other[name]}
    assert differing <= {"TransferSyntaxUID", "transfer_syntax_name", "series_size_MB"}


# ---- how the images lie, in IDC's terms ---------------------------------------------------------------------------------

OBLIQUE = Rotation.from_euler("xyz", [20, -35, 50], degrees=True).as_matrix()
OTHER = Rotation.from_euler("x", 30, degrees=True).as_matrix()


def moved(slices: list[Dataset], number: int, by: tuple[float, float, float]) -> list[Dataset]:
    place = slices[number].ImagePositionPatient
    slices[number].ImagePositionPatient = [float(a) + b for a, b in zip(place, by, strict=True)]
    return slices


def wider(slices: list[Dataset]) -> list[Dataset]:
    slices[0].PixelSpacing = [0.8, 0.6]
    return slices


#: What is false of a series, and how it is made.
LIES: dict[str, tuple[Callable[[], list[Dataset]], set[str]]] = {
    "regular": (lambda: stack(5), set()),
    "oblique": (lambda: stack(5, orientation=OBLIQUE[:2].ravel(), step=2 * OBLIQUE[2]), set()),
    "tilted": (lambda: stack(5, step=np.array([0, 0.5, 2.0])), {"consistent_in_plane_col"}),
    "pushed": (lambda: moved(stack(5), 2, (0.2, 0, 0)), {"consistent_in_plane_row"}),
    "a little pushed": (lambda: moved(stack(5), 2, (0.09, 0, 0)), set()),
    "uneven": (lambda: moved(stack(5), 2, (0, 0, 0.1)), {"uniform_slice_spacing"}),
    "a little uneven": (lambda: moved(stack(5), 2, (0, 0, 0.01)), set()),
    "twice": (lambda: moved(stack(5), 2, (0, 0, 2.0)), {"unique_slice_positions", "uniform_slice_spacing"}),
    "wider": (lambda: wider(stack(5)), {"consistent_pixel_spacing"}),
}


@pytest.mark.parametrize("name", LIES)
def test_each_flag_is_false_where_its_property_does_not_hold(name: str, tmp_path: Path) -> None:
    make, broken = LIES[name]
    row = told(tmp_path, make())
    flags = [column.name for column in series.CONTRACT.columns if str(column.type) == "bool"]
    assert {flag for flag in flags if row[flag] is False} - {"regularly_spaced_3d_volume"} == broken
    assert row["regularly_spaced_3d_volume"] is (not broken)
    assert (row["origin_patient"] is None) is bool(broken)


def test_one_image_is_no_volume_and_images_without_a_place_are_not_judged(tmp_path: Path) -> None:
    assert told(tmp_path / "one", stack(1))["regularly_spaced_3d_volume"] is None
    placeless = stack(3)
    del placeless[1].ImagePositionPatient
    row = told(tmp_path / "none", placeless)
    assert (row["single_orientation"], row["unique_slice_positions"], row["regularly_spaced_3d_volume"]) == (True, None, None)


@settings(max_examples=6, deadline=None)
@given(angles=st.tuples(*[st.integers(-179, 179)] * 3), step=st.sampled_from([0.6, 2.0, 5.0]))
def test_origin_orientation_and_spacing_are_those_of_the_file(angles, step, tmp_path_factory: pytest.TempPathFactory) -> None:
    turned = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    ran = run(tmp_path_factory.mktemp("lies"), stack(4, orientation=turned[:2].ravel(), step=step * turned[2]))
    [row] = ran.lake.table(series.CONTRACT).to_pylist()
    affine = ran.image(ran.rows[0]).affine
    cosines = np.array(row["ImageOrientationPatient"])
    columns = (
        cosines[:3] * row["PixelSpacing_col_mm"], cosines[3:] * row["PixelSpacing_row_mm"],
        np.cross(cosines[:3], cosines[3:]) * row["slice_spacing_mm"], row["origin_patient"],
    )  # fmt: skip
    ours = np.diag([-1, -1, 1]) @ np.stack(columns, axis=1)
    np.testing.assert_allclose(ours, affine[:3], atol=1e-3)
    corner = max(abs(turned[2]))
    assert row["obliquity_degrees"] == pytest.approx(np.degrees(np.arccos(min(corner, 1))), abs=0.02)
    assert nibabel.affines.voxel_sizes(affine)[2] == pytest.approx(row["slice_spacing_mm"], abs=1e-3)
