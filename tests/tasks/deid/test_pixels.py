"""Pixels are released only with every piece of evidence; each missing piece quarantines under its own code."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import ExplicitVRLittleEndian, JPEGLosslessSV1

from tasks.deid.faces.check import FaceCheck
from tasks.deid.pixels import Evidence
from tasks.deid.quarantine import read
from tasks.deid.rules import load
from tasks.deid.stage import DeidentifyStage
from tasks.lake import Lake
from tasks.vault import Vault
from tests.tasks.deid.making import TEST_FILES, ct, encoded, face, spool

JPEG = b"\xff\xd8" + b"%s" + b"\xff\xda\x00\x02" + bytes(8) + b"\xff\xd9"


def refusal(change: Callable[[FileDataset], Any]) -> str:
    dataset = ct()
    change(dataset)
    return Evidence(load("safe_harbor")).refusal(dcmread(BytesIO(encoded(dataset))))


def setting(**values: Any) -> Callable[[FileDataset], None]:
    def change(dataset: FileDataset) -> None:
        for name, value in values.items():
            setattr(dataset, name, value)

    return change


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({}, ""),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1"}, "E-DEID-SOP-CLASS"),
        ({"SOPClassUID": "1.3.12.2.1107.5.9.1"}, "E-DEID-SOP-CLASS"),
        ({"BurnedInAnnotation": "YES"}, ""),  # the looks judge these
        ({"ImageType": ["DERIVED", "SECONDARY"]}, ""),
        ({"Modality": "OT"}, ""),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, ""),
        ({"PhotometricInterpretation": "RGB"}, "E-DEID-PIXELS-UNPROVEN"),
        ({"PhotometricInterpretation": "XYB"}, "E-DEID-PIXELS-UNPROVEN"),
        ({"PhotometricInterpretation": None}, "E-DEID-PIXELS-UNPROVEN"),
        ({"PixelData": b"short"}, "E-DEID-TRUNCATED"),
        ({"PixelData": bytes(32) + b"JOHN DOE"}, "E-DEID-PIXELS-UNPROVEN"),
        ({"Rows": None}, "E-DEID-PIXELS-UNPROVEN"),
        ({"SeriesDescription": "Patient Protocol"}, "E-DEID-BURNED-IN"),
    ],
)
def test_evidence(values: dict[str, Any], code: str) -> None:
    assert refusal(setting(**values)) == code


def test_no_pixels() -> None:
    assert refusal(lambda dataset: dataset.pop("PixelData")) == "E-DEID-NO-PIXELS"


def test_the_catalogue_of_devices_is_asked() -> None:
    dataset = ct()
    dataset.Manufacturer, dataset.ManufacturerModelName = "GE MEDICAL SYSTEMS", "LightSpeed VCT"
    dataset.SeriesDescription = "Dose Report"
    stored = dcmread(BytesIO(encoded(dataset)))
    assert Evidence(load("safe_harbor")).refusal(stored) == "E-DEID-BURNED-IN"


def test_an_overlay_inside_the_pixels_is_not_released() -> None:
    def hide(dataset: FileDataset) -> None:
        dataset.add_new(0x60000100, "US", 16)
        dataset.add_new(0x60000102, "US", 15)

    assert refusal(hide) == "E-DEID-PIXELS-UNPROVEN"


@pytest.mark.parametrize(
    ("segments", "code"),
    [
        (b"", ""), (b"\xff\xfe\x00\x0aJOHN DOE", "E-DEID-PIXELS-UNPROVEN"), (b"\xff\xe1\x00\x0aJOHN DOE", "E-DEID-PIXELS-UNPROVEN"),
        (b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00", ""), (b"\xff\xfe\x00\x10OpenJPEG 2.5.0", ""),
    ],
)  # fmt: skip
def test_comments_in_compressed_frames_must_be_an_encoders(segments: bytes, code: str) -> None:
    assert refusal(lambda dataset: compress(dataset, JPEG % segments)) == code


@pytest.mark.parametrize(
    "segment",
    [
        b"\xff\xe0\x00\x1fJFIF\x00\x01\x01\x00\x00\x01\x00\x01\x04\x01JOHN DOE 4711", b"\xff\xe8\x00\x0aJOHN DOE", b"\xff\xee\x00\x13Adobe JOHN DOE",
        b"\xff\xe8\x00\x10SPIFF\x00JOHN DOE", b"\xff\xfe\x00\x0d4711-081500",
    ],
)  # fmt: skip
def test_what_only_begins_like_a_formats_own_segment_is_not_released(segment: bytes) -> None:
    assert refusal(lambda dataset: compress(dataset, JPEG % segment)) == "E-DEID-PIXELS-UNPROVEN"


def test_a_fragment_more_than_frames_is_not_released() -> None:
    def add(dataset: FileDataset) -> None:
        compress(dataset, JPEG % b"")
        dataset.PixelData = encapsulate([JPEG % b"" + b"\0" * (len(JPEG % b"") % 2), b"JOHN DOE"])

    assert refusal(add) == "E-DEID-PIXELS-UNPROVEN"


def test_a_message_in_the_offset_table_is_not_released() -> None:
    def write(dataset: FileDataset) -> None:
        compress(dataset, JPEG % b"")
        dataset.PixelData = dataset.PixelData.replace(b"\x04\0\0\0\0\0\0\0", b"\x04\0\0\0JOHN", 1)

    assert refusal(write) == "E-DEID-PIXELS-UNPROVEN"


def test_only_one_element_may_hold_pixels() -> None:
    def add(dataset: FileDataset) -> None:
        dataset.add_new(0x7FE00008, "OF", b"JOHN DOE")

    assert refusal(add) == "E-DEID-PIXELS-UNPROVEN"


@pytest.mark.parametrize("compressed", [True, False])
def test_pixels_that_are_not_of_the_stated_transfer_syntax_are_not_released(compressed: bool) -> None:
    def mix(dataset: FileDataset) -> None:
        if compressed:
            compress(dataset, JPEG % b"")
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if compressed else JPEGLosslessSV1

    dataset = ct()
    mix(dataset)
    assert Evidence(load("safe_harbor")).refusal(again(dataset)) == "E-DEID-PIXELS-UNPROVEN"


def again(dataset: FileDataset) -> FileDataset:
    """The data set as it is read from a file, whatever its file meta information says."""
    syntax, dataset.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID, ExplicitVRLittleEndian
    encapsulated = getattr(dataset["PixelData"], "is_undefined_length", False)
    if encapsulated:
        dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    read = dcmread(BytesIO(encoded(dataset)))
    read.file_meta.TransferSyntaxUID = syntax
    return read


def test_text_behind_the_segments_of_an_rle_frame_is_not_released() -> None:
    dataset = dcmread(TEST_FILES / "MR_small_RLE.dcm")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    evidence = Evidence(load("safe_harbor"))
    assert evidence.refusal(dcmread(BytesIO(encoded(dataset)))) == ""
    [frame] = generate_frames(dataset.PixelData, number_of_frames=1)
    dataset.PixelData = encapsulate([frame + b"JOHN DOE"])
    assert evidence.refusal(dcmread(BytesIO(encoded(dataset)))) == "E-DEID-PIXELS-UNPROVEN"


def test_bytes_behind_a_compressed_frame_are_not_released() -> None:
    assert refusal(lambda dataset: compress(dataset, JPEG % b"" + b"JOHN DOE")) == "E-DEID-PIXELS-UNPROVEN"


def compress(dataset: FileDataset, frame: bytes) -> None:
    dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    dataset.PixelData = encapsulate([frame + b"\0" * (len(frame) % 2)])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True


def test_compressed_pixels_are_copied_bit_by_bit(vault: Vault, lake: Lake) -> None:
    original = dcmread(TEST_FILES / "MR_small_jpeg_ls_lossless.dcm")
    original.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    key = spool(vault, [encoded(original)], study=original.StudyInstanceUID)
    assert DeidentifyStage(vault, lake, "safe_harbor").run(key, "", "f").passed == 1
    after = dcmread(BytesIO(lake.read(lake.files("dicom")[0])))
    assert after.PixelData == original.PixelData
    assert (after.pixel_array == original.pixel_array).all()


@pytest.mark.parametrize(
    ("values", "slices", "refused"),
    [
        ({"BodyPartExamined": "CHEST"}, 30, False), ({"BodyPartExamined": "HEAD"}, 30, True), ({"BodyPartExamined": ""}, 30, True),
        ({"BodyPartExamined": "HEAD"}, 9, False), ({"BodyPartExamined": "CHEST", "SeriesDescription": "Kopf nativ"}, 30, True),
        ({"BodyPartExamined": "WHOLEBODY"}, 30, True), ({"BodyPartExamined": "CHEST", "RecognizableVisualFeatures": "YES"}, 30, True),
        ({"BodyPartExamined": "HEAD", "NumberOfFrames": "40"}, 1, True),
        ({"BodyPartExamined": "CHEST", "StudyDescription": "CT Schädel"}, 30, True),
        ({"BodyPartExamined": "CHEST", "ProtocolName": "Tête"}, 30, True),
        ({"BodyPartExamined": "CHEST", "ImageComments": "HEAD_NECK"}, 30, True),
    ],
)  # fmt: skip
def test_series_that_may_show_a_face(values: dict[str, Any], slices: int, refused: bool) -> None:
    check = FaceCheck(load("safe_harbor"))
    dataset = ct()
    setting(**values)(dataset)
    for _ in range(slices):
        check.see("series", dataset)
    assert check.refuses("series") is refused


def test_an_anatomic_region_that_is_the_head_is_believed_more_than_the_body_part() -> None:
    check, dataset, region = FaceCheck(load("safe_harbor")), ct(), Dataset()
    region.CodeValue, region.CodingSchemeDesignator, region.CodeMeaning = "69536005", "SCT", "Head"
    dataset.AnatomicRegionSequence = [region]
    for _ in range(30):
        check.see("series", dataset)
    assert check.refuses("series")


def test_a_head_in_several_small_series_is_one_head() -> None:
    check = FaceCheck(load("safe_harbor"))
    for number in range(12):
        check.see(f"series {number % 4}", ct(body_part="HEAD"))
    for _ in range(30):
        check.see("chest", ct())
    assert [check.refuses(f"series {number}") for number in range(4)] == [True] * 4
    assert not check.refuses("chest")


def test_a_head_is_quarantined_whole_and_kept_where_the_profile_says_so(
    vault: Vault, lake: Lake, bent: Callable[..., str]
) -> None:
    key = spool(vault, [encoded(face(number)) for number in range(1, 11)])
    assert DeidentifyStage(vault, lake, "safe_harbor").run(key, "", "f").passed == 0
    assert set(read(vault, key).values()) == {"E-DEID-FACE-UNPROVEN"}
    assert DeidentifyStage(vault, lake, bent(faces="keep")).run(key, "", "g").passed == 10
    assert read(vault, key) == {}
