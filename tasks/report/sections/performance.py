"""Performance in all cases at the operating point, and over all of them."""

from __future__ import annotations

from tasks.report import figures
from tasks.report.blocks import Block, Figure, Paragraph, Section, Table
from tasks.report.numbers import Place
from tasks.report.subject import FEW, Subject, estimable
from tasks.report.wording import MEASURES, NOTHING, attribute, percent


def section(report: Subject) -> Section:
    """Reference standard by model, estimates with intervals and their methods, ROC curves."""
    results, of = report.results, report.numbers
    overall, whole = results.overall(), ("performance", report.whole)
    if not estimable(overall):
        return Section("performance", "Performance in all cases", (Paragraph(FEW),))
    blocks: list[Block] = [
        cross(report, whole, "Reference standard (rows) by model (columns), in studies"),
        Table(
            f"Estimates in all cases with {percent(results.confidence)} intervals",
            ("Measure", "Estimate", "Method of the interval"),
            tuple((name, of.estimate(*whole, field), getattr(overall, field).method or NOTHING) for name, field in MEASURES),
            (False, True, False), (1, 1.6, 2.6),
        ),
    ]  # fmt: skip
    roc = figures.roc(results, report.mark)
    if roc is not None:
        caption = "Receiver operating characteristic of all cases"
        others = figures.most_different(results)
        if others:
            caption += f", and by {attribute(others[0].attribute)}, the attribute whose levels lie furthest apart"
        blocks.append(Figure(caption, roc.alternative, roc.svg, roc.png, figures.ROC_WIDTH))
    return Section("performance", "Performance in all cases", tuple(blocks))


def cross(report: Subject, row: Place, caption: str) -> Table:
    """The two-by-two table with its margins, of the row of results at this place."""
    of = report.numbers
    tp, fp, fn, tn = ((*row, "counts", name) for name in ("tp", "fp", "fn", "tn"))
    rows = (
        ("Finding present", of.count(tp), of.count(fn), of.count(tp, fn)),
        ("Finding absent", of.count(fp), of.count(tn), of.count(fp, tn)),
        ("All", of.count(tp, fp), of.count(fn, tn), of.count(tp, fp, fn, tn)),
    )
    return Table(
        caption, ("Reference standard", "Model positive", "Model negative", "All"), rows, (False, *(True,) * 3), (1.2, 1, 1, 1)
    )
