"""What an input looks like in eight numbers: for the input gate, and kept with every prediction."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

_QUANTILES = (0.01, 0.5, 0.99)


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of an input's voxels: mean and standard deviation (population) in float64; percentiles are values that occur (nearest rank)."""

    mean: float
    std: float
    min: float
    max: float
    p01: float
    p50: float
    p99: float

    def columns(self) -> dict[str, float | None]:
        """As columns of the table `predictions`; what is not finite is null."""
        return {f"input_{name}": value if np.isfinite(value) else None for name, value in asdict(self).items()}


def measure(voxels: NDArray[np.float32]) -> Statistics:
    """Measure an array of one voxel or more; a NaN anywhere makes the mean NaN, which no gate lets through."""
    flat = voxels.ravel()
    mean = float(flat.mean(dtype=np.float64))
    total = sum(
        float(np.square(part.astype(np.float64) - mean).sum()) for part in np.array_split(flat, -(-flat.size // (1 << 20)))
    )
    at = [max(int(np.ceil(share * flat.size)) - 1, 0) for share in _QUANTILES]
    sorted_there = np.partition(flat, at)
    p01, p50, p99 = (float(sorted_there[n]) for n in at)
    return Statistics(mean, float(np.sqrt(total / flat.size)), float(flat.min()), float(flat.max()), p01, p50, p99)
