"""What the report says in a few sentences."""

from __future__ import annotations

from tasks.report.blocks import Paragraph, Section
from tasks.report.numbers import text
from tasks.report.subject import FEW, Subject, estimable
from tasks.report.wording import noun


def section(report: Subject) -> Section:
    """Intended use, and the main numbers with their intervals."""
    results, of, whole = report.results, report.numbers, ("performance", report.whole)
    overall = results.overall()
    intended = Paragraph(f"Intended use: {results.intended_use}")
    if not estimable(overall):
        return Section("summary", "Summary", (intended, Paragraph(FEW, emphasis=True)))
    said = text(
        "In ", of.count((*whole, "studies")), f" {noun(overall.studies, 'study')} of ", of.count((*whole, "patients")),
        f" {noun(overall.patients, 'patient')} (", of.count((*whole, "positives")), " studies with the finding), the area under the ROC curve was ",
        of.estimate(*whole, "auc"), ". At the operating point (a score of at least ", of.of("general", ("threshold",)), "), sensitivity was ",
        of.estimate(*whole, "sensitivity"), " and specificity ", of.estimate(*whole, "specificity"), ". Numbers in parentheses are ",
        of.of("percent", ("confidence",)), " intervals.",
    )  # fmt: skip
    return Section("summary", "Summary", (intended, Paragraph(said, emphasis=True)))
