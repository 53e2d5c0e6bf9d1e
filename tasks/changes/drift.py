"""How far two distributions are apart: numbers that need no reference standard.

Sources: the population stability index is the symmetric divergence of Jeffreys (Proc R Soc A 1946;186:453), Σ (p - q) ln(p / q), over bins; its
expectation where nothing changed is near (bins - 1)(1/n + 1/m) (Yurdakul, Statistical Properties of Population Stability Index, Western Michigan
University 2018). Standardized differences: Austin, Stat Med 2009;28:3083.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: Added to each bin's count, so that an empty one gives a number.
_ADDED = 0.5


def psi(now: Sequence[int], before: Sequence[int]) -> float:
    """The population stability index of two sets of counts over the same bins, half a case added to each bin.

    Raises:
        ValueError: there are not as many bins on both sides, or none.
    """
    one, other = (np.asarray(each, dtype=np.float64) + _ADDED for each in (now, before))
    if one.shape != other.shape or one.ndim != 1 or not one.size:
        raise ValueError("both must be counts over the same bins")
    p, q = one / one.sum(), other / other.sum()
    return float(np.sum((p - q) * np.log(p / q)))


def expected_psi(bins: int, now: int, before: int) -> float:
    """What the index is near where nothing changed, of that many independent cases."""
    return (bins - 1) * (1.0 / now + 1.0 / before)


def edges(before: Floats, bins: int = 10) -> Floats:
    """Inner edges of bins that hold equal shares of the baseline's values; fewer where values repeat. A value at an edge is above it."""
    return np.unique(np.quantile(before, np.linspace(0, 1, bins + 1)[1:-1], method="inverted_cdf"))


def counts(values: Floats, inner: Floats) -> NDArray[np.int64]:
    """Values in each of the bins between `inner` edges: int64 of shape (edges + 1,)."""
    return np.bincount(np.searchsorted(inner, values, side="right"), minlength=inner.size + 1).astype(np.int64)


def ks(now: Floats, before: Floats) -> float:
    """The two-sample Kolmogorov-Smirnov distance: the largest difference of the two empirical distribution functions."""
    where = np.unique(np.concatenate([now, before]))
    one, other = (np.searchsorted(np.sort(each), where, side="right") / each.size for each in (now, before))
    return float(np.max(np.abs(one - other)))


def standardized_share(now: float, before: float) -> float | None:
    """The standardized difference of two shares; 0 where both are equal, None where they differ and neither varies."""
    spread = (now * (1.0 - now) + before * (1.0 - before)) / 2.0
    if now == before:
        return 0.0
    return float((now - before) / np.sqrt(spread)) if spread > 0.0 else None


def standardized_mean(now: Floats, before: Floats) -> float | None:
    """The standardized difference of two means; None with fewer than two values on a side, or where they differ and neither side varies."""
    if min(now.size, before.size) < 2:
        return None
    if min(now.min(), before.min()) == max(now.max(), before.max()):  # means of equal numbers may differ in the last digit
        return 0.0
    apart, spread = float(now.mean() - before.mean()), float(now.var(ddof=1) + before.var(ddof=1)) / 2.0
    varies = now.min() < now.max() or before.min() < before.max()
    return apart / float(np.sqrt(spread)) if varies and spread > 0.0 else None
