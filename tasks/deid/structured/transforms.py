"""What structured content asks the engine for, and the plain replacements that it uses itself."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from pydicom import Dataset

from tasks.deid import codes
from tasks.deid.structured.units import is_unit

DUMMY_TEXT = "REMOVED"
#: Dummies of Type 1 dates and times (PS3.5 section 6.2), where neither an option nor the profile leaves anything.
DUMMY_DATES = {"DA": "19000101", "TM": "000000", "DT": "19000101000000"}

#: (tag, rule, action) → how many.
Audit = Counter[tuple[int, str, str]]

CONTENT_SEQUENCE, VALUE_TYPE, CONCEPT_NAME, CONCEPT_CODE = 0x0040A730, 0x0040A040, 0x0040A043, 0x0040A168
TEXT_VALUE, DATE_TIME, DATE, TIME, PERSON_NAME, UID = 0x0040A160, 0x0040A120, 0x0040A121, 0x0040A122, 0x0040A123, 0x0040A124
REFERENCED_SOPS, REFERENCED_DATE_TIME = 0x00081199, 0x0040A13A
FRAME_OF_REFERENCE, FIDUCIAL = 0x30060024, 0x0070031A
MEASURED, NUMERIC, UNITS, QUALIFIER = 0x0040A300, 0x0040A30A, 0x004008EA, 0x0040A301

#: Attributes of a content item whose values `clean_content` has settled: an engine that changed them again would break the references.
SETTLED = frozenset({
    CONCEPT_NAME, CONCEPT_CODE, TEXT_VALUE, DATE_TIME, DATE, TIME, PERSON_NAME, UID, REFERENCED_SOPS, REFERENCED_DATE_TIME,
    FRAME_OF_REFERENCE, FIDUCIAL, NUMERIC, UNITS, QUALIFIER,
})  # fmt: skip


class Transforms(Protocol):
    """What the profile makes of one study's values. `patient_key` is the lake's PatientID."""

    @property
    def patient_key(self) -> str:
        """The lake's PatientID of the study's patient."""

    def uid(self, uid: str, /) -> str:
        """The lake's UID for an original one; well-known UIDs stay."""

    def date(self, value: str, vr: str, /) -> str:
        """What the profile leaves of a DA, DT or TM; empty where nothing."""

    def text(self, text: str, /) -> str:
        """What may stay of a free text in this study (`tasks.deid.words`); empty where nothing."""


def clean_code(item: Dataset) -> bool:
    """Give a code the standard's meaning, or make it `Unknown` where PS3.16 does not list it; says whether it was known.

    A UCUM unit that PS3.16 does not list has its own code as its meaning, if `units` knows what it is made of.

    Other attributes of the item (equivalent codes, mapping resources) are left to the rules of Table E.1-1.
    """
    stated = {tag: str(item[tag].value or "").strip(" \0") for tag in codes.CODE_TAGS if tag in item}
    value, scheme = stated.get(codes.CODE_VALUE, ""), stated.get(codes.SCHEME, "")
    known = codes.meaning(value, scheme) or (value if scheme == "UCUM" and is_unit(value) else None)
    for tag in stated:
        del item[tag]
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = codes.UNKNOWN if known is None else (value, scheme, known)
    return known is not None
