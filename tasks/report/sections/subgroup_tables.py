"""Every subgroup with its counts and estimates, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from tasks.report.blocks import Block, LeftOut, Section, Table
from tasks.report.numbers import Place, Said
from tasks.report.subject import Subject
from tasks.report.wording import MEASURES, NOTHING, WITHHELD, attribute

_TITLE = "Subgroup tables"
_HEADER = ("Level", "Patients", "Studies", "TP", "FN", "TN", "FP", *(name for name, _ in MEASURES))
_WIDTHS = (48, 16, 15, 11, 11, 11, 11, *(27.6,) * 5)


def section(report: Subject) -> Section | LeftOut:
    """A table an attribute; an empty level stays in it, small ones are withheld."""
    levels = [(place, row) for place, row in enumerate(report.results.performance) if row.attribute]
    if not levels:
        return LeftOut("subgroup_tables", _TITLE, "the plan declares no subgroups")
    tables: list[Block] = [
        Table(
            f"Performance by {attribute(name)}", _HEADER, tuple((row.level, *level(report, ("performance", place))) for place, row in rows),
            (False, *(True,) * 11), _WIDTHS,
        )
        for name, rows in groupby(levels, key=lambda found: found[1].attribute)
    ]  # fmt: skip
    return Section("subgroup_tables", _TITLE, tuple(tables), wide=True)


def level(report: Subject, here: Place, measures: Sequence[tuple[str, str]] = MEASURES) -> tuple[Said, ...]:
    """Counts and estimates of the row of results at this place, or that they are withheld."""
    row, of = report.numbers.value(here), report.numbers
    if row.suppressed:
        return WITHHELD, WITHHELD, *(NOTHING,) * 4, *(WITHHELD,) * len(measures)
    bare = row.cells_withheld
    counts = (WITHHELD if bare else of.count((*here, "counts", name)) for name in ("tp", "fn", "tn", "fp"))
    estimates = (WITHHELD if bare and field != "auc" else of.estimate(*here, field) for _, field in measures)
    return of.count((*here, "patients")), of.count((*here, "studies")), *counts, *estimates
