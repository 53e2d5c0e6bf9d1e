"""Before anything is published: every rate is derived again from the published counts, and every sum is added up again."""

from __future__ import annotations

from itertools import groupby, pairwise

from tasks.evaluation.analysis import ROC_POINTS
from tasks.evaluation.results import AtPoint, Counts, Estimate, Performance, Results, Roc
from tasks.report.check_analyses import check_analyses
from tasks.report.mismatch import TOLERANCE, hold, mismatch

#: A curve of many thousand scores is thinned out before it is written; its area is then near that of all its points.
_THINNED_TOLERANCE = 5e-3
_NONE = Counts(tp=0, fp=0, fn=0, tn=0)


def check(results: Results) -> None:
    """Hold the results against themselves.

    Raises:
        SafelightError: E-REPORT-MISMATCH with the subgroup and the number that does not agree with the others.
    """
    names = [(row.attribute, row.level) for row in results.performance]
    hold(sum(not attribute for attribute, _ in names) == 1, "all cases", "there must be one row")
    hold(len(set(names)) == len(names), "subgroups", "a level stands twice")
    for row in (*results.performance, results.worst_case):
        _check_row(row, results)
    for name, levels in groupby(sorted((row for row in results.performance if row.attribute), key=_attribute), key=_attribute):
        _check_levels(list(levels), results.overall(), name)
    _check_worst_case(results)
    _check_baseline(results)
    _check_flow(results)
    for curve in results.roc:
        _check_curve(curve, results)
    for point in results.operating_points:
        _check_point(point, results)
    check_analyses(results)


def _attribute(row: Performance) -> str:
    return row.attribute


def _where(row: Performance) -> str:
    return f"{row.attribute}: {row.level}" if row.attribute else "all cases"


# ---- one row --------------------------------------------------------------------------------------------------------------


def _check_row(row: Performance, results: Results) -> None:
    where, table = _where(row), row.counts
    rates = (
        ("sensitivity", row.sensitivity, table.tp, table.tp + table.fn),
        ("specificity", row.specificity, table.tn, table.tn + table.fp),
        ("ppv", row.ppv, table.tp, table.tp + table.fp),
        ("npv", row.npv, table.tn, table.tn + table.fn),
    )
    if row.suppressed:
        bare = table == _NONE and not (row.patients or row.studies or row.positives or row.negatives)
        hold(bare, where, "the counts of a withheld level are shown")
    else:
        hold(table.tp + table.fn == row.positives, where, "positives")
        hold(table.fp + table.tn == row.negatives, where, "negatives")
        hold(row.positives + row.negatives == row.studies, where, "studies")
        hold(row.patients <= row.studies and bool(row.patients) == bool(row.studies), where, "patients")
        hold(row.patients == 0 or row.patients >= results.minimum_cases, where, "a level too small to be shown is shown")
    for name, value, part, whole in rates:
        _check_estimate(value, results.confidence, where, name)
        if value.estimate is not None:
            hold(whole > 0 and abs(value.estimate - part / whole) <= TOLERANCE, where, name)
    _check_estimate(row.auc, results.confidence, where, "auc")
    for found in row.against_rest:
        value = getattr(row, found.metric).estimate
        hold(
            value is not None and abs(value - found.rest - found.difference) <= TOLERANCE,
            where,
            f"{found.metric} against the rest",
        )
        hold(
            found.lower - TOLERANCE <= found.difference <= found.upper + TOLERANCE,
            where,
            f"{found.metric} against the rest (interval)",
        )
    hold(row.auc.estimate is None or (row.positives > 0 and row.negatives > 0), where, "auc")


def _check_estimate(value: Estimate, confidence: float, where: str, name: str) -> None:
    hold(value.confidence == confidence, where, f"{name} (confidence)")
    if value.status == "not_estimable":
        hold((value.estimate, value.lower, value.upper) == (None, None, None) and bool(value.reason), where, name)
        return
    if value.estimate is None or value.lower is None or value.upper is None:
        raise mismatch(where, f"{name} (an estimate without an interval)")
    hold(0 <= value.lower <= value.upper <= 1, where, f"{name} (interval)")
    hold(value.lower - TOLERANCE <= value.estimate <= value.upper + TOLERANCE, where, f"{name} (outside its interval)")


# ---- rows against each other ------------------------------------------------------------------------------------------------


def _check_levels(levels: list[Performance], overall: Performance, name: str) -> None:
    """An attribute's levels add up to all cases, or to fewer where some are withheld."""
    if overall.suppressed:
        hold(all(not row.studies for row in levels), name, "levels are shown though all cases are withheld")
        return
    complete = not any(row.suppressed for row in levels)
    for field in ("tp", "fp", "fn", "tn"):
        summed, whole = sum(getattr(row.counts, field) for row in levels), getattr(overall.counts, field)
        hold(summed == whole if complete else summed <= whole, name, f"the levels' {field} do not add up")


