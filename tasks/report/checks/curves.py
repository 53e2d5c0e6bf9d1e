"""ROC curves and the area under a part of one, against counts and AUC."""

from __future__ import annotations

from itertools import pairwise

from tasks.evaluation.analysis import ROC_POINTS
from tasks.evaluation.results import PartialArea, Results, Roc
from tasks.report.checks import estimates
from tasks.report.checks.holding import TOLERANCE, close, hold, mismatch, named, whole

#: A curve of many thousand scores is thinned out before it is written; its area is then near that of all its points.
_THINNED_TOLERANCE = 5e-3
Points = list[tuple[float, float]]


def check_curves(results: Results) -> None:
    """Every curve, and the partial area."""
    names = [(curve.attribute, curve.level) for curve in results.roc]
    hold(len(set(names)) == len(names), "ROC curves", "a curve stands twice")
    for curve in results.roc:
        _check_curve(curve, results)
    if results.partial_auc is not None:
        _check_partial(results.partial_auc, results)


def points(curve: Roc) -> Points:
    """False and true positive fractions, one pair a point."""
    return list(zip(curve.fpr, curve.tpr, strict=False))


def thinned(curve: Roc) -> bool:
    """Whether points of the curve may have been left out."""
    return len(curve.fpr) >= ROC_POINTS


def of_all_cases(results: Results) -> Roc | None:
    """The curve of all cases."""
    return next((curve for curve in results.roc if not curve.attribute), None)


def _check_curve(curve: Roc, results: Results) -> None:
    where = f"ROC curve of {named(curve.attribute, curve.level)}"
    rows = {(row.attribute, row.level): row for row in results.performance}
    row = rows.get((curve.attribute, curve.level))
    if row is None or row.suppressed:
        raise mismatch(where, "it has no row that may be shown")
    drawn = points(curve)
    hold(len(curve.fpr) == len(curve.tpr) and [*drawn[:1], *drawn[-1:]] == [(0, 0), (1, 1)], where, "its ends")
    hold(all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(drawn)), where, "it falls")
    if row.auc.estimate is not None:
        area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(drawn))
        hold(
            abs(area - row.auc.estimate) <= (_THINNED_TOLERANCE if thinned(curve) else TOLERANCE),
            where,
            "its area is not the AUC",
        )
    hold(not row.cells_withheld, where, "it tells cells that are withheld")
    if curve.band is not None:
        _check_band(curve, results, where)
    if row.positives and row.negatives:
        steps = all(whole(x * row.negatives) and whole(y * row.positives) for x, y in drawn)
        hold(steps, where, "its points are not shares of the cases")
        if not thinned(curve):
            point = (row.counts.fp / row.negatives, row.counts.tp / row.positives)
            hold(any(_between(point, a, b) for a, b in pairwise(drawn)), where, "the operating point is not on it")


def _check_band(curve: Roc, results: Results, where: str) -> None:
    """The band is at even steps of the false positive rate, at the plan's confidence, and the curve runs within it."""
    band = curve.band
    if band is None:
        return
    steps, where = len(band.fpr) - 1, f"{where}: band"
    hold(steps > 0 and steps + 1 == len(band.lower) == len(band.upper), where, "its lengths")
    hold(all(close(x, place / steps) for place, x in enumerate(band.fpr)), where, "its steps")
    hold(band.confidence == results.confidence and band.method.startswith("score intervals"), where, "confidence and method")
    heights = [_height(points(curve), x) for x in band.fpr]
    loose = _THINNED_TOLERANCE if thinned(curve) else TOLERANCE
    for low, (least, most), high in zip(band.lower, heights, band.upper, strict=True):
        hold(0.0 <= low <= high <= 1.0 and low <= most + loose and high >= least - loose, where, "the curve leaves it")


def _height(drawn: Points, x: float) -> tuple[float, float]:
    """The curve's least and greatest height at a false positive rate: it may go straight up there."""
    found = [y0 + (y1 - y0) * (x - x0) / (x1 - x0) for (x0, y0), (x1, y1) in pairwise(drawn) if x0 <= x <= x1 and x1 > x0]
    found += [y for x0, y in drawn if close(x0, x)]
    return min(found), max(found)


def _between(point: tuple[float, float], start: tuple[float, float], end: tuple[float, float]) -> bool:
    """Whether a point lies on the straight line from start to end."""
    (x, y), (x0, y0), (x1, y1) = point, start, end
    inside = x0 - TOLERANCE <= x <= x1 + TOLERANCE and y0 - TOLERANCE <= y <= y1 + TOLERANCE
    return inside and abs((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)) <= TOLERANCE


def _check_partial(partial: PartialArea, results: Results) -> None:
    """Area and scaled area follow from the curve; the interval is of random draws, and must only lie around the estimate."""
    where, (low, high) = "partial AUC", partial.specificity
    hold(0.0 <= low < high <= 1.0, where, "the specificities do not ascend")
    if not estimates.known(partial.standardized, results.confidence, where, "standardized"):
        hold(partial.area is None, where, "an area without an estimate")
        return
    if partial.area is None:
        raise mismatch(where, "an estimate without an area")
    first, last = 1.0 - high, 1.0 - low
    least, most = (last**2 - first**2) / 2.0, last - first
    hold(close(partial.standardized.estimate, (1.0 + (partial.area - least) / (most - least)) / 2.0), where, "standardized")
    hold("bootstrap" in partial.standardized.method, where, "standardized (method)")
    curve = of_all_cases(results)
    if curve is not None:
        area = sum(_piece(a, b, first, last) for a, b in pairwise(points(curve)))
        hold(
            abs(area - partial.area) <= (_THINNED_TOLERANCE if thinned(curve) else TOLERANCE),
            where,
            "its area is not the curve's",
        )


def _piece(start: tuple[float, float], end: tuple[float, float], first: float, last: float) -> float:
    """The area under one straight line, between two false positive fractions."""
    (x0, y0), (x1, y1) = start, end
    left, right = max(x0, first), min(x1, last)
    if right <= left:
        return 0.0
    heights = [y0 + (y1 - y0) * (x - x0) / (x1 - x0) for x in (left, right)]
    return (right - left) * sum(heights) / 2.0
