"""Who was in the data."""

from __future__ import annotations

from tasks.evaluation.balance import Comparison
from tasks.report.blocks import Block, LeftOut, Paragraph, Section, Table
from tasks.report.numbers import Said
from tasks.report.subject import FEW, Subject, estimable
from tasks.report.wording import WITHHELD, attribute, group

_TITLE = "Who was in the data"
_EXPLAINED = (
    "A standardised difference is how far two groups of studies differ in an attribute, in pooled standard deviations (Austin, Stat Med "
    "2009;28:3083; of several levels: Yang and Dalton, SAS Global Forum 2012, paper 335). It does not depend on how many studies there are; 0 "
    "says that they are alike, and about 0.1 is often called small."
)


def section(report: Subject) -> Section | LeftOut:
    """Every level that the plan declares by the reference standard, with margins, and how far groups differ in each attribute."""
    results = report.results
    if not results.baseline:
        return LeftOut("baseline", _TITLE, "the plan declares no attributes")
    blocks: list[Block] = [_crossed(report)]
    if results.standardized_differences:
        blocks += [Paragraph(_EXPLAINED), _differences(report)]
    elif not estimable(results.overall()):
        blocks.append(Paragraph(FEW))
    return Section("baseline", _TITLE, tuple(blocks))


def _crossed(report: Subject) -> Table:
    rows = (
        _row(report, ("performance", report.whole)),
        *(_row(report, ("baseline", place)) for place in range(len(report.results.baseline))),
    )
    header = ("Attribute: level", "Patients", "Studies", "Of studies", "With the finding", "Without", "Prevalence")
    caption = "Patients and studies in the main analysis by level and reference standard"
    return Table(caption, header, rows, (False, *(True,) * 6), (3.2, 0.9, 0.9, 1.1, 1.1, 0.9, 1))


def _row(report: Subject, here: tuple[str, int]) -> tuple[Said, ...]:
    of, row = report.numbers, report.numbers.value(here)
    name = group(row.attribute, row.level)
    if row.suppressed:
        return name, *(WITHHELD,) * 6
    studies, positives = (*here, "studies"), (*here, "positives")
    return (
        name, of.count((*here, "patients")), of.count(studies), of.share(studies, ("performance", report.whole, "studies")),
        of.count(positives), of.of("less", studies, positives), of.share(positives, studies),
    )  # fmt: skip


def _differences(report: Subject) -> Table:
    results, of = report.results, report.numbers
    names = list(dict.fromkeys(row.attribute for row in results.standardized_differences))
    places = {(row.attribute, row.comparison): place for place, row in enumerate(results.standardized_differences)}

    def said(name: str, comparison: Comparison) -> Said:
        place = places[name, comparison]
        row = results.standardized_differences[place]
        if row.difference is None:
            return f"not estimable: {row.reason}"
        return of.of("decimal", ("standardized_differences", place, "difference"))

    rows = tuple((attribute(name), said(name, "finding"), said(name, "excluded")) for name in names)
    header = ("Attribute", "With and without the finding", "Analysed and excluded")
    return Table("Standardised differences between groups of studies", header, rows, (False, True, True), (1.6, 1.4, 1.4))
