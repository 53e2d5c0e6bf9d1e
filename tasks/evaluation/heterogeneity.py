"""Whether a metric differs among the levels of an attribute at all.

Sources: Rao and Scott, Biometrics 1992;48:577 (chi-squared over counts that are divided by their design effects); Cochran, Biometrics
1954;10:101 (Q, by inverse variances).
"""

from __future__ import annotations

from collections.abc import Sequence

from scipy import special

from tasks.evaluation.cells import Share
from tasks.evaluation.proportions import effect
from tasks.evaluation.ranking import Area
from tasks.evaluation.results import Heterogeneity


def of_proportions(attribute: str, metric: str, shares: Sequence[Share]) -> Heterogeneity:
    """Pearson's chi-squared of levels × outcome on effective counts; without continuity correction, the plain one for one case a patient.

    Levels without cases, and with several cases of a single patient, are left out.
    """
    fit = [share for share in shares if share.cases and not (share.patients == 1 and share.cases > 1)]
    sizes = [share.cases / effect(share) if 0 < share.successes < share.cases else float(share.patients) for share in fit]
    rates = [share.successes / share.cases for share in fit]
    if len(fit) < 2:
        return _none(attribute, metric, "fewer than two levels with cases")
    pooled = sum(size * rate for size, rate in zip(sizes, rates, strict=True)) / sum(sizes)
    if not 0.0 < pooled < 1.0:
        return _none(attribute, metric, "all outcomes agree")
    statistic = sum(size * (rate - pooled) ** 2 for size, rate in zip(sizes, rates, strict=True)) / (pooled * (1.0 - pooled))
    return _found(attribute, metric, statistic, len(fit), "Rao-Scott chi-squared")


def of_aucs(attribute: str, areas: Sequence[Area]) -> Heterogeneity:
    """Cochran's Q over the levels' AUCs, weighted by their inverse variances; levels whose variance is zero or unknown are left out."""
    fit = [area for area in areas if area.variance > 0.0]
    if len(fit) < 2:
        return _none(attribute, "auc", "fewer than two levels with a variance")
    weights = [1.0 / area.variance for area in fit]
    mean = sum(weight * area.auc for weight, area in zip(weights, fit, strict=True)) / sum(weights)
    statistic = sum(weight * (area.auc - mean) ** 2 for weight, area in zip(weights, fit, strict=True))
    return _found(attribute, "auc", statistic, len(fit), "Cochran's Q")


def _found(attribute: str, metric: str, statistic: float, levels: int, method: str) -> Heterogeneity:
    p = float(special.chdtrc(levels - 1, statistic))
    return Heterogeneity(attribute=attribute, metric=metric, statistic=statistic, freedom=levels - 1, p=p, method=method)


def _none(attribute: str, metric: str, reason: str) -> Heterogeneity:
    return Heterogeneity(attribute=attribute, metric=metric, reason=reason)
