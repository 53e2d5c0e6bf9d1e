"""Rewrites a data set in place by a profile, at every depth, and encodes the file that may be released.

Elements that stay as they are are not decoded: their bytes are copied. The file is written from scratch: a zeroed preamble, file meta
information of our own (PS3.10 section 7.1), the data set without group lengths, then the pixel data as they came, and nothing after them.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from dataclasses import dataclass, field
from io import BytesIO

from pydicom import DataElement, Dataset
from pydicom.charset import default_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.multival import MultiValue
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tasks.deid import codes, dates
from tasks.deid.rules import BULK, NUMBER_TEXT, NUMBERS, TEXT, Action, Decision, Profile
from tasks.pseudonyms import Pseudonyms

#: Names this software in file meta information (PS3.7 D.3.3.2): a UUID of our own in PS3.5 B.2's form.
IMPLEMENTATION_CLASS_UID = "2.25.204816371518316512406384275113963110271"
IMPLEMENTATION_VERSION_NAME = "SAFELIGHT"

DUMMY_TEXT = "REMOVED"
_DUMMIES = {"DA": "19000101", "TM": "000000", "DT": "1900", "AS": "000Y", "DS": "0", "IS": "0"}

PIXELS = (0x7FE00010, 0x7FE00008, 0x7FE00009)
_LAST = 0x7FE00010
_NUMBER = re.compile(r"\s*[+-]?[0-9]{0,16}(\.[0-9]{0,16})?([eE][+-]?[0-9]{1,3})?\s*")
_UNDEFINED = 0xFFFFFFFF
_NESTED_PIXELS = Decision("remove", "nested pixels")

#: (tag, rule, action) → how many elements.
Audit = Counter[tuple[int, str, str]]


@dataclass
class Rewriter:
    """Applies one profile with one site's pseudonyms to data sets of one study."""

    profile: Profile
    pseudonyms: Pseudonyms
    _uids: dict[str, str] = field(default_factory=dict, repr=False)
    _years_kept: bool = False

    def rewrite(self, dataset: Dataset, patient_key: str) -> Audit:
        """De-identify the data set in place.

        Args:
            dataset: one whole instance, read with pydicom.
            patient_key: the lake's PatientID of the study's patient.

        Returns:
            what was done to which tag, how often. Values never appear in it.
        """
        audit: Audit = Counter()
        self._years_kept = False
        self._apply(dataset, patient_key, audit, outermost=True)
        self._sign(dataset)
        return audit

    def uid(self, uid: str) -> str:
        """The lake's UID for one of the hospital's; well-known UIDs stay."""
        uid = uid.strip(" \0")
        if not uid or self.profile.is_well_known(uid):
            return uid
        known = self._uids.get(uid)
        if known is None:
            known = self._uids[uid] = self.pseudonyms.uid(uid)
        return known

    def _apply(self, dataset: Dataset, patient_key: str, audit: Audit, *, outermost: bool = False) -> None:
        done = codes.clean(dataset)
        if done is not None:
            audit[codes.CODE_VALUE, "codes", "keep" if done == "known" else "dummy"] += 1
        for tag in list(dataset.keys()):
            if (outermost and tag in PIXELS) or (done is not None and tag in codes.CODE_TAGS):
                continue
            element = dataset.get_item(tag)
            vr = element.VR or _implicit_vr(tag)
            decision = _NESTED_PIXELS if tag in PIXELS else self.profile.decide(tag, vr)
            action, rule = decision.action, decision.rule
            if action == "keep":
                action, rule = self._kept(dataset, tag, vr, element.value, rule)
            else:
                self._perform(dataset, tag, vr, action, patient_key)
            if action == "recurse":
                for item in dataset[tag].value or ():
                    self._apply(item, patient_key, audit)
            audit[int(tag), rule, action] += 1

    def _perform(self, dataset: Dataset, tag: int, vr: str, action: Action, patient_key: str) -> None:
        if action == "remove":
            del dataset[tag]
        elif action == "empty":
            _replace(dataset, tag, vr, [] if vr == "SQ" else "")
        elif action == "dummy":
            _replace(dataset, tag, vr, _dummy(vr))
        elif action == "patient":
            _replace(dataset, tag, vr, patient_key)
        elif action == "year":
            self._year(dataset, tag, vr)
        elif action == "uid":
            values = [self.uid(value) for value in _texts(dataset, tag)]
            _replace(dataset, tag, vr, values[0] if len(values) == 1 else values)

    def _kept(self, dataset: Dataset, tag: int, vr: str, value: object, rule: str) -> tuple[Action, str]:
        """An attribute that no rule forbids: its value must still be of a kind that is known to be harmless."""
        if (tag >> 16) % 2:
            return "keep", rule
        if vr in NUMBERS:
            if not isinstance(value, bytes | MultiValue) or len(value) <= self.profile.longest_number_list:
                return "keep", rule
            del dataset[tag]
            return "remove", "bulk list"
        if vr in NUMBER_TEXT:
            if not value or all(_NUMBER.fullmatch(part) for part in _texts(dataset, tag)):
                return "keep", rule
            _replace(dataset, tag, vr, "")
            return "empty", "number"
        if vr == "CS":
            return self._code_string(dataset, tag, rule)
        if vr in TEXT:
            return self._text(dataset, tag, vr, rule)
        if vr == "AS":
            return self._age(dataset, tag, rule)
        if vr in BULK:
            if tag in self.profile.keep_bulk:
                return "keep", rule
            del dataset[tag]
            return "remove", "bulk list"
        if vr == "SQ":
            return "recurse", rule
        other_action: Action = {"UI": "uid", "DA": "year", "DT": "year"}.get(vr, "empty")  # type: ignore[assignment]
        self._perform(dataset, tag, vr, other_action, "")
        return other_action, rule

    def _text(self, dataset: Dataset, tag: int, vr: str, rule: str) -> tuple[Action, str]:
        values = _texts(dataset, tag)
        allowed = self.profile.keep_text.get(tag)
        if not any(values):
            return "keep", rule
        if allowed is not None and all(allowed.allows(each) for each in values):
            return "keep", "text list"
        dummy = allowed is not None and allowed.otherwise == "dummy"
        _replace(dataset, tag, vr, DUMMY_TEXT if dummy else "")
        return ("dummy" if dummy else "empty"), "text list"

    def _code_string(self, dataset: Dataset, tag: int, rule: str) -> tuple[Action, str]:
        words = self.profile.code_string_words.get(tag)
        values = [value.strip(" \0") for value in _texts(dataset, tag)]
        fine = [self._allows_code(value, words) for value in values]
        if all(fine):
            return "keep", rule
        other = self.profile.code_string_otherwise.get(tag)
        kept = [value if good else other for value, good in zip(values, fine, strict=True)] if other else ""
        _replace(dataset, tag, "CS", kept)
        return ("dummy" if other else "empty"), "code string"

    def _allows_code(self, value: str, words: frozenset[str] | None) -> bool:
        if not self.profile.code_string.fullmatch(value):
            return False
        few_digits = sum(map(str.isdigit, value)) <= self.profile.most_code_digits
        if words is None:
            return few_digits
        return value.lower() in words or (
            few_digits and all(part.lower() in words or part.isdigit() for part in re.split("[ _]", value) if part)
        )

    def _age(self, dataset: Dataset, tag: int, rule: str) -> tuple[Action, str]:
        values = _texts(dataset, tag)
        capped = [dates.capped_age(value, self.profile.highest_age) for value in values]
        if capped == values:
            return "keep", rule
        _replace(dataset, tag, "AS", capped[0] if len(capped) == 1 else capped)
        return "dummy", "age over highest"

    def _year(self, dataset: Dataset, tag: int, vr: str) -> None:
        years = [dates.year_only(value, vr) for value in _texts(dataset, tag)]
        self._years_kept |= any(years)
        _replace(dataset, tag, vr, years[0] if len(years) == 1 else years)

    def _sign(self, dataset: Dataset) -> None:
        """State what was done (PS3.3 C.7.1.1, PS3.15 E.1.1)."""
        dataset.PatientIdentityRemoved = "YES"
        dataset.DeidentificationMethod = f"Safelight profile {self.profile.name}"
        dataset.LongitudinalTemporalInformationModified = "MODIFIED" if self._years_kept else "REMOVED"
        items = []
        for value, meaning in self.profile.method_codes:
            item = Dataset()
            item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
            items.append(item)
        dataset.DeidentificationMethodCodeSequence = items


