"""Performance in all cases at the operating point, and over all of them."""

from __future__ import annotations

from tasks.report.blocks import Block, Figure, Paragraph, Section, Table
from tasks.report.figures import roc
from tasks.report.numbers import Place, Said, text
from tasks.report.subject import FEW, Subject, estimable
from tasks.report.wording import MEASURES, NOTHING, percent

_RATIOS = (("Likelihood ratio of a positive reading", "lr_positive"), ("Likelihood ratio of a negative reading", "lr_negative"))


def section(report: Subject) -> Section:
    """Reference standard by model, estimates with intervals and their methods, ROC curves."""
    results, whole = report.results, ("performance", report.whole)
    overall = results.overall()
    if not estimable(overall):
        return Section("performance", "Performance in all cases", (Paragraph(FEW),))
    blocks: list[Block] = [
        cross(report, whole, "Reference standard (rows) by model (columns), in studies"),
        Table(
            f"Estimates in all cases with {percent(results.confidence)} intervals",
            ("Measure", "Estimate", "Method of the interval"),
            _estimates(report), (False, True, False), (1.7, 1.5, 2.3),
        ),
    ]  # fmt: skip
    drawn = roc.overall(results, report.mark)
    if drawn is not None:
        caption = "Receiver operating characteristic of all cases"
        blocks.append(Figure(caption, drawn.alternative, drawn.svg, drawn.png, roc.WIDTH))
    parts = roc.by_attribute(results, report.mark)
    caption = "Receiver operating characteristic by attribute (sensitivity against 1 − specificity), with pointwise bands"
    for number, part in enumerate(parts, 1):
        which = f" (part {number} of {len(parts)})" if len(parts) > 1 else ""
        blocks.append(Figure(f"{caption}{which}", part.alternative, part.svg, part.png))
    return Section("performance", "Performance in all cases", tuple(blocks))


def _estimates(report: Subject) -> tuple[tuple[Said, ...], ...]:
    """Every measure of all cases with its method; those that only some results have, where they are."""
    results, of, whole = report.results, report.numbers, ("performance", report.whole)
    overall = results.overall()
    rows: list[tuple[Said, ...]] = [
        (name, of.estimate(*whole, field), getattr(overall, field).method or NOTHING)
        for name, field in (*MEASURES, ("Prevalence", "prevalence"), *_RATIOS)
        if getattr(overall, field) is not None
    ]
    partial = results.partial_auc
    if partial is not None:
        low, high = (of.of("general", ("partial_auc", "specificity", side)) for side in (0, 1))
        name = text("Partial AUC, specificity ", low, " to ", high, ", standardized")
        rows.append((name, of.estimate("partial_auc", "standardized"), partial.standardized.method or NOTHING))
    return tuple(rows)


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
