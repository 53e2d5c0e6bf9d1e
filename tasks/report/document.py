"""The document model: sections of paragraphs, tables and figures, made once from the results; every face renders just this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from tasks.evaluation.results import Performance, Results
from tasks.report import figures
from tasks.report.wording import NOTHING, count, estimate, percent, short_estimate


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text. `emphasis` sets it apart: a verdict or a warning."""

    text: str
    emphasis: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `numeric` says for each column whether it is set to the right; `widths` are relative."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    widths: tuple[float, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing. `alternative` states the finding for those who do not see it; `width` is a share of the line."""

    name: str
    caption: str
    alternative: str
    svg: bytes
    png: bytes
    width: float = 1.0


Block = Paragraph | Items | Table | Figure


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A report. `notice` stands at the top of every face."""

    title: str
    subtitle: str
    notice: str
    sections: tuple[Section, ...]
    language: str = "en"


SYNTHETIC = (
    "SYNTHETIC DATA. The cases in this report were generated. It shows how Safelight works and says nothing about patients."
)


def make(results: Results) -> Document:
    """The report on one evaluation."""
    overall = results.overall()
    sections = (
        Section("Summary", _summary(results, overall)),
        Section(
            "Limitations that the data show",
            (Items(results.limitations),) if results.limitations else (Paragraph("None found."),),
        ),
        Section("What was evaluated", _provenance(results)),
        Section("Where every case went", _accountability(results)),
        Section("Who was in the data", _baseline(results)),
        Section("Performance in all cases", _performance(results, overall)),
        Section("Performance in subgroups", _subgroups(results)),
        Section("How the numbers were made", _methods(results)),
        Section("Glossary", (_glossary(),)),
    )
    subtitle = f"{results.provenance.model_name} version {results.provenance.model_version} · finding: {results.finding}"
    return Document(results.title, subtitle, SYNTHETIC if results.synthetic else "", sections)


def _summary(results: Results, overall: Performance) -> tuple[Block, ...]:
    intended = Paragraph(f"Intended use: {results.intended_use}")
    if overall.suppressed or not overall.studies:
        return intended, Paragraph("There are too few cases to estimate anything.", emphasis=True)
    said = (
        f"In {count(overall.studies)} studies ({count(overall.positives)} with the finding) of {count(overall.patients)} patients, the area "
        f"under the ROC curve was {estimate(overall.auc)}. At the operating point (score of at least {results.threshold:.4g}) sensitivity was "
        f"{estimate(overall.sensitivity)} and specificity {estimate(overall.specificity)}. Intervals are at {percent(results.confidence)}."
    )
    return intended, Paragraph(said, emphasis=True)


def _provenance(results: Results) -> tuple[Block, ...]:
    made = results.provenance
    rows = (
        ("Model", f"{made.model_name} version {made.model_version}"),
        ("Weights (SHA-256)", made.weights_sha256),
        ("Evaluation plan", made.plan_name),
        ("Plan (SHA-256)", made.plan_sha256),
        ("Predictions (SHA-256)", made.predictions_sha256),
        ("Reference standard (SHA-256)", made.reference_sha256),
        ("Cohort (SHA-256)", made.cohort_sha256),
        ("Safelight", made.safelight_version),
    )
    return (Table("What the numbers were made from.", ("Item", "Value"), rows, (False, False), (1.0, 2.6)),)


def _accountability(results: Results) -> tuple[Block, ...]:
    rows = tuple((row.stage, row.outcome, row.reason_code or NOTHING, row.unit, count(row.n)) for row in results.accountability)
    blocks: list[Block] = []
    if rows:
        flow = figures.flow(results)
        blocks.append(Figure("flow", "From the archive to the analysis.", flow.alternative, flow.svg, flow.png, 0.9))
        header = ("Stage", "Outcome", "Reason", "Unit", "n")
        blocks.append(Table("Every unit of every stage.", header, rows, (False,) * 4 + (True,), (1, 1.1, 2.2, 0.8, 0.6)))
    else:
        blocks.append(Paragraph("This evaluation was made from tables alone; how their cases were selected is not known here."))
    if results.excluded:
        left_out = tuple((row.reason, count(row.studies)) for row in results.excluded)
        blocks.append(Table("Cases that are not in the main analysis.", ("Reason", "Studies"), left_out, (False, True), (4, 1)))
    return tuple(blocks)


def _baseline(results: Results) -> tuple[Block, ...]:
    rows = tuple(
        (row.attribute.replace("_", " "), row.level, count(row.patients), count(row.studies), count(row.positives))
        for row in results.baseline
    )
    if not rows:
        return (Paragraph("The plan declares no attributes."),)
    header = ("Attribute", "Level", "Patients", "Studies", "With the finding")
    return (
        Table(
            "Patients and studies in the main analysis.", header, rows, (False, False, True, True, True), (1.4, 2, 0.8, 0.8, 1)
        ),
    )


def _performance(results: Results, overall: Performance) -> tuple[Block, ...]:
    if overall.suppressed or not overall.studies:
        return (Paragraph("There are too few cases to estimate anything."),)
    table, roc = overall.counts, figures.roc(results)
    cross = (
        ("Finding present", count(table.tp), count(table.fn), count(table.tp + table.fn)),
        ("Finding absent", count(table.fp), count(table.tn), count(table.fp + table.tn)),
        ("All", count(table.tp + table.fp), count(table.fn + table.tn), count(table.tp + table.fp + table.fn + table.tn)),
    )
    measures = tuple(
        (name, estimate(getattr(overall, field)), estimate(getattr(results.worst_case, field), suppressed=results.worst_case.suppressed),
         getattr(overall, field).method or NOTHING)
        for name, field in _MEASURES
    )  # fmt: skip
    blocks: list[Block] = [
        Table("Reference standard (rows) by model (columns), in studies.", ("", "Model positive", "Model negative", "All"), cross,
              (False, True, True, True)),
        Table(
            f"Estimates with {percent(results.confidence)} intervals. In the worst case, every case that was not read counts as an error.",
            ("Measure", "Main analysis", "Worst case", "Method of the interval"), measures, (False, True, True, False), (1.1, 1.4, 1.4, 2)),
    ]  # fmt: skip
    if roc is not None:
        blocks.append(Figure("roc", "Receiver operating characteristic.", roc.alternative, roc.svg, roc.png, 0.62))
    return tuple(blocks)


def _subgroups(results: Results) -> tuple[Block, ...]:
    levels = [row for row in results.performance if row.attribute]
    if not levels:
        return (Paragraph("The plan declares no subgroups."),)
    forest = figures.forest(results)
    blocks: list[Block] = []
    if forest is not None:
        shown = len([row for row in levels if row.studies and not row.suppressed])
        more = f" The first {figures.MOST_ROWS} of {shown} subgroups; the tables have all." if shown > figures.MOST_ROWS else ""
        caption = f"Subgroups with {percent(results.confidence)} intervals; the dashed line is the estimate in all cases.{more}"
        blocks.append(Figure("forest", caption, forest.alternative, forest.svg, forest.png))
    header = ("Level", "Patients", "Studies", "Positive", "AUC", "Sensitivity", "Specificity", "PPV", "NPV")
    for attribute, rows in groupby(levels, key=lambda row: row.attribute):
        made = list(rows)
        blocks.append(Table(
            f"By {attribute.replace('_', ' ')}.", header, tuple(_level(row) for row in made), (False, *(True,) * 8),
            (1.7, 0.9, 0.85, 0.85, 1.35, 1.35, 1.35, 1.35, 1.35), _reasons(made),
        ))  # fmt: skip
    return tuple(blocks)


def _level(row: Performance) -> tuple[str, ...]:
    numbers = (row.patients, row.studies, row.positives)
    return (
        row.level,
        *(count(n, suppressed=row.suppressed) for n in numbers),
        *(
            short_estimate(getattr(row, field), suppressed=row.suppressed)
            for field in ("auc", "sensitivity", "specificity", "ppv", "npv")
        ),
    )


def _reasons(rows: Sequence[Performance]) -> str:
    """Why cells of a table say `not estimable`."""
    found: dict[str, list[str]] = {}
    for row in rows:
        for name, field in _MEASURES:
            value = getattr(row, field)
            if value.status == "not_estimable" and not row.suppressed:
                found.setdefault(f"{row.level}, {value.reason}", []).append(name)
    return "; ".join(f"{where}: {', '.join(names)}" for where, names in found.items())


_MEASURES = (("AUC", "auc"), ("Sensitivity", "sensitivity"), ("Specificity", "specificity"), ("PPV", "ppv"), ("NPV", "npv"))


def _methods(results: Results) -> tuple[Block, ...]:
    return (
        Items((
            "A case is a study; studies of one patient are a cluster, and every interval takes that into account.",
            "Proportions: Wilson's interval (1927) at the effective sample size of Rao and Scott (1992); alone in a cluster, Wilson's own.",
            "Area under the ROC curve: the empirical one, ties counted half; variance by Obuchowski (1997), which is DeLong's (1988) "
            "with one study a patient; interval on the logit scale.",
            f"A level with fewer than {results.minimum_cases} patients is withheld; one without positive or negative cases is not estimable. "
            "Declared levels stay in the table.",
            "Each rate in this report was derived again from the published counts before it was published.",
        )),
    )  # fmt: skip


def _glossary() -> Table:
    rows = (
        ("AUC", "Area under the ROC curve: the chance that a case with the finding has a higher score than one without."),
        ("Sensitivity", "Share of the cases with the finding that the model calls positive."),
        ("Specificity", "Share of the cases without the finding that the model calls negative."),
        ("PPV, NPV", "Share of the model's positive (negative) calls that are right, at the prevalence of these data."),
        ("Operating point", "The score from which on the model calls a case positive."),
        ("Reference standard", "What is taken as the truth about each case."),
    )
    return Table("Terms.", ("Term", "Meaning"), rows, (False, False), (1, 4))
