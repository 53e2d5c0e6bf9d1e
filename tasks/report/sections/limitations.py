"""What the data themselves show to be missing."""

from __future__ import annotations

from tasks.report.blocks import Items, Paragraph, Section
from tasks.report.subject import Subject


def section(report: Subject) -> Section:
    """The sentences that the evaluation wrote, the harder subgroups first."""
    said = report.results.limitations
    found = Items(said) if said else Paragraph("The evaluation found none; those of its design are not listed here.")
    return Section("limitations", "Limitations that the data show", (found,))
