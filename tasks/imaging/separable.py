"""Resampling between grids whose axes are parallel: plane by plane, so that little more than one plane is held, and each is in the cache.

Along each axis a place lies between two neighbours; three passes, along the target's k, then j, then i, give the same as eight neighbours at
once. Places are rounded to 2⁻²⁰ of a voxel, and neighbours are taken in the target's direction, so that the same bits come out however the
source's axes are ordered and whichever way they run. `resampling` is for everything else: axes at an angle, splines, blur.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import SafelightError
from tasks.imaging.grids import SAME_PLACE, Grid, shape_of

Image = NDArray[np.float32]
#: Parts of a voxel that places are rounded to.
_RASTER = float(2**20)
#: What is done to a plane's values, float32, before they are interpolated, in place; it is given the stored plane too.
Clean = Callable[[Image, NDArray[Any]], None]


@dataclass(frozen=True, slots=True)
class Axis:
    """How an axis of the target lies on the source.

    Args:
        source: which axis of the source it runs along.
        places: of the target's voxels on it, in the source's voxels; they may run backwards.
    """

    source: int
    places: NDArray[np.float64]


def parallel(source: Grid, target: Grid) -> tuple[Axis, Axis, Axis]:
    """How the target's axes (i, j, k) lie on the source's.

    Raises:
        SafelightError: E-IMAGING-GRID where they are not parallel within a millionth of a voxel, over the whole target.
    """
    indices = source.indices_from(target)
    turn = np.abs(indices[:3, :3]).argmax(axis=0)
    along = np.zeros((3, 3))
    along[turn, np.arange(3)] = indices[turn, np.arange(3)]
    off = np.abs(indices[:3, :3] - along) @ (np.array(target.shape) - 1.0)
    if sorted(turn) != [0, 1, 2] or off.max() > SAME_PLACE:
        raise SafelightError("E-IMAGING-GRID", "axes that are not parallel")
    i, j, k = (
        Axis(int(axis), indices[axis, 3] + along[axis, number] * np.arange(target.shape[number]))
        for number, axis in enumerate(turn)
    )  # fmt: skip
    return i, j, k


def linear(voxels: NDArray[Any], source: Grid, target: Grid, clean: Clean | None = None) -> Image:
    """Voxels of one grid on a parallel one, by linear interpolation. Beyond the outermost centres the edge goes on.

    Args:
        voxels: (i, j, k) on `source`, a number type; best with the last axis slowest in memory, as NIfTI has it.
        source, target: where voxels are, and where they are wanted.
        clean: applied to each plane (i, j) of the source before.

    Returns:
        float32 (k, j, i) of the target: its voxels, C-contiguous.

    Raises:
        SafelightError: E-IMAGING-GRID where axes are not parallel; E-IMAGING-VOXELS where the array is not of the source's shape.
    """
    if shape_of(voxels) != source.shape:
        raise SafelightError("E-IMAGING-VOXELS", "another shape than the grid's")
    axes = parallel(source, target)
    made = np.empty(target.shape[::-1], np.float32)
    between = next(number for number in range(3) if axes[number].source == 2)
    in_plane = {
        number: _neighbours(axes[number].places, source.shape[axes[number].source]) for number in range(3) if number != between
    }
    across = {number: 1 - axes[number].source for number in in_plane}  # the array axis of a plane (j, i)
    before, after = (
        [number for number in (2, 1, 0) if number in in_plane and (number > between) is first] for first in (True, False)
    )

    def passed(plane: Image, numbers: Sequence[int]) -> Image:
        for number in numbers:
            plane = _along(plane, across[number], *in_plane[number])
        return plane

    planes = _Planes(voxels, clean, lambda plane: passed(plane, before))
    turned = made.transpose(2 - between, *(2 - number for number in sorted(in_plane, key=lambda number: across[number])))
    one, other, share = _neighbours(axes[between].places, source.shape[2])
    for at in np.argsort(np.minimum(one, other), kind="stable"):  # forwards through the source, so that each plane is made once
        plane = planes.at(int(one[at]))
        if share[at]:
            plane = plane + share[at] * (planes.at(int(other[at])) - plane)
        turned[at] = passed(plane, after)
    return made


def nearest(voxels: NDArray[Any], source: Grid, target: Grid, outside: float = 0) -> Iterator[NDArray[Any]]:
    """Voxels of one grid on a parallel one, each the nearest one's value; of two as near the one that is later in the target's direction.

    Args:
        voxels: (i, j, k) on `source`; labels, say.
        source, target: where voxels are, and where they are wanted.
        outside: what stands beyond the source's outer edges.

    Yields:
        the target's planes (i, j), from the first k to the last, the first axis contiguous.

    Raises:
        SafelightError: as `linear`.
    """
    if shape_of(voxels) != source.shape:
        raise SafelightError("E-IMAGING-VOXELS", "another shape than the grid's")
    axes = parallel(source, target)
    turned = voxels.transpose(*(axis.source for axis in axes))
    found, inside = zip(*(_rounded(axis.places, source.shape[axis.source]) for axis in axes), strict=True)
    apart = ~inside[0][None, :] | ~inside[1][:, None]
    for k in range(target.shape[2]):
        if not inside[2][k]:
            yield np.full(target.shape[:2], outside, voxels.dtype, order="F")
            continue
        plane = turned[:, :, found[2][k]].T
        made = np.take(np.take(plane, found[1], axis=0), found[0], axis=1)
        if apart.any():
            made[apart] = outside
        yield made.T


class _Planes:
    """A volume's planes as float32 (j, i), cleaned and passed through what comes before the blending of two; the last two are kept."""

    def __init__(self, voxels: NDArray[Any], clean: Clean | None, passed: Callable[[Image], Image]) -> None:
        self._voxels, self._clean, self._passed = voxels, clean, passed
        self._kept: dict[int, Image] = {}

    def at(self, k: int) -> Image:
        """One plane; not to be changed."""
        if k not in self._kept:
            stored = self._voxels[:, :, k].T
            plane = np.array(stored, np.float32, order="C")
            if self._clean is not None:
                self._clean(plane, stored)
            while len(self._kept) > 1:
                self._kept.pop(min(self._kept))
            self._kept[k] = self._passed(plane)
        return self._kept[k]


