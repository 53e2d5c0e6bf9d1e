"""Intervals made again from what is published, by other formulas than those of the evaluation.

Wilson's bounds are the roots of the score equation, and Newcombe's those of a quartic; the beta quantiles of Clopper-Pearson and Jeffreys
are found by bisection of the distribution function. Sources: as in `tasks.evaluation.proportions` and `tasks.evaluation.curves`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import exp, log, log1p, sqrt
from statistics import NormalDist

import numpy as np
from scipy import optimize, special

from tasks.evaluation.results import Estimate

Bounds = tuple[float, float]


@lru_cache(64)
def quantile(confidence: float) -> float:
    """The two-sided standard normal quantile."""
    return NormalDist().inv_cdf((1.0 + confidence) / 2.0)


def two_sided(statistic: float) -> float:
    """The two-sided p value of a standard normal statistic."""
    return float(special.erfc(abs(statistic) / sqrt(2.0)))


def proportion(method: str, p: float, n: float, confidence: float) -> Bounds | None:
    """The interval of a proportion at a sample size that need not be whole; None for a method that is not known here.

    Args:
        method: as `Estimate.method` begins.
    """
    made = _PROPORTIONS.get(method.partition(",")[0])
    if made is None:
        return None
    lower, upper = made(p, n, confidence)
    return max(0.0, min(lower, p)), min(1.0, max(upper, p))


def _wilson(p: float, n: float, confidence: float) -> Bounds:
    z2 = quantile(confidence) ** 2
    # n (p - x)^2 = z^2 x (1 - x), the smaller root as the product of both over the larger
    half = n * p + z2 / 2.0
    larger = half + sqrt(max(half * half - (n + z2) * n * p * p, 0.0))
    return (0.0 if p == 0.0 else n * p * p / larger), (1.0 if p == 1.0 else larger / (n + z2))


def _wald(p: float, n: float, confidence: float) -> Bounds:
    half = sqrt(quantile(confidence) ** 2 * p * (1.0 - p) / n)
    return p - half, p + half


def _agresti_coull(p: float, n: float, confidence: float) -> Bounds:
    z2 = quantile(confidence) ** 2
    return _wald((n * p + z2 / 2.0) / (n + z2), n + z2, confidence)


def _clopper_pearson(p: float, n: float, confidence: float) -> Bounds:
    hits, tail = n * p, (1.0 - confidence) / 2.0
    return (
        0.0 if p == 0.0 else _beta(hits, n - hits + 1.0, tail),
        1.0 if p == 1.0 else 1.0 - _beta(n - hits, hits + 1.0, tail),
    )


def _jeffreys(p: float, n: float, confidence: float) -> Bounds:
    hits, tail = n * p, (1.0 - confidence) / 2.0
    return (
        0.0 if p == 0.0 else _beta(hits + 0.5, n - hits + 0.5, tail),
        1.0 if p == 1.0 else 1.0 - _beta(n - hits + 0.5, hits + 0.5, tail),
    )


def _beta(a: float, b: float, tail: float) -> float:
    """The quantile of a beta distribution."""
    return float(optimize.bisect(lambda x: special.betainc(a, b, x) - tail, 0.0, 1.0, xtol=1e-13, rtol=1e-14, maxiter=200))


_PROPORTIONS: dict[str, Callable[[float, float, float], Bounds]] = {
    "Wilson": _wilson, "Clopper-Pearson": _clopper_pearson, "Agresti-Coull": _agresti_coull, "Jeffreys": _jeffreys, "Wald": _wald,
}  # fmt: skip


def normal(value: Estimate, confidence: float | None = None) -> Bounds | None:
    """Estimate ± quantile · standard error on its scale, not held to any range; None where it does not say what it was made of."""
    if value.estimate is None or value.standard_error is None or value.scale is None:
        return None
    level = value.confidence if confidence is None else confidence
    reach = (quantile(level) if value.freedom is None else student(level, value.freedom)) * value.standard_error
    to, back = _SCALES[value.scale]
    try:
        centre = to(value.estimate)
    except ValueError:  # no logarithm, no logit
        return None
    return back(centre - reach), back(centre + reach)


_SCALES: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "identity": (float, float), "log": (log, exp), "logit": (lambda p: log(p) - log1p(-p), lambda x: 0.5 * (1.0 + float(np.tanh(x / 2.0)))),
    "square": (lambda value: value * value, lambda square: sqrt(max(square, 0.0))),
}  # fmt: skip


def student(confidence: float, freedom: float) -> float:
    """The two-sided quantile of Student's t, by the incomplete beta function."""
    y = float(special.betaincinv(0.5, freedom / 2.0, confidence))
    return sqrt(freedom * y / (1.0 - y))


