"""Where a detection device looks: its marks against the lesions of the reference standard."""

from __future__ import annotations

from tasks.report.blocks import Block, Figure, LeftOut, Paragraph, Section, Table
from tasks.report.figures import froc as drawing
from tasks.report.numbers import Said, text
from tasks.report.subject import Subject, missing
from tasks.report.wording import NOTHING, group

_TITLE = "Detection of lesions"


def section(report: Subject) -> Section | LeftOut:
    """Lesion sensitivity at so many false positives a case, and the area under the weighted AFROC curve, of every shown row."""
    found = list(enumerate(report.results.detection))
    if not found:
        return LeftOut("detection", _TITLE, missing(report, "the plan asks for no detection, or no marks and lesions were given"))
    place, whole = next((place, row) for place, row in found if not row.attribute)
    blocks: list[Block] = [Paragraph(
        "Lesions of one patient are a cluster. The lesion sensitivity is that at the lowest threshold that has no more than so "
        "many false positives a case. The weighted AFROC area is the chance that a lesion is marked with a higher score than any "
        "false mark of a case without lesions; each case with lesions weighs the same (Chakraborty and Zhai, Med Phys "
        "2016;43:2548)."
    )]  # fmt: skip
    drawn = drawing.froc(whole, report.mark)
    if drawn is not None:
        blocks.append(Figure("Points of the FROC curve of all cases", drawn.alternative, drawn.svg, drawn.png, drawing.WIDTH))
    of = report.numbers
    points = tuple(_point(report, place, number) for number in range(len(whole.at)))
    header: tuple[str, ...] = ("False positives a case, at most", "Threshold", "Reached", "Lesion sensitivity")
    blocks.append(Table("Lesion sensitivity in all cases", header, points, (False, *(True,) * 3), (1.6, 1, 1, 2)))
    rows = tuple(
        (
            group(row.attribute, row.level), *(of.count(("detection", number, field)) for field in ("cases", "lesions", "false_positives")),
            of.estimate("detection", number, "wafroc"),
        )
        for number, row in found
    )  # fmt: skip
    header = ("Cases", "Studies", "Lesions", "False positives", "Weighted AFROC area")
    blocks.append(Table("Lesions and false positives", header, rows, (False, *(True,) * 4), (2, 0.8, 0.8, 1, 1.6)))
    levels = tuple(
        (text(f"{group(row.attribute, row.level)}, at ", of.of("general", ("detection", number, "at", each, "false_positives"))),
         *_point(report, number, each)[1:])
        for number, row in found if row.attribute for each in range(len(row.at))
    )  # fmt: skip
    if levels:
        header = ("Subgroup and false positives a case", "Threshold", "Reached", "Lesion sensitivity")
        blocks.append(Table("Lesion sensitivity in subgroups", header, levels, (False, *(True,) * 3), (2.4, 1, 1, 2)))
    return Section("detection", _TITLE, tuple(blocks))


def _point(report: Subject, place: int, number: int) -> tuple[Said, ...]:
    of, here = report.numbers, ("detection", place, "at", number)
    found = of.value(here)
    nothing = "no mark" if found.threshold is None and found.sensitivity.estimate is not None else NOTHING
    threshold = nothing if found.threshold is None else of.of("general", (*here, "threshold"))
    rate, reached = of.of("general", (*here, "false_positives")), of.known("general", *here, "reached")
    return rate, threshold, reached, of.estimate(*here, "sensitivity")
