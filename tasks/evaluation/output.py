"""The results as files: `results.json`, one CSV file a table, and the rows of the lake's table `metrics`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel

from data_contracts.metrics import METRICS
from tasks.evaluation.intervals import not_estimable
from tasks.evaluation.results import Estimate, GoalResult, Heterogeneity, Performance, Reclassified, Results, canonical

WORST_CASE = "worst case"


Rows = tuple[Sequence[str], Iterable[Iterable[Any]]]


def files(results: Results) -> dict[str, bytes]:
    """File name → content: `results.json`, and each of `tables` as `.csv`.

    CSV is UTF-8 with LF, numbers in full; a suppressed count and a number that is not estimable are empty fields.
    """
    made = {"results.json": canonical(results)}
    made |= {f"{name}.csv": _csv(header, rows) for name, (header, rows) in tables(results).items()}
    return made


def tables(results: Results) -> dict[str, Rows]:
    """Every table of the results that has a shape of its own: header and rows."""
    return {
        "performance": _performance(results.performance, results.worst_case),
        "differences": (
            ("attribute", "level", "metric", "estimate", "rest", "difference", "lower", "upper", "p", "p_holm", "p_benjamini_hochberg", "method"),
            ((row.attribute, row.level, found.metric, getattr(row, found.metric).estimate, found.rest, found.difference, found.lower, found.upper,
              found.p, found.p_holm, found.p_benjamini_hochberg, found.method) for row in results.performance for found in row.against_rest),
        ),
        "baseline": (
            ("attribute", "level", "patients", "studies", "positives", "suppressed"),
            ((row.attribute, row.level, *_shown(row.suppressed, row.patients, row.studies, row.positives), row.suppressed)
             for row in results.baseline),
        ),
        "accountability": (
            ("stage", "outcome", "reason_code", "unit", "n"),
            ((row.stage, row.outcome, row.reason_code, row.unit, row.n) for row in results.accountability),
        ),
        "excluded": (("reason", "studies"), ((row.reason, row.studies) for row in results.excluded)),
        "roc": (
            ("attribute", "level", "fpr", "tpr"),
            ((row.attribute, row.level, *point) for row in results.roc for point in zip(row.fpr, row.tpr, strict=True)),
        ),
        "goals": _flat(GoalResult, results.goals),
        "heterogeneity": _flat(Heterogeneity, results.heterogeneity),
        "predictive": (
            ("attribute", "level", "prevalence", "own", *_bounds("ppv"), *_bounds("npv"), *_bounds("number_needed_to_predict"),
             *(f"{name}_per_1000" for name in _CELLS)),
            ((row.attribute, row.level, row.prevalence, row.own, *_values(row.ppv), *_values(row.npv), *_values(row.number_needed_to_predict),
              *(None if row.per_thousand is None else getattr(row.per_thousand, name) for name in _CELLS)) for row in results.predictive),
        ),
        "operating_points": (
            ("name", "threshold", *_HEADER),
            ((point.name, point.threshold, *_performance_row(row.level, row)) for point in results.operating_points for row in point.performance),
        ),
        "calibration": (
            ("attribute", "level", *_bounds("intercept"), *_bounds("slope"), *_bounds("brier"), *_bounds("observed_to_expected"), "ece", "binning"),
            ((row.attribute, row.level, *_values(row.intercept), *_values(row.slope), *_values(row.brier), *_values(row.observed_to_expected),
              row.ece, row.binning) for row in results.calibration),
        ),
        "calibration_curve": (
            ("attribute", "level", "lower_score", "upper_score", "patients", "studies", "mean_score", *_bounds("observed")),
            ((row.attribute, row.level, each.lower_score, each.upper_score, *_shown(each.suppressed, each.patients, each.studies), each.mean_score,
              *_values(each.observed))
             for row in results.calibration for each in row.curve),
        ),
        "net_benefit": (
            ("threshold_probability", *_bounds("model"), "treat_all", "treat_none"),
            ((row.threshold_probability, *_values(row.model), row.treat_all, row.treat_none) for row in results.net_benefit),
        ),
        "strata": (
            ("lower", "upper", "patients", "studies", "positives", *_bounds("observed"), *_bounds("likelihood_ratio")),
            ((row.lower, row.upper, *_shown(row.suppressed, row.patients, row.studies, row.positives), *_values(row.observed),
              *_values(row.likelihood_ratio))
             for row in results.strata),
        ),
        "versions": (
            ("attribute", "level", "metric", "new", "old", *_bounds("difference"), "p", "margin", "non_inferior"),
            ((row.attribute, row.level, row.metric, row.new, row.old, *_values(row.difference), row.p, row.margin, row.non_inferior)
             for row in (results.comparison.differences if results.comparison else ())),
        ),
        "detection": (
            ("attribute", "level", "cases", "lesions", "false_positives", *_bounds("wafroc"), "false_positives_a_case", "threshold", "reached",
             *_bounds("lesion_sensitivity")),
            ((row.attribute, row.level, row.cases, row.lesions, row.false_positives, *_values(row.wafroc), each.false_positives, each.threshold,
              each.reached, *_values(each.sensitivity)) for row in results.detection for each in row.at),
        ),
        "reclassified": _flat(Reclassified, results.comparison.reclassified if results.comparison else ()),
    }  # fmt: skip


_CELLS = ("tp", "fn", "fp", "tn")


def _bounds(name: str) -> tuple[str, ...]:
    return name, f"{name}_lower", f"{name}_upper", f"{name}_method", f"{name}_reason"


def _values(estimate: Estimate | None) -> tuple[Any, ...]:
    if estimate is None:
        return (None,) * 5
    return estimate.estimate, estimate.lower, estimate.upper, estimate.method, estimate.reason


def _flat(kind: type[BaseModel], rows: Sequence[BaseModel]) -> Rows:
    names = tuple(kind.model_fields)
    return names, ([getattr(row, name) for name in names] for row in rows)


def metrics(results: Results) -> list[dict[str, Any]]:
    """Rows of the lake's table `metrics` (`data_contracts.metrics`); the worst case stands at the level `worst case`."""
    made = []
    for level, row in [*((row.level, row) for row in results.performance), (WORST_CASE, results.worst_case)]:
        patients, studies = _shown(row.suppressed, row.patients, row.studies)
        for metric in METRICS:
            estimate = getattr(row, metric) or not_estimable(row.auc.reason, results.confidence)
            made.append({
                "plan_name": results.provenance.plan_name, "plan_sha256": results.provenance.plan_sha256,
                "model_name": results.provenance.model_name, "model_version": results.provenance.model_version,
                "finding": results.finding, "threshold": results.threshold,
                "attribute": row.attribute, "level": level, "metric": metric,
                **estimate.model_dump(),
                "patients": patients, "studies": studies, "suppressed": row.suppressed,
            })  # fmt: skip
    return made


_HEADER = (
    "attribute", "level", "patients", "studies", "positives", "negatives", "suppressed", "tp", "fp", "fn", "tn",
    *(name for metric in METRICS for name in _bounds(metric)),
)  # fmt: skip


def _performance(rows: Sequence[Performance], worst: Performance) -> Rows:
    named = [*((row.level, row) for row in rows), (WORST_CASE, worst)]
    return _HEADER, (_performance_row(level, row) for level, row in named)


def _performance_row(level: str, row: Performance) -> list[Any]:
    counts = (row.counts.tp, row.counts.fp, row.counts.fn, row.counts.tn)
    made = [row.attribute, level, *_shown(row.suppressed, row.patients, row.studies, row.positives, row.negatives)]
    made += [row.suppressed, *_shown(row.suppressed, *counts)]
    for metric in METRICS:
        made += _values(getattr(row, metric))
    return made


def _shown(suppressed: bool, *counts: int) -> list[int | None]:
    """Counts as they may be shown: none of a suppressed level."""
    return [None if suppressed else n for n in counts]


def _csv(header: Sequence[str], rows: Iterable[Iterable[Any]]) -> bytes:
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_field(value) for value in row])
    return sink.getvalue().encode()


def _field(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)
