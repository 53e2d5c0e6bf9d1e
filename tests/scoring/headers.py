"""What every instance of the set has: patient, study, series, equipment, and identifiers in each of the places where hospitals put them."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from tests.scoring.answers import Answers, Sheet
from tests.scoring.persons import Person

ROOT = "1.3.6.1.4.1.99999.55"
"""Every original UID of the set begins with this, so that one search finds any that is left."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One study: its number makes its UIDs; `date` is YYYYMMDD and never the first of January."""

    person: Person
    number: int
    date: str
    time: str
    accession: str
    study_id: str

    def uid(self, *parts: int) -> str:
        """A UID of this study's."""
        return ".".join(map(str, (ROOT, self.number, *parts)))

    @property
    def spoken_date(self) -> str:
        """The date as people write it."""
        return f"{self.date[6:]}.{self.date[4:6]}.{self.date[:4]}"


@dataclass(frozen=True, slots=True)
class Series:
    """One series: `words` are what must be left of its descriptions."""

    visit: Visit
    number: int
    modality: str
    sop_class: str
    body_part: str
    words: str
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY")


def begin(answers: Answers, series: Series, number: int) -> Sheet:
    """A sheet with all that does not depend on the modality."""
    instance = series.visit.uid(series.number, number)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(series.sop_class), UID(instance)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.SourceApplicationEntityTitle = series.visit.person.station
    answers.instances[instance] = series.modality
    sheet = Sheet(FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128), answers, series.modality, instance)
    sheet.plain(SpecificCharacterSet="ISO_IR 100", SOPClassUID=series.sop_class)
    sheet.planted.add(f"{ROOT}.")
    _patient(sheet, series.visit)
    _study(sheet, series.visit, series)
    _series(sheet, series, number)
    _equipment(sheet, series.visit.person)
    _order(sheet, series.visit, series)
    _private(sheet, series.visit.person)
    return sheet


def _patient(sheet: Sheet, visit: Visit) -> None:
    who = visit.person
    sheet.gone("PatientName", who.name, who.family, who.given)
    sheet.present("PatientName", "PatientBirthDate", "PatientSex")
    sheet.person("PatientID", who.patient_id, who.issuer)
    sheet.gone("IssuerOfPatientID", who.issuer)
    sheet.when(PatientBirthDate=who.born)
    sheet.keep(PatientSex=who.sex, PatientSize=who.height, PatientWeight=who.weight)
    if who.age <= 89:
        sheet.keep(PatientAge=f"{who.age:03d}Y")
    else:
        sheet.gone("PatientAge", f"{who.age:03d}Y")
        sheet.ask("text removed", "PatientBirthDate", who.born[:4])  # a year that tells an age over 89
    sheet.gone("OtherPatientNames", f"{who.family}^Mausi", who.family, "Mausi")
    sheet.gone("PatientMotherBirthName", "Rosskastanie^Rosamunde", "Rosskastanie", "Rosamunde")
    sheet.gone("PatientAddress", f"{who.address}, {who.town}", who.address, who.town)
    sheet.gone("PatientTelephoneNumbers", who.phone)
    sheet.gone("PatientComments", f"call {who.spoken} at {who.phone}, {who.email}", who.family, who.given, who.phone, who.email)
    sheet.gone("AdditionalPatientHistory", f"{who.spoken}, card {who.insurance}", who.family, who.given, who.insurance)
    sheet.gone("PatientReligiousPreference", "Lutheranerin")
    sheet.gone("Occupation", "Dachdecker")
    other = sheet.item("OtherPatientIDsSequence")
    other.gone("PatientID", who.insurance)
    other.plain(TypeOfPatientID="TEXT")


def _study(sheet: Sheet, visit: Visit, series: Series) -> None:
    who = visit.person
    sheet.uid("StudyInstanceUID", visit.uid(0))
    sheet.when(StudyDate=visit.date, StudyTime=visit.time)
    sheet.gone("AccessionNumber", visit.accession)
    sheet.gone("StudyID", visit.study_id)
    sheet.gone("ReferringPhysicianName", who.referrer, who.referrer.split("^")[0], "Aloisius")
    sheet.present("StudyDate", "StudyTime", "AccessionNumber", "StudyID", "ReferringPhysicianName")
    sheet.described("StudyDescription", f"{series.words} for {who.spoken}", series.words, who.given, who.family)


