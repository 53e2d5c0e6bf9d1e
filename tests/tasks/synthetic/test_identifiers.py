"""The list of identifiers is true and complete: each is in the files where it is said to be, and no text in them goes unlisted."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from tasks.synthetic.cohort import Cohort
from tasks.synthetic.planting import Identifier, Planting

DELIMITERS = {ord(character) for character in "\r\n\t\f\\^="}

#: Text elements that identify nobody; every other text in a file must hold a listed identifier.
# fmt: off
NEUTRAL = {
    "AdmittingDiagnosesDescription", "Allergies", "BodyPartExamined", "BurnedInAnnotation", "CodeMeaning", "CodeValue",
    "CodingSchemeDesignator", "ConvolutionKernel", "EthnicGroup", "FilterType", "IdentifierTypeCode", "ImageType",
    "IssuerOfPatientID", "LossyImageCompression", "Manufacturer", "ManufacturerModelName", "MedicalAlerts", "Modality",
    "PatientAge", "PatientPosition", "PatientSex", "PhotometricInterpretation", "ReasonForTheAttributeModification",
    "ReferencedSOPClassUID", "RescaleType", "ResponsiblePersonRole", "RotationDirection", "SOPClassUID", "ScanOptions",
    "SeriesDescription", "SmokingStatus", "SoftwareVersions", "SpecificCharacterSet", "TypeOfPatientID",
    "UniversalEntityIDType", "WindowCenterWidthExplanation",
}
# fmt: on
OVERLAY_TYPE = 0x60000040
TEXT_VRS = {"AE", "AS", "CS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}


def elements(dataset: Dataset) -> Iterator[DataElement]:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from elements(item)
        else:
            yield element


def text(element: DataElement, encodings: list[str]) -> str:
    """What a person could read in an element: decoded, also where its VR is lost or it is a blob."""
    if isinstance(element.value, bytes):
        if element.keyword == "PixelData":
            return ""
        return "\n".join((element.value.decode("utf-8", "replace"), decode_bytes(element.value, encodings, DELIMITERS)))
    values = element.value if element.VM > 1 else [element.value]
    return "\n".join(str(value) for value in values)


def readable(path: Path) -> str:
    dataset = pydicom.dcmread(path)
    encodings = convert_encodings(dataset.get("SpecificCharacterSet", "ISO_IR 6"))
    parts = [dataset.preamble.decode("utf-8", "replace")]
    parts += [text(element, encodings) for source in (dataset.file_meta, dataset) for element in elements(source)]
    return "\n".join(parts)


@pytest.fixture(scope="module")
def corpus(cohort: Cohort) -> str:
    # decode_bytes warns where bytes of one character set are tried as another, which is what a search has to do.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return "\n".join(readable(path) for path in sorted((cohort.folder / "dicom").rglob("*.dcm")))


def test_every_listed_identifier_is_in_the_files(cohort: Cohort, corpus: str) -> None:
    missing = [entry for entry in cohort.identifiers if entry.value not in corpus]
    assert not missing


def test_the_list_on_disk_is_the_list_returned(cohort: Cohort) -> None:
    entries = json.loads((cohort.folder / "identifiers.json").read_text("utf-8"))
    assert [Identifier(**entry) for entry in entries] == list(cohort.identifiers)
    assert all(set(entry) == {"kind", "value", "where"} for entry in entries)


def test_no_text_in_a_header_goes_unlisted(cohort: Cohort) -> None:
    values = [entry.value for entry in cohort.identifiers]
    for study in cohort.studies:
        for element in elements(pydicom.dcmread(cohort.folder / study.folder / "i0001.dcm")):
            if element.VR not in TEXT_VRS or element.keyword in NEUTRAL or not element.value:
                continue
            if element.tag.is_private_creator or element.tag == OVERLAY_TYPE:
                continue
            shown = str(element.value)
            assert any(value in shown for value in values), (element.tag, element.keyword)


def test_every_sort_of_hiding_place_is_used(cohort: Cohort) -> None:
    places = {entry.where for entry in cohort.identifiers}
    for place in ("preamble", "file meta SourceApplicationEntityTitle", "file meta PrivateInformation", "DataSetTrailingPadding",
                  "OverlayComments (6000,4000)", "OtherPatientIDsSequence.PatientID", "ReferencedStudySequence.ReferencedSOPInstanceUID",
                  "RequestAttributesSequence.ReferencedStudySequence.ReferencedSOPInstanceUID", "private (0009,1007)",
                  "OriginalAttributesSequence.ModifiedAttributesSequence.PatientName", "PatientTelecomInformation"):  # fmt: skip
        assert place in places, place
    assert any(place.startswith("private (") and place.endswith(").(1011)") for place in places)
    kinds = {entry.kind for entry in cohort.identifiers}
    assert {"patient_name", "patient_id", "accession", "uid", "date", "time", "datetime", "phone", "email", "address", "age_over_89",
            "insurance_id", "device_serial", "institution", "staff_name", "relative_name", "ae_title"} <= kinds  # fmt: skip


def test_identifiers_are_long_enough_to_be_told_from_chance(cohort: Cohort) -> None:
    short = {entry.value for entry in cohort.identifiers if len(entry.value) < 4 and entry.value.isascii()}
    assert not short


def test_a_text_that_lacks_its_identifier_is_refused() -> None:
    with pytest.raises(ValueError, match="patient_name is not in the text"):
        Planting(Dataset(), set()).plant_text("PatientComments", "nothing here", patient_name="Featherquill")


def test_no_planted_date_looks_like_a_released_year(cohort: Cohort) -> None:
    assert not [entry for entry in cohort.identifiers if entry.kind == "date" and entry.value.endswith("0101")]