class StopAfterPixels:
    """For one `read_partial`: nothing that follows the pixel data is read; none of it is ever released."""

    def __init__(self) -> None:
        self._over = False

    def __call__(self, tag: int, _vr: str | None, _length: int) -> bool:
        """Whether to stop before this element."""
        stop = self._over or tag > _LAST
        self._over = tag == _LAST
        return stop


def encode(dataset: FileDataset) -> tuple[bytes, bytes]:
    """The file to release, in two parts: everything before the pixel data, and the pixel data element.

    Deflated data sets are written as Explicit VR Little Endian, which has the same pixel bytes; other transfer syntaxes stay.
    """
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax == DeflatedExplicitVRLittleEndian:
        syntax = ExplicitVRLittleEndian
    pixels = b""
    for tag in PIXELS:
        if tag in dataset:
            pixels += _pixel_element(
                dataset.get_item(tag), implicit=syntax == ImplicitVRLittleEndian, order="<" if syntax.is_little_endian else ">"
            )
            del dataset[tag]
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID  # type: ignore[assignment]
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    dataset.file_meta = meta
    dataset.preamble = b"\0" * 128
    # What is released is ASCII whatever the original's character set was, so nothing has to be decoded and encoded again.
    implicit, little_endian = dataset.original_encoding
    dataset.set_original_encoding(bool(implicit), bool(little_endian), default_encoding)
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue(), pixels


