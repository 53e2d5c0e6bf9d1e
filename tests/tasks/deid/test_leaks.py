"""Identifiers planted wherever DICOM has room for them are not in the release: not in its bytes, not in its decoded values."""

from __future__ import annotations

import json
from io import BytesIO

import pydicom
import pytest
from pydicom import Dataset

from tasks.deid.stage import DeidentifyStage
from tasks.lake import Lake
from tasks.vault import Vault
from tests.tasks.deid.making import PLANTED, ct, encoded, planted, spool


@pytest.fixture
def released(vault: Vault, lake: Lake) -> bytes:
    key = spool(vault, [planted()])
    outcome = DeidentifyStage(vault, lake, "safe_harbor").run(key, "", "f")
    listed = vault.quarantine / key / "quarantine.json"
    assert outcome.passed == 1, listed.read_text() if listed.exists() else outcome
    [path] = list(lake.files("dicom"))
    return lake.read(path)


def decoded(dataset: Dataset) -> str:
    return "\n".join(f"{element.tag} {element.VR} {element.value!r}" for element in dataset.iterall())


def test_the_planted_file_really_holds_them_all() -> None:
    content = planted()
    assert [text for text in PLANTED if text.encode() not in content.replace(b"\0", b"")] == []


def test_no_planted_identifier_is_in_the_bytes(released: bytes) -> None:
    folded = released.lower()
    for text in PLANTED:
        for encoding in ("utf-8", "latin-1", "utf-16-le", "utf-16-be"):
            assert text.lower().encode(encoding) not in folded, text


def test_no_planted_identifier_is_in_the_decoded_values(released: bytes) -> None:
    said = decoded(pydicom.dcmread(BytesIO(released))).lower()
    assert [text for text in PLANTED if text.lower() in said] == []


def test_nothing_private_unknown_or_behind_the_pixels_is_left(released: bytes) -> None:
    dataset = pydicom.dcmread(BytesIO(released))
    tags = [element.tag for element in dataset.iterall()]
    assert not [tag for tag in tags if tag.is_private or tag.group >> 8 in (0x50, 0x60) or tag > 0x7FE00010 or tag.element == 0]
    assert released[:128] == b"\0" * 128
    assert released.endswith(bytes(range(32)))
    assert "SourceApplicationEntityTitle" not in dataset.file_meta
    assert set(dataset.file_meta.keys()) == {0x00020000, 0x00020001, 0x00020002, 0x00020003, 0x00020010, 0x00020012, 0x00020013}


def test_what_research_needs_is_kept(released: bytes) -> None:
    before, after = ct(), pydicom.dcmread(BytesIO(released))
    for name in ("Rows", "PixelSpacing", "ImagePositionPatient", "RescaleSlope", "RescaleIntercept", "SliceThickness", "ConvolutionKernel",
                 "Manufacturer", "ManufacturerModelName", "BodyPartExamined", "PatientSex", "PatientAge", "KVP", "PixelData"):  # fmt: skip
        assert after[name].value == before[name].value, name


def test_neither_paths_nor_tables_nor_manifests_hold_an_identifier(released: bytes, lake: Lake) -> None:
    for path in lake.files(""):
        content = lake.read(path)
        assert not [text for text in PLANTED if text in path or (path.endswith(".json") and text in content.decode())]
    audit = lake.table(__import__("data_contracts.deid_audit", fromlist=["CONTRACT"]).CONTRACT)
    text = json.dumps(audit.to_pylist())
    assert not [each for each in PLANTED if each in text]
    assert {"private", "E.1-1", "year only", "text list", "codes"} <= set(audit["rule"].to_pylist())


def test_text_in_a_character_set_that_is_not_latin_goes_too(vault: Vault, lake: Lake) -> None:
    dataset = ct()
    dataset.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    dataset.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    dataset.PatientComments = "山田 太郎"
    key = spool(vault, [encoded(dataset)])
    assert DeidentifyStage(vault, lake, "safe_harbor").run(key, "", "f").passed == 1
    content = lake.read(lake.files("dicom")[0])
    assert b"Yamada" not in content
    assert "山田".encode("iso2022_jp")[3:-3] not in content
    assert b"ISO 2022" not in content
