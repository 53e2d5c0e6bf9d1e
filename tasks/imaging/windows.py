"""Windows: values to a range of output by the three functions of PS3.3 C.11.2, back again, and what a window loses.

With centre c and width w:

- `LINEAR` (C.11.2.1.2.1): from c - w/2 to c + w/2 - 1, as if each whole number were a bin. A width of 1 is a threshold at c - 0.5.
- `LINEAR_EXACT` (C.11.2.1.3.2): from c - w/2 to c + w/2. This is what a model's manifest means by a window.
- `SIGMOID` (C.11.2.1.3.1): 1 / (1 + exp(-4 (x - c) / w)); has no edges.

Arrays are computed in float32 where that holds every value of their type, else in float64, and rounded once to float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from tasks.errors import SafelightError
from tasks.imaging.padding import Range, marked

Image = NDArray[np.float32]
Function = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]

UNIT: Range = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Window:
    """A window: centre and width in the unit of the values, HU in CT, and the function of PS3.3 C.11.2.

    Raises:
        SafelightError: E-IMAGING-WINDOW-VALUES where the width is below 1 (LINEAR) or not above 0 (the others), or a number is not finite.
    """

    center: float
    width: float
    function: Function = "LINEAR_EXACT"

    def __post_init__(self) -> None:
        """Check."""
        enough = self.width >= 1 if self.function == "LINEAR" else self.width > 0
        if not enough or not np.isfinite([self.center, self.width]).all() or self.function not in get_args(Function):
            raise SafelightError("E-IMAGING-WINDOW-VALUES")

    @property
    def low(self) -> float:
        """The value from which on down the output is the lowest; of a SIGMOID, minus infinity."""
        return -np.inf if self.function == "SIGMOID" else self.center - self.width / 2

    @property
    def high(self) -> float:
        """The value from which on up the output is the highest; of a SIGMOID, infinity."""
        return np.inf if self.function == "SIGMOID" else self.low + self.span

    @property
    def span(self) -> float:
        """The width over which the output rises."""
        return self.width - 1 if self.function == "LINEAR" else self.width


@dataclass(frozen=True, slots=True)
class Inverse:
    """Values from a window's output.

    Args:
        values: float32. Where clipped, the edge that the value was at or beyond; of a SIGMOID minus or plus infinity.
        clipped: where the output is at an end of its range, so that the value is not known.
    """

    values: Image
    clipped: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Loss:
    """What a window keeps of values.

    Args:
        n: values that were counted: neither padding nor NaN.
        left_out: values that were not.
        below, above: shares of n beyond the window's edges; 0 of a SIGMOID.
        mean, std: of the values between the edges (population), in their unit; NaN where there are none.
    """

    n: int
    left_out: int
    below: float
    above: float
    mean: float
    std: float


def apply(values: NDArray[Any], window: Window, output: Range = UNIT) -> Image:
    """Values through a window.

    Args:
        values: of any shape, in the window's unit.
        window: which.
        output: the lowest and highest output.

    Returns:
        float32 of the same shape. NaN stays NaN. Beside it no further array is made, where `values` are of 16 bits or float32.
    """
    work: NDArray[Any] = np.array(values, _work_type(values.dtype))  # the layout stays
    number = work.dtype.type
    if window.function == "SIGMOID":
        work -= number(window.center)
        work *= number(4 / window.width)
        expit(work, out=work)
    elif window.span:
        work -= number(window.low)
        work /= number(window.span)
        np.clip(work, 0, 1, out=work)
    else:
        work = np.where(np.isnan(work), work, (work > number(window.low)).astype(work.dtype))
    if output != UNIT:
        work *= number(output[1] - output[0])
        work += number(output[0])
    return work.astype(np.float32, copy=False)


def invert(shown: NDArray[Any], window: Window, output: Range = UNIT) -> Inverse:
    """The values that a window gave an output for, where they can be known.

    An output at an end of its range may come from the edge or from anything beyond: it counts as clipped.
    """
    work: NDArray[Any] = np.array(shown, _work_type(shown.dtype))
    number = work.dtype.type
    if output != UNIT:
        work -= number(output[0])
        work /= number(output[1] - output[0])
    np.clip(work, 0, 1, out=work)
    clipped = (work == 0) | (work == 1)
    if window.function == "SIGMOID":
        logit(work, out=work)
        work *= number(window.width / 4)
        work += number(window.center)
    else:
        work *= number(window.span)
        work += number(window.low)
    return Inverse(work.astype(np.float32, copy=False), clipped)


def loss(values: NDArray[Any], window: Window, padding: Range | None = None) -> Loss:
    """What a window keeps of values, slice by slice, so that little memory is needed.

    Args:
        values: of any shape of one axis or more.
        window: which.
        padding: the lowest and highest value that marks voxels outside of the image.
    """
    n = left_out = below = above = inside = 0
    total = squares = 0.0
    for part in values.T if values.flags.f_contiguous else values:  # slices that lie together in memory
        flat = np.asarray(part, np.float64).ravel()
        counted = ~(np.isnan(flat) | marked(flat, padding))
        kept = flat[counted]
        under, over = kept < window.low, kept > window.high
        between = kept[~(under | over)] - window.center  # small numbers, so that squares lose nothing
        n, left_out = n + kept.size, left_out + flat.size - kept.size
        below, above = below + int(under.sum()), above + int(over.sum())
        inside += between.size
        total, squares = total + float(between.sum()), squares + float((between**2).sum())
    mean = total / inside if inside else np.nan
    variance = max(squares / inside - mean**2, 0.0) if inside else np.nan
    return Loss(n, left_out, below / max(n, 1), above / max(n, 1), mean + window.center, float(np.sqrt(variance)))


def _work_type(dtype: np.dtype[Any]) -> type[np.float32] | type[np.float64]:
    """The type that holds every value of another exactly, up to float64."""
    return np.float32 if np.can_cast(dtype, np.float32, "safe") else np.float64
