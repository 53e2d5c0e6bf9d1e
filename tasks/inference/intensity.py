"""What becomes of values: one linear function, with or without ends, whose numbers are the manifest's or the volume's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.imaging import windows
from tasks.inference.manifest import Input, LinearWindow, Percentiles, Standardised
from tasks.inference.volume import Volume, tidy

_SLICES = 16


@dataclass(frozen=True, slots=True)
class Intensity:
    """(value - subtract) / divide, in float32; clipped to 0…1 where `clip`."""

    subtract: float
    divide: float
    clip: bool

    def apply(self, values: NDArray[np.float32]) -> None:
        """Change values in place."""
        if (self.subtract, self.divide) != (0.0, 1.0):
            values -= np.float32(self.subtract)
            values /= np.float32(self.divide)
        if self.clip:
            np.clip(values, 0, 1, out=values)


def of_values(values: NDArray[np.float32], how: Input) -> Intensity:
    """The function for values that have been interpolated."""
    return _made([values], how)


def of_volume(volume: Volume, how: Input) -> Intensity:
    """The function for a volume's values before they are interpolated, with padding replaced and the floor laid."""
    return _made(_Slices(volume, how), how)


def _made(parts: Any, how: Input) -> Intensity:
    window = how.window
    if isinstance(window, LinearWindow):
        shown = windows.Window(window.center, window.width)
        return Intensity(shown.low, shown.span, clip=True)
    if isinstance(window, Percentiles):
        values = np.concatenate([np.ravel(part) for part in parts])
        low, high = (float(number) for number in np.percentile(values, [window.low, window.high], method="inverted_cdf"))
        return Intensity(low, (high - low) or 1.0, clip=True)
    if isinstance(window, Standardised):
        mean, std = _moments(parts, nonzero=window.over == "nonzero")
        return Intensity(mean, std or 1.0, clip=False)
    return Intensity(0.0, 1.0, clip=False)


def _moments(parts: Any, *, nonzero: bool) -> tuple[float, float]:
    """Mean and standard deviation (population) in two passes in float64; 0 and 0 of nothing."""
    n, total = 0, 0.0
    for part in parts:
        kept = part[part != 0] if nonzero else part
        n, total = n + kept.size, total + float(kept.sum(dtype=np.float64))
    if not n:
        return 0.0, 0.0
    mean, squares = total / n, 0.0
    for part in parts:
        kept = part[part != 0] if nonzero else part
        squares += float(np.square(kept.astype(np.float64) - mean).sum())
    return mean, float(np.sqrt(squares / n))


class _Slices:
    """A volume's cleaned values, some slices at a time, as often as one likes."""

    def __init__(self, volume: Volume, how: Input) -> None:
        self._volume, self._how = volume, how

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for start in range(0, self._volume.voxels.shape[2], _SLICES):
            stored = self._volume.voxels[:, :, start : start + _SLICES]
            values = np.array(stored, np.float32)
            tidy(values, stored, self._volume.padding, self._how)
            yield values
