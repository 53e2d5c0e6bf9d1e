"""Sensitivity, specificity and predictive values: proportions over patients as clusters, with intervals that hold at 0 and at 1.

Sources: Wilson 1927 (the interval); Clopper and Pearson 1934; Agresti and Coull 1998; Brown, Cai and DasGupta 2001 (Jeffreys);
Rao and Scott 1992 (design effect over clusters); Korn and Graubard 1998 (degrees of freedom of the effective sample size).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from tasks.evaluation import clusters
from tasks.evaluation.cells import Share
from tasks.evaluation.intervals import estimated, normal_quantile, not_estimable, student_quantile
from tasks.evaluation.results import Estimate

Method = Literal["wilson", "clopper_pearson", "agresti_coull", "jeffreys", "wald"]


def wilson(successes: float, n: float, confidence: float) -> tuple[float, float]:
    """Wilson's score interval (Wilson 1927; Newcombe 1998, method 3), without continuity correction.

    Args:
        successes: from 0 to n; neither need be whole, so that an effective sample size can stand for n.
        n: more than 0.
    """
    z = normal_quantile(confidence)
    p = successes / n
    centre = p + z * z / (2.0 * n)
    half = z * float(np.sqrt(p * (1.0 - p) / n + z * z / (4.0 * n * n)))
    scale = 1.0 + z * z / n
    lower = 0.0 if successes == 0 else (centre - half) / scale
    upper = 1.0 if successes == n else (centre + half) / scale
    return lower, upper


def clopper_pearson(successes: float, n: float, confidence: float) -> tuple[float, float]:
    """The exact interval (Clopper and Pearson 1934; Newcombe 1998, method 5), as quantiles of beta distributions."""
    tail = (1.0 - confidence) / 2.0
    lower = 0.0 if successes == 0 else float(special.betaincinv(successes, n - successes + 1.0, tail))
    upper = 1.0 if successes == n else float(special.betainccinv(successes + 1.0, n - successes, tail))
    return lower, upper


def agresti_coull(successes: float, n: float, confidence: float) -> tuple[float, float]:
    """Wald's interval after z²/2 successes and z²/2 failures were added (Agresti and Coull 1998); it may leave [0, 1]."""
    z = normal_quantile(confidence)
    size = n + z * z
    p = (successes + z * z / 2.0) / size
    half = z * float(np.sqrt(p * (1.0 - p) / size))
    return p - half, p + half


def jeffreys(successes: float, n: float, confidence: float) -> tuple[float, float]:
    """Equal-tailed posterior interval under the prior Beta(1/2, 1/2); its bounds are 0 at 0 and 1 at n (Brown, Cai and DasGupta 2001)."""
    tail = (1.0 - confidence) / 2.0
    a, b = successes + 0.5, n - successes + 0.5
    lower = 0.0 if successes == 0 else float(special.betaincinv(a, b, tail))
    upper = 1.0 if successes == n else float(special.betainccinv(a, b, tail))
    return lower, upper


def wald(successes: float, n: float, confidence: float) -> tuple[float, float]:
    """The textbook interval p ± z·sqrt(p(1-p)/n): here to compare with others' tables. It has no width at 0 and 1, and covers too little."""
    p = successes / n
    half = normal_quantile(confidence) * float(np.sqrt(p * (1.0 - p) / n))
    return p - half, p + half


_INTERVALS = {
    "wilson": ("Wilson", wilson), "clopper_pearson": ("Clopper-Pearson", clopper_pearson), "agresti_coull": ("Agresti-Coull", agresti_coull),
    "jeffreys": ("Jeffreys", jeffreys), "wald": ("Wald", wald),
}  # fmt: skip


def share_of(outcomes: NDArray[np.float64], codes: clusters.Codes) -> Share:
    """What the interval of a proportion needs, from outcomes (0 or 1) and patients' numbers, both of shape (cases,)."""
    k = int(codes.max()) + 1 if codes.size else 0
    n = np.bincount(codes, minlength=k)
    y = np.bincount(codes, weights=outcomes, minlength=k)
    successes, cases = int(y.sum()), int(outcomes.size)
    squares = float(np.sum(np.square(cases * y - successes * n))) / cases**2 if cases else 0.0
    return Share(successes, cases, int(np.count_nonzero(n)), squares)


