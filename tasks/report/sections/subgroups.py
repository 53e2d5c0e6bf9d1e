"""Every subgroup with its intervals, as a plot."""

from __future__ import annotations

from tasks.report.blocks import Figure, LeftOut, Paragraph, Section
from tasks.report.figures.forest import forests
from tasks.report.subject import Subject
from tasks.report.wording import percent

_TITLE = "Performance in subgroups"


def section(report: Subject) -> Section | LeftOut:
    """A forest plot, in parts where there are many."""
    results = report.results
    if not any(row.attribute for row in results.performance):
        return LeftOut("subgroups", _TITLE, "the plan declares no subgroups")
    drawn = forests(results, report.mark)
    if not drawn:
        return Section("subgroups", _TITLE, (Paragraph("Nothing can be estimated in any subgroup."),))
    caption = (
        f"Subgroups with {percent(results.confidence)} intervals. Dashed: the estimate in all cases. "
        "Orange diamonds: worse than in all other cases, by the interval of the difference"
    )
    parts = [f" (part {place} of {len(drawn)})" if len(drawn) > 1 else "" for place in range(1, len(drawn) + 1)]
    blocks = (
        Figure(f"{caption}{part}", forest.alternative, forest.svg, forest.png) for forest, part in zip(drawn, parts, strict=True)
    )
    return Section("subgroups", _TITLE, tuple(blocks))
