"""Content items for tests, and transforms whose answers can be recognised."""

from __future__ import annotations

from copy import deepcopy
from io import BytesIO
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from tasks.deid.words import folded, standard

SR, GSPS, IMAGE = "1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.5.1.4.1.1.11.1", "1.2.840.10008.5.1.4.1.1.2"
OWN = folded(["Zwiebelturm^Zita", "MRN0047110"])


class Answers:
    """Transforms under Safe Harbor: the year of dates, no times, new UIDs; texts by the standard vocabulary."""

    patient_key = "SL-AAAAAAAAAAAA"

    def uid(self, uid: str) -> str:
        return uid if uid.startswith("1.2.840.10008.") else f"2.25.{abs(hash(uid)) % 10**12}"

    def date(self, value: str, vr: str) -> str:
        return {"DA": f"{value[:4]}0101", "DT": value[:4], "TM": ""}[vr] if value else ""

    def text(self, text: str) -> str:
        return standard().clean(text, OWN)


def code(value: str, scheme: str = "DCM", meaning: str = "MEANING Zwiebelturm") -> Dataset:
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = value, scheme, meaning
    return made


def item(
    value_type: str, concept: Dataset | None = None, *below: Dataset, relationship: str = "CONTAINS", **values: Any
) -> Dataset:
    made = Dataset()
    made.RelationshipType, made.ValueType = relationship, value_type
    if concept is not None:
        made.ConceptNameCodeSequence = [concept]
    for keyword, value in values.items():
        setattr(made, keyword, deepcopy(value))  # cleaning is in place, and tests share values
    if below:
        made.ContentSequence = list(below)
    return made


def reference(uid: str, **values: Any) -> Dataset:
    made = Dataset()
    made.ReferencedSOPClassUID, made.ReferencedSOPInstanceUID = IMAGE, uid
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def number(value: str, unit: str = "mm") -> list[Dataset]:
    made = Dataset()
    made.MeasurementUnitsCodeSequence = [code(unit, "UCUM")]
    made.NumericValue = value
    return [made]


#: A value of each type with something that must not be left.
PLANTED: dict[str, dict[str, Any]] = {
    "TEXT": {"TextValue": "CT CHEST of Zwiebelturm, born 29.02.1964"},
    "PNAME": {"PersonName": "Zwiebelturm^Zita"},
    "DATE": {"Date": "19640229"},
    "TIME": {"Time": "113355"},
    "DATETIME": {"DateTime": "19640229113355"},
    "UIDREF": {"UID": "1.3.6.1.4.1.99999.5.5"},
    "IMAGE": {"ReferencedSOPSequence": [reference("1.3.6.1.4.1.99999.5.5")]},
    "COMPOSITE": {"ReferencedSOPSequence": [reference("1.3.6.1.4.1.99999.5.5")]},
    "WAVEFORM": {"ReferencedSOPSequence": [reference("1.3.6.1.4.1.99999.5.5")]},
    "NUM": {"MeasuredValueSequence": number("77.25", "a")},
    "CODE": {"ConceptCodeSequence": [code("GEHEIM", "99X")]},
    "CONTAINER": {"ContinuityOfContent": "SEPARATE"},
}


def report(*below: Dataset) -> FileDataset:
    """A comprehensive SR (PS3.3 A.35.3) with these items below the root."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SR, "1.3.6.1.4.1.99999.6.1"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.SOPInstanceUID, made.Modality = SR, "1.3.6.1.4.1.99999.6.1", "SR"
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.3.6.1.4.1.99999.6.2", "1.3.6.1.4.1.99999.6.3"
    made.PatientName, made.PatientID, made.PatientBirthDate, made.PatientSex = "", "", "", ""
    made.StudyDate, made.StudyTime, made.StudyID, made.AccessionNumber, made.ReferringPhysicianName = "", "", "", "", ""
    made.SeriesNumber, made.InstanceNumber, made.ContentDate, made.ContentTime = "1", "1", "20210101", "000000"
    made.Manufacturer, made.ManufacturerModelName, made.DeviceSerialNumber, made.SoftwareVersions = "X", "X", "X", "1"
    made.CompletionFlag, made.VerificationFlag = "COMPLETE", "UNVERIFIED"
    made.ReferencedPerformedProcedureStepSequence, made.PerformedProcedureCodeSequence = [], []
    made.ValueType, made.ContinuityOfContent = "CONTAINER", "SEPARATE"
    made.ConceptNameCodeSequence = [code("126000", "DCM", "Imaging Measurement Report")]
    made.ContentSequence = list(below)
    return made


def tree(*below: Dataset) -> Dataset:
    """Only the content tree of a report."""
    made = Dataset()
    made.ValueType, made.ContinuityOfContent = "CONTAINER", "SEPARATE"
    made.ContentSequence = list(below)
    return made


def encoded(dataset: FileDataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def read_again(dataset: FileDataset) -> FileDataset:
    """The data set as it is read from its file, so that nothing depends on how a test made it."""
    return dcmread(BytesIO(encoded(dataset)))