def _check_worst_case(results: Results) -> None:
    """What was not read can only add errors: as many right readings as in the main analysis, no fewer wrong ones.

    Where the plan takes unread cases into the main analysis as readings, they are in both, and some of its right readings are errors here.
    """
    overall, worst = results.overall(), results.worst_case
    if overall.suppressed or worst.suppressed:
        return
    before, after = overall.counts, worst.counts
    same = (before.tp, before.tn) == (after.tp, after.tn)
    fewer = worst.studies == overall.studies and before.tp >= after.tp and before.tn >= after.tn
    hold(same or fewer, "worst case", "right readings")
    hold(before.fn <= after.fn and before.fp <= after.fp, "worst case", "wrong readings")
    unread, left = worst.studies - overall.studies, sum(row.studies for row in results.excluded)
    hold(unread <= left, "worst case", "more studies were not read than were excluded")


def _check_baseline(results: Results) -> None:
    rows = {(row.attribute, row.level): row for row in results.performance}
    for level in results.baseline:
        row = rows.get((level.attribute, level.level))
        where = f"{level.attribute}: {level.level}"
        if row is None:
            raise mismatch(where, "it is in the baseline table only")
        for field in ("patients", "studies", "positives", "suppressed"):
            hold(getattr(level, field) == getattr(row, field), where, f"{field} of the baseline table")


def _check_flow(results: Results) -> None:
    """No stage accounts for more than the one before it handed on; studies under way may make it fewer."""
    ends = [(row.stage, row.outcome, row.n) for row in results.accountability if row.unit == "instance"]
    for giver, outcome, receiver in (("pull", "pulled", "deidentify"), ("deidentify", "released", "volumes")):
        given = sum(n for stage, end, n in ends if (stage, end) == (giver, outcome))
        received = sum(n for stage, _, n in ends if stage == receiver)
        hold(received <= given or not any(stage == giver for stage, _, _ in ends), receiver, "more instances than it was given")


def _check_point(point: AtPoint, results: Results) -> None:
    """The table at another threshold is of the same cases, and hides the same levels."""
    where = f"operating point {point.name}"
    same = [(row.attribute, row.level, row.suppressed) for row in point.performance]
    hold(same == [(row.attribute, row.level, row.suppressed) for row in results.performance], where, "it has other rows")
    higher = point.threshold > results.threshold
    for row, main in zip(point.performance, results.performance, strict=True):
        _check_row(row, results)
        hold(
            (row.patients, row.positives, row.negatives) == (main.patients, main.positives, main.negatives),
            where,
            f"the cases of {_where(row)}",
        )
        fewer = row.counts.tp <= main.counts.tp and row.counts.fp <= main.counts.fp
        more = row.counts.tp >= main.counts.tp and row.counts.fp >= main.counts.fp
        hold(fewer if higher else more, where, f"the positive readings of {_where(row)}")


def _check_curve(curve: Roc, results: Results) -> None:
    where = f"ROC curve of {f'{curve.attribute}: {curve.level}' if curve.attribute else 'all cases'}"
    rows = {(row.attribute, row.level): row for row in results.performance}
    row = rows.get((curve.attribute, curve.level))
    if row is None or row.suppressed:
        raise mismatch(where, "it has no row that may be shown")
    points: list[tuple[float, float]] = list(zip(curve.fpr, curve.tpr, strict=False))
    hold(len(curve.fpr) == len(curve.tpr) and [*points[:1], *points[-1:]] == [(0, 0), (1, 1)], where, "its ends")
    hold(all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(points)), where, "it falls")
    thinned = len(points) >= ROC_POINTS
    if row.auc.estimate is not None:
        area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(points))
        hold(abs(area - row.auc.estimate) <= (_THINNED_TOLERANCE if thinned else TOLERANCE), where, "its area is not the AUC")
    if row.positives and row.negatives and not thinned:
        point = (row.counts.fp / row.negatives, row.counts.tp / row.positives)
        hold(any(_between(point, a, b) for a, b in pairwise(points)), where, "the operating point is not on it")


def _between(point: tuple[float, float], start: tuple[float, float], end: tuple[float, float]) -> bool:
    """Whether a point lies on the straight line from start to end."""
    (x, y), (x0, y0), (x1, y1) = point, start, end
    inside = x0 - TOLERANCE <= x <= x1 + TOLERANCE and y0 - TOLERANCE <= y <= y1 + TOLERANCE
    return inside and abs((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)) <= TOLERANCE
