"""What acting on the model gains over acting on every case or on none."""

from __future__ import annotations

from tasks.report.blocks import Block, Figure, LeftOut, Paragraph, Section, Table
from tasks.report.figures import decision as drawing
from tasks.report.subject import Subject, missing

_TITLE = "Net benefit"


def section(report: Subject) -> Section | LeftOut:
    """The decision curve, and its points."""
    results, of = report.results, report.numbers
    if not results.net_benefit:
        return LeftOut("decision", _TITLE, missing(report, "the plan names no threshold probabilities"))
    blocks: list[Block] = [
        Paragraph(
            "A threshold probability p says that a false alarm costs p / (1 − p) of what a found case is worth. The net benefit is in "
            "found cases for each case read (Vickers and Elkin, Med Decis Making 2006;26:565). A score is read as a probability "
            "here."
        )
    ]
    drawn = drawing.decision(results.net_benefit, report.mark)
    if drawn is not None:
        blocks.append(Figure("Decision curve", drawn.alternative, drawn.svg, drawn.png, drawing.WIDTH))
    rows = tuple(
        (
            of.of("prevalence", (*here, "threshold_probability")), of.difference(*here, "model"), of.of("signed", (*here, "treat_all")),
            of.of("signed", (*here, "treat_none")),
        )
        for here in (("net_benefit", place) for place in range(len(results.net_benefit)))
    )  # fmt: skip
    header = ("Threshold probability", "Acting on the model", "Acting on every case", "Acting on no case")
    blocks.append(Table("Net benefit by threshold probability", header, rows, (False, *(True,) * 3), (1.3, 2, 1.3, 1.2)))
    return Section("decision", _TITLE, tuple(blocks))
