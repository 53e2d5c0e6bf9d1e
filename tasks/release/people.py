"""Who was studied: a study's demographics from `cohort` and `studies`, its labels, and what a person is like for stratification."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from data_contracts import cohort, reference, studies
from tasks.errors import ConfigurationError
from tasks.lake import Lake
from tasks.release.rule import Row
from tasks.release.splits import Stratum

UNKNOWN = "unknown"
#: Attributes of a study, and of a volume, that the card counts and splits can be stratified by.
OF_STUDY = ("sex", "age_band", "race", "ethnicity", "site")
OF_VOLUME = ("Modality", "BodyPartExamined", "Manufacturer", "ManufacturerModelName", "thickness_band", "ConvolutionKernel")
#: Upper edges of the bands of slice thickness, in mm; each band holds its upper edge.
_THICKNESS_MM = (1.0, 1.5, 2.5, 5.0)
#: Columns of the table `studies.csv` of a release.
STUDY_COLUMNS = ("StudyInstanceUID", "PatientID", *OF_STUDY, "study_year")


def study_facts(lake: Lake) -> dict[str, dict[str, Any]]:
    """Study → its facts (`STUDY_COLUMNS`); `cohort` is asked first, what it does not say is taken from `studies`."""
    found: dict[str, dict[str, Any]] = {}
    for row in lake.table(studies.CONTRACT).to_pylist():
        blank: dict[str, Any] = dict.fromkeys(STUDY_COLUMNS)
        found[row["StudyInstanceUID"]] = blank | {
            "StudyInstanceUID": row["StudyInstanceUID"], "PatientID": row["PatientID"], "sex": row["PatientSex"],
            "age_band": _age_band(row["age_years"], row["age_over_89"]), "study_year": row["study_year"],
        }  # fmt: skip
    for row in lake.table(cohort.CONTRACT).to_pylist():
        facts = found.setdefault(row["StudyInstanceUID"], dict.fromkeys(STUDY_COLUMNS))
        facts.update({name: value for name, value in row.items() if name in facts and value is not None})
    return found


def labels(lake: Lake) -> list[dict[str, Any]]:
    """The rows of the table `reference`, in the order of its key."""
    rows: list[dict[str, Any]] = lake.table(reference.CONTRACT).to_pylist()
    return sorted(rows, key=lambda row: (row["StudyInstanceUID"], row["finding"]))


def thickness_band(millimetres: float | None) -> str:
    """The band of a slice thickness, such as `1.5 to 2.5 mm`, the upper edge included."""
    if millimetres is None:
        return UNKNOWN
    if millimetres <= _THICKNESS_MM[0]:
        return f"up to {_THICKNESS_MM[0]:g} mm"
    for lower, upper in pairwise(_THICKNESS_MM):
        if millimetres <= upper:
            return f"{lower:g} to {upper:g} mm"
    return f"over {_THICKNESS_MM[-1]:g} mm"


def told(attribute: str, row: Row, facts: Mapping[str, Mapping[str, Any]]) -> str:
    """The level of an attribute (`OF_STUDY` or `OF_VOLUME`) that a volume has; `unknown` where none is stated."""
    if attribute == "thickness_band":
        return thickness_band(row["SliceThickness"])
    value = facts.get(row["StudyInstanceUID"], {}).get(attribute) if attribute in OF_STUDY else row[attribute]
    return UNKNOWN if value is None or value == "Unknown" else str(value)


def strata(
    rows: Iterable[Row],
    person_of: Mapping[str, str],
    attributes: Sequence[str],
    facts: Mapping[str, Mapping[str, Any]],
    labelled: Iterable[Mapping[str, Any]],
) -> dict[str, Stratum]:
    """Person → what the person is like: of each attribute the level of most volumes, of several the first; of a finding, whether
    any study shows it.

    Args:
        rows: the volumes of the release.
        person_of: PatientID → person.
        attributes: of `OF_STUDY`, `OF_VOLUME`, or `label:FINDING`.

    Raises:
        ConfigurationError: E-RELEASE-STRATIFY with an attribute that is none of these.
    """
    findings = {(row["StudyInstanceUID"], row["finding"]): int(row["label"]) for row in labelled}
    for attribute in attributes:
        known = attribute in (*OF_STUDY, *OF_VOLUME) or attribute.removeprefix("label:") in {name for _, name in findings}
        if not known:
            raise ConfigurationError("E-RELEASE-STRATIFY", f"known are {', '.join((*OF_STUDY, *OF_VOLUME))} and label:FINDING")
    counted: dict[str, list[Counter[str]]] = {}
    for row in rows:
        counters = counted.setdefault(person_of[row["PatientID"]], [Counter() for _ in attributes])
        for attribute, counter in zip(attributes, counters, strict=True):
            if attribute.startswith("label:"):
                label = findings.get((row["StudyInstanceUID"], attribute.removeprefix("label:")))
                counter[UNKNOWN if label is None else str(label)] += 1
            else:
                counter[told(attribute, row, facts)] += 1
    return {
        person: tuple(_level(name, counter) for name, counter in zip(attributes, counters, strict=True))
        for person, counters in counted.items()
    }


def _level(attribute: str, counter: Counter[str]) -> str:
    if attribute.startswith("label:"):
        return next(level for level in ("1", "0", UNKNOWN) if counter[level])
    return min(counter, key=lambda level: (-counter[level], level))


def _age_band(years: int | None, over_89: bool | None) -> str | None:
    if over_89:
        return cohort.AGE_BANDS[-1]
    for band in cohort.AGE_BANDS[:-1]:
        if years is not None and years <= int(band.partition("-")[2]):
            return band
    return None
