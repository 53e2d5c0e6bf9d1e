"""The same of what a plan asks beyond the table: verdicts follow from bounds, numbers that stand twice agree, nothing withheld is shown."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from tasks.evaluation.results import (
    CalibrationBin,
    Detection,
    Estimate,
    GoalResult,
    Performance,
    Predictive,
    Results,
    Roc,
    Stratum,
    VersionComparison,
)
from tasks.report.mismatch import TOLERANCE, hold

_Key = tuple[str, str]


def check_analyses(results: Results) -> None:
    """Hold goals, predictive values, bands, calibration, strata, versions and detection against the table and themselves.

    Raises:
        SafelightError: E-REPORT-MISMATCH with the analysis and the number that does not agree.
    """
    rows = {(row.attribute, row.level): row for row in results.performance if not row.suppressed and row.studies}
    _shown("goals", ((each.attribute, each.level) for each in results.goals), rows, empty=results)
    _shown("predictive values", ((each.attribute, each.level) for each in results.predictive), rows)
    _shown("calibration", ((each.attribute, each.level) for each in results.calibration), rows)
    _shown("detection", ((each.attribute, each.level) for each in results.detection), rows)
    for goal in results.goals:
        _check_goal(goal, results)
    for value in results.predictive:
        _check_predictive(value, rows[value.attribute, value.level])
    for curve in results.roc:
        _check_band(curve, results.confidence)
    for calibrated in results.calibration:
        _check_bins(calibrated.curve, rows[calibrated.attribute, calibrated.level])
    _check_strata(results.strata)
    if results.comparison is not None:
        _shown("versions", ((each.attribute, each.level) for each in results.comparison.differences), rows, empty=results)
        _check_versions(results.comparison)
    for found in results.detection:
        _check_detection(found)


def _where(attribute: str, level: str) -> str:
    return f"{attribute}: {level}" if attribute else "all cases"


def _shown(what: str, keys: Iterable[_Key], rows: dict[_Key, Performance], *, empty: Results | None = None) -> None:
    """Nothing is said of a level that is withheld or that the table does not have; `empty` lets levels without cases in."""
    allowed = set(rows)
    if empty is not None:
        allowed |= {(row.attribute, row.level) for row in empty.performance if not row.suppressed}
    for key in keys:
        hold(key in allowed, _where(*key), f"{what} of a row that is not shown")


def _ordered(lower: float | None, value: float | None, upper: float | None) -> bool:
    """Whether an estimate lies between its bounds, as far as there are any."""
    if value is None:
        return lower is None and upper is None
    return (lower is None or lower <= value + TOLERANCE) and (upper is None or value <= upper + TOLERANCE)


def _check_goal(goal: GoalResult, results: Results) -> None:
    where = f"goal of {_where(goal.attribute, goal.level)}"
    hold(_ordered(goal.lower, goal.estimate, goal.upper), where, f"{goal.metric} (interval)")
    limit = goal.at_least if goal.at_least is not None else -(goal.margin or 0.0)
    reached = goal.lower is not None and (goal.lower >= limit if goal.margin is None else goal.lower > limit)
    hold(goal.met == reached, where, f"{goal.metric} (the verdict does not follow from the bound)")
    row = next(each for each in results.performance if (each.attribute, each.level) == (goal.attribute, goal.level))
    value = getattr(row, goal.metric).estimate
    if goal.margin is not None:
        value = next((each.difference for each in row.against_rest if each.metric == goal.metric), None)
    if value is not None and goal.estimate is not None:
        hold(abs(value - goal.estimate) <= TOLERANCE, where, f"{goal.metric} (it is another in the table)")


def _check_predictive(value: Predictive, row: Performance) -> None:
    where = f"predictive values of {_where(value.attribute, value.level)}"
    if value.own:
        hold(abs(value.prevalence - row.positives / row.studies) <= TOLERANCE, where, "prevalence")
        hold((value.ppv.estimate, value.npv.estimate) == (row.ppv.estimate, row.npv.estimate), where, "PPV and NPV")
    for each in (value.ppv, value.npv, value.number_needed_to_predict):
        hold(_ordered(each.lower, each.estimate, each.upper), where, "interval")
    found = value.per_thousand
    if found is None:
        return
    near = 1e-6
    hold(
        abs(found.positives - 1000 * value.prevalence) <= near and abs(found.positives + found.negatives - 1000) <= near,
        where,
        "1,000 cases",
    )
    hold(
        abs(found.tp + found.fn - found.positives) <= near and abs(found.fp + found.tn - found.negatives) <= near,
        where,
        "cells of 1,000",
    )
    for whole, part, metric in ((found.positives, found.tp, row.sensitivity), (found.negatives, found.tn, row.specificity)):
        hold(
            metric.estimate is None or abs(part - whole * metric.estimate) <= near, where, "sensitivity and specificity in 1,000"
        )
    if value.ppv.estimate is not None and found.tp + found.fp > 0:
        hold(abs(value.ppv.estimate - found.tp / (found.tp + found.fp)) <= near, where, "PPV in 1,000")


def _check_band(curve: Roc, confidence: float) -> None:
    band, where = curve.band, f"band of {_where(curve.attribute, curve.level)}"
    if band is None:
        return
    hold(band.confidence == confidence, where, "confidence")
    hold(
        len(band.fpr) == len(band.lower) == len(band.upper) > 1 and all(a < b for a, b in pairwise(band.fpr)), where, "its points"
    )
    hold(all(0 <= low <= high <= 1 for low, high in zip(band.lower, band.upper, strict=True)), where, "its bounds")


def _check_bins(bins: tuple[CalibrationBin, ...], row: Performance) -> None:
    where = f"calibration of {_where(row.attribute, row.level)}"
    for each in bins:
        if each.suppressed:
            bare = not (each.patients or each.studies) and each.mean_score is None and each.observed.estimate is None
            hold(bare, where, "a withheld bin is shown")
            continue
        hold(_share(each.observed, None, each.studies), where, "the share of a bin")
        mean = each.mean_score
        hold(
            mean is not None and each.lower_score - TOLERANCE <= mean <= each.upper_score + TOLERANCE,
            where,
            "the mean score of a bin",
        )
    hold(sum(each.studies for each in bins) <= row.studies, where, "more studies than there are")


def _share(found: Estimate, part: int | None, whole: int) -> bool:
    """Whether a share is one of so many, within its interval; of `part` of them, where that is known."""
    if found.estimate is None:
        return True
    count = found.estimate * whole if part is None else part
    exact = abs(count - round(count)) <= 1e-6 and abs(found.estimate * whole - count) <= 1e-6
    return exact and _ordered(found.lower, found.estimate, found.upper)


def _check_strata(strata: tuple[Stratum, ...]) -> None:
    for each in strata:
        if each.suppressed:
            bare = not (each.patients or each.studies or each.positives)
            hold(
                bare and each.observed.estimate is None and each.likelihood_ratio.estimate is None,
                "strata",
                "a withheld stratum is shown",
            )
        else:
            hold(_share(each.observed, each.positives, each.studies), "strata", "the share of a stratum")
    hold(all(one.upper == other.lower for one, other in pairwise(strata)), "strata", "their bounds")


def _check_versions(found: VersionComparison) -> None:
    for each in found.differences:
        where, value = f"versions in {_where(each.attribute, each.level)}", each.difference
        hold(_ordered(value.lower, value.estimate, value.upper), where, f"{each.metric} (interval)")
        hold(
            each.non_inferior == (value.lower is not None and value.lower > -each.margin),
            where,
            f"{each.metric} (non-inferiority)",
        )
        if value.estimate is not None and each.new is not None and each.old is not None:
            hold(abs(each.new - each.old - value.estimate) <= TOLERANCE, where, f"{each.metric} (new minus earlier)")
    cells = [(each.both_positive, each.only_new, each.only_old, each.both_negative) for each in found.reclassified]
    hold(not cells or sum(map(sum, cells)) == found.studies, "versions", "the studies that are read differently do not add up")


def _check_detection(found: Detection) -> None:
    where = f"detection in {_where(found.attribute, found.level)}"
    hold(_ordered(found.wafroc.lower, found.wafroc.estimate, found.wafroc.upper), where, "weighted AFROC area")
    at = sorted(found.at, key=lambda each: each.false_positives)
    for each in at:
        hold(
            each.reached is None or each.reached <= each.false_positives + TOLERANCE,
            where,
            "more false positives than are allowed",
        )
        hold(_share(each.sensitivity, None, found.lesions), where, "lesion sensitivity")
    for one, other in pairwise(at):
        before, after = one.sensitivity.estimate, other.sensitivity.estimate
        hold(before is None or after is None or before <= after + TOLERANCE, where, "lesion sensitivity falls")
