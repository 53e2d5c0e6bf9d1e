"""Cleans content trees of structured reports (PS3.3 C.17.3) and other lists of content items (PS3.3 section 10.2) in place.

Each item is decided by its concept name and value type (`concepts`): removed with all below it, given a dummy, left, or cleaned. Concepts
that Table E.3.4-1 does not list are treated by value type:

| value type | what is left |
|---|---|
| TEXT | the words that may stay; `REMOVED` where none may |
| PNAME | `REMOVED` |
| DATE, TIME, DATETIME | what the profile leaves of a date; a dummy where nothing, since the value is Type 1 |
| UIDREF, IMAGE, COMPOSITE, WAVEFORM | new UIDs |
| NUM | the number, if it is one; an age above the highest becomes the next |
| CODE | the code, if PS3.16 lists it; otherwise Unknown |
| CONTAINER, SCOORD, SCOORD3D, TCOORD | unchanged; frames of reference and fiducials get new UIDs |

Any other value type, and whatever is not as PS3.3 has it, is refused (E-DEID-STRUCTURE). Concept names that PS3.16 does not list become
Unknown. Attributes of an item that are not its value (observation times, observers, templates) are left to the rules of Table E.1-1. An
SCOORD or TCOORD whose only image or waveform is removed goes too, since it would point at nothing (PS3.3 C.18.6, C.18.7).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from pydicom import DataElement, Dataset
from pydicom.multival import MultiValue

from tasks.deid.structured import transforms as tags
from tasks.deid.structured.concepts import Ending, ending
from tasks.deid.structured.references import children, follow, is_reference, positions, replace_children
from tasks.deid.structured.transforms import DUMMY_DATES, DUMMY_TEXT, Audit, Transforms, clean_code
from tasks.errors import SafelightError

ACQUISITION_CONTEXT, SPECIMENS, PREPARATION, PREPARATION_STEP = 0x00400555, 0x00400560, 0x00400610, 0x00400612
_OTHER_FORMS = (0x0040A161, 0x0040A162, 0x0040A163)  # the same number as a float and as a fraction
_RELATIONSHIP = 0x0040A010
_DEEPEST = 64
_DATES = {"DATE": (tags.DATE, "DA"), "TIME": (tags.TIME, "TM"), "DATETIME": (tags.DATE_TIME, "DT")}
_REFERENCES = frozenset({"IMAGE", "COMPOSITE", "WAVEFORM"})
_STRUCTURE = frozenset({"CONTAINER", "SCOORD", "SCOORD3D", "TCOORD"})
_TYPES = frozenset({"TEXT", "PNAME", "UIDREF", "NUM", "CODE"}) | _DATES.keys() | _REFERENCES | _STRUCTURE
#: The attribute that an action is noted under.
_VALUE = {
    "TEXT": tags.TEXT_VALUE, "PNAME": tags.PERSON_NAME, "UIDREF": tags.UID, "NUM": tags.MEASURED, "CODE": tags.CONCEPT_CODE,
    **{name: tag for name, (tag, _) in _DATES.items()}, **dict.fromkeys(_REFERENCES, tags.REFERENCED_SOPS),
}  # fmt: skip
_NUMBER = re.compile(r"\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?\s*")
#: Names of the patient's age (Subject Age; LOINC Age; SNOMED CT Current chronological age, Age), and of the subject's name.
_AGES = frozenset({("DCM", "121033"), ("LN", "30525-0"), ("SCT", "424144002"), ("SCT", "397669002")})
_SUBJECT_NAME = ("DCM", "121029")
_YEARS = {"a": 1.0, "mo": 1 / 12, "wk": 1 / 52.18, "d": 1 / 365.25, "h": 1 / 8766, "min": 1 / 525_960}


def clean_content(dataset: Dataset, *, options: frozenset[str], transforms: Transforms, highest_age: int = 89) -> Audit:
    """Clean the content tree of a data set, its acquisition context and its specimen preparation steps, in place.

    To be called before the codes of the data set are cleaned, since concepts are recognised by their original codes; afterwards the
    attributes of `transforms.SETTLED` inside of content items must be left alone.

    Args:
        dataset: one instance, read with pydicom.
        options: the active options, named as the columns of Table E.3.4-1.
        transforms: what the profile makes of UIDs, dates and texts of this study.
        highest_age: in years; the number of an age that is higher becomes `highest_age + 1`.

    Returns:
        (tag of the value, rule, action) → how many items. Values never appear in it.

    Raises:
        SafelightError: E-DEID-STRUCTURE for what cannot be understood. The data set may be half changed then.
    """
    work = _Cleaning(options, transforms, highest_age)
    if tags.CONTENT_SEQUENCE in dataset:
        _measure(dataset)
        before = positions(dataset)
        work.below(dataset)
        if lost := follow(before, dataset):
            work.audit[tags.CONTENT_SEQUENCE, "reference", "remove"] += lost
        work.name(dataset)
    work.listed(dataset, ACQUISITION_CONTEXT)
    for specimen in _items(dataset, SPECIMENS):
        for step in _items(specimen, PREPARATION):
            work.listed(step, PREPARATION_STEP)
    return work.audit


def _measure(root: Dataset) -> None:
    """Refuse a tree that is too deep to be a report, before anything walks down it."""
    level = [root]
    for _ in range(_DEEPEST):
        level = [child for item in level for child in children(item)]
        if not level:
            return
    raise SafelightError("E-DEID-STRUCTURE", f"more than {_DEEPEST} levels")


def _items(dataset: Dataset, tag: int) -> list[Dataset]:
    return list(dataset[tag].value or ()) if tag in dataset else []


@dataclass
class _Cleaning:
    """Cleans items of one data set and counts what it did."""

    options: frozenset[str]
    transforms: Transforms
    highest_age: int
    audit: Audit = field(default_factory=Counter)

    def below(self, parent: Dataset) -> None:
        """Clean the children of an item, and remove those that have to go."""
        kept = [child for child in children(parent) if _is_bare_reference(child) or self.item(child)]
        replace_children(parent, kept)

    def listed(self, dataset: Dataset, tag: int) -> None:
        """Clean a list of content items that has no levels below it; an empty one may stay."""
        if tag in dataset:
            dataset[tag] = DataElement(tag, "SQ", [item for item in _items(dataset, tag) if self.item(item)])

    def item(self, item: Dataset) -> bool:
        """Clean one item and all below it; False where it has to be removed."""
        concept = _concept(item)
        value_type = _value_type(item)
        action, rule = ending(*concept, value_type, self.options)
        if action == "remove":
            self.audit[_VALUE.get(value_type, tags.CONTENT_SEQUENCE), rule, "remove"] += 1
            return False
        selected = any(_relationship(child) == "SELECTED FROM" for child in children(item))
        self.below(item)
        if (
            value_type in ("SCOORD", "TCOORD")
            and selected
            and not any(_relationship(c) == "SELECTED FROM" for c in children(item))
        ):
            self.audit[tags.CONTENT_SEQUENCE, "coordinates of nothing", "remove"] += 1
            return False
        self.name(item)
        done = self.value(item, value_type, concept, action)
        self.audit[_VALUE.get(value_type, tags.CONTENT_SEQUENCE), rule, done] += 1
        return True

    def name(self, item: Dataset) -> None:
        """Give the concept name the standard's meaning, or make it Unknown."""
        for code in _items(item, tags.CONCEPT_NAME):
            self.audit[tags.CONCEPT_NAME, "codes", "keep" if clean_code(code) else "dummy"] += 1

    def value(self, item: Dataset, value_type: str, concept: tuple[str, str], action: Ending) -> str:
        """Bring the item's value to its end; returns the action's word for the audit."""
        if value_type == "NUM":
            self._number(item, concept)
        elif value_type == "CODE":
            for code in _items(item, tags.CONCEPT_CODE):
                clean_code(code)
        elif value_type in _STRUCTURE:
            for tag in (tags.FRAME_OF_REFERENCE, tags.FIDUCIAL):
                self._uid(item, tag)
            self._dates(item, tags.REFERENCED_DATE_TIME, "DT")
            return "retain" if action == "keep" else "keep"
        if value_type in ("NUM", "CODE") or action == "keep":
            return "retain" if action == "keep" else "keep"
        if value_type == "TEXT":
            said = _text(item, tags.TEXT_VALUE)
            left = "" if action == "dummy" or said is None else self.transforms.text(said)
            _set(item, tags.TEXT_VALUE, "UT", left or DUMMY_TEXT)
            return "clean" if left else "dummy"
        if value_type == "PNAME":
            _set(item, tags.PERSON_NAME, "PN", self.transforms.patient_key if concept == _SUBJECT_NAME else DUMMY_TEXT)
            return "dummy"
        if value_type in _DATES:
            tag, vr = _DATES[value_type]
            left = "" if action == "dummy" else self.transforms.date(_text(item, tag) or "", vr)
            _set(item, tag, vr, left or DUMMY_DATES[vr])
            return "clean" if left else "dummy"
        if value_type == "UIDREF":
            self._uid(item, tags.UID)
        else:
            self._references(item)
        return "uid"

    def _uid(self, item: Dataset, tag: int) -> None:
        if tag in item:
            values = _values(item, tag)
            new = [self.transforms.uid(value) for value in values]
            _set(item, tag, "UI", new[0] if len(new) == 1 else new)

    def _dates(self, item: Dataset, tag: int, vr: str) -> None:
        if tag in item:
            new = [self.transforms.date(value, vr) or DUMMY_DATES[vr] for value in _values(item, tag)]
            _set(item, tag, vr, new[0] if len(new) == 1 else new)

    def _references(self, item: Dataset) -> None:
        """New UIDs for what an item refers to, at every depth (an image and its presentation state, for instance)."""
        waiting = _items(item, tags.REFERENCED_SOPS)
        while waiting:
            reference = waiting.pop()
            for element in list(reference):
                if element.VR == "UI":
                    self._uid(reference, element.tag)
                elif element.VR == "SQ":
                    waiting.extend(element.value or ())

    def _number(self, item: Dataset, concept: tuple[str, str]) -> None:
        """Check that a number is one, clean its units, and cap an age. A measurement without a value stays without."""
        places = _items(item, tags.MEASURED) if tags.MEASURED in item else [item]
        for place in places:
            for unit in _items(place, tags.UNITS):
                stated = str(unit.get("CodeValue", ""))
                clean_code(unit)
                if concept in _AGES or self._is_longer_than_a_life(place, stated):
                    self._age(place, stated)
            for value in _values(place, tags.NUMERIC):
                if value and not _NUMBER.fullmatch(value):
                    raise SafelightError("E-DEID-STRUCTURE", "(0040,A30A)")
        for qualifier in _items(item, tags.QUALIFIER):
            clean_code(qualifier)

    def _is_longer_than_a_life(self, place: Dataset, unit: str) -> bool:
        """Whether a time is longer than the highest age: whatever it is called, it may be one."""
        numbers = [float(value) for value in _values(place, tags.NUMERIC) if value and _NUMBER.fullmatch(value)]
        return unit in _YEARS and any(number * _YEARS[unit] >= self.highest_age + 1 for number in numbers)

    def _age(self, place: Dataset, unit: str) -> None:
        """Cap an age; one in units of no known length may be any age, so it is refused."""
        for tag in _OTHER_FORMS:
            if tag in place:
                del place[tag]
        for value in _values(place, tags.NUMERIC):
            if value and (not _NUMBER.fullmatch(value) or unit not in _YEARS):
                raise SafelightError("E-DEID-STRUCTURE", "(0040,A30A)")
            if value and float(value) * _YEARS[unit] >= self.highest_age + 1:
                _set(place, tags.NUMERIC, "DS", str(round((self.highest_age + 1) / _YEARS[unit])))


