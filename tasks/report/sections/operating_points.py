"""The subgroup table at further operating points."""

from __future__ import annotations

from tasks.report.blocks import Block, LeftOut, Paragraph, Section, Table
from tasks.report.numbers import Place, Said, text
from tasks.report.sections.subgroup_tables import level
from tasks.report.subject import Subject
from tasks.report.wording import MEASURES, group

_TITLE = "Further operating points"
#: The AUC is that of all thresholds.
_MEASURES = tuple(found for found in MEASURES if found[1] != "auc")
_HEADER = ("Patients", "Studies", "TP", "FN", "TN", "FP", *(name for name, _ in _MEASURES))
_NUMERIC, _WIDTHS = (False, *(True,) * 10), (58, 16, 15, 12, 12, 12, 12, *(28.5,) * 4)


def section(report: Subject) -> Section | LeftOut:
    """All cases at every operating point, and each point's table of subgroups."""
    points = report.results.operating_points
    if not points:
        return LeftOut("operating_points", _TITLE, "the plan has no operating point besides the main one")
    rows = [_named(report, "Main", ("threshold",), ("performance", report.whole))]
    blocks: list[Block] = []
    for number, point in enumerate(points):
        here = ("operating_points", number, "performance")
        whole = next(place for place, row in enumerate(point.performance) if not row.attribute)
        rows.append(_named(report, point.name, ("operating_points", number, "threshold"), (*here, whole)))
        levels = [(place, row) for place, row in enumerate(point.performance) if row.attribute]
        if levels:
            made = tuple((group(row.attribute, row.level), *level(report, (*here, place), _MEASURES)) for place, row in levels)
            blocks.append(
                Table(f"Subgroups at the operating point {point.name}", ("Subgroup", *_HEADER), made, _NUMERIC, _WIDTHS)
            )
    first = Table("All cases at every operating point", ("Operating point", *_HEADER), tuple(rows), _NUMERIC, _WIDTHS)
    said = Paragraph("The same cases, read at other thresholds. The AUC does not depend on the threshold.")
    return Section("operating_points", _TITLE, (said, first, *blocks), wide=True)


def _named(report: Subject, name: str, threshold: Place, row: Place) -> tuple[Said, ...]:
    return text(f"{name}: score ≥ ", report.numbers.of("general", threshold)), *level(report, row, _MEASURES)
