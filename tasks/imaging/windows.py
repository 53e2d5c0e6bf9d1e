"""Windows: from values to grey, by DICOM's three functions (PS3.3 C.11.2.1.2 and C.11.2.1.3), back again, and what was lost on the way.

Named windows are in `configs/windows.yaml`, each with its source.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

Image = NDArray[np.float32]


class Function(Enum):
    """VOI LUT Function (0028,1056)."""

    LINEAR = "LINEAR"
    LINEAR_EXACT = "LINEAR_EXACT"
    SIGMOID = "SIGMOID"


@dataclass(frozen=True, slots=True)
class Window:
    """Centre and width in the values' unit.

    Raises:
        ValueError: a width that the function does not allow: less than 1 for LINEAR, not above 0 for the others.
    """

    center: float
    width: float
    function: Function = Function.LINEAR_EXACT

    def __post_init__(self) -> None:
        least = self.width >= 1 if self.function is Function.LINEAR else self.width > 0
        if not (least and math.isfinite(self.center) and math.isfinite(self.width)):
            raise ValueError("a window has a width of at least 1 (LINEAR) or above 0")

    @property
    def limits(self) -> tuple[float, float]:
        """The values that become 0 and 1; for SIGMOID those where its slope in the middle would reach them."""
        if self.function is Function.LINEAR:
            return self.center - 0.5 - (self.width - 1) / 2, self.center - 0.5 + (self.width - 1) / 2
        return self.center - self.width / 2, self.center + self.width / 2


@dataclass(frozen=True, slots=True)
class Seen:
    """What a window did to values: the shares below and above it, and mean and standard deviation of the values within; null where there are none."""

    below: float
    above: float
    mean: float | None
    std: float | None


def apply(values: NDArray[Any], window: Window) -> Image:
    """Values of any shape as grey from 0 to 1, float32."""
    if window.function is Function.SIGMOID:
        return np.asarray(1 / (1 + np.exp(-4 * (np.asarray(values, np.float64) - window.center) / window.width)), np.float32)
    low, high = window.limits
    if high == low:  # LINEAR of width 1 is a threshold: at or below it 0, above it 1
        return np.asarray(np.asarray(values) > low, np.float32)
    return np.asarray(np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1), np.float32)


def invert(grey: NDArray[Any], window: Window) -> Image:
    """Grey from 0 to 1 as values, float32. What had been clipped comes back as the window's limit; of SIGMOID, 0 and 1 as infinities.

    Raises:
        ValueError: LINEAR of width 1, which has no inverse.
    """
    if window.function is Function.SIGMOID:
        exact = np.asarray(grey, np.float64)
        with np.errstate(divide="ignore"):
            return np.asarray(window.center - window.width / 4 * np.log(1 / exact - 1), np.float32)
    low, high = window.limits
    if high == low:
        raise ValueError("a threshold has no inverse")
    return np.asarray(np.asarray(grey, np.float64) * (high - low) + low, np.float32)


def seen(values: NDArray[Any], window: Window, padding: tuple[float, float] | None = None) -> Seen:
    """What a window does to values; those from padding's lowest to its highest are left out."""
    flat = np.asarray(values, np.float64).ravel()
    if padding is not None:
        flat = flat[(flat < padding[0]) | (flat > padding[1])]
    low, high = window.limits
    within = flat[(flat >= low) & (flat <= high)]
    n = max(len(flat), 1)
    known = len(within) > 0
    return Seen(
        float((flat < low).sum() / n), float((flat > high).sum() / n),
        float(within.mean()) if known else None, float(within.std()) if known else None,
    )  # fmt: skip


@cache
def named() -> dict[str, Window]:
    """Windows by name."""
    text = resources.files("configs").joinpath("windows.yaml").read_text("utf-8")
    return {name: Window(float(said["center"]), float(said["width"])) for name, said in yaml.safe_load(text).items()}
