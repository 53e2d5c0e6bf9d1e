"""Each of Safe Harbor's eighteen categories (45 CFR 164.514(b)(2)(i)(A)-(R)), planted where DICOM has room for it, is not in the release.

The release is searched by `tests/privacy/scanner.py`, which knows nothing of the code under test. The page `docs/deidentify.md` names
this test for each category.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset
from pydicom.sequence import Sequence

from tasks.deid.quarantine import read
from tasks.deid.stage import DeidentifyStage
from tasks.lake import Lake
from tasks.vault import Vault
from tests.privacy.scanner import Scanner, plain
from tests.tasks.deid.making import ct, encoded, spool


def items(**attributes: Any) -> Sequence:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return Sequence([item])


#: By category: attributes, and what must not be found.
CATEGORIES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "A names": (
        {"PatientName": "Zwiebelturm^Zita", "OtherPatientNames": "Zita^Kathi", "PatientMotherBirthName": "Rosskastanie^Rosa",
         "ResponsiblePerson": "Haselnuss^Hans", "ReferringPhysicianName": "Quacksalber^Otto", "OperatorsName": "Kniebeuge^Karla",
         "PerformingPhysicianName": "Blindschleiche^Bert", "PatientInsurancePlanCodeSequence": items(CodeMeaning="Zwiebelturm")},
        ("Zwiebelturm", "Zita", "Kathi", "Rosskastanie", "Haselnuss", "Quacksalber", "Kniebeuge", "Blindschleiche"),
    ),
    "B places": (
        {"PatientAddress": "Lindenstrasse 19, 80331 Kleinkleckersdorf", "RegionOfResidence": "Kleinkleckersdorf",
         "InstitutionName": "St. Barbara Klinikum",
         "InstitutionAddress": "Am Steinbruch 7", "InstitutionalDepartmentName": "Thoraxpavillon", "PatientInstitutionResidence": "Station Enzian",
         "CountryOfResidence": "Freistaat Flaschenhals", "CurrentPatientLocation": "Zimmer 4711B"},
        ("Lindenstrasse", "80331", "Kleinkleckersdorf", "Barbara", "Steinbruch", "Thoraxpavillon", "Enzian", "Flaschenhals", "4711B"),
    ),
    "C dates and ages": (
        {"PatientBirthDate": "19230412", "PatientAge": "098Y", "StudyDate": "20210317", "ContentDate": "20210318", "AdmittingDate": "20210316",
         "LastMenstrualDate": "19730228", "AcquisitionDateTime": "20210317101112.5", "ImageComments": "on 17.03.2021, aged 98",
         "StudyTime": "101112.5",
         "PatientBirthTime": "043217", "DateOfLastCalibration": "20210315", "ScheduledProcedureStepStartDate": "20210319"},
        ("19230412", "1923", "098Y", "20210317", "20210318", "20210316", "19730228", "17.03.2021", "101112",
         "043217", "20210315", "20210319", "aged 98"),
    ),
    "D telephone numbers": (
        {"PatientTelephoneNumbers": ["+49 89 4711 0815", "(555) 471-0815"], "ReferringPhysicianTelephoneNumbers": "555-123-4567",
         "PersonTelephoneNumbers": "0815 4711 22", "ImageComments": "call 089/4711081"},
        ("4711 0815", "471-0815", "123-4567", "0815 4711 22", "089/4711081"),
    ),
    "E fax numbers": (
        {"PatientTelecomInformation": "fax:+49-89-4711-0816", "ImageComments": "Fax 555-765-4321", "RequestingService": "fax 089 987654"},
        ("4711-0816", "765-4321", "987654"),
    ),
    "F addresses of electronic mail": (
        {"PatientTelecomInformation": "zita@zwiebel.example", "ImageComments": "to otto@barbara.example",
         "PersonTelecomInformation": "k@barbara.example"},
        ("zita@zwiebel.example", "zwiebel", "otto@barbara.example", "k@barbara.example"),
    ),
    "G social security numbers": (
        {"OtherPatientIDs": "123-45-6789", "OtherPatientIDsSequence": items(PatientID="987-65-4321", TypeOfPatientID="TEXT"),
         "PatientComments": "SSN 123456789", "SoftwareVersions": "123-45-6789"},
        ("123-45-6789", "987-65-4321", "123456789"),
    ),
    "H medical record numbers": (
        {"PatientID": "MRN0047110", "MedicalRecordLocator": "LOC-77123", "OtherPatientIDs": "A998877", "ServiceEpisodeID": "EPI-3317",
         "StudyDescription": "CT for MRN0047110", "IssuerOfPatientID": "BARBARA-MPI"},
        ("MRN0047110", "0047110", "LOC-77123", "A998877", "EPI-3317", "BARBARA-MPI"),
    ),
    "I health plan numbers": (
        {"InsurancePlanIdentification": "XQZ004711-02", "PatientInsurancePlanCodeSequence": items(CodeValue="KV4711", CodeMeaning="AOK Zwiebel")},
        ("XQZ004711", "KV4711", "AOK"),
    ),
    "J account numbers": (
        {"AdmissionID": "ADM-070003", "AccessionNumber": "00815522", "StudyID": "S090001", "FillerOrderNumberImagingServiceRequest": "FIL0011003",
         "PlacerOrderNumberImagingServiceRequest": "PLC0011003",
         "RequestAttributesSequence": items(RequestedProcedureID="REQ4711", AccessionNumber="00815522"), "PerformedProcedureStepID": "PPS4711"},
        ("ADM-070003", "00815522", "S090001", "FIL0011003", "PLC0011003", "REQ4711", "PPS4711"),
    ),
    "K certificate and licence numbers": (
        {"ReferringPhysicianIdentificationSequence": items(PersonIdentificationCodeSequence=items(CodeValue="LIC4711", CodeMeaning="NPI 1234567893")),
         "DigitalSignaturesSequence": items(CertificateOfSigner=b"CERT4711"), "ImageComments": "driver's licence D4711-0815"},
        ("LIC4711", "1234567893", "CERT4711", "D4711-0815"),
    ),
    "L vehicles and licence plates": (
        {"ImageComments": "came with M-XY 4711", "AdditionalPatientHistory": "VIN WVWZZZ1JZ3W386752", "VisitComments": "ambulance RK-4711"},
        ("M-XY 4711", "WVWZZZ1JZ3W386752", "RK-4711"),
    ),
    "M devices and serial numbers": (
        {"DeviceSerialNumber": "A64-0071123", "StationName": "BARBARA-CT-EAST", "DeviceUID": "1.3.6.1.4.1.99999.77.3001", "GantryID": "GAN4711",
         "DetectorID": "DET4711", "PlateID": "PLT4711", "DeviceID": "DEV4711", "UDISequence": items(UniqueDeviceIdentifier="(01)04711"),
         "DeviceDescription": "CT by the east door", "PerformedStationAETitle": "BARBARA_CT"},
        ("0071123", "BARBARA-CT-EAST", "1.3.6.1.4.1.99999.77.3001", "GAN4711", "DET4711", "PLT4711", "DEV4711", "04711", "east door", "BARBARA_CT"),
    ),
    "N addresses of the web": (
        {"RetrieveURL": "https://pacs.barbara.example/zita", "ImageComments": "www.barbara.example/4711", "InstitutionName": "http://barbara.example"},
        ("pacs.barbara.example", "www.barbara.example", "barbara"),
    ),
    "O addresses of the internet protocol": (
        {"StationName": "192.168.17.41", "ImageComments": "sent from 10.20.30.41", "SoftwareVersions": "192.168.17.41"},
        ("192.168.17.41", "10.20.30.41"),
    ),
    "P biometric identifiers": (
        {"ImageComments": "voiceprint VP-4711, iris code IRIS0815", "WaveformSequence": items(WaveformBitsAllocated=8, WaveformData=b"VOICE4711 ")},
        ("VP-4711", "IRIS0815", "VOICE4711"),
    ),
    "Q photographs": (
        {"ReferencedPatientPhotoSequence": items(TextValue="PHOTO4711"), "IconImageSequence": items(Rows=1, PixelData=b"FACE4711")},
        ("PHOTO4711", "FACE4711"),
    ),
    "R any other number, characteristic or code": (
        {"StudyInstanceUID": "1.3.6.1.4.1.99999.77.1001", "FrameOfReferenceUID": "1.3.6.1.4.1.99999.77.1003",
         "Occupation": "Chimneysweep to the Duke",
         "PatientReligiousPreference": "Zwiebelianer", "EthnicGroup": "of the Zwiebel people", "ClinicalTrialSubjectID": "TRIAL4711",
         "ScheduledProcedureStepID": "SPS4711", "ProtocolName": "Zwiebelprotokoll", "ContrastBolusAgent": "Zwiebelsaft",
         "MilitaryRank": "General Zwiebel"},
        ("1.3.6.1.4.1.99999.77.1001", "1.3.6.1.4.1.99999.77.1003", "Chimneysweep", "Zwiebelianer", "Zwiebel people", "TRIAL4711", "SPS4711",
         "Zwiebelprotokoll", "Zwiebelsaft", "General Zwiebel"),
    ),
}  # fmt: skip


def holding(category: str) -> tuple[bytes, tuple[str, ...]]:
    """A CT with a category's identifiers in their attributes, in private elements and in free text."""
    attributes, values = CATEGORIES[category]
    dataset: FileDataset = ct()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
        if keyword == "IconImageSequence":
            dataset[keyword].value[0]["PixelData"].VR = "OB"
    dataset.add_new(0x00090010, "LO", "SOME VENDOR")
    dataset.add_new(0x00091001, "LT", " ".join(values))
    dataset.add_new(0x00091002, "OB", "\0".join(values).encode())
    dataset.PatientComments = f"{dataset.get('PatientComments', '')} {' '.join(values)}"
    return encoded(dataset), values


