"""Risk strata: how often cases of each range of scores have the finding."""

from __future__ import annotations

from tasks.report.blocks import LeftOut, Paragraph, Section, Table
from tasks.report.numbers import Said, text
from tasks.report.subject import Subject, missing
from tasks.report.wording import WITHHELD

_TITLE = "Risk strata"


def section(report: Subject) -> Section | LeftOut:
    """Each stratum's cases, share with the finding, and likelihood ratio."""
    if not report.results.strata:
        return LeftOut("strata", _TITLE, missing(report, "the plan names no bounds of risk strata"))
    rows = tuple(_row(report, place) for place in range(len(report.results.strata)))
    header = ("Score", "Patients", "Studies", "With the finding", "Share with the finding", "Likelihood ratio")
    table = Table("Strata of the scores", header, rows, (False, *(True,) * 5), (1.3, 0.8, 0.8, 1, 1.6, 1.9))
    said = Paragraph("The likelihood ratio says by how much a score of the stratum multiplies the odds of the finding.")
    return Section("strata", _TITLE, (said, table))


def _row(report: Subject, place: int) -> tuple[Said, ...]:
    row, of, here = report.results.strata[place], report.numbers, ("strata", place)
    low, high = row.lower is not None, row.upper is not None
    lower, upper = (of.of("general", (*here, field)) if known else "" for field, known in (("lower", low), ("upper", high)))
    name = (
        text(lower, " to below ", upper)
        if low and high
        else text(lower, " and above")
        if low
        else text("below ", upper)
        if high
        else "all"
    )
    if row.suppressed:
        return name, *(WITHHELD,) * 5
    counts = (of.count((*here, field)) for field in ("patients", "studies", "positives"))
    return name, *counts, of.estimate(*here, "observed"), of.estimate(*here, "likelihood_ratio")
