"""The report on one evaluation: what stands in it, in which order. Made once; every face renders just this."""

from __future__ import annotations

from itertools import groupby

from tasks.evaluation.results import Performance, Results
from tasks.report import figures
from tasks.report.blocks import Block, Document, Figure, Items, Paragraph, Section, Table, numbered
from tasks.report.flowchart import flowchart
from tasks.report.methods import glossary, methods
from tasks.report.wording import (
    MEASURES,
    NOTHING,
    attribute,
    count,
    counted,
    estimate,
    percent,
    printable,
    reason,
    share,
)

MARK = "SYNTHETIC DATA"
SYNTHETIC = f"{MARK}. The cases in this report were generated. It shows how Safelight works and says nothing about patients."
_FEW = "There are too few cases to estimate anything."


def make(results: Results) -> Document:
    """The report on one evaluation."""
    shown = printable(results)
    mark = MARK if shown.synthetic else ""
    sections = (
        Section("Summary", _summary(shown)),
        Section("Limitations that the data show", _limitations(shown)),
        Section("What was evaluated", (_provenance(shown),)),
        Section("Where every case went", _accountability(shown, mark)),
        Section("Who was in the data", _baseline(shown)),
        Section("Performance in all cases", _performance(shown, mark)),
        Section("If every unread case were wrong", _worst_case(shown)),
        Section("Performance in subgroups", _forests(shown, mark)),
        Section("Subgroup tables", _subgroups(shown), wide=any(row.attribute for row in shown.performance)),
        Section("How the numbers were made", methods(shown)),
        Section("Glossary", (glossary(),)),
    )
    made = shown.provenance
    subtitle = f"{made.model_name} {_version(made.model_version)} · finding: {shown.finding}"
    return Document(shown.title, subtitle, SYNTHETIC if mark else "", mark, numbered(sections))


def _version(version: str) -> str:
    return f"version {version}" if version else "(version not stated)"


def _estimable(row: Performance) -> bool:
    return not row.suppressed and row.studies > 0


# ---- what it says and what it was made from -------------------------------------------------------------------------------


def _summary(results: Results) -> tuple[Block, ...]:
    overall = results.overall()
    intended = Paragraph(f"Intended use: {results.intended_use}")
    if not _estimable(overall):
        return intended, Paragraph(_FEW, emphasis=True)
    said = (
        f"In {counted(overall.studies, 'study')} of {counted(overall.patients, 'patient')} ({count(overall.positives)} studies with "
        f"the finding), the area under the ROC curve was {estimate(overall.auc)}. At the operating point (a score of at least "
        f"{results.threshold:.4g}), sensitivity was {estimate(overall.sensitivity)} and specificity {estimate(overall.specificity)}. "
        f"Numbers in parentheses are {percent(results.confidence)} intervals."
    )
    return intended, Paragraph(said, emphasis=True)


def _limitations(results: Results) -> tuple[Block, ...]:
    if not results.limitations:
        return (Paragraph("The evaluation found none; those of its design are not listed here."),)
    return (Items(results.limitations),)


def _provenance(results: Results) -> Table:
    made = results.provenance
    rows = (
        ("Model", f"{made.model_name} {_version(made.model_version)}"),
        ("Weights (SHA-256)", made.weights_sha256),
        ("Evaluation plan", made.plan_name),
        ("Plan (SHA-256)", made.plan_sha256),
        ("Predictions (SHA-256)", made.predictions_sha256),
        ("Reference standard (SHA-256)", made.reference_sha256),
        ("Cohort (SHA-256)", made.cohort_sha256),
        ("Finding", results.finding),
        ("Operating point", f"score ≥ {results.threshold:.4g}"),
        ("Intervals", percent(results.confidence)),
        ("Data", "synthetic" if results.synthetic else "not declared synthetic in the plan"),
        ("Safelight", made.safelight_version),
    )
    written = tuple((name, value or "not stated") for name, value in rows)
    return Table("What the numbers were made from", ("Item", "Value"), written, (False, False), (1.0, 2.6))


def _accountability(results: Results, mark: str) -> tuple[Block, ...]:
    blocks: list[Block] = []
    if results.accountability:
        flow = flowchart(results, mark)
        blocks.append(Figure("From the archive to the analysis", flow.alternative, flow.svg, flow.png))
        rows = tuple(
            (row.stage, row.outcome.replace("_", " "), reason(row.reason_code), row.unit, count(row.n))
            for row in results.accountability
        )
        header, numeric = ("Stage", "Outcome", "Reason", "Unit", "n"), (False, False, False, False, True)
        blocks.append(Table("Every end of every stage", header, rows, numeric, (1.1, 1.1, 3.6, 0.8, 0.7)))
    else:
        blocks.append(Paragraph("This evaluation was made from tables alone: how their cases were selected is not known here."))
    if results.excluded:
        left = tuple((row.reason, count(row.studies)) for row in results.excluded)
        blocks.append(Table("Studies that are not in the main analysis", ("Reason", "Studies"), left, (False, True), (6, 1)))
    else:
        blocks.append(Paragraph("No study was excluded from the main analysis."))
    return tuple(blocks)


