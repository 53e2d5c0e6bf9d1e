"""The area under the ROC curve with an interval over patients, and the curve itself.

Sources: DeLong, DeLong and Clarke-Pearson 1988 (variance); Sun and Xu 2014 (by midranks); Obuchowski 1997 (patients as clusters);
Pepe 2003, 5.2 (logit transform); Newcombe 2006 (score-type interval for few cases and for perfect separation).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from tasks.evaluation import clusters
from tasks.evaluation.intervals import estimated, normal_quantile, not_estimable
from tasks.evaluation.results import Estimate

Transform = Literal["auto", "none", "logit"]

#: With fewer patients than this on either side of the reference standard, the variance of DeLong is too uncertain a guess.
FEW_PATIENTS = 10
#: From here to 1 (and by symmetry to 0), an interval on the plain scale leans over the edge.
NEAR_ONE = 0.9


@dataclass(frozen=True, slots=True)
class Components:
    """Structural components of the AUC (DeLong 1988, eq. 4; Obuchowski 1997).

    Args:
        auc: P(score of a positive > score of a negative) + P(equal) / 2.
        positive: float64 of shape (positives,): the share of negatives that each positive outranks.
        negative: float64 of shape (negatives,): the share of positives that outrank each negative.
    """

    auc: float
    positive: NDArray[np.float64]
    negative: NDArray[np.float64]


def components(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> Components:
    """Structural components by midranks, O(n log n). Needs at least one positive and one negative, and finite scores."""
    positives, negatives = scores[labels], scores[~labels]
    ranks = stats.rankdata(scores)
    positive = (ranks[labels] - stats.rankdata(positives)) / negatives.size
    negative = 1.0 - (ranks[~labels] - stats.rankdata(negatives)) / positives.size
    return Components(float(positive.mean()), positive, negative)


def variance(parts: Components, labels: NDArray[np.bool_], codes: clusters.Codes) -> float:
    """Variance of the AUC over patients (Obuchowski 1997, eq. 4); DeLong's where each patient has one case.

    Not a number where a side of the reference standard has fewer than two patients; zero where the components do not vary.
    """
    k = int(codes.max()) + 1
    m, n = parts.positive.size, parts.negative.size
    with_positives, with_negatives = clusters.count(codes[labels]), clusters.count(codes[~labels])
    if min(with_positives, with_negatives) < 2:
        return float("nan")
    # np.sum adds in one order; a product by BLAS would depend on its number of threads in the last digits
    x = clusters.sums(codes[labels], parts.positive - parts.auc, k)
    y = clusters.sums(codes[~labels], parts.negative - parts.auc, k)
    s10 = with_positives / (with_positives - 1) * float(np.sum(x * x)) / m**2
    s01 = with_negatives / (with_negatives - 1) * float(np.sum(y * y)) / n**2
    s11 = k / (k - 1) * float(np.sum(x * y)) / (m * n)
    total = s10 + s01 + 2.0 * s11
    return total if total > 1e-12 * (s10 + s01) else 0.0


def score_interval(auc: float, positives: int, negatives: int, confidence: float) -> tuple[float, float]:
    """Newcombe 2006, method 5: the AUCs that lie within z standard errors, each taken at that AUC (after Hanley and McNeil 1982).

    Defined at 0 and 1 and for any number of cases. `positives` and `negatives` are counts of patients.
    """
    z = normal_quantile(confidence)
    extra = (positives + negatives) / 2.0 - 1.0

    def lower(estimate: float) -> float:
        def excess(theta: float) -> float:
            spread = 1.0 + extra * ((1.0 - theta) / (2.0 - theta) + theta / (1.0 + theta))
            return estimate - theta - z * float(np.sqrt(theta * (1.0 - theta) * spread / (positives * negatives)))

        if estimate <= 0.0:
            return 0.0
        top = estimate if estimate < 1.0 else 1.0 - 1e-3 * min(1.0, z * z / (positives * negatives))
        return float(optimize.brentq(excess, 0.0, top, xtol=1e-14, rtol=1e-14))

    return lower(auc), 1.0 - lower(1.0 - auc)


def auc(
    scores: ArrayLike,
    labels: ArrayLike,
    patients: ArrayLike | None = None,
    *,
    confidence: float = 0.95,
    transform: Transform = "auto",
) -> Estimate:
    """The AUC with its interval over patients; a tie counts one half.

    Args:
        scores: shape (cases,); higher means more like the finding.
        labels: 0 or 1 (or bool), shape (cases,): the reference standard.
        patients: one key a case, shape (cases,); None where every case is a patient of its own.
        transform: the scale of the normal interval: `none` (as pROC prints it), `logit`, or `auto`: logit where the AUC is at
            least 0.9 or at most 0.1 or the plain interval would leave [0, 1].

    Returns:
        The estimate with DeLong's variance, or Obuchowski's where patients have several cases. With fewer than ten patients with
        or without the finding, and for an AUC of exactly 0 or 1 (where the variance is zero and says nothing), the interval is
        Newcombe's score-type one on the numbers of patients; `method` says which.
        `not_estimable`: no cases, no positives, no negatives, labels other than 0 and 1, scores that are not finite, all scores
        equal, a single patient on either side, or a variance of zero.

    Raises:
        ValueError: shapes differ, or the confidence is not between 0 and 1.
    """
    z = normal_quantile(confidence)
    values = np.asarray(scores, dtype=np.float64)
    truth, wrong = clusters.binary(labels)
    if values.ndim != 1 or values.shape != truth.shape:
        raise ValueError("scores and labels must be one-dimensional and of the same length")
    codes = clusters.encode(None if patients is None else np.asarray(patients), values.size)
    reason = _unfit(values, truth, wrong)
    if reason:
        return not_estimable(reason, confidence)
    positive = truth == 1.0
    with_positives, with_negatives = clusters.count(codes[positive]), clusters.count(codes[~positive])
    for patients_there, side in ((with_positives, "positive"), (with_negatives, "negative")):
        if patients_there < 2:
            return not_estimable(f"the {side} cases are of one patient", confidence)
    parts = components(values, positive)
    perfect = parts.auc in (0.0, 1.0)
    if perfect or min(with_positives, with_negatives) < FEW_PATIENTS:
        why = "complete separation" if perfect else "few patients"
        bounds = score_interval(parts.auc, with_positives, with_negatives, confidence)
        return estimated(parts.auc, *bounds, confidence, f"Newcombe score-type ({why})")
    spread = float(np.sqrt(variance(parts, positive, codes)))
    if spread == 0.0:
        return not_estimable("the estimated variance is zero", confidence)
    name = "DeLong" if clusters.count(codes) == values.size else "Obuchowski (patients as clusters)"
    lower, upper = parts.auc - z * spread, parts.auc + z * spread
    near = not 1.0 - NEAR_ONE < parts.auc < NEAR_ONE or lower < 0.0 or upper > 1.0
    if transform == "logit" or (transform == "auto" and near):
        centre = float(np.log(parts.auc / (1.0 - parts.auc)))
        reach = z * spread / (parts.auc * (1.0 - parts.auc))
        lower, upper = (float(1.0 / (1.0 + np.exp(-edge))) for edge in (centre - reach, centre + reach))
        name += ", logit"
    return estimated(parts.auc, lower, upper, confidence, name)


def _unfit(values: NDArray[np.float64], truth: NDArray[np.float64], wrong: int) -> str:
    """Why these cases have no AUC; empty where they have one."""
    n, unusable = values.size, int(np.count_nonzero(~np.isfinite(values)))
    if n == 0:
        return "no cases"
    if wrong:
        return f"{wrong} of {n} labels are neither 0 nor 1"
    if unusable:
        return f"{unusable} of {n} scores are not finite numbers"
    if not truth.any():
        return "no positive cases"
    if truth.all():
        return "no negative cases"
    return "all scores are equal" if float(values.min()) == float(values.max()) else ""


def roc(scores: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The empirical ROC curve: false and true positive fractions, one point a distinct score, from (0, 0) to (1, 1).

    Points in the middle of a straight run are left out. Empty arrays where `auc` would not be estimable for want of fit cases.
    """
    values = np.asarray(scores, dtype=np.float64)
    truth, wrong = clusters.binary(labels)
    if values.shape != truth.shape:
        raise ValueError("scores and labels must be of the same length")
    reason = _unfit(values, truth, wrong)
    if reason and reason != "all scores are equal":
        return np.empty(0), np.empty(0)
    order = np.argsort(-values, kind="stable")
    last = np.flatnonzero(np.append(np.diff(values[order]) != 0, np.True_))
    hits = np.concatenate(([0.0], np.cumsum(truth[order])[last]))
    alarms = np.concatenate(([0.0], np.cumsum(1.0 - truth[order])[last]))
    turns = np.diff(hits)[1:] * np.diff(alarms)[:-1] != np.diff(hits)[:-1] * np.diff(alarms)[1:]
    kept = np.concatenate(([True], turns, [True]))
    return alarms[kept] / alarms[-1], hits[kept] / hits[-1]
