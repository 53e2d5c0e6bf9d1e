"""Hides markers in copies of an instance: in attributes of every kind and depth, in private and hidden places, in free text.

Where markers go is drawn from the data dictionary itself (PS3.6, as pydicom has it), not from the profile's rules: a place that a rule has
forgotten is as likely as any other. Each marker stands in one place only, so that nothing else in the copy gives it away to the proof.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from pydicom import DataElement, Dataset
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataset import FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from tasks.deid.audit.markers import Kind, Marker, Mint

Place = Literal["header", "private", "text", "pixels"]
PLACES: tuple[Place, ...] = ("header", "private", "text", "pixels")

#: How many attributes of the whole dictionary get a marker, beside those of `_CORE`.
SPREAD = 40
_DEEPEST = 3
_MOST_OWN_PRIVATE = 8

#: Attributes that every hospital fills.
_CORE: tuple[tuple[str, Kind], ...] = (
    ("PatientName", "name"), ("PatientID", "id"), ("OtherPatientIDs", "number"), ("PatientBirthDate", "date"), ("PatientAddress", "address"),
    ("PatientTelephoneNumbers", "phone"), ("PatientAge", "age"), ("AccessionNumber", "number"), ("InstitutionName", "address"),
    ("ReferringPhysicianName", "name"), ("OperatorsName", "name"), ("StudyDate", "date"), ("AcquisitionDateTime", "datetime"),
    ("StationName", "id"), ("DeviceSerialNumber", "serial"), ("FrameOfReferenceUID", "uid"), ("MedicalRecordLocator", "number"),
    ("PatientMotherBirthName", "name"), ("InsurancePlanIdentification", "number"), ("StudyID", "id"),
)  # fmt: skip

#: What a VR has room for (PS3.5 6.2). A kind that is no text stands only in a VR of its own.
_KINDS: dict[str, tuple[Kind, ...]] = {
    "PN": ("name",), "DA": ("date",), "DT": ("datetime",), "UI": ("uid",), "UR": ("url",), "AE": ("id",), "SH": ("id", "number", "serial", "ip"),
    "LO": ("name", "id", "phone", "address", "email", "ssn", "url"), "UC": ("name", "address", "phone"), "ST": ("name", "address", "phone", "ssn"),
    "LT": ("name", "email", "phone", "number"), "UT": ("name", "url", "date", "number"),
}  # fmt: skip

#: What a private block of our own holds.
_PRIVATE: tuple[tuple[str, Kind], ...] = (
    ("LO", "id"),
    ("PN", "name"),
    ("DT", "datetime"),
    ("UI", "uid"),
    ("LT", "address"),
    ("SH", "number"),
)

_OVERLAYS: tuple[tuple[int, Kind], ...] = ((0x60020022, "name"), (0x60021500, "id"), (0x50020022, "name"))
_RAW = "raw"

#: Where people type, each with what it may hold.
_TYPED = (
    "StudyDescription", "SeriesDescription", "ProtocolName", "ImageComments", "PatientComments", "AdditionalPatientHistory", "ReasonForStudy",
    "RequestedProcedureDescription", "PerformedProcedureStepDescription", "AcquisitionProtocolName", "ContrastBolusAgent", "StudyComments",
    "FrameComments", "DerivationDescription", "AcquisitionComments", "ReceiveCoilName", "ManufacturerModelName", "SoftwareVersions",
    "WindowCenterWidthExplanation", "ConvolutionKernel", "SequenceName", "DeviceDescription", "RequestingService",
)  # fmt: skip
_SENTENCES: tuple[tuple[str, Kind], ...] = (
    ("CT CHEST W CONTRAST for {}", "name"), ("{} ABDOMEN", "name"), ("LUNG SCREENING, last {}", "date"), ("HEAD {}", "id"),
    ("MRN {} SPINE", "number"),
    ("call {} with results", "phone"), ("WITHOUT CONTRAST {}", "email"), ("SSN {}", "ssn"), ("patient of {}", "name"), ("LIVES AT {}", "address"),
    ("AXIAL {}", "date"), ("see {}", "url"),
)  # fmt: skip
#: In VRs of 16 characters only a marker by itself has room.
_SHORT: tuple[Kind, ...] = ("id", "number", "serial", "ssn", "ip")
_NOT_PLANTED = frozenset({"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"})


@dataclass(frozen=True, slots=True)
class Plant:
    """A marker in its place. `tag` is the innermost element's, as `(gggg,eeee)`, or `raw` where it is in no element."""

    place: Place
    tag: str
    marker: Marker = field(repr=False)


def hide(place: Place, dataset: FileDataset, mint: Mint, dice: random.Random, skip: frozenset[str] = frozenset()) -> list[Plant]:
    """Hide markers in a data set, in place, and say what was hidden where. For `pixels` see `burning`.

    Args:
        skip: tags in which nothing is hidden this time; with the same dice all else is hidden as before.
    """
    hiding = _Hiding(place, dataset, mint, dice, skip)
    {"header": hiding.in_header, "private": hiding.in_private, "text": hiding.in_text}[place]()
    return hiding.plants


