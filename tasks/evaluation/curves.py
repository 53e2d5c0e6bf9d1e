"""The area under the ROC curve with an interval over patients, and the curve itself.

Sources: DeLong, DeLong and Clarke-Pearson 1988 (variance); Sun and Xu 2014 (by midranks); Obuchowski 1997 (patients as clusters);
Pepe 2003, 5.2 (logit transform); Newcombe 2006 (score-type interval for few cases and for perfect separation).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from tasks.evaluation import clusters, ranking
from tasks.evaluation.intervals import estimated, normal_quantile, not_estimable
from tasks.evaluation.ranking import Area, Ranked
from tasks.evaluation.results import Estimate

Transform = Literal["auto", "none", "logit"]

#: With fewer patients than this on either side of the reference standard, the variance of DeLong is too uncertain a guess.
FEW_PATIENTS = 10
#: From here to 1 (and by symmetry to 0), an interval on the plain scale leans over the edge.
NEAR_ONE = 0.9


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
    normal_quantile(confidence)
    values = np.asarray(scores, dtype=np.float64)
    truth, wrong = clusters.binary(labels)
    if values.ndim != 1 or values.shape != truth.shape:
        raise ValueError("scores and labels must be one-dimensional and of the same length")
    codes = clusters.encode(None if patients is None else np.asarray(patients), values.size)
    reason = _unfit(values, truth, wrong)
    if reason:
        return not_estimable(reason, confidence)
    ranked, _ = ranking.rank(values, truth == 1.0, codes)
    return of_area(ranking.area(ranked), confidence=confidence, transform=transform)


def unfit(cases: Ranked) -> str:
    """Why cases in the order of their scores have no AUC; empty where they have one."""
    n, positives = cases.positive.size, int(np.count_nonzero(cases.positive))
    if n == 0:
        return "no cases"
    if positives in (0, n):
        return "no negative cases" if positives else "no positive cases"
    return "all scores are equal" if cases.ranks[0] == cases.ranks[-1] else ""


def of_area(found: Area | None, *, confidence: float = 0.95, transform: Transform = "auto") -> Estimate:
    """The estimate of an AUC from its variance; None says that one side has no cases."""
    if found is None:
        return not_estimable("no positive or no negative cases", confidence)
    return interval(found, confidence=confidence, transform=transform)


def interval(found: Area, *, confidence: float = 0.95, transform: Transform = "auto") -> Estimate:
    """The estimate of an AUC with its interval from the sums over patients; see `auc`."""
    z = normal_quantile(confidence)
    for patients_there, side in ((found.with_positives, "positive"), (found.with_negatives, "negative")):
        if patients_there < 2:
            return not_estimable(f"the {side} cases are of one patient", confidence)
    perfect = found.auc in (0.0, 1.0)
    if perfect or min(found.with_positives, found.with_negatives) < FEW_PATIENTS:
        why = "complete separation" if perfect else "few patients"
        bounds = score_interval(found.auc, found.with_positives, found.with_negatives, confidence)
        return estimated(
            found.auc, *bounds, confidence, f"Newcombe score-type ({why})", groups=(found.with_positives, found.with_negatives)
        )
    spread = float(np.sqrt(found.variance))
    if spread == 0.0:
        return not_estimable("the estimated variance is zero", confidence)
    name = "DeLong" if found.patients == found.positives + found.negatives else "Obuchowski (patients as clusters)"
    lower, upper = found.auc - z * spread, found.auc + z * spread
    near = not 1.0 - NEAR_ONE < found.auc < NEAR_ONE or lower < 0.0 or upper > 1.0
    scale = "identity"
    if transform == "logit" or (transform == "auto" and near):
        centre = float(np.log(found.auc / (1.0 - found.auc)))
        spread, scale = spread / (found.auc * (1.0 - found.auc)), "logit"
        reach = z * spread
        lower, upper = (float(1.0 / (1.0 + np.exp(-edge))) for edge in (centre - reach, centre + reach))
        name += ", logit"
    return estimated(found.auc, lower, upper, confidence, name, standard_error=spread, scale=scale)


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
    ranked, _ = ranking.rank(values, truth == 1.0, np.zeros(values.size, dtype=np.int64))
    return curve_of(ranked)


def curve_of(cases: Ranked) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`roc` of cases that are in the order of their scores already; both kinds must be there."""
    ends = np.flatnonzero(np.append(cases.ranks[1:] != cases.ranks[:-1], np.True_))
    below = np.cumsum(cases.positive)[ends]  # positives up to each distinct score
    under = ends + 1 - below
    hits = np.concatenate(([0], below[-1] - below[-2::-1], [below[-1]]))
    alarms = np.concatenate(([0], under[-1] - under[-2::-1], [under[-1]]))
    ups, rights = np.diff(hits), np.diff(alarms)
    kept = np.concatenate(([True], ups[1:] * rights[:-1] != ups[:-1] * rights[1:], [True]))
    return alarms[kept] / alarms[-1], hits[kept] / hits[-1]
