"""Where every case went, from the archive to the analysis."""

from __future__ import annotations

from tasks.report.blocks import Block, Figure, Paragraph, Section, Table
from tasks.report.flowchart import flowchart
from tasks.report.subject import Subject
from tasks.report.wording import reason


def section(report: Subject) -> Section:
    """A flow chart, every end of every stage with its reason, and the excluded studies."""
    results, of = report.results, report.numbers
    blocks: list[Block] = []
    if results.accountability:
        flow = flowchart(results, report.mark)
        blocks.append(Figure("From the archive to the analysis", flow.alternative, flow.svg, flow.png))
        rows = tuple(
            (
                row.stage,
                row.outcome.replace("_", " "),
                reason(row.reason_code),
                row.unit,
                of.count(("accountability", place, "n")),
            )
            for place, row in enumerate(results.accountability)
        )
        header, numeric = ("Stage", "Outcome", "Reason", "Unit", "n"), (False, False, False, False, True)
        blocks.append(Table("Every end of every stage", header, rows, numeric, (1.1, 1.1, 3.6, 0.8, 0.7)))
    else:
        blocks.append(Paragraph("This evaluation was made from tables alone: how their cases were selected is not known here."))
    if results.excluded:
        left = tuple((row.reason, of.count(("excluded", place, "studies"))) for place, row in enumerate(results.excluded))
        blocks.append(Table("Studies that are not in the main analysis", ("Reason", "Studies"), left, (False, True), (6, 1)))
    else:
        blocks.append(Paragraph("No study was excluded from the main analysis."))
    return Section("accountability", "Where every case went", tuple(blocks))
