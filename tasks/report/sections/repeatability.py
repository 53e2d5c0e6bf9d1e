"""How much repeated measurements of the same thing differ, in all cases and in every level."""

from __future__ import annotations

from tasks.report.blocks import Block, LeftOut, Paragraph, Section
from tasks.report.sections.by_level import places_of, table
from tasks.report.subject import Subject

_TITLE = "Repeatability"


def section(report: Subject) -> Section | LeftOut:
    """A table for each measurement."""
    rows = report.results.repeatability
    if not rows:
        return LeftOut("repeatability", _TITLE, "nothing was measured repeatedly")
    blocks: list[Block] = [Paragraph(
        "Of what was measured at least twice. Two measurements of the same thing differ by no more than the repeatability coefficient "
        "19 times in 20, if nothing has changed. CV: coefficient of variation within patients."
    )]  # fmt: skip
    for measurement, places in places_of(rows, "measurement").items():
        unit = rows[places[0]].unit
        in_unit = f" ({unit})" if unit else ""
        columns = (
            ("Patients", ("patients",), "count"), ("Measurements", ("measurements",), "count"), (f"Within-subject SD{in_unit}", ("wsd",), "estimate"),
            (f"Repeatability coefficient{in_unit}", ("coefficient",), "estimate"), ("CV (%)", ("cv_percent",), "estimate"),
        )  # fmt: skip
        blocks.append(table(report, f"Repeatability: {measurement}", "repeatability", places, columns))
    return Section("repeatability", _TITLE, tuple(blocks), wide=True)
