"""Identifiers where a rule for ordinary elements does not look: preamble, file meta, private blocks, overlays, history, padding.

Some are in every series; the rare ones in one patient of five or so, by the patient's number, so that few patients show them all.
"""

from __future__ import annotations

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tasks.synthetic.headers import Acquisition
from tasks.synthetic.identity import UID_ROOT
from tasks.synthetic.planting import Identifier, Planting


def hide(header: Dataset, acquisition: Acquisition, identifiers: set[Identifier]) -> None:
    """Add what the whole series has in hidden places of its data set."""
    planting = Planting(header, identifiers)
    number = acquisition.patient.number
    _private(planting, acquisition)
    if number % 3 == 0:
        _history(planting, acquisition)
    if number % 4 == 1:
        _overlay(planting, acquisition)
    if number % 5 == 2:
        name = acquisition.patient.name.family.encode("utf-8")
        header.add_new(0xFFFCFFFC, "OB", name + b"\0" * (64 - len(name)))
        planting.note("patient_name_part", acquisition.patient.name.family, "DataSetTrailingPadding")


def file_frame(acquisition: Acquisition, identifiers: set[Identifier]) -> FileDataset:
    """An empty file with its preamble and file meta information (PS3.10 7.1); the instance UID is set for each instance."""
    patient, hospital = acquisition.patient, acquisition.hospital
    note = Planting(Dataset(), identifiers).note
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.TransferSyntaxUID = ImplicitVRLittleEndian if acquisition.scanner.implicit else ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(f"{UID_ROOT}.1")
    meta.ImplementationVersionName = "SYNTHETIC"
    meta.SourceApplicationEntityTitle = hospital.aet
    note("ae_title", hospital.aet, "file meta SourceApplicationEntityTitle")
    preamble = b"\0" * 128
    if patient.number % 4 == 2:
        meta.PrivateInformationCreatorUID = UID(f"{UID_ROOT}.9")
        meta.PrivateInformation = f"{patient.name.dicom}|{patient.patient_id}|".encode().ljust(128, b"\0")
        note("patient_name", patient.name.dicom, "file meta PrivateInformation")
        note("patient_id", patient.patient_id, "file meta PrivateInformation")
    if patient.number % 5 == 0:
        text = f"{patient.name.spoken} {patient.patient_id}".encode()
        preamble = text[:128].ljust(128, b"\0")
        note("patient_name", patient.name.spoken, "preamble")
        note("patient_id", patient.patient_id, "preamble")
    return FileDataset(
        "", Dataset(), preamble=preamble, file_meta=meta, is_implicit_VR=acquisition.scanner.implicit, is_little_endian=True
    )


def _private(planting: Planting, acquisition: Acquisition) -> None:
    """A vendor's block: plain text, a date and time, a nested sequence, and a binary blob with a name in it."""
    patient, visit, scanner = acquisition.patient, acquisition.visit, acquisition.scanner
    where = f"private ({scanner.private_group:04X},"
    block = planting.dataset.private_block(scanner.private_group, scanner.private_creator, create=True)
    moment = f"{visit.begun:%Y%m%d%H%M%S.%f}"
    plain = (
        (0x01, "LO", "patient_id", patient.patient_id),
        (0x02, "PN", "patient_name", patient.name.dicom),
        (0x03, "DT", "datetime", moment),
        (0x04, "SH", "accession", visit.accession),
        (0x05, "UI", "uid", visit.order_uid),
    )
    for offset, vr, kind, value in plain:
        block.add_new(offset, vr, value)
        planting.note(kind, value, f"{where}10{offset:02X})")
    item = Dataset()
    inner = item.private_block(scanner.private_group, scanner.private_creator, create=True)
    inner.add_new(0x11, "LO", visit.operator.spoken)
    item.PatientID = patient.patient_id
    block.add_new(0x06, "SQ", Sequence([item]))
    planting.note("staff_name", visit.operator.spoken, f"{where}1006).(1011)")
    planting.note("patient_id", patient.patient_id, f"{where}1006).PatientID")
    mother = patient.mother.spoken.encode()
    block.add_new(0x07, "OB", b"\x01\x00HDR" + mother + b"\0" * (2 - (5 + len(mother)) % 2))
    planting.note("relative_name", patient.mother.spoken, f"{where}1007)")
    block.add_new(0x08, "DS", "0.75")


def _history(planting: Planting, acquisition: Acquisition) -> None:
    """What a value was before somebody corrected it (PS3.3 C.12.1.1.9)."""
    patient, hospital = acquisition.patient, acquisition.hospital
    original = planting.item("OriginalAttributesSequence")
    original.plant("institution", ModifyingSystem=hospital.name, SourceOfPreviousValues=hospital.name)
    original.plant_moment(acquisition.visit.begun, AttributeModificationDateTime="datetime")
    original.set(ReasonForTheAttributeModification="CORRECT")
    before = original.item("ModifiedAttributesSequence")
    before.plant_name("patient_name", patient.mother, "PatientName")
    before.plant("patient_id", PatientID=f"OLD{patient.patient_id}")


def _overlay(planting: Planting, acquisition: Acquisition) -> None:
    """A graphics overlay (PS3.3 C.9.2) whose texts name people."""
    patient, visit, matrix = acquisition.patient, acquisition.visit, acquisition.protocol.matrix
    dataset = planting.dataset
    dataset.add_new(0x60000010, "US", matrix)
    dataset.add_new(0x60000011, "US", matrix)
    dataset.add_new(0x60000022, "LO", f"Marks by {visit.reader.spoken}")
    dataset.add_new(0x60000040, "CS", "G")
    dataset.add_new(0x60000050, "SS", [1, 1])
    dataset.add_new(0x60000100, "US", 1)
    dataset.add_new(0x60000102, "US", 0)
    dataset.add_new(0x60001500, "LO", f"{patient.name.family} left")
    dataset.add_new(0x60003000, "OW", b"\0" * (matrix * matrix // 8))
    dataset.add_new(0x60004000, "LT", f"Ask {patient.relative.spoken}")
    planting.note("staff_name", visit.reader.spoken, "OverlayDescription (6000,0022)")
    planting.note("patient_name_part", patient.name.family, "OverlayLabel (6000,1500)")
    planting.note("relative_name", patient.relative.spoken, "OverlayComments (6000,4000)")