def _is_bare_reference(item: Dataset) -> bool:
    """Whether an item is a reference to another one; with a value or items of its own it is neither."""
    if not is_reference(item):
        return False
    if tags.CONTENT_SEQUENCE in item or tags.CONCEPT_NAME in item or any(tag in item for tag in _VALUE.values()):
        raise SafelightError("E-DEID-STRUCTURE", "(0040,DB73)")
    return True


def _relationship(item: Dataset) -> str:
    return str(item.get(_RELATIONSHIP).value if _RELATIONSHIP in item else "").strip()


def _concept(item: Dataset) -> tuple[str, str]:
    """Scheme and value of the concept name; empty for an item without one."""
    names = _items(item, tags.CONCEPT_NAME)
    if len(names) > 1:
        raise SafelightError("E-DEID-STRUCTURE", "(0040,A043)")
    if not names:
        return "", ""
    value = names[0].get("CodeValue") or names[0].get("LongCodeValue") or names[0].get("URNCodeValue") or ""
    return str(names[0].get("CodingSchemeDesignator") or "").strip(" \0"), str(value).strip(" \0")


def _value_type(item: Dataset) -> str:
    """The stated value type; in lists where it may be missing (PS3.3 Table 10-2 in older editions), that of the one value that is there."""
    stated = str(item[tags.VALUE_TYPE].value or "").strip(" \0") if tags.VALUE_TYPE in item else ""
    if not stated:
        present = [name for name, tag in _VALUE.items() if tag in item and name not in _REFERENCES]
        present += ["NUM"] if tags.NUMERIC in item and "NUM" not in present else []
        stated = present[0] if len(present) == 1 else ""
    if stated not in _TYPES:
        raise SafelightError("E-DEID-STRUCTURE", "(0040,A040)")
    if any(tag in item and item[tag].value for tag in _VALUE.values() if tag != _VALUE.get(stated)):
        raise SafelightError("E-DEID-STRUCTURE", "(0040,A040)")  # a value of another type beside the stated one
    return stated


def _values(item: Dataset, tag: int) -> list[str]:
    if tag not in item:
        return []
    value = item[tag].value
    parts = list(value) if isinstance(value, list | tuple | MultiValue) else [value]
    return ["" if part is None else str(part).strip(" \0") for part in parts]


def _text(item: Dataset, tag: int) -> str | None:
    """An element's whole value as one text, or None where it is missing."""
    return "\\".join(_values(item, tag)) if tag in item else None


def _set(item: Dataset, tag: int, vr: str, value: str | list[str]) -> None:
    item[tag] = DataElement(tag, vr, value)
