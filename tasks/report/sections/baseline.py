"""Who was in the data."""

from __future__ import annotations

from tasks.report.blocks import LeftOut, Section, Table
from tasks.report.numbers import Said
from tasks.report.subject import Subject
from tasks.report.wording import WITHHELD, attribute

_TITLE = "Who was in the data"


def section(report: Subject) -> Section | LeftOut:
    """Patients, studies and prevalence of each level that the plan declares."""
    if not report.results.baseline:
        return LeftOut("baseline", _TITLE, "the plan declares no attributes")
    rows = tuple(_row(report, place) for place in range(len(report.results.baseline)))
    header = ("Attribute: level", "Patients", "Studies", "Of studies", "With the finding", "Prevalence")
    caption = "Patients and studies in the main analysis, and how often they have the finding"
    return Section("baseline", _TITLE, (Table(caption, header, rows, (False, *(True,) * 5), (3.6, 0.9, 0.9, 1.1, 1.2, 1)),))


def _row(report: Subject, place: int) -> tuple[Said, ...]:
    row, of, here = report.results.baseline[place], report.numbers, ("baseline", place)
    name = f"{attribute(row.attribute)}: {row.level}"
    if row.suppressed:
        return name, *(WITHHELD,) * 5
    studies, positives = (*here, "studies"), (*here, "positives")
    of_all = of.share(studies, ("performance", report.whole, "studies"))
    return name, of.count((*here, "patients")), of.count(studies), of_all, of.count(positives), of.share(positives, studies)