@dataclass
class _Hiding:
    """Draws every place and marker, and puts those into the data set that are not to be skipped."""

    place: Place
    dataset: FileDataset
    mint: Mint
    dice: random.Random
    skip: frozenset[str]
    plants: list[Plant] = field(default_factory=list, repr=False)

    def _put(self, target: Dataset, tag: int, vr: str, marker: Marker, value: object = None) -> None:
        named = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
        if named not in self.skip:
            target[tag] = DataElement(tag, vr, marker.value if value is None else value)
            self.plants.append(Plant(self.place, named, marker))

    def in_header(self) -> None:
        """The attributes that every hospital fills, and some of the whole dictionary, at any depth."""
        for keyword, kind in _CORE:
            self._put(self.dataset, *_by_keyword()[keyword], self.mint.make(kind))
        taken = {int(tag) for tag in list(self.dataset.keys())} | {_by_keyword()[keyword][0] for keyword, _ in _CORE}
        for tag, vr in self.dice.sample([each for each in _attributes() if each[0] not in taken], SPREAD):
            marker = self.mint.make(self.dice.choice(_KINDS[vr]))
            target: Dataset = self.dataset
            for _ in range(self.dice.randrange(_DEEPEST + 1)):
                target = self._item(target)
            self._put(target, tag, vr, marker)

    def _item(self, dataset: Dataset) -> Dataset:
        """A new item in a sequence that the data set has not; none that stands there is touched."""
        tag = self.dice.choice([each for each in _sequences() if each not in dataset])
        item = Dataset()
        dataset[tag] = DataElement(tag, "SQ", Sequence([item]))
        return item

    def in_private(self) -> None:
        """The vendor's private elements, a block of our own, overlays and curves, file meta information, the preamble."""
        dataset = self.dataset
        used = {tag.group for tag in list(dataset.keys())}
        self._in_own_private()
        base = self.dice.choice([each for each in range(0x0021, 0x7F01, 2) if each not in used]) << 16
        self._put(dataset, base | 0x10, "LO", self.mint.make("name"))  # a creator that is somebody's name
        for offset, (vr, kind) in enumerate(_PRIVATE):
            self._put(dataset, base | 0x1001 + offset, vr, self.mint.make(kind))
        encoded: tuple[tuple[int, str, Kind, str], ...] = (
            (0x1010, "OB", "name", "ascii"), (0x1011, "UN", "phone", "ascii"), (0x1012, "OB", "name", "utf-16-le"),
        )  # fmt: skip
        for offset, vr, kind, encoding in encoded:
            marker = self.mint.make(kind)
            self._put(dataset, base | offset, vr, marker, _even(marker.value.encode(encoding)))
        self._put(dataset, base | 0x3001, "LO", self.mint.make("id"))  # no creator
        item = Dataset()
        self._put(item, 0x00100010, "PN", self.mint.make("name"))
        self._put(item, base | 0x1030, "LO", self.mint.make("ssn"))
        dataset[base | 0x1020] = DataElement(base | 0x1020, "SQ", Sequence([item]))
        # overlay description and label (PS3.3 C.9.2), and the same place of the retired curves
        for tag, kind in _OVERLAYS:
            self._put(dataset, tag, "LO", self.mint.make(kind))
        meta, author, ae, preamble = dataset.file_meta, self.mint.make("name"), self.mint.make("id"), self.mint.make("name")
        meta.PrivateInformationCreatorUID = UID("1.3.6.1.4.1.99999.1")
        self._put(meta, 0x00020102, "OB", author, _even(author.value.encode()))
        self._put(meta, 0x00020016, "AE", ae)
        if _RAW not in self.skip:
            dataset.preamble = preamble.value.encode().ljust(128, b"\0")
            self.plants.append(Plant("private", _RAW, preamble))

    def _in_own_private(self) -> None:
        """In place of the text of the series' own private elements: the vendor's, of which some may be on a list of safe ones."""
        tags = list(self.dataset.keys())
        own = [tag for tag in tags if tag.is_private and tag.element >= 0x1000 and self.dataset.get_item(tag).VR in _KINDS]
        for tag in self.dice.sample(own, min(_MOST_OWN_PRIVATE, len(own))):
            vr = str(self.dataset.get_item(tag).VR)
            self._put(self.dataset, int(tag), vr, self.mint.make(self.dice.choice(_KINDS[vr])))

    def in_text(self) -> None:
        """Where people type: a sentence of the field's own words with a marker in it, or the marker alone where there is no room."""
        for keyword in _TYPED:
            tag, vr = _by_keyword()[keyword]
            if vr == "SH":
                marker = self.mint.spoken(self.dice.choice(_SHORT))
                text = marker.value
            else:
                sentence, kind = self.dice.choice(_SENTENCES)
                marker = self.mint.spoken(kind)
                text = sentence.format(marker.value)
            self._put(self.dataset, tag, vr, marker, text)


def _even(content: bytes) -> bytes:
    return content + b"\0" * (len(content) % 2)


@cache
def _attributes() -> tuple[tuple[int, str], ...]:
    """Every attribute of the dictionary that has room for a marker; none of the file's own bookkeeping (groups 0000 to 0006)."""
    return tuple(
        (tag, vr)
        for tag, (vr, _vm, _name, _retired, keyword) in sorted(DicomDictionary.items())
        if vr in _KINDS and keyword and keyword not in _NOT_PLANTED and 0x0008 <= tag >> 16 < 0x7FE0
    )


@cache
def _sequences() -> tuple[int, ...]:
    return tuple(
        tag for tag, entry in sorted(DicomDictionary.items()) if entry[0] == "SQ" and entry[4] and 0x0008 <= tag >> 16 < 0x7FE0
    )


@cache
def _by_keyword() -> dict[str, tuple[int, str]]:
    return {entry[4]: (tag, entry[0]) for tag, entry in DicomDictionary.items()}