def _baseline(results: Results) -> tuple[Block, ...]:
    if not results.baseline:
        return (Paragraph("The plan declares no attributes."),)
    total = results.overall().studies
    rows = tuple(
        (
            f"{attribute(row.attribute)}: {row.level}",
            count(row.patients, suppressed=row.suppressed),
            count(row.studies, suppressed=row.suppressed),
            share(row.studies, total, suppressed=row.suppressed),
            count(row.positives, suppressed=row.suppressed),
            share(row.positives, row.studies, suppressed=row.suppressed),
        )
        for row in results.baseline
    )
    header = ("Attribute: level", "Patients", "Studies", "Of studies", "With the finding", "Prevalence")
    caption = "Patients and studies in the main analysis, and how often they have the finding"
    return (Table(caption, header, rows, (False, *(True,) * 5), (3.6, 0.9, 0.9, 1.1, 1.2, 1)),)


# ---- performance ----------------------------------------------------------------------------------------------------------


def _performance(results: Results, mark: str) -> tuple[Block, ...]:
    overall = results.overall()
    if not _estimable(overall):
        return (Paragraph(_FEW),)
    blocks: list[Block] = [
        _cross(overall, "Reference standard (rows) by model (columns), in studies"),
        Table(
            f"Estimates in all cases with {percent(results.confidence)} intervals",
            ("Measure", "Estimate", "Method of the interval"),
            tuple((name, estimate(getattr(overall, field)), getattr(overall, field).method or NOTHING) for name, field in MEASURES),
            (False, True, False), (1, 1.6, 2.6),
        ),
    ]  # fmt: skip
    roc = figures.roc(results, mark)
    if roc is not None:
        caption = "Receiver operating characteristic of all cases"
        others = figures.most_different(results)
        if others:
            caption += f", and by {attribute(others[0].attribute)}, the attribute whose levels lie furthest apart"
        blocks.append(Figure(caption, roc.alternative, roc.svg, roc.png, figures.ROC_WIDTH))
    return tuple(blocks)


def _cross(row: Performance, caption: str) -> Table:
    table = row.counts
    rows = (
        ("Finding present", count(table.tp), count(table.fn), count(table.tp + table.fn)),
        ("Finding absent", count(table.fp), count(table.tn), count(table.fp + table.tn)),
        ("All", count(table.tp + table.fp), count(table.fn + table.tn), count(table.tp + table.fp + table.fn + table.tn)),
    )
    return Table(
        caption, ("Reference standard", "Model positive", "Model negative", "All"), rows, (False, *(True,) * 3), (1.2, 1, 1, 1)
    )


def _worst_case(results: Results) -> tuple[Block, ...]:
    overall, worst = results.overall(), results.worst_case
    if not _estimable(worst):
        return (Paragraph(_FEW),)
    # The number of unread cases is not told where the main analysis is withheld: the difference would give that back.
    unread = worst.studies - overall.studies
    if overall.suppressed:
        said = "Each case that has a reference standard and was not read is counted as an error here."
    elif unread == 0:
        return (Paragraph("The model read every case that has a reference standard: there is no worse case to show."),)
    else:
        said = (
            f"{counted(unread, 'study')} with a reference standard {'was' if unread == 1 else 'were'} not read. Here each "
            "counts as an error, and ranks below every other study if it has the finding, above if it has not."
        )
    rows = tuple(
        (name, estimate(getattr(overall, field), suppressed=overall.suppressed), estimate(getattr(worst, field)))
        for name, field in MEASURES
    )
    return (
        Paragraph(said),
        _cross(worst, "Reference standard (rows) by model (columns) in the worst case, in studies"),
        Table(
            "Main analysis and worst case", ("Measure", "Main analysis", "Worst case"), rows, (False, True, True), (1, 1.5, 1.5)
        ),
    )


def _forests(results: Results, mark: str) -> tuple[Block, ...]:
    drawn = figures.forests(results, mark)
    if not drawn:
        declared = any(row.attribute for row in results.performance)
        return (Paragraph("Nothing can be estimated in any subgroup." if declared else "The plan declares no subgroups."),)
    caption = (
        f"Subgroups with {percent(results.confidence)} intervals. Dashed: the estimate in all cases. "
        "Orange diamonds: worse than in all other cases, by the interval of the difference"
    )
    parts = [f" (part {place} of {len(drawn)})" if len(drawn) > 1 else "" for place in range(1, len(drawn) + 1)]
    return tuple(
        Figure(f"{caption}{part}", forest.alternative, forest.svg, forest.png) for forest, part in zip(drawn, parts, strict=True)
    )


def _subgroups(results: Results) -> tuple[Block, ...]:
    levels = [row for row in results.performance if row.attribute]
    header = ("Level", "Patients", "Studies", "TP", "FN", "TN", "FP", *(name for name, _ in MEASURES))
    widths = (48, 16, 15, 11, 11, 11, 11, *(27.6,) * 5)
    tables: list[Block] = [
        Table(f"Performance by {attribute(name)}", header, tuple(_level(row) for row in rows), (False, *(True,) * 11), widths)
        for name, rows in groupby(levels, key=lambda row: row.attribute)
    ]
    return tuple(tables) or (Paragraph("The plan declares no subgroups."),)


def _level(row: Performance) -> tuple[str, ...]:
    counts = (row.counts.tp, row.counts.fn, row.counts.tn, row.counts.fp)
    return (
        row.level,
        count(row.patients, suppressed=row.suppressed),
        count(row.studies, suppressed=row.suppressed),
        *(NOTHING if row.suppressed else count(n) for n in counts),
        *(estimate(getattr(row, field), suppressed=row.suppressed) for _, field in MEASURES),
    )
