"""How soon results came."""

from __future__ import annotations

from tasks.evaluation.timing import STATES
from tasks.report.blocks import LeftOut, Paragraph, Section, Table
from tasks.report.numbers import Said
from tasks.report.subject import Subject
from tasks.report.wording import WITHHELD

_TITLE = "Time to result"
_EXPLAINED = (
    "The clock runs from when a study is complete to its first result. A result was owed where it came in time, came late, or is late and has "
    "not come; the share in time is over these. Studies that still have time, that the model will not read, and that were complete before it "
    "began to read are counted beside. Median and 90th percentile are over all results that were owed, one that has not come being "
    "later than any; a dash says that so many have not come that the quantile is not known. All studies that the model was given count here, "
    "with or without a reference standard."
)


def section(report: Subject) -> Section | LeftOut:
    """Each service level with the share that reached it."""
    results = report.results
    if not results.time_to_result:
        return LeftOut("time", _TITLE, "the lake holds no service level of this model and finding")
    places = range(len(results.time_to_result))
    header = ("Service level", "Patients", "Studies", "Share in time", "Median", "90th percentile")
    rows = tuple(_row(report, place) for place in places)
    counts = (
        "Service level",
        "In time",
        "Late",
        "Late, not come",
        "Still time",
        "Not read by the model",
        "Complete before it began",
    )
    ends = tuple(_ends(report, place) for place in places)
    return Section("time", _TITLE, (
        Paragraph(_EXPLAINED),
        Table("Time to result by service level", header, rows, (False, *(True,) * 5), (1.1, 0.8, 0.8, 1.6, 0.9, 1.1)),
        Table("What became of the studies, by service level", counts, ends, (False, *(True,) * 6), (1.1, 0.7, 0.6, 0.8, 0.8, 1, 1.1)),
    ))  # fmt: skip


def _name(target: str) -> str:
    return f"within {target}" if target.endswith("min") else target


def _row(report: Subject, place: int) -> tuple[Said, ...]:
    row, of, here = report.results.time_to_result[place], report.numbers, ("time_to_result", place)
    if row.suppressed:
        return _name(row.target), *(WITHHELD,) * 5
    counts = (of.count((*here, name)) for name in ("patients", "studies"))
    quantiles = (of.known("minutes", *here, name) for name in ("median_minutes", "p90_minutes"))
    return _name(row.target), *counts, of.estimate(*here, "share"), *quantiles


def _ends(report: Subject, place: int) -> tuple[Said, ...]:
    row, of, here = report.results.time_to_result[place], report.numbers, ("time_to_result", place)
    if row.suppressed:
        return _name(row.target), *(WITHHELD,) * len(STATES)
    return _name(row.target), *(of.count((*here, state)) for state in STATES)
