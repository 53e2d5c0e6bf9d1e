"""The results as files: `results.json`, each table as CSV and Parquet, and the rows of the lake's table `metrics`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from data_contracts.metrics import METRICS
from tasks import parquet
from tasks.evaluation.columns import Rows, arrow_of, bounds, csv_of, flat, shown, values
from tasks.evaluation.endpoints import output as endpoints
from tasks.evaluation.intervals import not_estimable
from tasks.evaluation.of_cases import FailedCase, StandardizedDifference, TimeToResult
from tasks.evaluation.results import (
    Accounted,
    AtPoint,
    Baseline,
    CalibrationBin,
    CalibrationResult,
    Counts,
    Detection,
    Difference,
    Estimate,
    Excluded,
    GoalResult,
    Heterogeneity,
    LesionSensitivity,
    NetBenefit,
    Performance,
    Predictive,
    Reclassified,
    Results,
    Roc,
    RocBand,
    Stratum,
    VersionDifference,
    canonical,
)  # fmt: skip
from tasks.evaluation.timing import STATES

WORST_CASE = "worst case"


def files(results: Results) -> dict[str, bytes]:
    """File name → content: `results.json`, and each of `tables` as `.csv` and as `.parquet`.

    CSV is UTF-8 with LF, numbers in full; a suppressed count and a number that is not estimable are empty fields, and nulls in Parquet.
    """
    made = {"results.json": canonical(results)}
    for name, table in tables(results).items():
        rows = table.taken()
        made[f"{name}.csv"] = csv_of(rows.header, rows.rows)
        made[f"{name}.parquet"] = parquet.content(arrow_of(rows))
    return made


def tables(results: Results) -> dict[str, Rows]:
    """Every table of the results that has a shape of its own."""
    comparison = results.comparison
    point = [(name, pa.float64()) for name in ("fpr", "tpr")]
    return {
        "performance": _performance(results.performance, results.worst_case),
        "differences": Rows(
            ("attribute", "level", "metric", "estimate", "rest", "difference", "lower", "upper", "p", "p_holm", "p_benjamini_hochberg", "method"),
            ((row.attribute, row.level, found.metric, getattr(row, found.metric).estimate, found.rest, found.difference, found.lower, found.upper,
              found.p, found.p_holm, found.p_benjamini_hochberg, found.method) for row in results.performance for found in row.against_rest),
            (Difference, Performance, Estimate),
        ),
        "baseline": Rows(
            ("attribute", "level", "patients", "studies", "positives", "suppressed"),
            ((row.attribute, row.level, *shown(row.suppressed, row.patients, row.studies, row.positives), row.suppressed)
             for row in results.baseline),
            (Baseline,),
        ),
        "accountability": flat(Accounted, results.accountability),
        "excluded": flat(Excluded, results.excluded),
        "roc": Rows(
            ("attribute", "level", "fpr", "tpr"),
            ((row.attribute, row.level, *point) for row in results.roc for point in zip(row.fpr, row.tpr, strict=True)),
            (Roc,), tuple(point),
        ),
        "roc_band": Rows(
            ("attribute", "level", "fpr", "lower", "upper", "confidence", "method"),
            ((row.attribute, row.level, *point, row.band.confidence, row.band.method)
             for row in results.roc if row.band for point in zip(row.band.fpr, row.band.lower, row.band.upper, strict=True)),
            (Roc, RocBand), tuple((name, pa.float64()) for name in ("fpr", "lower", "upper")),
        ),
        "goals": flat(GoalResult, results.goals),
        "heterogeneity": flat(Heterogeneity, results.heterogeneity),
        "predictive": Rows(
            ("attribute", "level", "prevalence", "own", *bounds("ppv"), *bounds("npv"), *bounds("number_needed_to_predict"),
             *(f"{name}_per_1000" for name in _CELLS)),
            ((row.attribute, row.level, row.prevalence, row.own, *values(row.ppv), *values(row.npv), *values(row.number_needed_to_predict),
              *(None if row.per_thousand is None else getattr(row.per_thousand, name) for name in _CELLS)) for row in results.predictive),
            (Predictive,), tuple((f"{name}_per_1000", pa.float64()) for name in _CELLS),
        ),
        "operating_points": Rows(
            ("name", "threshold", *_HEADER),
            ((point.name, point.threshold, *_performance_row(row.level, row)) for point in results.operating_points for row in point.performance),
            (AtPoint, Performance, Counts),
        ),
        "calibration": Rows(
            ("attribute", "level", *bounds("intercept"), *bounds("slope"), *bounds("brier"), *bounds("observed_to_expected"), "ece", "binning"),
            ((row.attribute, row.level, *values(row.intercept), *values(row.slope), *values(row.brier), *values(row.observed_to_expected),
              row.ece, row.binning) for row in results.calibration),
            (CalibrationResult,),
        ),
        "calibration_curve": Rows(
            ("attribute", "level", "lower_score", "upper_score", "patients", "studies", "mean_score", *bounds("observed")),
            ((row.attribute, row.level, each.lower_score, each.upper_score, *shown(each.suppressed, each.patients, each.studies), each.mean_score,
              *values(each.observed))
             for row in results.calibration for each in row.curve),
            (CalibrationBin, CalibrationResult),
        ),
        "net_benefit": Rows(
            ("threshold_probability", *bounds("model"), "treat_all", "treat_none"),
            ((row.threshold_probability, *values(row.model), row.treat_all, row.treat_none) for row in results.net_benefit),
            (NetBenefit,),
        ),
        "strata": Rows(
            ("lower", "upper", "patients", "studies", "positives", *bounds("observed"), *bounds("likelihood_ratio")),
            ((row.lower, row.upper, *shown(row.suppressed, row.patients, row.studies, row.positives), *values(row.observed),
              *values(row.likelihood_ratio))
             for row in results.strata),
            (Stratum,),
        ),
        "versions": Rows(
            ("attribute", "level", "metric", "new", "old", *bounds("difference"), "p", "margin", "non_inferior"),
            ((row.attribute, row.level, row.metric, row.new, row.old, *values(row.difference), row.p, row.margin, row.non_inferior)
             for row in (comparison.differences if comparison else ())),
            (VersionDifference,),
        ),
        "detection": Rows(
            ("attribute", "level", "cases", "lesions", "false_positives", *bounds("wafroc"), "false_positives_a_case", "threshold", "reached",
             *bounds("lesion_sensitivity")),
            ((row.attribute, row.level, row.cases, row.lesions, row.false_positives, *values(row.wafroc), each.false_positives, each.threshold,
              each.reached, *values(each.sensitivity)) for row in results.detection for each in row.at),
            (Detection, LesionSensitivity), (("false_positives_a_case", pa.float64()), ("lesion_sensitivity", pa.float64())),
        ),
        "standardized_differences": Rows(
            ("attribute", "comparison", "difference", "reason"),
            ((row.attribute, row.comparison, row.difference, row.reason) for row in results.standardized_differences),
            (StandardizedDifference,),
        ),
        "time_to_result": Rows(
            ("target", "target_minutes", "patients", "studies", *STATES, *bounds("share"), "median_minutes", "p90_minutes", "suppressed"),
            ((row.target, row.target_minutes, *shown(row.suppressed, row.patients, row.studies, *(getattr(row, state) for state in STATES)),
              *values(row.share), row.median_minutes, row.p90_minutes, row.suppressed) for row in results.time_to_result),
            (TimeToResult,),
        ),
        "failures": flat(FailedCase, results.failures),
        "reclassified": flat(Reclassified, comparison.reclassified if comparison else ()),
        **endpoints.tables(results),
    }  # fmt: skip


_CELLS = ("tp", "fn", "fp", "tn")


def metrics(results: Results) -> list[dict[str, Any]]:
    """Rows of the lake's table `metrics` (`data_contracts.metrics`); the worst case stands at the level `worst case`."""
    made = []
    for level, row in [*((row.level, row) for row in results.performance), (WORST_CASE, results.worst_case)]:
        patients, studies = shown(row.suppressed, row.patients, row.studies)
        for metric in METRICS:
            estimate = getattr(row, metric) or not_estimable(row.auc.reason, results.confidence)
            made.append({
                "plan_name": results.provenance.plan_name, "plan_sha256": results.provenance.plan_sha256,
                "model_name": results.provenance.model_name, "model_version": results.provenance.model_version,
                "finding": results.finding, "threshold": results.threshold,
                "attribute": row.attribute, "level": level, "metric": metric,
                **estimate.model_dump(exclude={"freedom", "groups"}),
                "patients": patients, "studies": studies, "suppressed": row.suppressed,
            })  # fmt: skip
    return made


_HEADER = (
    "attribute", "level", "patients", "studies", "positives", "negatives", "suppressed", "tp", "fp", "fn", "tn",
    *(name for metric in METRICS for name in bounds(metric)),
)  # fmt: skip


def _performance(rows: Sequence[Performance], worst: Performance) -> Rows:
    named = [*((row.level, row) for row in rows), (WORST_CASE, worst)]
    return Rows(_HEADER, (_performance_row(level, row) for level, row in named), (Performance, Counts))


def _performance_row(level: str, row: Performance) -> list[Any]:
    counts = (row.counts.tp, row.counts.fp, row.counts.fn, row.counts.tn)
    made = [row.attribute, level, *shown(row.suppressed, row.patients, row.studies, row.positives, row.negatives)]
    made += [row.suppressed, *shown(row.suppressed or row.cells_withheld, *counts)]
    for metric in METRICS:
        made += values(getattr(row, metric))
    return made
