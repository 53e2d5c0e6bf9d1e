"""Identifiers and descriptions are read by the character set of the answer, and patterns go by what a person sees."""

from __future__ import annotations

from io import BytesIO

import pytest
from pydicom.charset import decode_bytes
from pydicom.dataset import Dataset
from pynetdicom.dsutils import decode, encode

from tasks.pacs.asking.answers import fits, number, pattern, study_identifier, text

#: Character sets with text in them, some with a byte 0x5C inside a character of two bytes.
SETS = [
    (["", "ISO 2022 IR 87"], "山田 太郎"), (["", "ISO 2022 IR 87"], "移宮椣"), (["", "ISO 2022 IR 149"], "김희중"), ("GB18030", "王小东"),
    ("GB18030", "帢俓"), ("GBK", "俓"), ("ISO_IR 192", "Größe€"), ("ISO_IR 100", "Größe"), ("ISO_IR 144", "Люкс"), ("", "plain"),
]  # fmt: skip


def sent(dataset: Dataset) -> Dataset:
    """A data set as it comes over the network."""
    received = decode(BytesIO(encode(dataset, True, True) or b""), True, True)
    assert isinstance(received, Dataset)
    return received


def answer(character_set: object, value: str) -> Dataset:
    made = Dataset()
    if character_set:
        made.SpecificCharacterSet = character_set
    made.StudyDescription = made.PatientID = value
    return sent(made)


@pytest.mark.parametrize(("character_set", "value"), SETS)
def test_each_character_set_is_read(character_set: object, value: str) -> None:
    received = answer(character_set, f" {value} ")
    assert text(received, "StudyDescription") == text(received, "PatientID") == value
    assert fits([pattern("*" + value[1:])], text(received, "StudyDescription"))


def test_some_of_these_sets_have_a_backslash_inside_a_character() -> None:
    raw = [answer(character_set, value).get_item("PatientID").value for character_set, value in SETS]  # type: ignore[union-attr]
    assert sum(b"\\" in (each or b"") for each in raw) == 3
    assert decode_bytes("帢".encode("gb18030"), ["gb18030"], set()) == "帢"


@pytest.mark.parametrize(("raw", "value"), [("Größe".encode(), "Größe"), ("Größe".encode("latin-1"), "Größe"), (b"A1  \0", "A1")])
def test_without_a_character_set_it_is_utf_8_or_else_latin_1(raw: bytes, value: str) -> None:
    padded = raw + b" " * (len(raw) % 2)
    received = decode(BytesIO(b"\x10\x00\x20\x00" + len(padded).to_bytes(4, "little") + padded), True, True)
    assert text(received, "PatientID") == value


def test_bytes_that_are_not_of_their_set_are_no_error() -> None:
    made = answer("ISO_IR 192", "abcd")
    made["PatientID"] = made.get_item("PatientID")._replace(value=b"\xff\xfea ")  # type: ignore[union-attr]
    assert text(made, "PatientID").endswith("a")


@pytest.mark.parametrize("said", ["", "x", "-1", "1.5", "²"])
def test_what_is_no_count_is_none(said: str) -> None:
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 192"
    made.AccessionNumber = said
    assert number(sent(made), "AccessionNumber") is None


def test_a_request_states_its_character_set_only_where_it_needs_one() -> None:
    assert "SpecificCharacterSet" not in study_identifier({"PatientID": "A-1"})
    asked = study_identifier({"PatientID": "患者5"})
    assert text(sent(asked), "PatientID") == "患者5"
    assert asked.SpecificCharacterSet == "ISO_IR 192"


@pytest.mark.filterwarnings("error")
def test_an_identifier_longer_than_the_standard_has_it_is_asked_for_as_it_is() -> None:
    assert text(sent(study_identifier({"AccessionNumber": "A" * 40})), "AccessionNumber") == "A" * 40


@pytest.mark.parametrize(
    ("stated", "value", "fitting"),
    [
        ("*thorax*", "CT THORAX nativ", True), ("CT?Thorax", "CT-Thorax", True), ("CT?Thorax", "CTThorax", False),
        ("thorax", "CT Thorax", False), ("*[lung]*", "lung", False), ("*[lung]*", "x[LUNG]y", True), ("größe", "GRÖSSE", True),
        ("gro\u0308ße", "Größe", True), ("a*c", "a\nc", True), ("*", "", True), ("STRASSE", "straße", True),
    ],
)  # fmt: skip
def test_patterns_go_by_the_whole_text_and_by_no_case(stated: str, value: str, fitting: bool) -> None:
    assert fits([pattern(stated)], value) is fitting
