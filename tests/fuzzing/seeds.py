"""The files that are mutated: one CT with identifiers in many places, in five transfer syntaxes, its own UIDs in each copy."""

from __future__ import annotations

import zlib
from functools import cache
from io import BytesIO

import pydicom
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from tests.tasks.deid.making import ct

SYNTAXES = {
    "explicit": ExplicitVRLittleEndian, "implicit": ImplicitVRLittleEndian, "big endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian, "encapsulated": RLELossless,
}  # fmt: skip
#: What must never be released, in no part of six letters or more either.
PLANTED = ("Zwiebelturm", "Ottokarine", "MRN91787118", "ACC88155229", "Quacksalber", "Lindenstrassenweg", "Barbarastift", "555-471-0815",
           "postfach.example", "1.3.6.1.4.1.99999.77", "20210317", "19370412")  # fmt: skip
_STUDY, _INSTANCE = "1.3.6.1.4.1.99999.77.100000", "1.3.6.1.4.1.99999.77.200000"


def _item(**attributes: object) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


@cache
def _template(name: str) -> bytes:
    """A file of the syntax; a deflated one not yet deflated."""
    with pydicom.config.disable_value_validation():
        made = ct(patient="MRN91787118")
        made.StudyInstanceUID, made.SOPInstanceUID = _STUDY, _INSTANCE
        made.file_meta.MediaStorageSOPInstanceUID = UID(_INSTANCE)
        made.PatientName, made.ReferringPhysicianName, made.AccessionNumber = (
            "Zwiebelturm^Ottokarine",
            "Quacksalber^Otto",
            "ACC88155229",
        )
        made.PatientAddress, made.InstitutionName = "Lindenstrassenweg 19", "Barbarastift Nord"
        made.PatientTelephoneNumbers, made.PatientComments = "555-471-0815", "call Zwiebelturm 555-471-0815, box@postfach.example"
        made.StudyDescription, made.SeriesDescription = "CT CHEST for Ottokarine Zwiebelturm", "CHEST 20210317"
        made.RequestAttributesSequence = Sequence(
            [_item(AccessionNumber="ACC88155229", RequestedProcedureDescription="CT Zwiebelturm")]
        )
        made.ReferencedImageSequence = Sequence([
            _item(ReferencedSOPClassUID=made.SOPClassUID, ReferencedSOPInstanceUID="1.3.6.1.4.1.99999.77.3"),
            _item(ReferencedSOPClassUID=made.SOPClassUID, ReferencedSOPInstanceUID="1.3.6.1.4.1.99999.77.4"),
        ])  # fmt: skip
        made["ReferencedImageSequence"].is_undefined_length = True
        inner = _item(PatientName="Zwiebelturm^Ottokarine", OtherPatientIDsSequence=Sequence([_item(PatientID="MRN91787118")]))
        made.OriginalAttributesSequence = Sequence([_item(ModifiedAttributesSequence=Sequence([inner]))])
        block = made.private_block(0x0029, "HOUSEPRIVATE", create=True)
        block.add_new(0x01, "LT", "Zwiebelturm MRN91787118")
        block.add_new(0x02, "OB", "Zwiebelturm".encode("utf-16-le"))
        block.add_new(0x03, "SQ", Sequence([_item(PatientName="Zwiebelturm^Ottokarine")]))
        syntax = ExplicitVRLittleEndian if name == "deflated" else SYNTAXES[name]
        made.file_meta.TransferSyntaxUID = syntax
        made.file_meta.FileMetaInformationGroupLength, made.file_meta.FileMetaInformationVersion = 0, b"\0\1"
        if name == "encapsulated":
            made.PixelData = encapsulate([_rle(made.PixelData)])
            made["PixelData"].VR, made["PixelData"].is_undefined_length = "OB", True
        buffer = BytesIO()
        pydicom.dcmwrite(buffer, made, implicit_vr=name == "implicit", little_endian=name != "big endian", force_encoding=True)
        return buffer.getvalue()


def _rle(native: bytes) -> bytes:
    """A frame of 4 × 4 pixels of 16 bits as RLE (PS3.5 Annex G): two segments of literal runs, the higher bytes first."""
    segments = [bytes([len(native) // 2 - 1]) + native[offset::2] for offset in (1, 0)]
    segments = [segment + b"\0" * (len(segment) % 2) for segment in segments]
    offsets = [2, 64, 64 + len(segments[0]), *[0] * 13]
    return b"".join(each.to_bytes(4, "little") for each in offsets) + b"".join(segments)


def seed(name: str, study: int, instance: int) -> bytes:
    """A valid file of a syntax, with a study and an instance of its own; the lengths of UIDs do not change."""
    content = _template(name).replace(_STUDY.encode(), f"{_STUDY[:-5]}{study:05d}".encode())
    content = content.replace(_INSTANCE.encode(), f"{_INSTANCE[:-5]}{instance:05d}".encode())
    return deflated(content) if name == "deflated" else content


def deflated(content: bytes) -> bytes:
    """An Explicit VR Little Endian file as a deflated one (PS3.5 A.5): the data set behind the file meta information, without zlib's frame."""
    end = 144 + int.from_bytes(content[140:144], "little")
    plain = f"{ExplicitVRLittleEndian}\0".encode()
    meta = content[:end].replace(
        b"UI" + len(plain).to_bytes(2, "little") + plain, b"UI\x16\0" + DeflatedExplicitVRLittleEndian.encode()
    )
    meta = meta[:140] + (len(meta) - 144).to_bytes(4, "little") + meta[144:]
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = packer.compress(content[end:]) + packer.flush()
    return meta + body + b"\0" * (len(body) % 2)
