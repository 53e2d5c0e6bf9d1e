"""What Safe Harbor adds to the table, and how the header is rewritten: dates, ages, texts, codes, UIDs, file meta, the statement of method."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tasks.deid import codes, dates
from tasks.deid.rules import TextRule, load, resolve
from tasks.errors import SafelightError
from tasks.pseudonyms import Pseudonyms
from tests.tasks.deid.making import TEST_FILES, ct, element, encoded, rewritten

PSEUDONYMS = Pseudonyms(b"k" * 32)


def released(dataset: FileDataset) -> FileDataset:
    return reread(encoded(dataset))


def reread(content: bytes) -> FileDataset:
    return dcmread(BytesIO(rewritten(content)))


def with_value(keyword: str, value: Any) -> FileDataset:
    dataset = ct()
    setattr(dataset, keyword, value)
    return released(dataset)


@pytest.mark.parametrize(
    ("value", "vr", "year"),
    [("20210317", "DA", "20210101"), ("2021.03.17", "DA", "20210101"), ("20210317101112.5+0100", "DT", "2021"), ("2021", "DT", "2021"),
     ("John Doe", "DA", ""), ("", "DA", ""), ("99990101", "DA", ""), ("20210317 Doe", "DA", "")],
)  # fmt: skip
def test_of_a_date_the_year_is_left(value: str, vr: str, year: str) -> None:
    assert dates.year_only(value, vr) == year


@pytest.mark.parametrize(
    ("age", "left"),
    [
        ("089Y", "089Y"),
        ("090Y", "090Y"),
        ("091Y", "090Y"),
        ("104Y", "090Y"),
        ("999M", "999M"),
        ("014D", "014D"),
        ("Doe", ""),
        ("45", ""),
    ],
)
def test_ages_over_89_are_one_class(age: str, left: str) -> None:
    assert dates.capped_age(age, 89) == left
    assert (released_age := with_value("PatientAge", age).PatientAge or "") == left, released_age


def test_the_statement_of_method_names_what_was_done() -> None:
    dataset = released(ct())
    assert dataset.PatientIdentityRemoved == "YES"
    assert dataset.LongitudinalTemporalInformationModified == "MODIFIED"
    said = [item.CodeValue for item in dataset.DeidentificationMethodCodeSequence]
    assert said[0] == "113100"
    assert {"113105", "113107", "113108", "113111"} <= set(said) == {code for code, _ in load("safe_harbor").method_codes}
    assert not {"113101", "113102", "113106", "113109", "113110", "113112"} & set(said)  # nothing that was not done
    for item in dataset.DeidentificationMethodCodeSequence:  # PS3.16 CID 7050 as pydicom has it
        assert codes.meaning(item.CodeValue, "DCM") == item.CodeMeaning


def test_without_any_date_the_temporal_information_is_said_to_be_removed() -> None:
    dataset = ct()
    for name in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        setattr(dataset, name, "")
    assert released(dataset).LongitudinalTemporalInformationModified == "REMOVED"


def test_what_an_earlier_de_identification_said_is_not_believed() -> None:
    dataset = ct()
    dataset.DeidentificationMethod = "by John Doe"
    assert "Doe" not in str(released(dataset).DeidentificationMethod)


def test_uids_are_replaced_alike_everywhere_and_well_known_ones_stay() -> None:
    dataset = ct()
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    dataset.ReferencedImageSequence = Sequence([item])
    after = released(dataset)
    assert after.SOPInstanceUID == PSEUDONYMS.uid(dataset.SOPInstanceUID)
    assert (
        after.ReferencedImageSequence[0].ReferencedSOPInstanceUID
        == after.SOPInstanceUID
        == after.file_meta.MediaStorageSOPInstanceUID
    )
    assert after.ReferencedImageSequence[0].ReferencedSOPClassUID == after.SOPClassUID == dataset.SOPClassUID


def test_a_uid_that_only_pretends_to_be_well_known_is_replaced() -> None:
    assert with_value("FrameOfReferenceUID", "1.2.840.10008.4711.0815").FrameOfReferenceUID.startswith("2.25.")


@pytest.mark.parametrize(
    ("keyword", "value", "left"),
    [
        ("ConvolutionKernel", "B31f", "B31f"), ("ConvolutionKernel", "John Doe", "REMOVED"),
        ("Manufacturer", "GE MEDICAL SYSTEMS", "GE MEDICAL SYSTEMS"), ("Manufacturer", "SYNTHETIC Alpha", "SYNTHETIC Alpha"),
        ("Manufacturer", "St. Barbara", "REMOVED"), ("ManufacturerModelName", "SOMATOM Force", "SOMATOM Force"),
        ("ManufacturerModelName", "SOMATOM of Dr Doe", "REMOVED"), ("SoftwareVersions", "syngo CT VA50A", "syngo CT VA50A"),
        ("SoftwareVersions", "4711081500", "REMOVED"), ("EthnicGroup", "Hispanic or Latino", "Hispanic or Latino"), ("EthnicGroup", "Doe", ""),
        ("PatientSex", "F", "F"), ("PatientSex", "DOE", ""), ("BodyPartExamined", "ABDOMEN", "ABDOMEN"), ("BodyPartExamined", "JOHNDOE", ""),
        ("ImageType", ["ORIGINAL", "PRIMARY", "JOHN DOE"], ["ORIGINAL", "PRIMARY", "OTHER"]), ("ScanOptions", "MRN0047110", ""),
        ("ScanOptions", "HELICAL MODE", "HELICAL MODE"), ("RescaleType", "HU", "HU"), ("ProtocolName", "Zwiebelturm", ""),
        ("ScanOptions", "555 123 4567", ""), ("ScanOptions", "17 03 2021", ""), ("ScanOptions", "1234", "1234"),
        ("ImageType", ["ORIGINAL", "PRIMARY", "1234 5678"], ["ORIGINAL", "PRIMARY", "OTHER"]), ("SoftwareVersions", "123-45-6789", "REMOVED"),
        ("SoftwareVersions", "555.123.4567", "REMOVED"), ("SoftwareVersions", "2021-03-17", "REMOVED"), ("SoftwareVersions", "8.0.5.1", "8.0.5.1"),
        ("ManufacturerModelName", "SOMATOM 123 456 789", "REMOVED"), ("PulseSequenceName", "*tfl3d1_16ns", "*tfl3d1_16ns"),
        ("PulseSequenceName", "for Doe", "REMOVED"), ("SequenceName", "for Doe", ""),
        ("PatientPosition", "John Doe", ""), ("AcquisitionProtocolName", "Doe", ""), ("ReceiveCoilName", "Doe", "REMOVED"),
    ],
)  # fmt: skip
def test_text_is_kept_only_where_a_list_allows_it(keyword: str, value: Any, left: Any) -> None:
    dataset = ct()
    dataset[keyword] = (
        element(dataset.data_element(keyword).tag, dataset[keyword].VR, value) if keyword in dataset else _new(keyword, value)
    )
    after = released(dataset).get(keyword)
    assert (list(after) if isinstance(left, list) else after) == left


def _new(keyword: str, value: Any) -> Any:
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    tag = tag_for_keyword(keyword)
    assert tag is not None
    return element(tag, dictionary_VR(tag), value)


@pytest.mark.parametrize("value", ["John Doe", "1.5 Doe", "0x12"])
def test_a_number_string_that_is_no_number_is_emptied(value: str) -> None:
    dataset = ct()
    dataset[0x00180050] = element(0x00180050, "DS", value)
    assert not released(dataset).SliceThickness


@given(st.text(st.characters(codec="ascii"), min_size=1, max_size=30).filter(lambda text: any(map(str.isalpha, text))))
@settings(max_examples=200, deadline=None)
def test_no_text_that_is_not_of_the_vocabulary_passes_any_list(text: str) -> None:
    profile = load("safe_harbor")
    value = f"Xqzvw {text}"
    assert not any(rule.allows(value) for rule in profile.keep_text.values())


def test_a_text_rule_does_not_allow_what_is_not_ascii() -> None:
    assert not TextRule(frozenset({"müller"}), None, None, "empty", 7).allows("müller")


def test_a_known_code_takes_the_standards_meaning_and_a_local_one_becomes_unknown() -> None:
    dataset = ct()
    known, local = Dataset(), Dataset()
    known.CodeValue, known.CodingSchemeDesignator, known.CodeMeaning = "51185008", "SCT", "chest of John Doe"
    local.CodeValue, local.CodingSchemeDesignator, local.CodeMeaning = "4711", "99DOE", "John Doe"
    dataset.AnatomicRegionSequence = Sequence([known, local])
    after = released(dataset).AnatomicRegionSequence
    assert (after[0].CodeValue, after[0].CodeMeaning.lower()) == ("51185008", codes.meaning("51185008", "SCT").lower())  # type: ignore[union-attr]
    assert (after[1].CodeValue, after[1].CodingSchemeDesignator, after[1].CodeMeaning) == codes.UNKNOWN


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_every_transfer_syntax_ends_in_the_same_values(syntax: str) -> None:
    dataset = ct()
    dataset.file_meta.TransferSyntaxUID = syntax
    buffer = BytesIO()
    dataset.save_as(buffer, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True, enforce_file_format=True)
    after = reread(buffer.getvalue())
    assert [(each.tag, each.value) for each in after] == [(each.tag, each.value) for each in released(ct())]
    expected = ExplicitVRLittleEndian if syntax == DeflatedExplicitVRLittleEndian else syntax
    assert after.file_meta.TransferSyntaxUID == expected


def test_a_big_endian_file_stays_big_endian_and_has_the_same_values() -> None:
    little, big = (reread((TEST_FILES / name).read_bytes()) for name in ("MR_small.dcm", "MR_small_bigendian.dcm"))
    assert big.file_meta.TransferSyntaxUID == ExplicitVRBigEndian
    assert [each.tag for each in big] == [each.tag for each in little]
    assert [each.value for each in big if each.tag < 0x7FE00000] == [each.value for each in little if each.tag < 0x7FE00000]
    assert (big.pixel_array == little.pixel_array).all()


def test_rewriting_is_deterministic_and_does_not_change_numbers() -> None:
    first, second = (released(ct()) for _ in range(2))
    assert encoded(first) == encoded(second)
    assert first["ImagePositionPatient"].value == ct()["ImagePositionPatient"].value


@pytest.mark.parametrize(
    ("code", "vr", "action"),
    [("X", "LO", "remove"), ("Z", "LO", "empty"), ("D", "LO", "dummy"), ("U", "UI", "uid"), ("X/Z", "LO", "empty"), ("X/D", "LO", "remove"),
     ("X/D", "DA", "dummy"), ("X/Z/D", "TM", "dummy"), ("Z/D", "SH", "empty"), ("X/Z/U*", "SQ", "recurse"), ("D", "SQ", "empty"),
     ("X/D", "SQ", "remove"), ("D", "OB", "remove")],
)  # fmt: skip
def test_compound_codes_are_resolved_as_documented(code: str, vr: str, action: str) -> None:
    assert resolve(code, vr) == action


def test_each_option_of_the_profile_has_its_code() -> None:
    profile = load("safe_harbor")
    assert len(profile.method_codes) == 1 + len(profile.options)


def test_a_wrong_vr_does_not_smuggle_text() -> None:
    dataset = ct()
    dataset[0x00180050] = element(0x00180050, "LT", "John Doe")
    assert "SliceThickness" not in released(dataset)


@pytest.mark.parametrize(
    ("keyword", "vr", "value"),
    [("Rows", "LO", "John Doe"), ("RescaleIntercept", "LO", "-1024"), ("RescaleIntercept", "FL", -1024.0), ("RescaleSlope", "UN", b"1 "),
     ("RescaleIntercept", "DS", "-1024,0"), ("ImagePositionPatient", "LO", ["0", "0", "1"]), ("SOPInstanceUID", "LO", "1.2.3")],
)  # fmt: skip
def test_nothing_is_released_without_what_its_pixels_are_read_by(keyword: str, vr: str, value: Any) -> None:
    dataset = ct()
    tag = dataset.data_element(keyword).tag
    dataset[tag] = element(tag, vr, value)
    with pytest.raises(SafelightError, match="E-DEID-ESSENTIAL"):
        released(dataset)


def test_a_number_with_more_decimals_than_the_standard_allows_stays() -> None:
    dataset = ct()
    dataset[0x00280030] = element(0x00280030, "DS", ["0.33333333333333331", "0.33333333333333331"])
    assert [float(each) for each in released(dataset).PixelSpacing] == [1 / 3, 1 / 3]


@pytest.mark.parametrize(
    ("keyword", "vr", "value"),
    [("AcquisitionNumber", "IS", "20210317101112"), ("KVP", "DS", "210317101112"), ("ScanOptions", "CS", ["DOB 1937", "0412"])],
)
def test_dates_and_long_numbers_do_not_hide_as_numbers_or_codes(keyword: str, vr: str, value: Any) -> None:
    dataset = ct()
    tag = _new(keyword, "1").tag
    dataset[tag] = element(tag, vr, value)
    assert not any(map(str.isdigit, str(released(dataset)[keyword].value or "")))
