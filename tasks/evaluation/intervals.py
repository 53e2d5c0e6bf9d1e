"""An estimate with its interval, or the reason why there is none."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from scipy import special

from tasks.evaluation.results import Estimate


@lru_cache(64)
def normal_quantile(confidence: float) -> float:
    """The two-sided standard normal quantile: 1.96 at a confidence of 0.95.

    Raises:
        ValueError: the confidence is not between 0 and 1.
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError("the confidence must lie between 0 and 1")
    return -float(special.ndtri((1.0 - confidence) / 2.0))


def student_quantile(confidence: float, freedom: float) -> float:
    """The two-sided quantile of Student's t with `freedom` degrees of freedom, which need not be whole."""
    normal_quantile(confidence)
    return -float(special.stdtrit(freedom, (1.0 - confidence) / 2.0))


def two_sided_p(z: float) -> float:
    """The two-sided p value of a standard normal statistic."""
    return float(2.0 * special.ndtr(-abs(z)))


def estimated(
    estimate: float,
    lower: float,
    upper: float,
    confidence: float,
    method: str,
    *,
    least: float = 0.0,
    most: float = 1.0,
    **made_of: Any,
) -> Estimate:
    """An estimate whose bounds are held to [least, most] and around the estimate, against rounding in the last digit.

    Args:
        made_of: further fields of `Estimate`, which say what the interval was made of.
    """
    return Estimate(
        status="estimated",
        estimate=estimate,
        lower=max(least, min(lower, estimate)),
        upper=min(most, max(upper, estimate)),
        confidence=confidence,
        method=method,
        **made_of,
    )


def not_estimable(reason: str, confidence: float) -> Estimate:
    """No number, and why."""
    return Estimate(status="not_estimable", confidence=confidence, reason=reason)
