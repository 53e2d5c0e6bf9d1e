"""C-FIND's matching (PS3.4 C.2.2.2) over the embedded PACS's index: single value, list of UIDs, universal, wildcard, range."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from tasks.pacs.embedded.index import LEVELS, UNIQUE_KEYS, Entry, element, grouped

_ORDER = tuple(LEVELS)
_RANGES = {"DA", "TM", "DT"}
#: What is counted rather than stored, and the level whose groups are counted.
_COUNTS = {
    "NumberOfPatientRelatedStudies": ("PATIENT", "STUDY"),
    "NumberOfPatientRelatedSeries": ("PATIENT", "SERIES"),
    "NumberOfPatientRelatedInstances": ("PATIENT", "IMAGE"),
    "NumberOfStudyRelatedSeries": ("STUDY", "SERIES"),
    "NumberOfStudyRelatedInstances": ("STUDY", "IMAGE"),
    "NumberOfSeriesRelatedInstances": ("SERIES", "IMAGE"),
}


def answers(query: Dataset, entries: Iterable[Entry], ae_title: str) -> Iterator[Dataset]:
    """One identifier a match, with the keys that were asked for and those that name it.

    Raises:
        ValueError: the query's level is none of PATIENT, STUDY, SERIES, IMAGE.
    """
    level = str(query.get("QueryRetrieveLevel", ""))
    above = _ORDER[: _ORDER.index(level) + 1]
    wanted = {keyword: asked(query, keyword) for keyword in _keywords(query)}
    matched = {keyword: wanted[keyword] for each in above for keyword in LEVELS[each] if wanted.get(keyword)}
    everything = list(entries)
    fitting = [
        entry for entry in everything if all(_matches(keyword, value, entry.value(keyword)) for keyword, value in matched.items())
    ]
    all_of = grouped(everything, level)
    for unique, members in sorted(grouped(fitting, level).items()):
        related = all_of[unique]
        modalities = sorted({entry.value("Modality") for entry in related} - {""})
        either = [part for part in wanted.get("ModalitiesInStudy", "").split("\\") if part]
        if level == "STUDY" and either and not any(_matches("Modality", part, has) for part in either for has in modalities):
            continue
        answer = _answer(level, wanted, members[0], related)
        answer.RetrieveAETitle = ae_title
        if level == "STUDY" and "ModalitiesInStudy" in wanted:
            answer.ModalitiesInStudy = modalities
        yield answer


def chosen(query: Dataset, entries: Iterable[Entry]) -> list[Entry]:
    """The instances that a C-MOVE asks for by its unique keys (PS3.4 C.4.2.2.1).

    Raises:
        ValueError: unknown level, or no unique key at that level.
    """
    level = str(query.get("QueryRetrieveLevel", ""))
    above = _ORDER[: _ORDER.index(level) + 1]
    if not asked(query, UNIQUE_KEYS[level]):
        raise ValueError("no unique key")
    keys = {UNIQUE_KEYS[each]: asked(query, UNIQUE_KEYS[each]) for each in above}
    return [entry for entry in entries if all(_matches(keyword, value, entry.value(keyword)) for keyword, value in keys.items())]


def _answer(level: str, wanted: Iterable[str], entry: Entry, related: list[Entry]) -> Dataset:
    above = _ORDER[: _ORDER.index(level) + 1]
    answer = Dataset()
    answer.SpecificCharacterSet = "ISO_IR 192"
    answer.QueryRetrieveLevel = level
    names = [UNIQUE_KEYS[each] for each in above if each != "PATIENT" or level == "PATIENT"]
    stored = [keyword for each in above for keyword in LEVELS[each]]
    for keyword in {*names, *wanted}:
        if keyword in stored:
            answer.add(element(keyword, entry.value(keyword)))
        elif keyword in _COUNTS and _COUNTS[keyword][0] == level:
            answer.add(element(keyword, len(grouped(related, _COUNTS[keyword][1]))))
    return answer


def _keywords(query: Dataset) -> list[str]:
    return [item.keyword for item in query if item.keyword and item.keyword not in {"QueryRetrieveLevel", "SpecificCharacterSet"}]


def asked(query: Dataset, keyword: str) -> str:
    """A key of a query as text: several values by backslash; empty where it is not asked for, or matches all."""
    value = query.get(keyword)
    if value is None:
        return ""
    return "\\".join(str(part) for part in value) if isinstance(value, MultiValue) else str(value)


def _matches(keyword: str, asked: str, value: str) -> bool:
    if asked in {"", "*"}:
        return True
    kind = dictionary_VR(tag_for_keyword(keyword) or 0)
    if kind == "UI":
        return value in asked.split("\\")
    if kind in _RANGES and "-" in asked:
        first, _, last = asked.partition("-")
        return bool(value) and (not first or value >= first) and (not last or value[: len(last)] <= last)
    if "*" in asked or "?" in asked:
        pattern = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in asked)
        return re.fullmatch(pattern, value, re.IGNORECASE if kind == "PN" else 0) is not None
    if kind == "PN":
        return value.casefold() == asked.casefold()
    return value == asked