@pytest.mark.parametrize("category", CATEGORIES)
def test_nothing_of_a_category_is_released(category: str, vault: Vault, lake: Lake) -> None:
    content, values = holding(category)
    (vault.root / "original.dcm").write_bytes(content)
    scanner = Scanner(values)
    seen = scanner.search(vault.root / "original.dcm")["original.dcm"]
    assert seen == {plain(value) for value in values}, "the scanner sees each of them in the original"
    key = spool(vault, [content])
    outcome = DeidentifyStage(vault, lake, "safe_harbor").run(key, "", "f")
    assert outcome.passed == 1, read(vault, key)
    assert scanner.search(lake.root) == {}  # type: ignore[arg-type]


def test_there_are_eighteen_categories() -> None:
    assert [name[0] for name in CATEGORIES] == [chr(ord("A") + number) for number in range(18)]


def test_ages_up_to_89_and_years_are_allowed_and_kept(vault: Vault, lake: Lake) -> None:
    key = spool(vault, [encoded(ct())])
    DeidentifyStage(vault, lake, "safe_harbor").run(key, "", "f")
    after = dcmread(BytesIO(lake.read(lake.files("dicom")[0])))
    assert (after.PatientAge, after.StudyDate) == ("083Y", "20210101")


@pytest.mark.parametrize(
    "change",
    [
        lambda dataset: setattr(dataset, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.77.1.4"),  # a photograph
        lambda dataset: setattr(dataset, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.9.4.1"),  # a voice
        lambda dataset: setattr(dataset, "BurnedInAnnotation", "YES"),
        lambda dataset: setattr(dataset, "RecognizableVisualFeatures", "YES"),
    ],
)
def test_photographs_voices_and_faces_are_not_released(change: Callable[[FileDataset], None], vault: Vault, lake: Lake) -> None:
    contents = []
    for number in range(1, 11):
        dataset = ct(number)
        change(dataset)
        contents.append(encoded(dataset))
    key = spool(vault, contents)
    assert DeidentifyStage(vault, lake, "safe_harbor").run(key, "", "f").passed == 0
    assert len(read(vault, key)) == 10
