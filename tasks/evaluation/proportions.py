"""Sensitivity, specificity and predictive values: proportions over patients as clusters, with intervals that hold at 0 and at 1.

Sources: Wilson 1927 (the interval); Clopper and Pearson 1934; Rao and Scott 1992 (design effect over clusters);
Korn and Graubard 1998 (degrees of freedom of the effective sample size).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from tasks.evaluation import clusters
from tasks.evaluation.intervals import estimated, normal_quantile, not_estimable
from tasks.evaluation.results import Estimate

Method = Literal["wilson", "clopper_pearson"]
_NAMES = {"wilson": "Wilson", "clopper_pearson": "Clopper-Pearson"}


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
    lower = 0.0 if successes == 0 else float(stats.beta.ppf(tail, successes, n - successes + 1.0))
    upper = 1.0 if successes == n else float(stats.beta.isf(tail, successes + 1.0, n - successes))
    return lower, upper


def design_effect(outcomes: NDArray[np.float64], codes: clusters.Codes) -> float:
    """How much larger the variance of a proportion is than if each case were a patient of its own.

    The variance over k patients with n_i cases and y_i successes is that of a ratio estimator (Rao and Scott 1992, eq. 1):
    v = k / (k - 1) · Σ (y_i - p·n_i)² / n². It is set against p(1 - p) / (n - 1), the unbiased variance of independent cases,
    so that the effect is exactly 1 where each patient has one case. Never below 1.

    Args:
        outcomes: 0 or 1, float64 of shape (cases,); at least one of each.
        codes: the patient of each case; at least two patients.
    """
    numbers = clusters.encode(codes, codes.size)
    k, n = int(numbers.max()) + 1, outcomes.size
    if k == n:
        return 1.0
    p = float(outcomes.mean())
    residuals = clusters.sums(numbers, outcomes - p, k)
    variance = k / (k - 1) * float(np.sum(residuals * residuals)) / n**2
    return max(1.0, variance * (n - 1) / (p * (1.0 - p)))


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
        method: `wilson` or `clopper_pearson`, at the effective sample size: n / design effect, times (t(n-1) / t(k-1))² for the
            uncertainty of a design effect from k patients (Korn and Graubard 1998), and at most n. It is n itself, and the
            interval the plain one, where each patient has one case. Where all outcomes agree, the design effect can't be
            seen and the number of patients stands for n.
        empty: the reason to give where there are no cases.

    Returns:
        the estimate, or `not_estimable`: no cases, an outcome other than 0 and 1, or several cases of a single patient.

    Raises:
        ValueError: the confidence is not between 0 and 1, or there are not as many patient keys as cases.
    """
    normal_quantile(confidence)
    values, wrong = clusters.binary(outcomes)
    n = values.size
    codes = clusters.encode(None if patients is None else np.asarray(patients), n)
    if n == 0:
        return not_estimable(empty, confidence)
    if wrong:
        return not_estimable(f"{wrong} of {n} outcomes are neither 0 nor 1", confidence)
    k = clusters.count(codes)
    if k == 1 and n > 1:
        return not_estimable(f"all {n} cases are of one patient", confidence)
    p = float(values.mean())
    if k == n:
        size, how = float(n), ""
    elif p in (0.0, 1.0):
        size, how = float(k), ", n = patients (all outcomes agree)"
    else:
        freedom = float(stats.t.isf((1.0 - confidence) / 2.0, n - 1) / stats.t.isf((1.0 - confidence) / 2.0, k - 1)) ** 2
        size, how = min(float(n), n / design_effect(values, codes) * freedom), ", effective sample size (Rao-Scott)"
    successes = size if p == 1.0 else p * size
    if k == n:
        successes = float(values.sum())
    bounds = (wilson if method == "wilson" else clopper_pearson)(successes, size, confidence)
    return estimated(p, *bounds, confidence, _NAMES[method] + how)
