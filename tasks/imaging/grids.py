"""A grid: where the voxels of an array are. Makers of other grids over the same place: finer, even, without shear, cropped.

Axes are (i, j, k), the order of a NIfTI array. The centre of voxel (i, j, k) is `affine_ras @ (i, j, k, 1)`, in RAS millimetres. A
voxel's *outer edges* are half a step beyond its centre.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import SafelightError

Floats = NDArray[np.float64]
Shape = tuple[int, int, int]
Triple = tuple[float, float, float]

#: Axes whose cosine is at most this are perpendicular: what is left after an affine has been rounded to float32.
PERPENDICULAR = 1e-6
#: Positions this near to each other, in voxels, are the same: over any array far below what a value could tell.
SAME_PLACE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Where voxels are.

    Args:
        shape: voxels along (i, j, k).
        affine_ras: (4, 4), voxel → RAS millimetres, for voxel centres; a copy is kept, which cannot be written to. Sheared and
            left-handed affines are allowed.

    Raises:
        SafelightError: E-IMAGING-GRID where the shape is not three positive counts or the affine cannot be inverted.
    """

    shape: Shape
    affine_ras: Floats

    def __post_init__(self) -> None:
        """Check and copy."""
        affine = np.array(self.affine_ras, np.float64)
        if len(self.shape) != 3 or any(int(n) != n or n < 1 for n in self.shape):
            raise SafelightError("E-IMAGING-GRID", "a shape is three positive counts")
        if affine.shape != (4, 4) or not np.isfinite(affine).all() or (affine[3] != (0, 0, 0, 1)).any():
            raise SafelightError("E-IMAGING-GRID", "an affine is 4 by 4 finite numbers, the last row (0, 0, 0, 1)")
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        if not lengths.all() or abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-6:
            raise SafelightError("E-IMAGING-GRID", "two axes have one direction, or an axis has no length")
        affine.setflags(write=False)
        object.__setattr__(self, "affine_ras", affine)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))

    @property
    def spacing_mm(self) -> Triple:
        """Distance of neighbours along (i, j, k), in mm."""
        i, j, k = (float(length) for length in np.linalg.norm(self.affine_ras[:3, :3], axis=0))
        return i, j, k

    def indices_from(self, other: Grid) -> Floats:
        """(4, 4), voxel of `other` → place in this grid, in voxels."""
        found = np.asarray(np.linalg.solve(self.affine_ras, other.affine_ras), np.float64)
        found[3] = 0, 0, 0, 1
        return found

    def same_as(self, other: Grid, tolerance: float = SAME_PLACE) -> bool:
        """Whether both have one shape, and no voxel of the other is further than `tolerance` voxels from its place in this one."""
        if self.shape != other.shape:
            return False
        off = np.abs(self.indices_from(other)[:3] - np.eye(4)[:3])
        reach = off @ np.array([*(n - 1 for n in self.shape), 1.0])  # at the corner where all terms add up
        return bool(reach.max() <= tolerance)


def shape_of(voxels: NDArray[Any]) -> Shape:
    """The first three axes of an array (i, j, k[, t]); SafelightError E-IMAGING-VOXELS where it has others."""
    if voxels.ndim not in {3, 4}:
        raise SafelightError("E-IMAGING-VOXELS", f"{voxels.ndim} axes")
    i, j, k = voxels.shape[:3]
    return i, j, k


def to_spacing(grid: Grid, spacing_mm: Triple) -> Grid:
    """The grid with another spacing along its own axes.

    Args:
        grid: any.
        spacing_mm: wanted, along (i, j, k).

    Returns:
        a grid whose first outer edges are where they were. The number of voxels is rounded, so that the last outer edges are at
        most half a new voxel from where they were. The same grid where the spacing is the same within a millionth.

    Raises:
        SafelightError: E-IMAGING-GRID where a spacing is not above 0.
    """
    if not all(0 < wanted < np.inf for wanted in spacing_mm):
        raise SafelightError("E-IMAGING-GRID", "a spacing is above 0")
    spacing = grid.spacing_mm
    if np.allclose(spacing, spacing_mm, rtol=1e-6, atol=0):
        return grid
    ratio = np.array(spacing_mm) / np.array(spacing)
    shape = [max(1, round(n * have / want)) for n, have, want in zip(grid.shape, spacing, spacing_mm, strict=True)]
    scale = np.diag([*ratio, 1.0])
    scale[:3, 3] = (ratio - 1) / 2
    return Grid((shape[0], shape[1], shape[2]), grid.affine_ras @ scale)


def isotropic(grid: Grid, spacing_mm: float | None = None) -> Grid:
    """The grid with one spacing along all axes: the given one, or the finest that it has. As `to_spacing` otherwise."""
    wanted = min(grid.spacing_mm) if spacing_mm is None else spacing_mm
    return to_spacing(grid, (wanted, wanted, wanted))


def fitted(grid: Grid, shape: Shape) -> Grid:
    """The grid evenly cropped or extended to a shape; of an odd number the larger part comes last, as in `extent.fit`."""
    start = [
        (have - wanted) // 2 if have > wanted else -((wanted - have) // 2) for have, wanted in zip(grid.shape, shape, strict=True)
    ]
    moved = np.eye(4)
    moved[:3, 3] = start
    return Grid(shape, grid.affine_ras @ moved)


def orthogonal(grid: Grid) -> Grid:
    """A grid without shear over a sheared one, such as a CT stack that was acquired with a tilted gantry.

    The in-plane axes i and j stay as they are (j is made perpendicular to i where it is not). The slice axis becomes the normal of
    the slices; its spacing is the part of the old step that is along the normal, which is the distance of the slices. Voxel (0, 0, 0)
    of the old grid lies on a voxel of the new one; whole voxels are added in plane until every old voxel's centre is covered.

    Returns:
        the new grid, or the given one where its axes are perpendicular.
    """
    axes = grid.affine_ras[:3, :3]
    directions = axes / np.linalg.norm(axes, axis=0)
    between = np.abs(directions.T @ directions - np.eye(3))
    if between.max() <= PERPENDICULAR:
        return grid
    made = np.array(grid.affine_ras)
    if between[0, 1] > PERPENDICULAR:
        made[:3, 1] = axes[:, 1] - (axes[:, 1] @ directions[:, 0]) * directions[:, 0]
    normal = np.cross(made[:3, 0], made[:3, 1])
    normal /= np.linalg.norm(normal)
    made[:3, 2] = (axes[:, 2] @ normal) * normal
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape], indexing="ij")).reshape(3, -1)
    at = (np.linalg.solve(made, grid.affine_ras) @ np.vstack([corners, np.ones(8)]))[:3]
    first = np.floor(at.min(axis=1) + SAME_PLACE)
    last = np.ceil(at.max(axis=1) - SAME_PLACE)
    made[:3, 3] += made[:3, :3] @ first
    i, j, k = (int(n) for n in last - first + 1)
    return Grid((i, j, k), made)
