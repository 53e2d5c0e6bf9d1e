"""What a PACS is asked with C-FIND at each level, and how the text of its answers is read, whatever its character set."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag

_STUDY_KEYS = (
    "StudyInstanceUID", "PatientID", "IssuerOfPatientID", "AccessionNumber", "StudyDate", "StudyTime", "StudyDescription",
    "ModalitiesInStudy", "NumberOfStudyRelatedInstances",
)  # fmt: skip
_SERIES_KEYS = ("SeriesInstanceUID", "Modality", "SeriesDescription", "BodyPartExamined", "NumberOfSeriesRelatedInstances")
_ESCAPE = b"\x1b"
#: What ends an escaped character set within a value (PS3.5 6.1.2.5.3), besides the end of the value.
_RESETS = {0x09, 0x0A, 0x0C, 0x0D}
#: UTF-8, which PS3.5 6.1.2.3 calls so.
_UNICODE = "ISO_IR 192"


def study_identifier(keys: Mapping[str, str | list[str]]) -> Dataset:
    """What is asked at STUDY level; `keys` are matched. The character set is stated where a value needs one."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    if not all(str(value).isascii() for value in keys.values()):
        identifier.SpecificCharacterSet = _UNICODE
    for keyword in (*_STUDY_KEYS, *keys):
        tag = _tag(keyword)
        # As it is written in the hospital, whether or not it keeps the rules of its value representation.
        identifier.add(DataElement(tag, dictionary_VR(tag), keys.get(keyword, ""), validation_mode=IGNORE))
    return identifier


def series_identifier(study_instance_uid: str, more: tuple[str, ...] = ()) -> Dataset:
    """What is asked at SERIES level; `more` names attributes that a rule needs."""
    return Dataset({**_asked("SERIES", _SERIES_KEYS + more), **_uid("StudyInstanceUID", study_instance_uid)})


def image_identifier(study_instance_uid: str, series_instance_uid: str, more: tuple[str, ...] = ()) -> Dataset:
    """What is asked at IMAGE level; `more` names attributes that a rule needs."""
    above = {**_uid("StudyInstanceUID", study_instance_uid), **_uid("SeriesInstanceUID", series_instance_uid)}
    return Dataset({**_asked("IMAGE", ("SOPInstanceUID", *more)), **above})


def text(match: Dataset, keyword: str) -> str:
    """A value of an answer as text without padding; several values are joined by backslashes.

    It is decoded as a whole and by the answer's own SpecificCharacterSet, so a byte 0x5C inside a character of two bytes (GB18030,
    ISO 2022 IR 87) is no backslash. An answer that states no set and yet holds other than ASCII is read as UTF-8, or else as
    Latin-1 (PS3.5 6.1.2 would have it be ASCII).
    """
    item: object = match.get_item(_tag(keyword))
    if item is None:
        return ""
    raw = item.value if isinstance(item, RawDataElement) else None
    if isinstance(raw, bytes):
        return _decoded(raw, match)
    value = match[keyword].value
    if value is None:
        return ""
    return ("\\".join(str(part) for part in value) if isinstance(value, MultiValue) else str(value)).strip(" \0")


def states(match: Dataset, keyword: str) -> bool:
    """Whether an answer holds an element at all, if only an empty one."""
    return keyword in match


def number(match: Dataset, keyword: str) -> int | None:
    """A count of an answer; None where it gives none."""
    stated = text(match, keyword)
    return int(stated) if stated.isascii() and stated.isdigit() else None


def pattern(stated: str) -> re.Pattern[str]:
    """A pattern with `*` (any characters) and `?` (one), for `fits`."""
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(each, re.escape(each)) for each in _plain(stated)), re.DOTALL)


def fits(patterns: Iterable[re.Pattern[str]], value: str) -> bool:
    """Whether one of the patterns fits all of a text, whatever the case and however its accents are composed."""
    plain = _plain(value)
    return any(each.fullmatch(plain) for each in patterns)


@cache
def _asked(level: str, keywords: tuple[str, ...]) -> dict[BaseTag, DataElement | RawDataElement]:
    """Elements that no query changes, made once: a plan of 10,000 studies asks as often."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for keyword in keywords:
        setattr(identifier, keyword, None)
    return {item.tag: item for item in identifier}


def _uid(keyword: str, uid: str) -> dict[BaseTag, DataElement | RawDataElement]:
    return {_tag(keyword): DataElement(_tag(keyword), "UI", uid)}


@cache
def _tag(keyword: str) -> BaseTag:
    return Tag(keyword)


def _plain(value: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", value).casefold())


def _decoded(value: bytes, match: Dataset) -> str:
    if value.isascii() and _ESCAPE not in value:
        return value.decode("ascii").strip(" \0")
    stated = text(match, "SpecificCharacterSet")
    if not stated:
        try:
            return value.decode("utf-8").strip(" \0")
        except UnicodeDecodeError:
            return value.decode("latin-1").strip(" \0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # bytes that are not of their set are replaced, and match nothing
        return decode_bytes(value, _encodings(stated), _RESETS).strip(" \0")


@lru_cache(maxsize=64)
def _encodings(stated: str) -> list[str]:
    """Python's encodings for a SpecificCharacterSet."""
    return convert_encodings(stated.split("\\"))
