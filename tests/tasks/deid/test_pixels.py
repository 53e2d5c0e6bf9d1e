"""Pixels are released only with every piece of evidence; each missing piece quarantines under its own code."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLosslessSV1

from tasks.deid.pixels import Evidence, FaceCheck
from tasks.deid.quarantine import read
from tasks.deid.rules import load
from tasks.deid.stage import DeidentifyStage
from tasks.lake import Lake
from tasks.vault import Vault
from tests.tasks.deid.making import TEST_FILES, ct, encoded, spool

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
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "E-DEID-SOP-CLASS"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1"}, "E-DEID-SOP-CLASS"),
        ({"SOPClassUID": "1.3.12.2.1107.5.9.1"}, "E-DEID-SOP-CLASS"),
        ({"BurnedInAnnotation": "YES"}, "E-DEID-BURNED-IN"),
        ({"BurnedInAnnotation": "yes "}, "E-DEID-BURNED-IN"),
        ({"ImageType": ["DERIVED", "SECONDARY"]}, "E-DEID-PIXELS-UNPROVEN"),
        ({"ImageType": ["ORIGINAL", "SECONDARY"]}, "E-DEID-PIXELS-UNPROVEN"),
        ({"ImageType": None}, "E-DEID-PIXELS-UNPROVEN"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "E-DEID-PIXELS-UNPROVEN"),
        ({"Modality": "OT"}, "E-DEID-PIXELS-UNPROVEN"),
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


def test_the_catalogue_of_devices_is_asked(bent: Callable[..., str]) -> None:
    dataset = ct()
    dataset.Manufacturer, dataset.ManufacturerModelName = "GE MEDICAL SYSTEMS", "LightSpeed VCT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    stored = dcmread(BytesIO(encoded(dataset)))
    assert Evidence(load("safe_harbor")).refusal(stored) == "E-DEID-BURNED-IN"
    without = bent(pixels={"burned_in_catalogue": False})
    assert Evidence(load(without)).refusal(stored) == ""


def test_an_overlay_inside_the_pixels_is_not_released() -> None:
    def hide(dataset: FileDataset) -> None:
        dataset.add_new(0x60000100, "US", 16)
        dataset.add_new(0x60000102, "US", 15)

    assert refusal(hide) == "E-DEID-PIXELS-UNPROVEN"


@pytest.mark.parametrize(
    ("segments", "code"),
    [
        (b"", ""), (b"\xff\xfe\x00\x0aJOHN DOE", "E-DEID-PIXELS-UNPROVEN"), (b"\xff\xe1\x00\x0aJOHN DOE", "E-DEID-PIXELS-UNPROVEN"),
        (b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00", ""), (b"\xff\xfe\x00\x0fOpenJPEG 2.5.0", ""),
    ],
)  # fmt: skip
def test_comments_in_compressed_frames_must_be_an_encoders(segments: bytes, code: str) -> None:
    assert refusal(lambda dataset: compress(dataset, JPEG % segments)) == code


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
    ],
)  # fmt: skip
def test_series_that_may_show_a_face(values: dict[str, Any], slices: int, refused: bool) -> None:
    check = FaceCheck(load("safe_harbor"))
    dataset = ct()
    setting(**values)(dataset)
    for _ in range(slices):
        check.see("series", dataset)
    assert check.refuses("series") is refused


def test_a_head_is_quarantined_whole_and_kept_where_the_profile_says_so(
    vault: Vault, lake: Lake, bent: Callable[..., str]
) -> None:
    key = spool(vault, [encoded(ct(number, body_part="HEAD")) for number in range(1, 11)])
    assert DeidentifyStage(vault, lake, "safe_harbor").run(key, "", "f").passed == 0
    assert set(read(vault, key).values()) == {"E-DEID-FACE-UNPROVEN"}
    assert DeidentifyStage(vault, lake, bent(faces="keep")).run(key, "", "g").passed == 10
    assert read(vault, key) == {}
