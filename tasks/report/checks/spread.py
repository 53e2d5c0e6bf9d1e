"""The standardised difference once more, by the whole covariance and its pseudo-inverse instead of one level left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def distance(first: Sequence[int], second: Sequence[int]) -> float | None:
    """As `tasks.evaluation.balance.standardized_difference`.

    The difference of two groups' shares lies in the range of their mean covariance wherever they have a level in common, so that the
    Moore-Penrose inverse of the whole matrix gives what the inverse of the reduced one gives.
    """
    sizes = sum(first), sum(second)
    if not all(sizes) or not any(a and b for a, b in zip(first, second, strict=True)):
        return None
    p, q = (np.array(counts, dtype=np.float64) / size for counts, size in zip((first, second), sizes, strict=True))
    covariance = sum(np.diag(share) - np.outer(share, share) for share in (p, q)) / 2.0
    values, vectors = np.linalg.eigh(covariance)
    along = vectors.T @ (p - q)
    kept = values > 1e-12 * max(1.0, float(values.max()))
    return float(np.sqrt(np.sum(along[kept] ** 2 / values[kept])))
