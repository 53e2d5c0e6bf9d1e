"""What was not read, and the numbers if all of that were wrong."""

from __future__ import annotations

from tasks.report.blocks import Paragraph, Section, Table
from tasks.report.numbers import Said, text
from tasks.report.sections.performance import cross
from tasks.report.subject import FEW, Subject, estimable
from tasks.report.wording import MEASURES, WITHHELD, noun

_TITLE = "If every unread case were wrong"


def section(report: Subject) -> Section:
    """The worst case beside the main analysis."""
    results, of, whole = report.results, report.numbers, ("performance", report.whole)
    overall, worst = results.overall(), results.worst_case
    if not estimable(worst):
        return Section("indeterminate", _TITLE, (Paragraph(FEW),))
    # The number of unread cases is not told where the main analysis is withheld: the difference would give that back.
    unread = worst.studies - overall.studies
    said: Said
    if overall.suppressed:
        said = "Each case that has a reference standard and was not read is counted as an error here."
    elif unread == 0:
        all_read = "The model read every case that has a reference standard: there is no worse case to show."
        return Section("indeterminate", _TITLE, (Paragraph(all_read),))
    else:
        said = text(
            of.of("less", ("worst_case", "studies"), (*whole, "studies")),
            f" {noun(unread, 'study')} with a reference standard {'was' if unread == 1 else 'were'} not read. Here each "
            "counts as an error, and ranks below every other study if it has the finding, above if it has not.",
        )
    rows = tuple(
        (name, WITHHELD if overall.suppressed else of.estimate(*whole, field), of.estimate("worst_case", field))
        for name, field in MEASURES
    )
    numeric, widths = (False, True, True), (1, 1.5, 1.5)
    return Section("indeterminate", _TITLE, (
        Paragraph(said),
        cross(report, ("worst_case",), "Reference standard (rows) by model (columns) in the worst case, in studies"),
        Table("Main analysis and worst case", ("Measure", "Main analysis", "Worst case"), rows, numeric, widths),
    ))  # fmt: skip
