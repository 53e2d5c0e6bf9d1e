"""The partial area under the ROC curve, with an interval by resampling patients.

Sources: McClish, Med Decis Making 1989;9:190 (partial area and its scale); Field and Welsh, J R Stat Soc B 2007;69:369 (bootstrap of clusters).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tasks.evaluation import clusters, ranking
from tasks.evaluation.curves import unfit
from tasks.evaluation.intervals import estimated, normal_quantile, not_estimable
from tasks.evaluation.ranking import Ranked
from tasks.evaluation.results import PartialArea

Array = NDArray[np.float64]
_FEW = 10


def partial_auc(
    scores: ArrayLike,
    labels: ArrayLike,
    patients: ArrayLike | None = None,
    *,
    specificity: tuple[float, float] = (0.9, 1.0),
    replicates: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> PartialArea:
    """The area between two specificities, from the empirical curve with straight lines between its points.

    Args:
        scores: finite, shape (cases,).
        labels: 0 or 1, shape (cases,).
        patients: one key a case; None where every case is a patient of its own.
        specificity: the lower bound and the upper one.
        replicates: how often patients are drawn with replacement; draws without positives or negatives are drawn anew.

    Returns:
        the area, and on McClish's scale with the percentile interval; `not_estimable` as `auc`, and for fewer than ten patients with or
        without the finding, of whom resampling says too little.
    """
    low, high = specificity
    if not 0.0 <= low < high <= 1.0:
        raise ValueError("the specificities must ascend, between 0 and 1")
    normal_quantile(confidence)
    values, (truth, wrong) = np.asarray(scores, dtype=np.float64), clusters.binary(labels)
    codes = clusters.encode(None if patients is None else np.asarray(patients), values.size)
    unusable = int(np.count_nonzero(~np.isfinite(values)))
    reason = f"{wrong} of {values.size} labels are neither 0 nor 1" if wrong else ""
    reason = reason or (f"{unusable} of {values.size} scores are not finite numbers" if unusable else "")
    if not reason:
        ranked, _ = ranking.rank(values, truth == 1.0, codes)
        reason = unfit(ranked) or _scarce(ranked)
    if reason:
        return PartialArea(specificity=specificity, standardized=not_estimable(reason, confidence), area=None)
    whole = np.ones(ranked.among)
    found = _area(ranked, whole, low, high)
    rng = np.random.default_rng(seed)
    drawn = np.empty(replicates)
    for turn in range(replicates):
        value = None
        while value is None:
            weights = np.bincount(rng.integers(0, ranked.among, ranked.among), minlength=ranked.among).astype(np.float64)
            value = _area(ranked, weights, low, high)
        drawn[turn] = value
    tail = (1.0 - confidence) / 2.0
    bounds = np.quantile(drawn, [tail, 1.0 - tail])
    middle, lower, upper = (_standardized(float(value), 1.0 - high, 1.0 - low) for value in (found or 0.0, *bounds))
    method = f"percentile bootstrap over patients ({replicates} replicates)"
    return PartialArea(specificity=specificity, standardized=estimated(middle, lower, upper, confidence, method), area=found)


def _scarce(cases: Ranked) -> str:
    for mask, side in ((cases.positive, "positive"), (~cases.positive, "negative")):
        if np.unique(cases.patients[mask]).size < _FEW:
            return f"fewer than {_FEW} patients with {side} cases: resampling them says too little"
    return ""


def _area(cases: Ranked, weights: Array, low: float, high: float) -> float | None:
    """The area of the weighted curve between two specificities; None without positives or negatives."""
    weight = weights[cases.patients]
    ends = np.flatnonzero(np.append(cases.ranks[1:] != cases.ranks[:-1], np.True_))
    below = np.cumsum(np.where(cases.positive, weight, 0.0))[ends]
    under = np.cumsum(np.where(cases.positive, 0.0, weight))[ends]
    if below[-1] == 0.0 or under[-1] == 0.0:
        return None
    tpr = 1.0 - np.concatenate(([0.0], below))[::-1] / below[-1]
    fpr = 1.0 - np.concatenate(([0.0], under))[::-1] / under[-1]
    first, last = 1.0 - high, 1.0 - low
    inside = (fpr > first) & (fpr < last)
    xs = np.concatenate(([first], fpr[inside], [last]))
    ys = np.concatenate(([_at(fpr, tpr, first, "right")], tpr[inside], [_at(fpr, tpr, last, "left")]))
    return float(np.trapezoid(ys, xs))


def _at(fpr: Array, tpr: Array, x: float, side: str) -> float:
    """The curve's height at x; where it goes straight up there, its end seen from the right, its start seen from the left."""
    equal = np.flatnonzero(np.isclose(fpr, x, rtol=0.0, atol=1e-12))
    if equal.size:
        return float(tpr[equal[-1]] if side == "right" else tpr[equal[0]])
    after = int(np.searchsorted(fpr, x))
    x0, x1, y0, y1 = fpr[after - 1], fpr[after], tpr[after - 1], tpr[after]
    return float(y0 + (y1 - y0) * (x - x0) / (x1 - x0))


def _standardized(area: float, first: float, last: float) -> float:
    """McClish's scale: chance is 0.5, and a perfect curve 1."""
    least, most = (last**2 - first**2) / 2.0, last - first
    return 0.5 * (1.0 + (area - least) / (most - least))