def _series(sheet: Sheet, series: Series, number: int) -> None:
    visit, who = series.visit, series.visit.person
    sheet.keep(Modality=series.modality, SeriesNumber=str(series.number), InstanceNumber=str(number))
    sheet.uid("SeriesInstanceUID", visit.uid(series.number))
    sheet.uid("SOPInstanceUID", sheet.instance)
    if series.modality != "SR":
        sheet.keep(BodyPartExamined=series.body_part)
    text = f"{series.words} {who.family} {visit.spoken_date}"
    sheet.described("SeriesDescription", text, series.words, who.family, visit.spoken_date)
    sheet.when(SeriesDate=visit.date, SeriesTime=visit.time)
    sheet.gone("OperatorsName", who.operator, who.operator.split("^")[0], "Wilhelmina")
    sheet.gone("PerformedProcedureStepID", visit.accession[3:])
    sheet.when(PerformedProcedureStepStartDate=visit.date, PerformedProcedureStepStartTime=visit.time)
    sheet.described("PerformedProcedureStepDescription", f"{series.words} call {who.phone}", series.words, who.phone)


def _equipment(sheet: Sheet, who: Person) -> None:
    sheet.keep(Manufacturer="SIEMENS")
    sheet.gone("InstitutionName", who.institution)
    sheet.gone("InstitutionAddress", f"Am Steinbruchgraben 7, {who.town}", "Steinbruchgraben", who.town)
    sheet.gone("InstitutionalDepartmentName", "Thoraxpavillon")
    sheet.gone("StationName", who.station)
    sheet.gone("DeviceSerialNumber", who.serial)
    sheet.plain(ManufacturerModelName="SOMATOM Definition AS+", SoftwareVersions="syngo CT 2012B")


def _order(sheet: Sheet, visit: Visit, series: Series) -> None:
    who = visit.person
    request = sheet.item("RequestAttributesSequence")
    request.gone("RequestedProcedureID", visit.accession[2:])
    request.gone("ScheduledProcedureStepID", f"SPS{visit.study_id}")
    request.gone("AccessionNumber", visit.accession)
    request.gone("RequestedProcedureDescription", f"{series.words} {who.family}", who.family)
    request.gone(
        "ReasonForTheRequestedProcedure", f"asks {who.referrer.split('^')[0]}, seen {visit.spoken_date}", visit.spoken_date
    )
    request.uid("StudyInstanceUID", visit.uid(0), stays=False)
    doctor = sheet.item("ReferringPhysicianIdentificationSequence")
    doctor.gone("InstitutionName", who.institution)
    code = doctor.item("PersonIdentificationCodeSequence")
    code.gone("CodeValue", f"REF{who.phone[-4:]}")
    code.plain(CodingSchemeDesignator="99HOUSE")
    code.gone("CodeMeaning", who.referrer.split("^")[0])


def _private(sheet: Sheet, who: Person) -> None:
    tokens = (who.family, who.patient_id)
    sheet.private(0x0029, "HOUSEPRIVATE", 0x01, "LT", f"{who.family} {who.patient_id}", safe=False, tokens=tokens)
    sheet.private(0x0029, "HOUSEPRIVATE", 0x02, "OB", who.family.encode("utf-16-le"), safe=False, tokens=(who.family,))
    nested = Dataset()
    nested.PatientName = who.name
    sheet.private(0x0029, "HOUSEPRIVATE", 0x03, "SQ", [nested], safe=False, tokens=(who.family, who.given))


def code(sheet: Sheet, sequence: str, value: str, scheme: str, meaning: str) -> Sheet:
    """A coded entry of a standard scheme, which must stay."""
    entry = sheet.item(sequence)
    entry.keep(CodeValue=value, CodingSchemeDesignator=scheme)
    entry.filled(CodeMeaning=meaning)
    return entry
