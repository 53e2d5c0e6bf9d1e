"""The header of a synthetic CT: complete by the CT Image IOD (PS3.3 A.3), with identifiers in every usual place.

A series has one template (`series_header`); `instance_header` puts what changes from slice to slice into it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from tasks.synthetic.identity import Hospital, Name, Patient, Scanner, Visit
from tasks.synthetic.phantom import Protocol
from tasks.synthetic.planting import Identifier, Planting

INTERCEPT = -1024
"""RescaleIntercept: stored value 0 is -1024 HU."""


@dataclass(frozen=True, slots=True)
class Acquisition:
    """Who was scanned where, when, and how. `first_mm` is the position of voxel (0, 0, 0) in the patient's frame, (x, y, z)."""

    patient: Patient
    visit: Visit
    hospital: Hospital
    scanner: Scanner
    protocol: Protocol
    first_mm: tuple[float, float, float]

    @property
    def kernel(self) -> str:
        """The vendor's name of the kernel."""
        return self.scanner.kernels[self.protocol.kernel]


def series_header(acquisition: Acquisition, identifiers: set[Identifier]) -> Dataset:
    """Everything that all instances of the series share; what identifies is added to the list."""
    header = Planting(Dataset(), identifiers)
    header.set(SpecificCharacterSet=list(acquisition.patient.charset))
    _patient(header, acquisition)
    _patient_study(header, acquisition)
    _study(header, acquisition)
    _order(header, acquisition)
    _series(header, acquisition)
    _equipment(header, acquisition)
    _image(header, acquisition)
    return header.dataset


def instance_header(
    template: Dataset, acquisition: Acquisition, index: int, hu: NDArray[np.int16], identifiers: set[Identifier]
) -> Dataset:
    """One slice, shape (rows, columns) in HU; `index` counts from 0 in the order of acquisition (see `slice_level`).

    The template's own elements are changed in place: write the result before asking for the next.
    """
    visit, protocol = acquisition.visit, acquisition.protocol
    header = Planting(template, identifiers)
    header.plant("uid", SOPInstanceUID=visit.instance_uid(index + 1))
    level = slice_level(acquisition, index)
    x, y, z = acquisition.first_mm
    height = round(z + level * protocol.slice_thickness_mm, 2)
    header.set(InstanceNumber=index + 1, ImagePositionPatient=[x, y, height], SliceLocation=height)
    header.set(PixelData=(hu.astype("<i4") - INTERCEPT).astype("<u2").tobytes())
    template["PixelData"].VR = "OW"
    return template


def slice_level(acquisition: Acquisition, index: int) -> int:
    """Which slice of the volume, counted from the feet, an instance shows: Alpha and Gamma scan from the head downwards."""
    downwards = acquisition.scanner.manufacturer != "SYNTHETIC Beta"
    return acquisition.protocol.slices - 1 - index if downwards else index


