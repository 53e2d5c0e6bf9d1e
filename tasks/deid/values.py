"""What becomes of one value: an action of the profile, carried out on an element's bytes.

Values come as they are encoded and go as they are to be encoded; numbers are never decoded. Text is released as ASCII, but for what an option
retains as it is, which is released as UTF-8 where it is not ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pydicom.charset import decode_bytes
from pydicom.datadict import dictionary_VM, dictionary_VR

from tasks.deid import dates
from tasks.deid.rules import BULK, NUMBER_TEXT, NUMBERS, TEXT, Action, Decision, Profile

DUMMY_TEXT = "REMOVED"
_DUMMIES = {"DA": "19000101", "TM": "000000", "DT": "1900", "AS": "000Y", "DS": "0", "IS": "0"}
#: PS3.5 table 6.2-1: an IS is of 32 bits. A DS has up to 16 bytes, which writers of binary floats do not keep to; none that is measured
#: has more than ten digits before its point, and longer ones may be a number of a person or a time.
_NUMBERS = {
    "IS": re.compile(r"\s*[+-]?[0-9]{0,10}\s*"),
    "DS": re.compile(r"\s*[+-]?[0-9]{0,10}(\.[0-9]{0,24})?([eE][+-]?[0-9]{1,3})?\s*"),
}
_WIDTHS = {"AT": 4, "FD": 8, "FL": 4, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8}
#: Most characters of a value (PS3.5 table 6.2-1).
_LONGEST = {"SH": 16, "LO": 64, "PN": 64, "CS": 16, "AE": 16, "ST": 1024, "LT": 10240}
#: Where ISO 2022 returns to its first character set (PS3.5 6.1.2.5.3): CR, LF, TAB, FF, caret, equals, backslash.
DELIMITERS = set(b"\r\n\t\f^=\\")
_SINGLE = frozenset({"LT", "ST", "UT", "UR"})  # a backslash is text here (PS3.5 section 6.2)

#: Cleans one text; the answer holds nothing but words that are released.
Cleaner = Callable[[str], str]


class Changed(NamedTuple):
    """What an element becomes.

    Attributes:
        action: what was done in the end: a value that may not be kept is emptied.
        rule: which rule said so.
        value: the new value's bytes; None where the element goes, or is to be recursed into.
        dates: how dates fared: `` (none), `modified`, `retained`.
        utf8: whether the value is UTF-8 that is not ASCII.
    """

    action: Action
    rule: str
    value: bytes | None
    dates: str = ""
    utf8: bool = False


@dataclass
class Values:
    """Carries out decisions for one study.

    Attributes:
        uid: the lake's UID for one of the hospital's.
        clean: cleans free text of everything but released words, and of the study's own identifiers.
        is_name: whether a word is a part of a name of the study's.
        patient_key: the lake's PatientID.
        shift_days: by how much dates move where the profile shifts them.
        literals: what a site's recipe writes into an attribute instead of a dummy, by tag.
    """

    profile: Profile
    uid: Callable[[str], str] = field(repr=False)
    clean: Cleaner = field(repr=False)
    patient_key: str
    is_name: Callable[[str], bool] = field(default=lambda _word: False, repr=False)
    shift_days: int = field(default=0, repr=False)
    literals: Mapping[int, str] = field(default_factory=dict)

    def change(
        self, tag: int, vr: str, value: bytes, decision: Decision, character_sets: Sequence[str], *, required: bool = False
    ) -> Changed:
        """Carry out a decision on one element that is no sequence; `required`: the object is not valid without a value there."""
        action, rule = decision.action, decision.rule
        if action == "keep":
            return self._kept(tag, vr, value, rule, required=required)
        if action == "uid":
            return Changed(action, rule, _encoded([self.uid(each) for each in texts(value)]))
        if action == "patient":
            return Changed(action, rule, self.patient_key.encode())
        if action == "empty":
            return Changed(action, rule, b"")
        if action == "dummy":
            return Changed(action, rule, self.literals[tag].encode() if tag in self.literals else dummy(vr, tag))
        if action == "year":
            return self._dated(action, rule, [dates.year_only(each, vr) for each in texts(value)])
        if action == "shift":
            return self._dated(action, rule, [dates.shifted(each, vr, self.shift_days) for each in texts(value)])
        if action == "retain":
            return self._retained(tag, vr, value, rule, character_sets)
        if action == "clean":
            return self._cleaned(tag, vr, value, rule, character_sets, required=required)
        return Changed(action, rule, None)

    def _dated(self, action: Action, rule: str, found: list[str]) -> Changed:
        return Changed(action, rule, _encoded(found), "modified" if any(found) else "")

    def _kept(self, tag: int, vr: str, value: bytes, rule: str, *, required: bool = False) -> Changed:
        """An attribute that no rule forbids: its value must still be of a kind that is known to be harmless."""
        if vr in NUMBERS:
            if len(value) <= self.profile.longest_number_list or tag in self.profile.keep_bulk:
                return Changed("keep", rule, value)
            return Changed("remove", "bulk list", None)
        if vr in NUMBER_TEXT:
            if not value or all(_NUMBERS[vr].fullmatch(part) for part in texts(value)):
                return Changed("keep", rule, value)
            return Changed("empty", "number", b"")
        if vr == "CS":
            return self._code_string(tag, value, rule)
        if vr in TEXT:
            return self._text(tag, value, rule, required=required)
        if vr == "AS":
            return self._age(value, rule)
        if vr in BULK:
            if tag in self.profile.keep_bulk:
                return Changed("keep", rule, value)
            return Changed("remove", "bulk list", None)
        if vr == "UI":
            return Changed("uid", rule, _encoded([self.uid(each) for each in texts(value)]))
        if vr in ("DA", "DT"):
            return self._dated("year", rule, [dates.year_only(each, vr) for each in texts(value)])
        return Changed("empty", rule, b"")

    def _text(self, tag: int, value: bytes, rule: str, *, required: bool) -> Changed:
        found = texts(value)
        allowed = self.profile.keep_text.get(tag)
        if not any(found):
            return Changed("keep", rule, value)
        if allowed is not None and all(allowed.allows(each) for each in found):
            return Changed("keep", "text list", value)
        return _gone("text list", required=required or (allowed is not None and allowed.otherwise == "dummy"))

    def _cleaned(self, tag: int, vr: str, value: bytes, rule: str, character_sets: Sequence[str], *, required: bool) -> Changed:
        """Free text, word by word; what its own rule allows whole stays whole."""
        allowed = self.profile.keep_text.get(tag)
        if vr == "CS":
            return self._code_string(tag, value, rule)
        if vr not in TEXT:
            return self._kept(tag, vr, value, rule, required=required)
        parts = split(vr, decoded(value, character_sets))
        left = [each if allowed is not None and each and allowed.allows(each) else self.clean(each) for each in parts]
        longest = _LONGEST.get(vr, 1 << 30)
        left = [each[:longest].rstrip() for each in left]
        if any(left):
            same = left == [part.strip(" \0") for part in parts]
            return Changed("keep" if same else "clean", rule, "\\".join(left).encode("ascii"))
        if not any(part.strip(" \0") for part in parts):
            return Changed("keep", rule, b"")
        return _gone(rule, required=required or (allowed is not None and allowed.otherwise == "dummy"))

    def _retained(self, tag: int, vr: str, value: bytes, rule: str, character_sets: Sequence[str]) -> Changed:
        state = "retained" if vr in ("DA", "DT", "TM") and value.strip(b" \0") else ""
        if vr == "AS":
            return self._age(value, rule)
        if vr == "CS":
            return self._code_string(tag, value, rule)
        if vr not in TEXT or (value.isascii() and b"\x1b" not in value):
            return Changed("retain", rule, value, state)
        released = decoded(value, character_sets).encode()
        return Changed("retain", rule, released, state, utf8=not released.isascii())

    def _code_string(self, tag: int, value: bytes, rule: str) -> Changed:
        words = self.profile.code_string_words.get(tag)
        found = texts(value)
        fine = [self._allows_code(each, words) for each in found]
        if words is None and sum(map(str.isdigit, value.decode("latin-1"))) > self.profile.most_code_digits:
            fine = [each and not any(map(str.isdigit, text)) for each, text in zip(fine, found, strict=True)]
        if all(fine):
            return Changed("keep", rule, value)
        other = self.profile.code_string_otherwise.get(tag)
        if not other:
            return Changed("empty", "code string", b"")
        return Changed(
            "dummy", "code string", _encoded([each if good else other for each, good in zip(found, fine, strict=True)])
        )

    def _allows_code(self, value: str, words: frozenset[str] | None) -> bool:
        if not self.profile.code_string.fullmatch(value):
            return False
        few_digits = sum(map(str.isdigit, value)) <= self.profile.most_code_digits
        if words is None:
            return few_digits and not any(map(self.is_name, re.split("[ _]", value)))
        return value.lower() in words or (
            few_digits and all(part.lower() in words or part.isdigit() for part in re.split("[ _]", value) if part)
        )

    def _age(self, value: bytes, rule: str) -> Changed:
        found = texts(value)
        capped = [dates.capped_age(each, self.profile.highest_age) for each in found]
        if capped == found:
            return Changed("keep", rule, value)
        return Changed("dummy", "age over highest", _encoded(capped))


def _gone(rule: str, *, required: bool) -> Changed:
    """A text that may not stay: emptied, or replaced where there must be one."""
    return Changed("dummy", rule, DUMMY_TEXT.encode()) if required else Changed("empty", rule, b"")


def texts(value: bytes) -> list[str]:
    """A value's parts in the default repertoire, split at backslashes whatever the VR, without padding."""
    return [part.strip(" \0") for part in value.decode("latin-1").split("\\")]


def decoded(value: bytes, character_sets: Sequence[str]) -> str:
    """A text in the character sets that its data set states; bytes that they do not have are read as Latin-1."""
    try:
        return str(decode_bytes(value, list(character_sets), DELIMITERS))
    except (LookupError, UnicodeError):
        return value.decode("latin-1")


def split(vr: str, text: str) -> list[str]:
    """The values of a decoded text."""
    return [text] if vr in _SINGLE else text.split("\\")


def dummy(vr: str, tag: int = 0) -> bytes:
    """A value that says nothing, of the right form; of a number, as many as the attribute must have, where that is a fixed number."""
    if vr in _WIDTHS:
        return bytes(_WIDTHS[vr] * _fixed_multiplicity(tag))
    return _DUMMIES.get(vr, DUMMY_TEXT).encode()


def _fixed_multiplicity(tag: int) -> int:
    try:
        stated = dictionary_VM(tag)
        return int(stated) if stated.isdigit() and dictionary_VR(tag) in _WIDTHS else 1
    except KeyError:
        return 1


def _encoded(parts: Sequence[str]) -> bytes:
    return "\\".join(parts).encode("latin-1", "replace")
