"""What this report does not have, and why: a reader must not take silence for a good result."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.report.blocks import LeftOut, Paragraph, Section, Table

_TITLE = "What this report leaves out"


def section(left: Sequence[LeftOut]) -> Section:
    """Every section that is not in the report."""
    if not left:
        return Section("left_out", _TITLE, (Paragraph("Nothing: every section that a report can have is in this one."),))
    rows = tuple((each.title, each.why) for each in left)
    return Section(
        "left_out", _TITLE, (Table("Sections that are left out", ("Section", "Why"), rows, (False, False), (1.4, 2.6)),)
    )