def _patient(header: Planting, acquisition: Acquisition) -> None:
    patient, hospital = acquisition.patient, acquisition.hospital
    header.plant_name("patient_name", patient.name, "PatientName")
    header.plant("patient_id", PatientID=patient.patient_id)
    header.plant("issuer", IssuerOfPatientID=patient.issuer)
    header.plant("date", PatientBirthDate=f"{patient.born:%Y%m%d}")
    header.plant("time", PatientBirthTime=patient.birth_time)
    header.set(PatientSex=patient.sex, EthnicGroup=patient.ethnicity.removesuffix(" or Latino"), SmokingStatus="UNKNOWN")
    # PS3.3 C.2.3: OtherPatientIDs (0010,1000) is retired but still written by many.
    header.plant("other_patient_id", OtherPatientIDs=patient.national_id)
    for kind, value, issuer in (
        ("other_patient_id", patient.national_id, "NATIONAL-REGISTRY"),
        ("insurance_id", patient.insurance_id, patient.insurer.upper()),
    ):
        other = header.item("OtherPatientIDsSequence")
        other.plant(kind, PatientID=value)
        other.set(IssuerOfPatientID=issuer, TypeOfPatientID="TEXT")
    qualifier = header.item("IssuerOfPatientIDQualifiersSequence")
    qualifier.plant("issuer", UniversalEntityID=f"mpi.{hospital.domain}")
    qualifier.set(UniversalEntityIDType="DNS", IdentifierTypeCode="MR")
    header.plant_name("relative_name", Name(patient.birth_name, patient.name.given), "PatientBirthName")
    header.plant_name("relative_name", patient.mother, "PatientMotherBirthName")
    header.plant_name("patient_name", Name(patient.name.family, "Kitty-" + patient.name.given), "OtherPatientNames")
    header.plant_text("PatientAddress", f"{patient.address}, {patient.town}", address=patient.address, town=patient.town)
    header.set(PatientTelephoneNumbers=[patient.phone, patient.mobile])
    header.note("phone", patient.phone, "PatientTelephoneNumbers")
    header.note("phone", patient.mobile, "PatientTelephoneNumbers")
    header.plant("email", PatientTelecomInformation=patient.email)
    header.plant("religion", PatientReligiousPreference=patient.religion)
    header.plant(
        "insurance_id", InsurancePlanIdentification=patient.insurance_id, MedicalRecordLocator=f"LOC-{patient.insurance_id}"
    )
    header.plant("town", RegionOfResidence=patient.town)
    header.plant_name("relative_name", patient.relative, "ResponsiblePerson")
    header.set(ResponsiblePersonRole="PARENT")
    header.plant_text(
        "PatientComments",
        f"SYNTHETIC patient, nobody real. Call {patient.relative.spoken} at {patient.mobile}; card {patient.insurance_id}.",
        relative_name=patient.relative.spoken,
        phone=patient.mobile,
        insurance_id=patient.insurance_id,
    )


def _patient_study(header: Planting, acquisition: Acquisition) -> None:
    patient, visit = acquisition.patient, acquisition.visit
    age = patient.age(visit.begun.date())
    header.set(PatientAge=f"{age:03d}Y", PatientSize=patient.height_m, PatientWeight=patient.weight_kg)
    if age > 89:
        header.note("age_over_89", f"{age:03d}Y", "PatientAge")
        header.note("age_over_89", f"{age}-year-old", "AdditionalPatientHistory")
    header.plant_text(
        "AdditionalPatientHistory",
        f"{age}-year-old, born {patient.born:%d.%m.%Y}, cough. {patient.name.spoken} lives at {patient.address}. "
        f"Seen by {visit.referrer.spoken}.",
        patient_name=patient.name.spoken,
        date=f"{patient.born:%d.%m.%Y}",
        address=patient.address,
        staff_name=visit.referrer.spoken,
    )
    header.plant("occupation", Occupation=patient.occupation)
    header.plant("admission_id", AdmissionID=visit.admission_id)
    header.plant_moment(visit.begun, AdmittingDate="date", AdmittingTime="time")
    header.plant("location", CurrentPatientLocation=visit.room, PatientInstitutionResidence=visit.room)
    header.plant_text(
        "VisitComments",
        f"Wheelchair from {visit.room}, with {patient.relative.spoken}",
        location=visit.room,
        relative_name=patient.relative.spoken,
    )
    header.set(AdmittingDiagnosesDescription="Cough", MedicalAlerts="Contrast reaction", Allergies="Bee stings")


