"""Slices at uneven distances, or with one missing, made into an even stack: linear along the slice axis, nothing in plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import SafelightError
from tasks.imaging.grids import shape_of

#: A new slice this near to an old one, in steps, is the old one.
_SAME = 1e-4


@dataclass(frozen=True, slots=True)
class EvenStack:
    """An even stack.

    Args:
        voxels: (i, j, k[, t]).
        positions_mm: (k,), of the new slices.
        gap_mm: (k,), between the two old slices that a new one was computed from; 0 where it is an old one. Where it is larger than
            the usual distance, the new slice stands where none was acquired.
    """

    voxels: NDArray[Any]
    positions_mm: NDArray[np.float64]
    gap_mm: NDArray[np.float64]

    @property
    def interpolated(self) -> int:
        """How many slices are not old ones."""
        return int(np.count_nonzero(self.gap_mm))


def even_stack(
    voxels: NDArray[Any], positions_mm: Sequence[float] | NDArray[np.float64], step_mm: float, *, rounded: bool = False
) -> EvenStack:
    """Slices at even distances, from those at any.

    Args:
        voxels: (i, j, k[, t]); k ascends. Padding must have been replaced before.
        positions_mm: (k,), of the slices along their normal, ascending.
        step_mm: the distance wanted. Where one of the usual distances is missing, the usual one.
        rounded: give the voxels' own type, rounded half to even; float32 otherwise.

    Returns:
        slices from the first position on, as many as come nearest to the last; beyond it (by half a step at most) the last is repeated.
        One output slice at a time is computed, in float64.

    Raises:
        SafelightError: E-IMAGING-POSITIONS where there is not one position a slice, they do not ascend, or the step is not above 0.
    """
    slices = shape_of(voxels)[2]
    at = np.asarray(positions_mm, np.float64)
    if at.shape != (slices,) or not np.isfinite(at).all() or (np.diff(at) <= 0).any() or not 0 < step_mm < np.inf:
        raise SafelightError("E-IMAGING-POSITIONS", f"{slices} slices, {at.size} positions")
    wanted = at[0] + step_mm * np.arange(round((at[-1] - at[0]) / step_mm) + 1)
    dtype = voxels.dtype if rounded else np.dtype(np.float32)
    shape = (*voxels.shape[3:], wanted.size, voxels.shape[1], voxels.shape[0])
    made = np.empty(shape, dtype).transpose(*range(voxels.ndim - 1, -1, -1))
    gaps = np.zeros(wanted.size)
    for k, place in enumerate(np.minimum(wanted, at[-1])):
        nearest = int(np.abs(at - place).argmin())
        if abs(at[nearest] - place) <= _SAME * step_mm:
            made[:, :, k] = voxels[:, :, nearest]
            continue
        after = int(np.searchsorted(at, place))
        gaps[k] = at[after] - at[after - 1]
        share = (place - at[after - 1]) / gaps[k]
        below, above = (voxels[:, :, number].astype(np.float64) for number in (after - 1, after))
        between = below + share * (above - below)
        made[:, :, k] = np.rint(between) if dtype.kind in "iu" else between
    return EvenStack(made, wanted, gaps)
