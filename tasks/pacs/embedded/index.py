"""The embedded PACS's index: what each DICOM file of a folder is, from its header alone, and every file that it cannot serve."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import dcmread
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue

#: Elements that C-FIND answers, by level of the query/retrieve models (PS3.4 C.6.1.1).
LEVELS: Mapping[str, tuple[str, ...]] = {
    "PATIENT": ("PatientID", "PatientName", "IssuerOfPatientID", "PatientBirthDate", "PatientSex"),
    "STUDY": (
        "StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "StudyID", "StudyDescription", "ReferringPhysicianName",
    ),
    "SERIES": ("SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription", "BodyPartExamined"),
    "IMAGE": ("SOPInstanceUID", "SOPClassUID", "InstanceNumber"),
}  # fmt: skip
UNIQUE_KEYS: Mapping[str, str] = {
    "PATIENT": "PatientID", "STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"
}  # fmt: skip

_KEYWORDS = tuple(keyword for keywords in LEVELS.values() for keyword in keywords)
_TAGS = [tag_for_keyword(keyword) or 0 for keyword in (*_KEYWORDS, "SpecificCharacterSet")]


@dataclass(frozen=True, slots=True)
class Entry:
    """One file that can be served: where it is, how its data set is encoded, its values by keyword (several: by backslash)."""

    path: Path
    transfer_syntax: str
    values: Mapping[str, str] = field(repr=False)

    def value(self, keyword: str) -> str:
        """A value as text; empty where the file has none."""
        return self.values.get(keyword, "")


@dataclass
class Index:
    """The files of a folder by SOPInstanceUID, in the order of their paths; `refused` lists the others, with the reason."""

    entries: dict[str, Entry] = field(default_factory=dict)
    refused: list[tuple[Path, str]] = field(default_factory=list)
    #: The same entries by StudyInstanceUID: most questions are about one study.
    studies: dict[str, list[Entry]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> Index:
        """Read every file below `folder`; hidden files are no part of it."""
        index = cls()
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                index.add(path)
        return index

    def add(self, path: Path) -> bool:
        """Index one file; False, and a line in `refused`, where it cannot be served."""
        made = _read(path)
        if isinstance(made, Entry) and made.value("SOPInstanceUID") in self.entries:
            made = "another file has the same SOPInstanceUID"
        if isinstance(made, str):
            self.refused.append((path, made))
            return False
        self.entries[made.value("SOPInstanceUID")] = made
        self.studies.setdefault(made.value("StudyInstanceUID"), []).append(made)
        return True

    def among(self, studies: Iterable[str]) -> list[Entry]:
        """The entries of some studies, in the order of their paths; of all, where none is named."""
        named = [uid for uid in studies if uid]
        if not named:
            return list(self.entries.values())
        return [entry for uid in dict.fromkeys(named) for entry in self.studies.get(uid, ())]

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self.entries.values()))


def grouped(entries: Iterable[Entry], level: str) -> dict[str, list[Entry]]:
    """Entries by the unique key of a level."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.value(UNIQUE_KEYS[level]), []).append(entry)
    return groups


def element(keyword: str, value: str | int) -> DataElement:
    """An element that holds a value as it was found, whether or not it keeps the rules of its value representation."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return DataElement(tag, dictionary_VR(tag), str(value), validation_mode=IGNORE)


def _read(path: Path) -> Entry | str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd values are served as they are
        try:
            header = dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
            values = {keyword: _text(header, keyword) for keyword in _KEYWORDS}
            syntax = str(header.file_meta.get("TransferSyntaxUID", ""))
        except InvalidDicomError:
            return "not a DICOM file (PS3.10)"
        except OSError:
            return "cannot be read"
        except Exception:  # noqa: BLE001 - pydicom raises whatever a broken header provokes
            return "its header cannot be read"
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"):
        if not values[keyword]:
            return f"has no {keyword}"
    if not syntax:
        return "has no TransferSyntaxUID"
    return Entry(path, syntax, values)


def _text(header: Dataset, keyword: str) -> str:
    value = header.get(keyword)
    if value is None:
        return ""
    if isinstance(value, MultiValue):
        return "\\".join(str(part) for part in value)
    return str(value).rstrip(" \0")
