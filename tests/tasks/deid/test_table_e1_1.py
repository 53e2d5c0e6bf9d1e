"""Every row of PS3.15 Table E.1-1: a planted value meets what the row's code allows. The oracle is the table's text, not our reading of it."""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from tasks.deid.header import Rewriter, encode
from tasks.deid.rules import load
from tasks.pseudonyms import Pseudonyms
from tests.tasks.deid.making import ct, element

PLANTED: dict[str, Any] = {
    "DA": "19640229", "TM": "113355", "DT": "19640229113355", "AS": "077Y", "UI": "1.3.6.1.4.1.99999.5.5", "CS": "GEHEIM", "DS": "4711.5",
    "IS": "47115", "US": 47115, "UL": 47115, "SS": 4711, "FD": 4711.5, "FL": 4711.5, "OB": b"GEHEIM", "OW": b"GEHEIM", "UN": b"GEHEIM",
    "AT": 0x00100010, "SV": 47115, "SL": 47115, "UV": 47115, "OF": b"GEHE", "OD": b"GEHEIMER", "OL": b"GEHE", "OV": b"GEHEIMER",
}  # fmt: skip
OPTIONS = ("retain_patient_characteristics", "retain_longitudinal_modified_dates")


@cache
def rows() -> dict[int, dict[str, str]]:
    text = files("configs").joinpath("standards", "ps3_15_table_e1_1_2026d.csv").read_text("utf-8")
    every = csv.DictReader(text.splitlines())
    return {int(row["tag"], 16): row for row in every if re.fullmatch("[0-9A-F]{8}", row["tag"])}


@cache
def vr_of(tag: int) -> str:
    return dictionary_VR(tag).split(" or ")[0] if dictionary_has_tag(tag) else "LO"


def plant(vr: str) -> Any:
    if vr == "SQ":
        item = Dataset()
        item.TextValue = "GEHEIM"
        item.PatientName = "GEHEIM"
        return Sequence([item])
    return PLANTED.get(vr, "GEHEIM^Gerda" if vr == "PN" else "GEHEIM")


@cache
def released() -> tuple[Dataset, bytes]:
    """All rows planted in one data set, de-identified and read back."""
    dataset = ct()
    for tag in rows():
        if tag >> 16 in (0x0000, 0x0002) or tag in (0x00080018, 0x0020000D, 0x0020000E, 0x00100010, 0x00100020):
            continue
        dataset[tag] = element(tag, vr_of(tag), plant(vr_of(tag)))
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    read = dcmread(BytesIO(buffer.getvalue()))
    Rewriter(load("safe_harbor"), Pseudonyms(b"k" * 32)).rewrite(read, "SL-AAAAAAAAAAAA")
    header, pixels = encode(read)
    assert read.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    return dcmread(BytesIO(header + pixels)), header


DECIDED_BY_TESTS_OF_THEIR_OWN = {0x00100010, 0x00100020, 0x00080018, 0x0020000D, 0x0020000E}


@pytest.mark.parametrize("tag", [tag for tag in rows() if tag >> 16 not in (0x0000, 0x0002)], ids=lambda tag: f"{tag:08X}")
def test_a_planted_value_meets_its_rows_code(tag: int) -> None:
    dataset, _ = released()
    row, vr = rows()[tag], vr_of(tag)
    granted = {row[option] for option in OPTIONS} - {""}
    ends = set(row["basic"].split("/"))
    value = dataset[tag].value if tag in dataset else None
    if "K" in granted or (tag in DECIDED_BY_TESTS_OF_THEIR_OWN):
        assert "GEHEIM" not in str(value)
        return
    if "C" in granted and vr in ("DA", "DT"):
        assert str(value) == ("19640101" if vr == "DA" else "1964")
        return
    if tag not in dataset:
        assert "X" in ends or vr in ("OB", "OW", "UN") or not dictionary_has_tag(tag)
    elif vr == "SQ":
        assert ends & {"Z", "D", "U", "U*"}
        assert all("GEHEIM" not in str(item) for item in value)
    elif value in (None, ""):
        assert "Z" in ends
    else:
        assert ends & {"D", "U"}
        assert str(value) != str(plant(vr))
        assert vr != "UI" or str(value).startswith("2.25.")


def test_no_planted_text_is_left_anywhere() -> None:
    _, header = released()
    assert b"GEHEIM" not in header.upper()
    assert b"1.3.6.1.4.1.99999" not in header
    assert b"19640229" not in header


def test_the_table_has_all_its_rows() -> None:
    assert len(rows()) == 653
