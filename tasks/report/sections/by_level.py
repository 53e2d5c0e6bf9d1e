"""A table of all cases and every level, of one of the results' further parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tasks.report.bland_altman import WIDTH, bland_altman
from tasks.report.blocks import Block, Figure, Paragraph, Table
from tasks.report.numbers import Place, Said
from tasks.report.subject import Subject
from tasks.report.wording import WITHHELD, group

#: A column: its heading, the way from the row to its value, and how it is written: a count, an estimate, or one with a sign.
Column = tuple[str, Place, str]


def table(report: Subject, caption: str, part: str, places: Sequence[int], columns: Sequence[Column]) -> Table:
    """Rows of `results.<part>` at these places; nothing but its name of a row that is suppressed."""
    rows = tuple(_row(report, (part, place), columns) for place in places)
    widths = (40, *(15 if form == "count" else 30 for _, _, form in columns))
    return Table(caption, ("Level", *(name for name, _, _ in columns)), rows, (False, *(True,) * len(columns)), widths)


def _row(report: Subject, here: Place, columns: Sequence[Column]) -> tuple[Said, ...]:
    row: Any = report.numbers.value(here)
    name = group(row.attribute, row.level)
    if row.suppressed:
        return name, *(WITHHELD for _ in columns)
    return name, *(_cell(report, (*here, *way), form) for _, way, form in columns)


def _cell(report: Subject, place: Place, form: str) -> Said:
    of = report.numbers
    if form == "count":
        return of.count(place)
    if form == "number":
        return of.known("decimal", *place)
    return of.difference(*place) if form == "signed" else of.estimate(*place)


def limits(where: str, unit: str) -> tuple[Column, ...]:
    """Bias, SD and limits of agreement, which stand in the row's field `where`."""
    in_unit = f" ({unit})" if unit else ""
    return (
        (f"Bias{in_unit}", (where, "bias"), "signed"), (f"SD{in_unit}", (where, "sd"), "number"), ("Lower limit", (where, "lower"), "signed"),
        ("Upper limit", (where, "upper"), "signed"),
    )  # fmt: skip


def plot(report: Subject, row: Any, what: str, unit: str, field: str) -> Block:
    """The Bland-Altman plot of a row, or a sentence that says why there is none."""
    drawn = None if row.suppressed else bland_altman(what, unit, getattr(row, field), row.density, report.mark)
    if drawn is None:
        return Paragraph(
            f"There is no Bland-Altman plot of {what}: too few patients lie in any one place of it to be shown, or nothing is estimated."
        )
    caption = (
        f"Differences of {what} by their mean in all cases. The darker, the more patients (their number in the cell); cells of too few patients "
        "are left blank, and single points are never shown. Lines: bias and limits of agreement, with their intervals"
    )
    return Figure(caption, drawn.alternative, drawn.svg, drawn.png, WIDTH)


def places_of(rows: Sequence[Any], field: str) -> dict[str, list[int]]:
    """The places of the rows of each structure or measurement, in their order."""
    found: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        found.setdefault(getattr(row, field), []).append(place)
    return found
