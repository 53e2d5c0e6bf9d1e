"""An estimate with its interval, or the reason why there is none."""

from __future__ import annotations

from scipy import stats

from tasks.evaluation.results import Estimate


def normal_quantile(confidence: float) -> float:
    """The two-sided standard normal quantile: 1.96 at a confidence of 0.95.

    Raises:
        ValueError: the confidence is not between 0 and 1.
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError("the confidence must lie between 0 and 1")
    return float(stats.norm.isf((1.0 - confidence) / 2.0))


def estimated(estimate: float, lower: float, upper: float, confidence: float, method: str) -> Estimate:
    """An estimate whose bounds are held to [0, 1] and around the estimate, against rounding in the last digit."""
    return Estimate(
        status="estimated",
        estimate=estimate,
        lower=max(0.0, min(lower, estimate)),
        upper=min(1.0, max(upper, estimate)),
        confidence=confidence,
        method=method,
    )


def not_estimable(reason: str, confidence: float) -> Estimate:
    """No number, and why."""
    return Estimate(status="not_estimable", confidence=confidence, reason=reason)
