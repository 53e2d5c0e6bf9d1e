"""Measurements against reference measurements, in all cases and in every level."""

from __future__ import annotations

from tasks.report.blocks import Block, LeftOut, Paragraph, Section
from tasks.report.sections.by_level import limits, places_of, plot, table
from tasks.report.subject import Subject

_TITLE = "Agreement of measurements"


def section(report: Subject) -> Section | LeftOut:
    """Two tables and a plot for each measurement."""
    rows = report.results.agreement
    if not rows:
        return LeftOut("agreement", _TITLE, "no measurements were held against reference measurements")
    blocks: list[Block] = [Paragraph(
        "Differences are measured minus reference; 95 % of them lie between the limits of agreement. The line is Deming's, which takes both "
        "measurements to have errors: measured = intercept + slope · reference."
    )]  # fmt: skip
    for measurement, places in places_of(rows, "measurement").items():
        unit = rows[places[0]].unit
        in_unit = f" ({unit})" if unit else ""
        errors = (
            ("Patients", ("patients",), "count"), ("Cases", ("cases",), "count"),
            (f"Mean absolute error{in_unit}", ("mean_absolute_error",), "estimate"),
            (f"Root mean square error{in_unit}", ("root_mean_square_error",), "estimate"), ("Slope", ("slope",), "signed"),
            (f"Intercept{in_unit}", ("intercept",), "signed"),
        )  # fmt: skip
        blocks.append(table(report, f"Errors and line: {measurement}", "agreement", places, errors))
        blocks.append(table(report, f"Limits of agreement: {measurement}", "agreement", places, limits("limits", unit)))
        blocks.append(plot(report, rows[places[0]], measurement, unit, "limits"))
    return Section("agreement", _TITLE, tuple(blocks), wide=True)