def _study(header: Planting, acquisition: Acquisition) -> None:
    patient, visit, hospital = acquisition.patient, acquisition.visit, acquisition.hospital
    header.plant("uid", StudyInstanceUID=visit.study_uid)
    header.plant_moment(visit.begun, StudyDate="date", StudyTime="time")
    header.plant("accession", AccessionNumber=visit.accession)
    issuer = header.item("IssuerOfAccessionNumberSequence")
    issuer.plant("issuer", LocalNamespaceEntityID=hospital.issuer)
    header.plant("study_id", StudyID=visit.study_id)
    header.plant_name("staff_name", visit.referrer, "ReferringPhysicianName")
    header.plant_name("staff_name", visit.reader, "NameOfPhysiciansReadingStudy", "PhysiciansOfRecord")
    header.plant_name("staff_name", visit.performer, "ConsultingPhysicianName")
    person = header.item("ReferringPhysicianIdentificationSequence")
    _code(
        person.item("PersonIdentificationCodeSequence"),
        f"REF{visit.referrer_phone[-4:]}",
        "99SYN",
        visit.referrer.spoken,
        "staff_name",
    )
    person.plant("phone", PersonTelephoneNumbers=visit.referrer_phone)
    person.plant("institution", InstitutionName=hospital.name)
    person.plant("address", PersonAddress=hospital.address)
    header.plant_text(
        "StudyDescription", f"CT CHEST W/O CONTRAST for {patient.name.family}", patient_name_part=patient.name.family
    )
    _code(header.item("ProcedureCodeSequence"), "CTCHEST", "99SYN", "CT chest without contrast")
    earlier = header.item("ReferencedStudySequence")
    earlier.set(ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1")
    earlier.plant("uid", ReferencedSOPInstanceUID=visit.order_uid)


def _order(header: Planting, acquisition: Acquisition) -> None:
    """The request and the procedure step (PS3.3 10.6 and C.7.3.1)."""
    patient, visit = acquisition.patient, acquisition.visit
    request = header.item("RequestAttributesSequence")
    request.plant("accession", AccessionNumber=visit.accession)
    request.plant("order_id", RequestedProcedureID=visit.placer_order, ScheduledProcedureStepID=f"SPS{visit.study_id}")
    request.plant("uid", StudyInstanceUID=visit.study_uid)
    request.plant_text(
        "RequestedProcedureDescription", f"CT chest {patient.name.family} {patient.patient_id}",
        patient_name_part=patient.name.family, patient_id=patient.patient_id,
    )  # fmt: skip
    request.plant_text(
        "ReasonForTheRequestedProcedure", f"Nodule? asks {visit.referrer.spoken}", staff_name=visit.referrer.spoken
    )
    request.plant_text("ScheduledProcedureStepDescription", f"CT {patient.name.spoken}", patient_name=patient.name.spoken)
    referenced = request.item("ReferencedStudySequence")
    referenced.set(ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1")
    referenced.plant("uid", ReferencedSOPInstanceUID=visit.order_uid)
    header.plant_moment(visit.begun, PerformedProcedureStepStartDate="date", PerformedProcedureStepStartTime="time")
    header.plant("order_id", PerformedProcedureStepID=f"PPS{visit.study_id}")
    header.plant_text("PerformedProcedureStepDescription", f"Thorax {patient.name.family}", patient_name_part=patient.name.family)
    header.plant_text(
        "CommentsOnThePerformedProcedureStep",
        f"Repeated once; {visit.operator.spoken} told {patient.relative.spoken}.",
        staff_name=visit.operator.spoken,
        relative_name=patient.relative.spoken,
    )
    header.plant_text("RequestingService", f"Clinic {visit.referrer.family}", staff_name_part=visit.referrer.family)


def _series(header: Planting, acquisition: Acquisition) -> None:
    visit, protocol = acquisition.visit, acquisition.protocol
    header.set(Modality="CT", SeriesNumber=2, BodyPartExamined="CHEST", PatientPosition="HFS")
    header.plant("uid", SeriesInstanceUID=visit.series_uid, FrameOfReferenceUID=visit.frame_uid)
    header.set(PositionReferenceIndicator="")
    header.plant_moment(visit.begun, SeriesDate="date", SeriesTime="time")
    header.set(SeriesDescription=f"SYNTHETIC THORAX {protocol.slice_thickness_mm:g} mm {acquisition.kernel}")
    header.plant_text("ProtocolName", f"SYNTHETIC Chest ({visit.operator.family})", staff_name_part=visit.operator.family)
    header.plant_name("staff_name", visit.performer, "PerformingPhysicianName")
    header.plant_name("staff_name", visit.operator, "OperatorsName")
    operator = header.item("OperatorIdentificationSequence")
    _code(
        operator.item("PersonIdentificationCodeSequence"),
        f"OP{visit.referrer_phone[-3:]}",
        "99SYN",
        visit.operator.spoken,
        "staff_name",
    )
    operator.plant("institution", InstitutionName=acquisition.hospital.name)


def _equipment(header: Planting, acquisition: Acquisition) -> None:
    visit, hospital, scanner = acquisition.visit, acquisition.hospital, acquisition.scanner
    header.set(Manufacturer=scanner.manufacturer, ManufacturerModelName=scanner.model, SoftwareVersions="synthetic 1.0")
    header.plant("institution", InstitutionName=hospital.name)
    header.plant("address", InstitutionAddress=hospital.address)
    header.plant("department", InstitutionalDepartmentName=hospital.department)
    header.plant("station", StationName=scanner.station[:16], GantryID=f"GANTRY {scanner.station}")
    header.plant("device_serial", DeviceSerialNumber=scanner.serial)
    header.plant("uid", DeviceUID=visit.station_uid)
    header.plant_moment(visit.begun.replace(day=2, hour=6), DateOfLastCalibration="date", TimeOfLastCalibration="time")
    other = header.item("ContributingEquipmentSequence")
    _code(other.item("PurposeOfReferenceCodeSequence"), "109101", "DCM", "Acquisition Equipment")
    other.set(Manufacturer=scanner.manufacturer)
    other.plant("institution", InstitutionName=hospital.name)
    other.plant("station", StationName=scanner.station[:16])
    other.plant("device_serial", DeviceSerialNumber=scanner.serial)
    other.plant_name("staff_name", visit.operator, "OperatorsName")
    other.plant_moment(visit.begun, ContributionDateTime="datetime")
    other.plant_text("ContributionDescription", f"Corrected by {visit.operator.spoken}", staff_name=visit.operator.spoken)


def _image(header: Planting, acquisition: Acquisition) -> None:
    visit, protocol = acquisition.visit, acquisition.protocol
    header.set(
        SOPClassUID=CTImageStorage, ImageType=["ORIGINAL", "PRIMARY", "AXIAL"], AcquisitionNumber=1, BurnedInAnnotation="NO"
    )
    header.plant_moment(visit.begun, AcquisitionDate="date", AcquisitionTime="time", AcquisitionDateTime="datetime")
    header.plant_moment(
        visit.begun, ContentDate="date", ContentTime="time", InstanceCreationDate="date", InstanceCreationTime="time"
    )
    header.plant_text(
        "ImageComments", f"SYNTHETIC PHANTOM, not a patient. Seen by {visit.reader.spoken}.", staff_name=visit.reader.spoken
    )
    source = header.item("SourceImageSequence")
    source.set(ReferencedSOPClassUID=CTImageStorage)
    source.plant("uid", ReferencedSOPInstanceUID=f"{visit.study_uid}.1.1")
    spacing = protocol.pixel_spacing_mm
    header.set(
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0], PixelSpacing=[spacing, spacing], SliceThickness=protocol.slice_thickness_mm,
        SpacingBetweenSlices=protocol.slice_thickness_mm, SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2",
        Rows=protocol.matrix, Columns=protocol.matrix, BitsAllocated=16, BitsStored=12, HighBit=11, PixelRepresentation=0,
        RescaleIntercept=INTERCEPT, RescaleSlope=1, RescaleType="HU", WindowCenter=[40, -600], WindowWidth=[400, 1500],
        WindowCenterWidthExplanation=["SOFT TISSUE", "LUNG"], LossyImageCompression="00",
        KVP=120, ScanOptions="HELICAL", DataCollectionDiameter=500, ReconstructionDiameter=protocol.matrix * spacing,
        DistanceSourceToDetector=1040, DistanceSourceToPatient=570, GantryDetectorTilt=0, TableHeight=150, RotationDirection="CW",
        ExposureTime=500, XRayTubeCurrent=round(240 * 30 / protocol.noise_hu), Exposure=round(120 * 30 / protocol.noise_hu),
        FilterType="FLAT", GeneratorPower=40, FocalSpots=1.2, ConvolutionKernel=acquisition.kernel,
    )  # fmt: skip


def _code(item: Planting, value: str, scheme: str, meaning: str, kind: str = "") -> None:
    item.set(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)
    if kind:
        item.note(kind, meaning, "CodeMeaning")
        item.note("staff_id", value, "CodeValue")
