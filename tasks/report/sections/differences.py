"""Each subgroup against all other cases, and whether an attribute's levels differ at all."""

from __future__ import annotations

from itertools import groupby

from tasks.evaluation.differences import COMPARED
from tasks.evaluation.results import Heterogeneity
from tasks.report.blocks import Block, LeftOut, Paragraph, Section, Table
from tasks.report.numbers import Place, Said, text
from tasks.report.subject import Subject, missing
from tasks.report.wording import NOTHING, attribute, metric

_TITLE = "Each subgroup against all other cases"
_PARTS = ("difference", "p", "p, Holm", "p, B-H")
_HEADER = ("Level", *(f"{metric(field)} {part}" if part == "difference" else part for field in COMPARED for part in _PARTS))
_NUMERIC, _WIDTHS = (False, *(True,) * 12), (36, *(34, 12, 12, 12) * 3)


def section(report: Subject) -> Section | LeftOut:
    """Differences with intervals, raw and adjusted p values, an attribute a table; and the tests over all levels of each attribute."""
    levels = [(place, row) for place, row in enumerate(report.results.performance) if row.attribute and row.against_rest]
    if not levels:
        return LeftOut("differences", _TITLE, missing(report, "no subgroup could be held against all other cases"))
    blocks: list[Block] = [Paragraph(
        "The interval of each difference stands for itself. p is that of no difference; Holm's and Benjamini and Hochberg's (B-H) "
        "are adjusted over all levels of all attributes for a measure. A level is worse where the whole interval lies below "
        "zero. That nothing is shown is no proof that nothing differs."
    )]  # fmt: skip
    for name, rows in groupby(levels, key=lambda found: found[1].attribute):
        made = tuple(_row(report, ("performance", place)) for place, _ in rows)
        blocks.append(Table(f"Differences by {attribute(name)}", _HEADER, made, _NUMERIC, _WIDTHS))
    tests = tuple(_test(report, place, row) for place, row in enumerate(report.results.heterogeneity))
    if tests:
        header = ("Attribute", "Measure", "Statistic", "Degrees of freedom", "p", "p (Holm)", "p (Benjamini-Hochberg)", "Test")
        numeric, widths = (False, False, *(True,) * 5, False), (1.7, 1.1, 0.9, 1.1, 0.8, 0.8, 1.2, 3)
        blocks.append(Table("Whether a measure differs among an attribute's shown levels at all", header, tests, numeric, widths))
    return Section("differences", _TITLE, tuple(blocks), wide=True)


def _row(report: Subject, row: Place) -> tuple[Said, ...]:
    level = report.numbers.value(row)
    known = {found.metric: number for number, found in enumerate(level.against_rest)}
    cells = (_cells(report, (*row, "against_rest", known[field])) if field in known else (NOTHING,) * 4 for field in COMPARED)
    return level.level, *(cell for part in cells for cell in part)


def _cells(report: Subject, here: Place) -> tuple[Said, ...]:
    of, found = report.numbers, report.numbers.value(here)
    apart = of.of("signed bounds", *((*here, field) for field in ("difference", "lower", "upper")))
    verdict = " worse" if found.harder else " better" if found.lower > 0 else ""
    return text(apart, verdict) if verdict else apart, *(
        of.known("p", *here, field) for field in ("p", "p_holm", "p_benjamini_hochberg")
    )


def _test(report: Subject, place: int, row: Heterogeneity) -> tuple[Said, ...]:
    of, here = report.numbers, ("heterogeneity", place)
    freedom = NOTHING if row.freedom is None else of.count((*here, "freedom"))
    values = (of.known("p", *here, field) for field in ("p", "p_holm", "p_benjamini_hochberg"))
    return (
        attribute(row.attribute),
        metric(row.metric),
        of.known("decimal", *here, "statistic"),
        freedom,
        *values,
        row.method or row.reason,
    )