def _neighbours(places: NDArray[np.float64], n: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """The voxels on both sides of each place on an axis of n, in the places' direction, and how far it is from the first, from 0 to 1."""
    within = np.clip(_on_raster(places), 0, n - 1)
    backwards = _backwards(places)
    one = (np.ceil if backwards else np.floor)(within).astype(np.intp)
    other = np.clip(one - 1 if backwards else one + 1, 0, n - 1)
    return one, other, np.abs(within - one).astype(np.float32)


def _backwards(places: NDArray[np.float64]) -> bool:
    return len(places) > 1 and bool(places[1] < places[0])


def _on_raster(places: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.rint(places * _RASTER) / _RASTER)


def _along(plane: Image, axis: int, below: NDArray[np.intp], above: NDArray[np.intp], share: NDArray[np.float32]) -> Image:
    if len(below) == plane.shape[axis] and not share.any() and (below == np.arange(len(below))).all():
        return plane
    first = np.take(plane, below, axis)
    if not share.any():
        return first
    second = np.take(plane, above, axis)
    second -= first
    second *= share[:, None] if axis == 0 else share
    first += second
    return first


def _rounded(places: NDArray[np.float64], n: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """The nearest voxel of each place on an axis of n, and whether the place is within the outer edges."""
    rounded = _on_raster(places)
    inside = (rounded >= -0.5) & (rounded <= n - 0.5)
    found = np.ceil(rounded - 0.5) if _backwards(places) else np.floor(rounded + 0.5)
    return np.clip(found, 0, n - 1).astype(np.intp), np.asarray(inside)
