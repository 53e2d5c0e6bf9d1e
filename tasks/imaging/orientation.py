"""Another order and direction of an array's axes: none of the values change, and none is interpolated.

Axis codes are as in NIfTI's world: `RAS` is an array whose first axis runs to the patient's Right, the second to Anterior, the third to
Superior; L, P and I are the opposites. There are 48.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import SafelightError
from tasks.imaging.grids import Grid, shape_of

#: The letters of each axis of space (x, y, z of RAS): towards its negative, then its positive end.
_LETTERS = (("L", "R"), ("P", "A"), ("I", "S"))


@dataclass(frozen=True, slots=True)
class Turn:
    """How an array is turned, and turned back.

    Args:
        source: the grid before.
        order: axis a after is axis `order[a]` before.
        flips: whether axis a after runs against the axis that it was.
    """

    source: Grid
    order: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    @property
    def target(self) -> Grid:
        """The grid after: every voxel is where it was."""
        shape = self.source.shape
        before = np.zeros((4, 4))
        before[3, 3] = 1
        for after, (axis, flip) in enumerate(zip(self.order, self.flips, strict=True)):
            before[axis, after] = -1 if flip else 1
            before[axis, 3] = shape[axis] - 1 if flip else 0
        i, j, k = (shape[axis] for axis in self.order)
        return Grid((i, j, k), self.source.affine_ras @ before + 0.0)  # no negative zeros


@dataclass(frozen=True, slots=True)
class Lean:
    """How a grid lies in the patient.

    Args:
        codes: where each axis points, nearly.
        angles_deg: of each axis from the patient's axis that its code names.
        shear_deg: the most by which the angle between two axes differs from a right one.
        slice_lean_deg: the angle of the third axis from the normal of the first two; a tilted gantry's angle.
    """

    codes: str
    angles_deg: tuple[float, float, float]
    shear_deg: float
    slice_lean_deg: float


def lean(grid: Grid) -> Lean:
    """How a grid lies in the patient. The codes are those whose axes are nearest in sum, each of the patient's axes named once."""
    directions = grid.affine_ras[:3, :3] / np.linalg.norm(grid.affine_ras[:3, :3], axis=0)
    nearest = _nearest(directions)
    along = [float(directions[axis, column]) for column, axis in enumerate(nearest)]
    i, j, k = (_degrees(abs(cosine)) for cosine in along)
    between = np.abs(directions.T @ directions - np.eye(3)).max()
    normal = np.cross(directions[:, 0], directions[:, 1])
    leaning = _degrees(abs(float(directions[:, 2] @ normal)) / float(np.linalg.norm(normal)))
    codes = "".join(_LETTERS[axis][int(cosine > 0)] for axis, cosine in zip(nearest, along, strict=True))
    return Lean(codes, (i, j, k), 90 - _degrees(float(between)), leaning)


def turn_to(grid: Grid, codes: str) -> Turn:
    """The turn that makes an array's axes run, as nearly as they can without interpolation, to `codes`.

    Raises:
        SafelightError: E-IMAGING-AXES where the codes are not one of the 48.
    """
    wanted = [next((axis for axis, pair in enumerate(_LETTERS) if letter in pair), -1) for letter in codes]
    if sorted(wanted) != [0, 1, 2]:
        raise SafelightError("E-IMAGING-AXES", "three letters, one each of R or L, A or P, S or I")
    now = lean(grid).codes
    i, j, k = (next(a for a in range(3) if now[a] in _LETTERS[axis]) for axis in wanted)
    flip_i, flip_j, flip_k = (now[axis] != letter for axis, letter in zip((i, j, k), codes, strict=True))
    return Turn(grid, (i, j, k), (flip_i, flip_j, flip_k))


def apply(voxels: NDArray[Any], turn: Turn) -> NDArray[Any]:
    """Voxels (i, j, k[, t]) of the turn's source, turned: a view of the same memory.

    Raises:
        SafelightError: E-IMAGING-VOXELS where the array is not of that grid.
    """
    if shape_of(voxels) != turn.source.shape:
        raise SafelightError("E-IMAGING-VOXELS", "another shape than the grid's")
    axes = tuple(axis for axis, flip in enumerate(turn.flips) if flip)
    return np.flip(voxels.transpose(*turn.order, *range(3, voxels.ndim)), axes)


def undo(voxels: NDArray[Any], turn: Turn) -> NDArray[Any]:
    """The inverse of `apply`: voxels of the turn's target, as the source has them. A view; the same bytes come back."""
    if shape_of(voxels) != turn.target.shape:
        raise SafelightError("E-IMAGING-VOXELS", "another shape than the grid's")
    axes = tuple(axis for axis, flip in enumerate(turn.flips) if flip)
    back = sorted(range(3), key=lambda axis: turn.order[axis])
    return np.flip(voxels, axes).transpose(*back, *range(3, voxels.ndim))


def _nearest(directions: NDArray[np.float64]) -> tuple[int, int, int]:
    """For each column the axis of space that it is called by: the assignment with the largest sum of cosines."""
    found = max(permutations(range(3)), key=lambda axes: sum(abs(directions[axis, a]) for a, axis in enumerate(axes)))
    return found[0], found[1], found[2]


def _degrees(cosine: float) -> float:
    return float(np.degrees(np.arccos(min(cosine, 1.0))))
