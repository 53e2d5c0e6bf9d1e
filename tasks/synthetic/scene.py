"""The fine grid a phantom is drawn on, and the shapes that are drawn: ellipsoids whose surface voxels are shared in proportion.

Positions are (z, y, x) in mm from the corner of the volume (not from the first voxel's centre). Air is -1000 HU.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float, float]
Box = tuple[slice, slice, slice]
Volume = NDArray[np.float32]

FINE_MM = 1.25
"""Anatomy is computed on slices this thick and averaged, so a thick slice has the partial-volume effect of a real one."""

AIR, LUNG, FAT, MUSCLE, BLOOD, MARROW, BONE = -1000.0, -855.0, -95.0, 45.0, 55.0, 180.0, 620.0
"""HU of the tissues, about those of a CT at 120 kV."""


@dataclass(slots=True)
class Scene:
    """The fine grid with its tissues, float32, shape (z, y, x)."""

    hu: Volume
    lung_depth: Volume
    """mm to the lung's surface, positive inside, roughly."""
    axes: tuple[Volume, Volume, Volume]
    steps: Point

    @classmethod
    def empty(cls, *, extent_mm: float, matrix: int, pixel_spacing_mm: float) -> Scene:
        """Nothing but air."""
        steps = (FINE_MM, pixel_spacing_mm, pixel_spacing_mm)
        counts = (round(extent_mm / FINE_MM), matrix, matrix)
        z, y, x = (((np.arange(n) + 0.5) * step).astype(np.float32) for n, step in zip(counts, steps, strict=True))
        return cls(np.full(counts, AIR, np.float32), np.full(counts, -1e3, np.float32), (z, y, x), steps)

    @property
    def middle(self) -> Point:
        """The centre of the volume in mm from its corner."""
        counts = self.hu.shape
        return (counts[0] * self.steps[0] / 2, counts[1] * self.steps[1] / 2, counts[2] * self.steps[2] / 2)

    def box(self, low: Point, high: Point) -> Box:
        """The voxels between two corners, with one more on each side, cut at the volume's edge."""
        found = []
        for axis in range(3):
            first = int(low[axis] // self.steps[axis]) - 1
            last = int(high[axis] // self.steps[axis]) + 2
            size = self.hu.shape[axis]
            found.append(slice(min(max(first, 0), size), min(max(last, 0), size)))
        return found[0], found[1], found[2]

    def offsets(self, where: Box, centre: Point) -> tuple[Volume, Volume, Volume]:
        """Distances in mm from a point along each axis, shaped to broadcast over the box."""
        z, y, x = (axis[part] - np.float32(middle) for axis, part, middle in zip(self.axes, where, centre, strict=True))
        return z[:, None, None], y[None, :, None], x[None, None, :]

    def depth(self, centre: Point, half_axes: Point) -> tuple[Box, Volume]:
        """A box, and in it mm below the surface of an ellipsoid: exact on the surface, an approximation elsewhere."""
        low = (centre[0] - half_axes[0], centre[1] - half_axes[1], centre[2] - half_axes[2])
        high = (centre[0] + half_axes[0], centre[1] + half_axes[1], centre[2] + half_axes[2])
        where = self.box(low, high)
        z, y, x = self.offsets(where, centre)
        a, b, c = (np.float32(half) for half in half_axes)
        radius = np.sqrt((z / a) ** 2 + ((y / b) ** 2 + (x / c) ** 2))
        return where, (np.float32(1) - radius) * np.float32(min(half_axes))

    def ellipsoid(self, centre: Point, half_axes: Point, hu: float) -> None:
        """Fill an ellipsoid with a tissue, its surface shared in proportion."""
        where, depth = self.depth(centre, half_axes)
        view = self.hu[where]
        view += self.covered(depth) * (np.float32(hu) - view)

    def covered(self, depth: Volume) -> Volume:
        """The share of a voxel that lies inside a surface, from its centre's depth in mm."""
        share: Volume = np.clip(depth / np.float32(self.steps[1]) + np.float32(0.5), 0, 1)
        return share


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number drawn evenly between two others."""
    return low + (high - low) * float(rng.random())
