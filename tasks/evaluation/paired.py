"""Two models, or two versions of one, on the same cases: paired differences over patients, and who was read differently.

Sources: DeLong, DeLong and Clarke-Pearson, Biometrics 1988;44:837; Obuchowski, Biometrics 1997;53:567 (patients as clusters); McNemar,
Psychometrika 1947;12:153; Newcombe, Stat Med 1998;17:2635, method 10; Zou, Psychol Methods 2007;12:399 (dependent estimates).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from tasks.evaluation import clusters, ranking
from tasks.evaluation.curves import unfit
from tasks.evaluation.intervals import estimated, normal_quantile, not_estimable, two_sided_p
from tasks.evaluation.proportions import interval, share_of
from tasks.evaluation.results import Estimate

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Paired:
    """The first minus the second, of the same cases: values, the difference with its interval, and the p value of no difference.

    `p` is None where there is no test.
    """

    first: float | None
    second: float | None
    difference: Estimate
    p: float | None


def paired_auc(
    first: ArrayLike, second: ArrayLike, labels: ArrayLike, patients: ArrayLike | None = None, *, confidence: float = 0.95
) -> Paired:
    """The difference of two AUCs of the same cases: DeLong's paired test, with Obuchowski's variance where patients have several cases.

    Args:
        first, second: finite scores, shape (cases,).
        labels: 0 or 1, shape (cases,).
        patients: one key a case; None where every case is a patient of its own.
    """
    z = normal_quantile(confidence)
    truth, wrong = clusters.binary(labels)
    columns = [np.asarray(each, dtype=np.float64) for each in (first, second)]
    if any(each.shape != truth.shape or each.ndim != 1 for each in columns):
        raise ValueError("scores and labels must be one-dimensional and of the same length")
    codes = clusters.encode(None if patients is None else np.asarray(patients), truth.size)
    unusable = int(np.count_nonzero(~np.isfinite(columns[0]) | ~np.isfinite(columns[1])))
    reason = f"{wrong} of {truth.size} labels are neither 0 nor 1" if wrong else ""
    reason = reason or (f"{unusable} of {truth.size} cases have a score that is not a finite number" if unusable else "")
    if reason:
        return Paired(None, None, not_estimable(reason, confidence), None)
    ranked = [ranking.rank(each, truth == 1.0, codes)[0] for each in columns]
    reason = unfit(ranked[0]) or unfit(ranked[1])
    if reason:
        return Paired(None, None, not_estimable(reason, confidence), None)
    one, other = (ranking.influence(each) for each in ranked)
    apart = one.auc - other.auc
    variance = ranking.covariance(one, one) + ranking.covariance(other, other) - 2.0 * ranking.covariance(one, other)
    if not variance > 1e-14:  # also where a side is of one patient, and where both rank alike
        return Paired(one.auc, other.auc, not_estimable("the estimated variance of the difference is zero", confidence), None)
    spread = sqrt(variance)
    reach = z * spread
    name = "DeLong, paired" if one.seen.all == truth.size else "Obuchowski, paired (patients as clusters)"
    found = estimated(apart, apart - reach, apart + reach, confidence, name, least=-1.0, standard_error=spread, scale="identity")
    return Paired(one.auc, other.auc, found, two_sided_p(apart / spread))


def paired_proportions(
    first: ArrayLike, second: ArrayLike, patients: ArrayLike | None = None, *, confidence: float = 0.95, empty: str = "no cases"
) -> Paired:
    """The difference of two proportions of the same cases.

    The interval is square-and-add of the two Wilson intervals (over patients), less their correlation: Newcombe's method 10, with his
    correction of phi for continuity, where each patient has one case; else with the correlation of the patients' residuals (Zou 2007).
    The p value is McNemar's exact one where each patient has one case, else the score test (Σ d_i)² / Σ d_i² of the patients'
    differences d_i, which is McNemar's uncorrected one for single cases.

    Args:
        first, second: 0 or 1, shape (cases,).
    """
    columns, wrong = [], 0
    for each in (first, second):
        values, bad = clusters.binary(each)
        columns.append(values)
        wrong += bad
    if columns[0].shape != columns[1].shape or columns[0].ndim != 1:
        raise ValueError("both must be one-dimensional and of the same length")
    n = columns[0].size
    codes = clusters.encode(None if patients is None else np.asarray(patients), n)
    if wrong:
        return Paired(None, None, not_estimable(f"{wrong} outcomes are neither 0 nor 1", confidence), None)
    shares = [share_of(values, codes) for values in columns]
    estimates = [interval(share, confidence, empty=empty) for share in shares]
    if estimates[0].estimate is None:
        return Paired(None, None, estimates[0], None)
    single = shares[0].patients == n
    phi = _phi(columns[0], columns[1]) if single else _correlation(columns[0], columns[1], codes)
    (p1, l1, u1), (p2, l2, u2) = ((float(e.estimate or 0), float(e.lower or 0), float(e.upper or 0)) for e in estimates)
    apart = p1 - p2
    below = sqrt(max((p1 - l1) ** 2 - 2.0 * phi * (p1 - l1) * (u2 - p2) + (u2 - p2) ** 2, 0.0))
    above = sqrt(max((u1 - p1) ** 2 - 2.0 * phi * (u1 - p1) * (p2 - l2) + (p2 - l2) ** 2, 0.0))
    name = "Newcombe, paired (method 10)" if single else "square-and-add, paired (patients as clusters)"
    found = estimated(apart, apart - below, apart + above, confidence, name, least=-1.0)
    return Paired(p1, p2, found, _mcnemar(columns[0], columns[1]) if single else _score_test(columns[0], columns[1], codes))


def _phi(first: Array, second: Array) -> float:
    """The correlation of two outcomes, corrected for continuity where it is positive (Newcombe 1998)."""
    n = first.size
    both, one, other = float(np.sum(first * second)), float(np.sum(first * (1 - second))), float(np.sum((1 - first) * second))
    neither = n - both - one - other
    margins = (both + one) * (other + neither) * (both + other) * (one + neither)
    if margins == 0.0:
        return 0.0
    product = both * neither - one * other
    if product > 0.0:
        product = max(product - n / 2.0, 0.0)
    return product / sqrt(margins)


def _correlation(first: Array, second: Array, codes: clusters.Codes) -> float:
    """The correlation of the patients' sums of residuals; zero where one does not vary."""
    size = int(codes.max()) + 1
    x, y = (clusters.sums(codes, values - values.mean(), size) for values in (first, second))
    spread = float(np.sum(x * x) * np.sum(y * y))
    return float(np.sum(x * y)) / sqrt(spread) if spread > 0.0 else 0.0


def _mcnemar(first: Array, second: Array) -> float:
    """Exact: twice the smaller tail of the binomial distribution of the discordant cases, at most 1."""
    one, other = int(np.sum((first == 1) & (second == 0))), int(np.sum((first == 0) & (second == 1)))
    return min(1.0, 2.0 * float(special.bdtr(min(one, other), one + other, 0.5))) if one + other else 1.0


def _score_test(first: Array, second: Array, codes: clusters.Codes) -> float | None:
    apart = clusters.sums(codes, first - second, int(codes.max()) + 1)
    spread = float(np.sum(apart * apart))
    return two_sided_p(float(apart.sum()) / sqrt(spread)) if spread > 0.0 else 1.0
