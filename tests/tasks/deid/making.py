"""Data sets for the tests of de-identification: a complete CT, and the same with identifiers planted wherever DICOM has room for them."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom import DataElement, Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from tasks.deid import pixel_data
from tasks.deid.header import Rewriter
from tasks.deid.rules import load
from tasks.deid.uids import Uids
from tasks.deid.values import Values
from tasks.dicom import instances
from tasks.pseudonyms import Pseudonyms
from tasks.vault import Vault

STUDY, SERIES = "1.3.6.1.4.1.99999.77.1001", "1.3.6.1.4.1.99999.77.1002"
TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"


def ct(number: int = 1, *, series: str = SERIES, patient: str = "MRN0047110", body_part: str = "CHEST") -> FileDataset:
    """One slice of a complete CT without anything odd."""
    instance = f"1.3.6.1.4.1.99999.77.2000.{number}"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, instance
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    made.SpecificCharacterSet = "ISO_IR 100"
    made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.SOPClassUID, made.SOPInstanceUID = CTImageStorage, instance
    made.StudyDate, made.SeriesDate, made.AcquisitionDate, made.ContentDate = "20210317", "20210317", "20210317", "20210318"
    made.StudyTime, made.SeriesTime, made.AcquisitionTime, made.ContentTime = "101112", "101213", "101314", "101415"
    made.AccessionNumber, made.Modality = "ACC8815522", "CT"
    made.Manufacturer, made.ManufacturerModelName = "SIEMENS", "SOMATOM Definition AS+"
    made.ReferringPhysicianName = "Quacksalber^Otto"
    made.PatientName, made.PatientID = "Mustermann^Erika", patient
    made.PatientBirthDate, made.PatientSex, made.PatientAge = "19370412", "F", "083Y"
    made.BodyPartExamined, made.SliceThickness, made.KVP = body_part, "1.5", "120"
    made.ConvolutionKernel, made.PatientPosition = "B31f", "HFS"
    made.StudyInstanceUID, made.SeriesInstanceUID = STUDY, series
    made.StudyID, made.SeriesNumber, made.InstanceNumber = "7741", "2", str(number)
    made.FrameOfReferenceUID, made.PositionReferenceIndicator = "1.3.6.1.4.1.99999.77.1003", "SN"
    made.ImagePositionPatient, made.ImageOrientationPatient = [-10, -10, 1.5 * number], [1, 0, 0, 0, 1, 0]
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Rows = made.Columns = 4
    made.PixelSpacing, made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = [0.5, 0.5], 16, 12, 11, 0
    made.RescaleIntercept, made.RescaleSlope, made.RescaleType = "-1024", "1", "HU"
    made.AcquisitionNumber = "1"
    made.PixelData = bytes(range(32))
    made["PixelData"].VR = "OW"
    return made


def face(number: int = 1) -> FileDataset:
    """One slice of a CT that says itself that it shows a face."""
    made = ct(number)
    made.RecognizableVisualFeatures = "YES"
    return made


#: What `planted` adds; each must be gone from the release.
PLANTED = (
    "Zwiebelturm", "MRN0047110", "ACC8815522", "7741", "Quacksalber", "Mustermann", "Erika", "19370412", "20210317", "101112",
    "Lindenstrasse 19", "+49 89 4711 0815", "St. Barbara Klinikum", "STATIONXQ7", "SERIAL99817", "Krankenschwester", "Operatorin",
    "Lutheraner", "Dachdecker", "Vorgeschichte", "Notiz Zwiebel", "PRIVATGEHEIM", "CREATORNAME", "UNBEKANNT", "OVERLAYTEXT", "KURVE",
    "ICONTEXT", "SENDERAET", "METAPRIVAT", "PRAEAMBEL", "NACHSPANN", "PADDINGTEXT", "SIGNATUR", "VORHER", "199904051122", "CODETEXT",
    "LOKALCODE", "1.3.6.1.4.1.99999.77.3001", "1.3.6.1.4.1.99999.77.1001", "Mutterlein", "GERAETELABEL", "DOKUMENT", "LUTGEHEIM",
    "UTFSECHZEHN", "GROUPLEN", "BULKGEHEIM", "FALSCHVR", "URLGEHEIM", "BEFUND",
)  # fmt: skip


def planted(number: int = 1) -> bytes:
    """A CT file with `PLANTED` in every place that DICOM has."""
    made = ct(number)
    made.PatientAddress, made.PatientTelephoneNumbers = "Lindenstrasse 19", "+49 89 4711 0815"
    made.InstitutionName, made.StationName, made.DeviceSerialNumber = "St. Barbara Klinikum", "STATIONXQ7", "SERIAL99817"
    made.OperatorsName, made.PerformingPhysicianName = "Operatorin^Olga", "Krankenschwester^Karla"
    made.PatientReligiousPreference, made.Occupation = "Lutheraner", "Dachdecker"
    made.AdditionalPatientHistory, made.ImageComments = "Vorgeschichte Zwiebelturm", "Notiz Zwiebel, seen 17.03.2021"
    made.SeriesDescription, made.StudyDescription = "CT CHEST for Erika Mustermann", "Zwiebelturm 1937-04-12"
    made.ScheduledProcedureStepStartDate = "20210317"
    made.PatientMotherBirthName = "Mutterlein^Maria"
    made.ContrastBolusAgent = "Zwiebelturm 300"
    made.add_new(0x00180015, "CS", "CHEST")
    made.AcquisitionDateTime = "199904051122"
    made.DeviceUID = "1.3.6.1.4.1.99999.77.3001"
    _nest(made)
    made.add_new(0x00090010, "LO", "CREATORNAME")
    made.add_new(0x00091001, "LT", "PRIVATGEHEIM Zwiebelturm")
    made.add_new(0x00091002, "OB", "UTFSECHZEHN".encode("utf-16-le"))
    made.add_new(0x00091003, "SQ", Sequence([_item(PatientName="Zwiebelturm^Zita")]))
    made.add_new(0x00111001, "UN", b"UNBEKANNT ")
    made.add_new(0x00080302, "LO", "UNBEKANNT")  # no such attribute
    made.add_new(
        0x00081030 + 0x2, "SQ", Sequence([_item(CodeValue="LOKALCODE", CodingSchemeDesignator="99X", CodeMeaning="CODETEXT")])
    )
    made.add_new(0x60000010, "US", 4)
    made.add_new(0x60000022, "LO", "OVERLAYTEXT Mustermann")
    made.add_new(0x60003000, "OW", b"OVERLAYTEXT Mustermann")
    made.add_new(0x50003000, "OW", b"KURVEN")
    made.add_new(0x50000022, "LO", "KURVE")
    made.add_new(0x00281201, "OB", b"BULKGEHEIM")  # a palette's data, kept only as OW or OB in an image that has one
    made.add_new(0x00189198, "CS", "YES")
    made.add_new(0x00420011, "OB", b"DOKUMENT")
    made.add_new(0x00081190, "UR", "https://URLGEHEIM.example/Zwiebelturm")
    made.add_new(0x0040A160, "UT", "BEFUND Zwiebelturm")
    made.add_new(0x00180022, "LO", "FALSCHVR")
    made.add_new(0x00104000, "LT", "Erika 2021-03-17 MRN0047110")
    made.add_new(0x7FE00001, "OV", b"GROUPLEN")
    made.add_new(0xFFFAFFFA, "SQ", Sequence([_item(CertificateOfSigner=b"SIGNATUR")]))
    made.add_new(0xFFFCFFFC, "OB", b"PADDINGTEXT ")
    made.file_meta.SourceApplicationEntityTitle = "SENDERAET"
    made.file_meta.PrivateInformationCreatorUID = "1.3.6.1.4.1.99999.77.3001"
    made.file_meta.PrivateInformation = b"METAPRIVAT"
    made.preamble = b"PRAEAMBEL Zwiebelturm".ljust(128, b"\0")
    buffer = BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    content = buffer.getvalue()
    at = content.index(b"\x10\x00\x10\x00PN\x10\x00Mustermann")  # a group length before group 0010, which pydicom does not write
    content = content[:at] + b"\x10\x00\x00\x00LO" + struct.pack("<H", 8) + b"GROUPLEN" + content[at:]
    return content + b"NACHSPANN Zwiebelturm"


def _nest(made: FileDataset) -> None:
    inner = _item(PatientName="Zwiebelturm^Zita", ReferencedSOPInstanceUID="1.3.6.1.4.1.99999.77.3001", TextValue="BEFUND")
    made.RequestAttributesSequence = Sequence([_item(AccessionNumber="ACC8815522", RequestedProcedureDescription="Zwiebelturm")])
    made.ReferencedImageSequence = Sequence([
        _item(ReferencedSOPClassUID=CTImageStorage, ReferencedSOPInstanceUID="1.3.6.1.4.1.99999.77.3001"),
    ])  # fmt: skip
    made.AnatomicRegionSequence = Sequence(
        [_item(CodeValue="51185008", CodingSchemeDesignator="SCT", CodeMeaning="CODETEXT Erika")]
    )
    made.SharedFunctionalGroupsSequence = Sequence(
        [_item(FrameContentSequence=Sequence([_item(FrameComments="Zwiebelturm"), inner]))]
    )
    made.OriginalAttributesSequence = Sequence([_item(ModifiedAttributesSequence=Sequence([_item(PatientName="VORHER^Vera")]))])
    made.IconImageSequence = Sequence([_item(Rows=1, PixelData=b"ICONTEXT")])
    made.SourceImageSequence = Sequence([_item(PixelData=b"ICONTEXT", ReferencedSOPInstanceUID="1.3.6.1.4.1.99999.77.3001")])
    made.ContentSequence = Sequence([_item(ValueType="TEXT", TextValue="BEFUND Erika", PersonName="Zwiebelturm")])
    made.ModalityLUTSequence = Sequence([_item(LUTExplanation="LUTGEHEIM", DeviceLabel="GERAETELABEL")])


def _item(**attributes: object) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
        if keyword == "PixelData":
            made[keyword].VR = "OB"
    return made


def element(tag: int, vr: str, value: object) -> DataElement:
    """A data element that pydicom does not check."""
    return DataElement(tag, vr, value, already_converted=vr != "PN")


def encoded(dataset: FileDataset) -> bytes:
    """A data set as the bytes of its file."""
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def spool(vault: Vault, files: list[bytes], *, study: str = STUDY) -> str:
    """Put files into the vault's spool as `pull` does; return the study's key."""
    pseudonyms = Pseudonyms(vault.site_key())
    key = pseudonyms.study(study)
    for number, content in enumerate(files):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # real files are odd, and pydicom says so
            try:
                dataset = pydicom.dcmread(BytesIO(content), stop_before_pixels=True)
                series, instance = str(dataset.SeriesInstanceUID), str(dataset.SOPInstanceUID)
            except (pydicom.errors.InvalidDicomError, AttributeError):
                series, instance = "1.2.3.4", f"1.2.3.4.{number}"
        path = vault.spool / key / pseudonyms.uid(series) / f"{pseudonyms.uid(instance)}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return key


def rewritten(
    content: bytes, *, profile: str = "safe_harbor", key: bytes = b"k" * 32, clean: Callable[[str], str] = lambda _text: ""
) -> bytes:
    """A whole file as the profile releases it, whatever its pixels show."""
    instance = instances.of_bytes(content)
    loaded = load(profile)
    values = Values(loaded, Uids(loaded, Pseudonyms(key)), clean, "SL-AAAAAAAAAAAA")
    return Rewriter(loaded, values).rewrite(instance) + b"".join(pixel_data.copied(instance))