def _pixel_element(element: DataElement, *, implicit: bool, order: str) -> bytes:
    """The pixel data element's bytes with its value as it was."""
    value = element.value or b""
    encapsulated = getattr(element, "length", None) == _UNDEFINED
    length = _UNDEFINED if encapsulated else len(value)
    head = struct.pack(f"{order}HH", element.tag.group, element.tag.element)
    head += (
        struct.pack(f"{order}L", length)
        if implicit
        else (element.VR or "OW").encode() + b"\0\0" + struct.pack(f"{order}L", length)
    )
    return head + bytes(value) + (struct.pack(f"{order}HHL", 0xFFFE, 0xE0DD, 0) if encapsulated else b"")


def _implicit_vr(tag: int) -> str:
    try:
        return dictionary_VR(tag).split(" or ")[-1]
    except KeyError:
        return "UN"


def _texts(dataset: Dataset, tag: int) -> list[str]:
    """An element's values as strings, split at backslashes whatever the VR."""
    value = dataset.get_item(tag).value
    if isinstance(value, bytes):
        return [part.strip(" \0") for part in value.decode("latin-1").split("\\")]
    if value is None:
        return [""]
    return (
        [str(part).strip(" \0") for part in value] if isinstance(value, list | tuple | MultiValue) else [str(value).strip(" \0")]
    )


def _replace(dataset: Dataset, tag: int, vr: str, value: object) -> None:
    dataset[tag] = DataElement(tag, vr, value, already_converted=False)


def _dummy(vr: str) -> object:
    if vr in NUMBERS:
        return 0
    return _DUMMIES.get(vr, DUMMY_TEXT)


__all__ = ["IMPLEMENTATION_CLASS_UID", "Audit", "Rewriter", "StopAfterPixels", "encode"]
