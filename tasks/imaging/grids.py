"""Grids of voxels, and resampling from one to another, sheared or not.

SimpleITK interpolates in index space: both images are given unit geometry, and what lies between their affines becomes the transform, because an ITK
image can have no shear. Its results do not depend on the number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import SimpleITK
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Shape = tuple[int, int, int]
Triple = tuple[float, float, float]
Interpolation = Literal["nearest", "linear", "cubic"]

#: A step that is this near to a whole number of voxels needs no further one.
_WHOLE = 1e-6


@dataclass(frozen=True, slots=True)
class Grid:
    """Voxels in space.

    shape: (i, j, k). affine_ras: (4, 4), from voxel centres to RAS millimetres; it may be sheared.
    """

    shape: Shape
    affine_ras: Floats

    @property
    def spacing_mm(self) -> Triple:
        """Distance of neighbours along each axis."""
        i, j, k = (float(step) for step in np.linalg.norm(self.affine_ras[:3, :3], axis=0))
        return i, j, k


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """How far values are from what they were, after a way to another grid and back: mean and largest difference, over voxels inside of both."""

    mean: float
    largest: float


def resample(
    voxels: NDArray[Any], source: Grid, target: Grid, interpolation: Interpolation = "linear", outside: float | None = None
) -> NDArray[np.float32]:
    """Voxels (i, j, k) of one grid on another.

    Args:
        interpolation: `nearest` is the one for labels: it makes no new values. `cubic` is a B-spline of third order.
        outside: the value of what is more than half a voxel outside of the source; None repeats its edge.

    Returns:
        float32, of the target's shape.

    Raises:
        ValueError: voxels that do not have the source's shape.
    """
    if voxels.shape != source.shape:
        raise ValueError("voxels have the shape of their grid")
    itk: Any = SimpleITK
    image = itk.GetImageFromArray(np.ascontiguousarray(voxels.T))
    between = np.linalg.inv(source.affine_ras) @ target.affine_ras
    change = itk.AffineTransform(3)
    change.SetMatrix(between[:3, :3].ravel().tolist())
    change.SetTranslation(between[:3, 3].tolist())
    work = itk.ResampleImageFilter()
    work.SetSize([int(n) for n in target.shape])
    work.SetTransform(change)
    work.SetInterpolator({"nearest": itk.sitkNearestNeighbor, "linear": itk.sitkLinear, "cubic": itk.sitkBSpline}[interpolation])
    work.SetOutputPixelType(itk.sitkFloat32)
    if outside is None:
        work.SetUseNearestNeighborExtrapolator(True)
    else:
        work.SetDefaultPixelValue(float(outside))
    return np.asarray(itk.GetArrayFromImage(work.Execute(image)), np.float32).T


def back(
    voxels: NDArray[Any], target: Grid, source: Grid, interpolation: Interpolation = "linear", outside: float | None = None
) -> NDArray[np.float32]:
    """The inverse: what a model made on `target` (a mask: `nearest`) on the voxels that it was made from."""
    return resample(voxels, target, source, interpolation, outside)


def round_trip(voxels: NDArray[Any], source: Grid, target: Grid, interpolation: Interpolation = "linear") -> RoundTrip:
    """What is lost by going to a grid and back."""
    there = resample(voxels, source, target, interpolation, float("nan"))
    again = back(there, target, source, interpolation, float("nan"))
    apart = np.abs(again.astype(np.float64) - voxels)
    inside = apart[np.isfinite(apart)]
    return RoundTrip(float(inside.mean()), float(inside.max())) if inside.size else RoundTrip(0.0, 0.0)


def to_spacing(grid: Grid, spacing_mm: Triple) -> Grid:
    """The same extent at another spacing along the grid's own axes: outer edges stay where they are, to half a voxel at the far ends."""
    have = grid.spacing_mm
    i, j, k = (max(1, round(n * one / other)) for n, one, other in zip(grid.shape, have, spacing_mm, strict=True))
    ratio = np.array(spacing_mm) / np.array(have)
    scale = np.diag([*ratio, 1.0])
    scale[:3, 3] = (ratio - 1) / 2
    return Grid((i, j, k), grid.affine_ras @ scale)


def to_isotropic(grid: Grid, spacing_mm: float | None = None) -> Grid:
    """The same extent in cubes, of the smallest spacing that there is where none is given."""
    edge = min(grid.spacing_mm) if spacing_mm is None else spacing_mm
    return to_spacing(grid, (edge, edge, edge))


def orthogonal(grid: Grid) -> Grid:
    """The smallest grid of right angles that holds every voxel of a sheared stack.

    The in-plane axes and spacings stay; the third axis is the normal, its spacing the distance of slices along it.
    """
    axes = grid.affine_ras[:3, :3]
    spacing = np.linalg.norm(axes, axis=0)
    row = axes[:, 0] / spacing[0]
    column = axes[:, 1] - (axes[:, 1] @ row) * row
    column /= np.linalg.norm(column)
    normal = np.cross(row, column)
    normal *= np.sign(normal @ axes[:, 2])
    directions = np.stack([row, column, normal], axis=1)
    steps = np.array([spacing[0], spacing[1], float(normal @ axes[:, 2])])
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape], indexing="ij")).reshape(3, -1)
    along = directions.T @ (axes @ corners + grid.affine_ras[:3, 3:4]) / steps[:, None]
    first, last = along.min(axis=1), along.max(axis=1)
    affine = np.eye(4)
    affine[:3, :3] = directions * steps
    affine[:3, 3] = directions @ (first * steps)
    i, j, k = (int(np.ceil(extent - _WHOLE)) + 1 for extent in last - first)
    return Grid((i, j, k), affine.astype(np.float32).astype(np.float64) + 0.0)


def even_stack(voxels: NDArray[Any], positions_mm: Floats, step_mm: float) -> NDArray[np.float32]:
    """Slices (i, j, k) at any ascending positions, linearly between their neighbours at even steps, from the first to no further than the last."""
    wanted = np.arange(positions_mm[0], positions_mm[-1] + step_mm * _WHOLE, step_mm)
    made = np.empty((*voxels.shape[:2], len(wanted)), np.float32)
    for place, position in enumerate(wanted):
        below = int(np.clip(np.searchsorted(positions_mm, position, side="right") - 1, 0, len(positions_mm) - 2))
        part = (position - positions_mm[below]) / (positions_mm[below + 1] - positions_mm[below])
        part = min(max(float(part), 0.0), 1.0)
        made[:, :, place] = (1 - part) * voxels[:, :, below].astype(np.float64) + part * voxels[:, :, below + 1]
    return made