def effect(share: Share) -> float:
    """How much larger the variance of a proportion is than if each case were a patient of its own.

    The variance over k patients is that of a ratio estimator, v = k / (k - 1) · Σ (y_i - p·n_i)² / n² (Rao and Scott 1992, eq. 1).
    It is set against p(1 - p) / (n - 1), the unbiased variance of independent cases, so that the effect is exactly 1 where each
    patient has one case. Never below 1. Needs at least one success, one failure and two patients.
    """
    k, n = share.patients, share.cases
    if k == n:
        return 1.0
    p = share.successes / n
    variance = k / (k - 1) * share.squares / n**2
    return max(1.0, variance * (n - 1) / (p * (1.0 - p)))


def design_effect(outcomes: NDArray[np.float64], codes: clusters.Codes) -> float:
    """`effect` of outcomes (0 or 1, at least one of each) and patients (at least two), both of shape (cases,)."""
    return effect(share_of(outcomes, clusters.encode(codes, codes.size)))


def effective(share: Share, confidence: float) -> tuple[float, str]:
    """The sample size that stands for the cases of a proportion, and what it is called in the method.

    The cases where each patient has one; the patients where all outcomes agree; else n / design effect, times (t(n-1) / t(k-1))²
    for the uncertainty of a design effect from k patients (Korn and Graubard 1998), and at most n.
    """
    n, k = share.cases, share.patients
    if k == n:
        return float(n), ""
    if share.successes in (0, n):
        return float(k), ", n = patients (all outcomes agree)"
    freedom = (student_quantile(confidence, n - 1) / student_quantile(confidence, k - 1)) ** 2
    return min(float(n), n / effect(share) * freedom), ", effective sample size (Rao-Scott)"


def interval(share: Share, confidence: float, *, method: Method = "wilson", empty: str = "no cases") -> Estimate:
    """The estimate of a proportion from its sums over patients; `empty` is the reason where there are no cases."""
    normal_quantile(confidence)
    n, k = share.cases, share.patients
    if n == 0:
        return not_estimable(empty, confidence)
    if k == 1 and n > 1:
        return not_estimable(f"all {n} cases are of one patient", confidence)
    p = share.successes / n
    if method == "wald" and share.successes in (0, n):
        return not_estimable("Wald's interval has no width at 0 and 1", confidence)
    size, how = effective(share, confidence)
    successes = float(share.successes) if size == n else size if share.successes == n else p * size
    name, bounds = _INTERVALS[method]
    return estimated(p, *bounds(successes, size, confidence), confidence, name + how, effective_n=size)


def proportion(
    outcomes: ArrayLike,
    patients: ArrayLike | None = None,
    *,
    confidence: float = 0.95,
    method: Method = "wilson",
    empty: str = "no cases",
) -> Estimate:
    """A proportion with its interval over patients.

    Args:
        outcomes: 0 or 1 (or bool), shape (cases,).
        patients: one key a case, shape (cases,); None where every case is a patient of its own.
        method: `wilson`, `clopper_pearson`, `agresti_coull`, `jeffreys` or `wald`, at the effective sample size (`effective`),
            which is n itself, and the interval the plain one, where each patient has one case.
        empty: the reason to give where there are no cases.

    Returns:
        the estimate, or `not_estimable`: no cases, an outcome other than 0 and 1, several cases of a single patient, or Wald's
        interval where all outcomes agree.

    Raises:
        ValueError: the confidence is not between 0 and 1, or there are not as many patient keys as cases.
    """
    normal_quantile(confidence)
    values, wrong = clusters.binary(outcomes)
    codes = clusters.encode(None if patients is None else np.asarray(patients), values.size)
    if wrong:
        return not_estimable(f"{wrong} of {values.size} outcomes are neither 0 nor 1", confidence)
    return interval(share_of(values, codes), confidence, method=method, empty=empty)