def student_p(statistic: float, freedom: float | None) -> float:
    """The two-sided p value of Student's t, of the normal distribution where the freedom is None."""
    return (
        two_sided(statistic)
        if freedom is None
        else float(special.betaincc(0.5, freedom / 2.0, statistic**2 / (freedom + statistic**2)))
    )


def f_p(statistic: float, first: float, second: float | None) -> float:
    """The upper tail of F; of chi-squared where the second freedom is None."""
    if second is None:
        return chi_squared_p(statistic, first)
    return float(special.betaincc(first / 2.0, second / 2.0, first * statistic / (second + first * statistic)))


def chi_squared_p(statistic: float, freedom: float) -> float:
    """The upper tail of chi-squared."""
    return float(special.gammaincc(freedom / 2.0, statistic / 2.0))


def spread(value: float, freedom: float, confidence: float) -> Bounds:
    """The interval of a standard deviation by chi-squared."""
    tail = (1.0 - confidence) / 2.0
    low, high = (value * sqrt(freedom / (2.0 * float(special.gammaincinv(freedom / 2.0, each)))) for each in (1.0 - tail, tail))
    return low, high


def score_type(auc: float, positives: int, negatives: int, confidence: float) -> Bounds:
    """Newcombe's interval of an AUC (Stat Med 2006;25:559, method 5)."""
    return _score_root(auc, positives, negatives, confidence), 1.0 - _score_root(1.0 - auc, positives, negatives, confidence)


def _score_root(auc: float, positives: int, negatives: int, confidence: float) -> float:
    """The lower bound: the largest root below the AUC of (A - x)^2 = z^2 x (1 - x) (1 + e ((1-x)/(2-x) + x/(1+x))) / (m n)."""
    if auc <= 0.0:
        return 0.0
    x = np.polynomial.Polynomial([0.0, 1.0])
    middle, extra = (2.0 - x) * (1.0 + x), (positives + negatives) / 2.0 - 1.0
    spread = middle + extra * ((1.0 - x) * (1.0 + x) + x * (2.0 - x))
    equation = positives * negatives * (auc - x) ** 2 * middle - quantile(confidence) ** 2 * x * (1.0 - x) * spread
    if auc == 1.0:
        equation = equation // (1.0 - x)
    roots = np.asarray(equation.roots(), dtype=np.complex128)
    fit = (np.abs(roots.imag) < 1e-9) & (roots.real >= -1e-12) & (roots.real < auc)
    return float(roots.real[fit].max())


def square_and_add(part: Estimate, rest: float, rest_lower: float, rest_upper: float) -> tuple[float, float, float] | None:
    """The difference of two estimates and its bounds from their own (Newcombe, Stat Med 1998;17:873, method 10)."""
    if part.estimate is None or part.lower is None or part.upper is None:
        return None
    apart = part.estimate - rest
    below, above = (part.estimate - part.lower, rest_upper - rest), (part.upper - part.estimate, rest - rest_lower)
    return apart, apart - sqrt(below[0] ** 2 + below[1] ** 2), apart + sqrt(above[0] ** 2 + above[1] ** 2)


def holm(p: list[float]) -> list[float]:
    """Holm's adjusted p values: of each, the largest of (m - j) p_(j) over the tests up to it."""
    order = sorted(range(len(p)), key=p.__getitem__)
    return [
        min(1.0, max((len(p) - step) * p[other] for step, other in enumerate(order[: order.index(place) + 1])))
        for place in range(len(p))
    ]


def benjamini_hochberg(p: list[float]) -> list[float]:
    """Benjamini and Hochberg's adjusted p values: of each, the smallest of m p_(j) / j over the tests from it on."""
    order = sorted(range(len(p)), key=p.__getitem__)
    return [
        min(1.0, *(len(p) * p[order[step]] / (step + 1) for step in range(order.index(place), len(p))), 1.0)
        for place in range(len(p))
    ]
