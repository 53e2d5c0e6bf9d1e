"""A study's identifiers are found wherever they stand and however they are written; what is no identifier holds no study back."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.sequence import Sequence

from tasks.deid.identifiers import Identifiers, fold
from tasks.deid.rules import load
from tasks.dicom.instances import of_bytes
from tests.tasks.deid.making import PLANTED, ct, element, encoded, planted


def collected(dataset: Any) -> Identifiers:
    identifiers = Identifiers(load("safe_harbor"))
    identifiers.collect(of_bytes(dataset if isinstance(dataset, bytes) else encoded(dataset)))
    return identifiers


def of(**attributes: Any) -> Identifiers:
    """The identifiers of a CT with these attributes."""
    dataset = ct()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return collected(dataset)


def private(vr: str, value: Any) -> Identifiers:
    dataset = ct()
    dataset.add_new(0x00090010, "LO", "SOME VENDOR")
    dataset[0x00091001] = element(0x00091001, vr, value)
    return collected(dataset)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Mustermann^Erika", {"mustermann", "erika"}), ("Müller-Lüdenscheidt^Ånn Sofie", {"muller", "ludenscheidt", "ann", "sofie"}),
        ("VAN DER BERG^JAN", {"van", "der", "berg", "jan"}), ("O'Neill^Siobhán", {"neill", "siobhan"}), ("Strauß^Ida", {"strauss", "ida"}),
        ("Li^Wu", set()), ("Chest^Siemens", set()), ("^^^^", set()),
    ],
)  # fmt: skip
def test_the_parts_of_a_name(name: str, words: set[str]) -> None:
    dataset = ct()
    dataset.ReferringPhysicianName, dataset.PatientName = "", name
    for keyword in ("PatientID", "AccessionNumber", "StudyID"):
        setattr(dataset, keyword, "")
    found = collected(dataset).words  # beside them, what another character set would make of letters that are not ASCII
    assert words <= found
    assert found == words or not name.isascii()


def test_names_in_japanese_are_found_in_each_writing() -> None:
    found = of(SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう")
    assert {"yamada", "tarou", "山田", "太郎", fold("やまだ"), fold("たろう")} <= found.words


def test_a_name_in_another_character_set_than_is_stated_is_found() -> None:
    dataset = ct()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset[0x00100010] = element(0x00100010, "LO", "Müstermann^Éva".encode())  # UTF-8; LO, since pydicom would encode a PN
    content = encoded(dataset).replace(b"\x10\x00\x10\x00LO", b"\x10\x00\x10\x00PN")
    assert {"mustermann", "eva"} <= collected(content).words


@given(st.dates(date(1900, 1, 2), date(2099, 12, 31)).filter(lambda day: (day.month, day.day) != (1, 1)))
def test_a_date_is_known_in_every_usual_spelling(day: date) -> None:
    identifiers = of(PatientBirthDate=f"{day:%Y%m%d}")
    plain = f"{day.day}.{day.month}.{day.year}"
    for form in (
        "%Y%m%d",
        "%d%m%Y",
        "%m%d%Y",
        "%Y-%m-%d",
        "%d.%m.%Y",
        "%m/%d/%Y",
        "%d/%m/%Y",
        "%d-%m-%Y",
        "%Y/%m/%d",
        "%Y.%m.%d",
    ):
        assert day.strftime(form) in identifiers.dates, form
    assert plain in identifiers.dates


def test_the_way_a_year_is_released_is_no_date_of_anybody() -> None:
    assert "20210101" not in of(StudyDate="20210101").dates
    assert "01.01.2021" in of(StudyDate="20210101").dates


@pytest.mark.parametrize(
    "text", ["seen 2021-03-19", "seen 19.3.2021", "seen 03/19/2021", "ID_20210319_1", "at 20210319101112", "on 19/03/2021."]
)
def test_a_date_in_a_text_is_found(text: str) -> None:
    found = of(ImageComments=text)
    assert "19.03.2021" in found.dates or "20210319101112" in found.words, text


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"PatientID": "MRN-0047/110"}, {"mrn-0047/110"}), ({"PatientID": "0047110"}, {"0047110"}), ({"PatientID": "47B"}, {"47b"}),
        ({"OtherPatientIDs": ["4711000", "A998877"]}, {"4711000", "a998877"}), ({"StationName": "CT-EAST-7"}, {"ct-east-7", "east"}),
        ({"InstitutionName": "St. Barbara Klinikum"}, {"st. barbara klinikum", "barbara", "klinikum"}),
        ({"DeviceSerialNumber": "A64-0071123"}, {"a64-0071123", "0071123"}), ({"IssuerOfPatientID": "LUKAS"}, {"lukas"}),
        ({"PatientAddress": "Lindenstrasse 19"}, {"lindenstrasse 19", "lindenstrasse"}),
    ],
)  # fmt: skip
def test_identifying_attributes_are_known_whole_and_in_parts(attributes: dict[str, Any], words: set[str]) -> None:
    found = of(**attributes)
    assert words <= found.words | found.long


@pytest.mark.parametrize(
    ("text", "long"),
    [
        ("write to erika.m@post.example please", "erika.m@post.example"), ("see https://mpi.example/p/4711", "https://mpi.example/p/4711"),
        ("call +49 89 4711 0815", "+49 89 4711 0815"), ("call (555) 471-0815 now", "555) 471-0815"), ("by Quacksalber^Otto", "quacksalber^otto"),
    ],
)  # fmt: skip
def test_contacts_and_names_in_a_text_are_found(text: str, long: str) -> None:
    assert long in of(ImageComments=text).long


@pytest.mark.parametrize("text", ["case 4711081", "case AB4711X9", "acc.4711081,"])
def test_numbers_in_a_text_are_found(text: str) -> None:
    assert {"4711081", "ab4711x9"} & of(ImageComments=text).words


@pytest.mark.parametrize(
    "text",
    ["slice 12 of 40", "120 kV, 1.5 mm", "AS+ 64", "CT CHEST W CONTRAST", "0000000", "REMOVED", "see page 1234"],
)
def test_ordinary_words_and_small_numbers_are_no_identifiers(text: str) -> None:
    dataset = ct()
    before = collected(dataset)
    dataset.ImageComments = text
    after = collected(dataset)
    assert (after.words, after.long, after.dates) == (before.words, before.long, before.dates)


def test_only_identifying_numbers_of_five_digits_and_more_may_not_be_a_number_string() -> None:
    assert of(PatientID="0047110", AccessionNumber="1234", ImageComments="99887766").numbers == {"0047110"}


def test_uids_of_the_hospital_are_known_and_those_of_the_standard_are_not() -> None:
    found = of(ImageComments="from 1.3.6.1.4.1.99999.77.4, class 1.2.840.10008.5.1.4.1.1.2")
    assert {"1.3.6.1.4.1.99999.77.1001", "1.3.6.1.4.1.99999.77.1002", "1.3.6.1.4.1.99999.77.4"} <= found.uids
    assert not [uid for uid in found.uids if uid.startswith("1.2.840.10008.")]


def test_a_code_of_the_standard_is_nobodys_number() -> None:
    item, local = Dataset(), Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "51185008", "SCT", "Chest"
    local.CodeValue, local.CodingSchemeDesignator, local.CodeMeaning = "47118008", "99X", "x"
    found = of(AnatomicRegionSequence=Sequence([item, local]))
    assert "51185008" not in found.words
    assert "47118008" in found.words


def test_what_is_nested_is_found() -> None:
    inner, outer = Dataset(), Dataset()
    inner.PatientName = "Zwiebelturm^Zita"
    outer.ModifiedAttributesSequence = Sequence([inner])
    assert {"zwiebelturm", "zita"} <= of(OriginalAttributesSequence=Sequence([outer])).words


@pytest.mark.parametrize(
    ("vr", "value"),
    [
        ("LT", "Zwiebelturm^Zita"), ("PN", "Zwiebelturm^Zita"), ("OB", b"\1\0HDR\0Zwiebelturm^Zita\0"), ("UN", b"Zwiebelturm^Zita "),
        ("OB", "Zwiebelturm^Zita".encode("utf-16-le")), ("UN", "Zwiebelturm^Zita".encode("utf-16-be")),
    ],
)  # fmt: skip
def test_a_name_in_private_data_is_found(vr: str, value: Any) -> None:
    assert {"zwiebelturm", "zita"} <= private(vr, value).words


def test_the_sender_in_the_file_meta_is_found_and_the_software_is_not() -> None:
    dataset = ct()
    dataset.file_meta.SourceApplicationEntityTitle = "BARBARA_CT1"
    dataset.file_meta.ImplementationVersionName = "EVILSOFT_1"
    found = collected(dataset)
    assert "barbara_ct1" in found.long
    assert "evilsoft_1" not in found.long | found.words


def test_collecting_twice_adds_nothing() -> None:
    identifiers = collected(planted())
    before = {name: set(getattr(identifiers, name)) for name in ("words", "numbers", "long", "dates", "uids")}
    identifiers.collect(of_bytes(planted()))
    assert {name: getattr(identifiers, name) for name in before} == before


def test_what_identifies_in_the_planted_file_is_known() -> None:
    identifiers = collected(planted())
    every = " ".join([*identifiers.words, *identifiers.long, *identifiers.dates, *identifiers.uids])
    unknown = {text for text in PLANTED if fold(text) not in every}
    assert unknown.isdisjoint({
        "Zwiebelturm", "MRN0047110", "ACC8815522", "7741", "Quacksalber", "Mustermann", "Erika", "19370412", "20210317", "Lindenstrasse 19",
        "+49 89 4711 0815", "St. Barbara Klinikum", "STATIONXQ7", "SERIAL99817", "Krankenschwester", "Operatorin", "Lutheraner",
        "SENDERAET", "VORHER", "Mutterlein", "1.3.6.1.4.1.99999.77.3001", "1.3.6.1.4.1.99999.77.1001",
    })  # fmt: skip


@pytest.mark.timeout(120)  # a second is usual; it was a minute for a quarter of it
@pytest.mark.parametrize("filler", [b"\xff" * 60_000, b"a" * 60_000, b"1." * 30_000, b"x^" * 30_000, b"a@" * 30_000])
def test_a_long_run_of_anything_is_read_to_its_end(filler: bytes) -> None:
    assert "mustermann" in private("OB", filler).words
