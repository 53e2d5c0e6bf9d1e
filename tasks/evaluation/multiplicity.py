"""p values of several tests, adjusted for their number.

Sources: Holm, Scand J Stat 1979;6:65 (family-wise error); Benjamini and Hochberg, J R Stat Soc B 1995;57:289 (false discovery rate).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Holm's step-down adjustment, float64 of the shape of `p`; NaN (no test) stays NaN and is not counted as a test."""

    def adjust(ascending: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.maximum.accumulate(ascending * np.arange(ascending.size, 0, -1))

    return _stepwise(p, adjust)


def benjamini_hochberg(p: ArrayLike) -> NDArray[np.float64]:
    """Benjamini and Hochberg's step-up adjustment, float64 of the shape of `p`; NaN (no test) stays NaN and is not counted as a test."""

    def adjust(ascending: NDArray[np.float64]) -> NDArray[np.float64]:
        scaled = ascending * ascending.size / np.arange(1, ascending.size + 1)
        return np.minimum.accumulate(scaled[::-1])[::-1]

    return _stepwise(p, adjust)


def _stepwise(p: ArrayLike, adjust: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> NDArray[np.float64]:
    given = np.asarray(p, dtype=np.float64)
    if given.ndim != 1 or np.any((given < 0.0) | (given > 1.0)):
        raise ValueError("p values must be one-dimensional and lie between 0 and 1")
    tested = np.flatnonzero(~np.isnan(given))
    order = tested[np.argsort(given[tested], kind="stable")]
    found = np.full(given.shape, np.nan)
    found[order] = np.minimum(1.0, adjust(given[order]))
    return found
