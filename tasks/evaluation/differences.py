"""Two groups of different patients: the difference of two estimates, its interval, and its p value.

Sources: Newcombe, Stat Med 1998;17:873, method 10; Zou and Donner, Stat Med 2008;27:1693 (square-and-add); Zou, Psychol Methods
2007;12:399 (of correlated estimates); DeLong, DeLong and
Clarke-Pearson, Biometrics 1988;44:837 (AUCs of independent samples); Rao and Scott, Biometrics 1992;48:577 (adjusted counts).
"""

from __future__ import annotations

from math import hypot, sqrt
from typing import Literal

from tasks.evaluation.cells import Share
from tasks.evaluation.intervals import two_sided_p
from tasks.evaluation.proportions import effect
from tasks.evaluation.ranking import Area
from tasks.evaluation.results import Difference, Estimate

Metric = Literal["auc", "sensitivity", "specificity"]
COMPARED: tuple[Metric, ...] = ("auc", "sensitivity", "specificity")
_METHOD = "square-and-add of the two intervals"


def square_and_add(part: Estimate, rest: Estimate, correlation: float = 0.0) -> tuple[float, float, float] | None:
    """Difference, lower and upper bound; None where either is not estimated.

    With intervals (l1, u1) of p1 and (l2, u2) of p2, whose estimates have the correlation r, the interval of p1 - p2 is
    d - sqrt((p1-l1)^2 - 2r(p1-l1)(u2-p2) + (u2-p2)^2) to d + sqrt((u1-p1)^2 - 2r(u1-p1)(p2-l2) + (p2-l2)^2).
    """
    if None in {part.estimate, part.lower, part.upper, rest.estimate, rest.lower, rest.upper}:
        return None
    p1, l1, u1 = float(part.estimate or 0), float(part.lower or 0), float(part.upper or 0)
    p2, l2, u2 = float(rest.estimate or 0), float(rest.lower or 0), float(rest.upper or 0)
    below, above = _reach(p1 - l1, u2 - p2, correlation), _reach(u1 - p1, p2 - l2, correlation)
    return p1 - p2, p1 - p2 - below, p1 - p2 + above


def _reach(one: float, other: float, correlation: float) -> float:
    if correlation == 0.0:
        return hypot(one, other)
    return sqrt(max(one * one - 2.0 * correlation * one * other + other * other, 0.0))


def difference(metric: Metric, part: Estimate, rest: Estimate, error: float | None = None) -> Difference | None:
    """`part` minus `rest`, by the square-and-add method on their own intervals; None where either is not estimated.

    Newcombe's method 10 for proportions by Wilson's intervals; Zou and Donner show that it holds for any two estimates of independent
    samples. Patients with studies on both sides are taken as if they were not: their likeness would make the interval narrower.

    Args:
        error: the standard error of the difference in the test of none, or None where there is no test.
    """
    found = square_and_add(part, rest)
    if found is None:
        return None
    apart, lower, upper = found
    return Difference(
        metric=metric, rest=float(rest.estimate or 0), difference=apart, lower=max(lower, -1.0), upper=min(upper, 1.0),
        confidence=part.confidence, method=_METHOD, p=None if error is None else two_sided_p(apart / error), standard_error=error,
        rest_lower=rest.lower, rest_upper=rest.upper,
    )  # fmt: skip


def proportions_p(one: Share, other: Share) -> float | None:
    """The two-sided p value of no difference of two proportions: the pooled score test on counts over their design effects.

    The chi-squared test without continuity correction where each patient has one case. None where `proportions_error` is.
    """
    error = proportions_error(one, other)
    return None if error is None else two_sided_p((one.successes / one.cases - other.successes / other.cases) / error)


def proportions_error(one: Share, other: Share) -> float | None:
    """The standard error of the difference of two proportions if they are the same: that of the pooled proportion.

    None where a side has no cases, several cases of a single patient, or all outcomes of both sides agree.
    """
    sizes = []
    for share in (one, other):
        if not share.cases or (share.patients == 1 and share.cases > 1):
            return None
        mixed = 0 < share.successes < share.cases
        sizes.append(share.cases / effect(share) if mixed else float(share.patients))
    rates = [share.successes / share.cases for share in (one, other)]
    pooled = (sizes[0] * rates[0] + sizes[1] * rates[1]) / (sizes[0] + sizes[1])
    if not 0.0 < pooled < 1.0:
        return None
    return sqrt(pooled * (1.0 - pooled) * (1.0 / sizes[0] + 1.0 / sizes[1]))


def aucs_p(one: Area, other: Area) -> float | None:
    """The two-sided p value of no difference of two AUCs of different patients (DeLong 1988; variances over patients).

    None where `aucs_error` is.
    """
    error = aucs_error(one, other)
    return None if error is None else two_sided_p((one.auc - other.auc) / error)


def aucs_error(one: Area, other: Area) -> float | None:
    """The standard error of the difference of two AUCs of different patients.

    None where a variance is zero or can't be estimated: it says nothing there.
    """
    if not (one.variance > 0.0 and other.variance > 0.0):
        return None
    return sqrt(one.variance + other.variance)
