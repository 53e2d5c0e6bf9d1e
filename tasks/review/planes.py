"""Planes of a volume as a viewer expects them, and where voxels, boxes and labels of the volume lie in them.

The volume's axes are first put in the order Left, Posterior, Inferior (a view of the same memory; no value is interpolated). Then every
plane is a slice of that array whose rows grow downwards and whose columns grow to the viewer's right, by radiological convention: the
patient's right is on the viewer's left, anterior is up in axial planes, the head is up in the others, and sagittal planes have anterior on
the viewer's left. An oblique volume is not turned: each plane is called by the patient's axis next to its normal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tasks.errors import SafelightError
from tasks.imaging import orientation
from tasks.imaging.grids import Grid

Name = Literal["axial", "coronal", "sagittal"]
Voxel = tuple[int, int, int]

NAMES: tuple[Name, ...] = ("axial", "coronal", "sagittal")
_CODES = "LPI"
#: Axes of the array after the turn: through which a plane cuts, which are its rows and its columns.
_AXES: dict[Name, tuple[int, int, int]] = {"axial": (2, 1, 0), "coronal": (1, 2, 0), "sagittal": (0, 2, 1)}
#: Letters at the viewer's left, right, top and bottom.
_EDGES: dict[Name, tuple[str, str, str, str]] = {
    "axial": ("R", "L", "A", "P"), "coronal": ("R", "L", "S", "I"), "sagittal": ("A", "P", "S", "I"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Part of a plane: its first column and row, and the first beyond; edges of voxels, not centres."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True)
class Plane:
    """A plane through a volume.

    Attributes:
        name: by the patient's axis next to its normal.
        axis, index: the array axis of the file that it cuts (0, 1, 2 for i, j, k), and at which voxel.
        depth: voxels along that axis.
        shape: rows and columns.
        spacing_mm: of rows and of columns.
        edges: the patient's directions at the viewer's left, right, top and bottom.
        turned_deg: angle of its normal from the patient's axis.
    """

    name: Name
    axis: int
    index: int
    depth: int
    shape: tuple[int, int]
    spacing_mm: tuple[float, float]
    edges: tuple[str, str, str, str]
    turned_deg: float


@dataclass(frozen=True)
class Planes:
    """The planes of a grid.

    Args:
        turn: from the volume as it lies in its file to Left, Posterior, Inferior.
    """

    turn: orientation.Turn

    @classmethod
    def of(cls, grid: Grid) -> Planes:
        """Those of a grid, whose axes are as in the volume's file."""
        return cls(orientation.turn_to(grid, _CODES))

    def plane(self, name: Name, voxel: Voxel) -> Plane:
        """The plane of a name through a voxel (i, j, k) of the file.

        Raises:
            SafelightError: E-REVIEW-PLACE where that voxel is not in the volume.
        """
        source = self.turn.source
        if not all(0 <= at < n for at, n in zip(voxel, source.shape, strict=True)):
            raise SafelightError("E-REVIEW-PLACE")
        across, down, right = _AXES[name]
        target, axis = self.turn.target, self.turn.order[across]
        spacing = target.spacing_mm
        lean = orientation.lean(target)
        return Plane(
            name, axis, voxel[axis], source.shape[axis], (target.shape[down], target.shape[right]),
            (spacing[down], spacing[right]), _EDGES[name], _off_normal(target, across, lean),
        )  # fmt: skip

    def cut(self, voxels: NDArray[Any], plane: Plane) -> NDArray[Any]:
        """A plane of an array (i, j, k) of this grid: (rows, columns), a view.

        Raises:
            SafelightError: E-IMAGING-VOXELS where the array is not of this grid.
        """
        across, down, right = _AXES[plane.name]
        turned = orientation.apply(voxels, self.turn)
        at = plane.index if not self.turn.flips[across] else plane.depth - 1 - plane.index
        found: NDArray[Any] = turned[(slice(None),) * across + (at,)]  # a view
        return found if down < right else found.swapaxes(0, 1)

    def within(self, plane: Plane, start: Sequence[int], stop: Sequence[int]) -> Rectangle | None:
        """Where a box lies in a plane, or None where the plane does not cut it.

        Args:
            plane: of this grid.
            start, stop: the box's first voxel (i, j, k) of the file, and the first beyond it.

        Raises:
            SafelightError: E-REVIEW-PLACE where the box is empty or reaches out of the volume.
        """
        shape = self.turn.source.shape
        if any(not 0 <= first < last <= n for first, last, n in zip(start, stop, shape, strict=True)):
            raise SafelightError("E-REVIEW-PLACE")
        if not start[plane.axis] <= plane.index < stop[plane.axis]:
            return None
        _, down, right = _AXES[plane.name]
        left, beyond_right = self._along(right, start, stop)
        top, beyond_bottom = self._along(down, start, stop)
        return Rectangle(left, top, beyond_right, beyond_bottom)

    def _along(self, after: int, start: Sequence[int], stop: Sequence[int]) -> tuple[int, int]:
        """A box's extent along an axis after the turn."""
        axis = self.turn.order[after]
        if not self.turn.flips[after]:
            return start[axis], stop[axis]
        n = self.turn.source.shape[axis]
        return n - stop[axis], n - start[axis]


def middle(grid: Grid) -> Voxel:
    """The voxel in the middle."""
    i, j, k = (n // 2 for n in grid.shape)
    return i, j, k


def center(start: Sequence[int], stop: Sequence[int]) -> Voxel:
    """The voxel in the middle of a box; of an even number the one before it."""
    i, j, k = ((first + last - 1) // 2 for first, last in zip(start, stop, strict=True))
    return i, j, k


def _off_normal(grid: Grid, across: int, lean: orientation.Lean) -> float:
    """The angle of the normal of the other two axes from the patient's axis that `across` is called by."""
    others = [axis for axis in range(3) if axis != across]
    normal = np.cross(grid.affine_ras[:3, others[0]], grid.affine_ras[:3, others[1]])
    patient = next(place for place, pair in enumerate(("LR", "PA", "IS")) if lean.codes[across] in pair)
    cosine = abs(float(normal[patient])) / float(np.linalg.norm(normal))
    return float(np.degrees(np.arccos(min(cosine, 1.0))))
