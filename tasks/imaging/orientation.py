"""Turns a volume's axes to those of the patient without moving a voxel: axes are swapped and reversed, nothing is interpolated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Turned:
    """A volume after its turn.

    Attributes:
        voxels: (i, j, k[, t]), a view where that is possible.
        affine_ras: (4, 4), voxel → RAS millimetres.
        turn: (3, 2), for each axis that there was the axis that it has become, and 1 or -1; nibabel's ornt_transform.
    """

    voxels: NDArray[Any]
    affine_ras: Floats
    turn: Floats

    @property
    def swapped(self) -> bool:
        """Whether axes have changed places."""
        return bool((self.turn[:, 0] != [0, 1, 2]).any())

    @property
    def reversed_axes(self) -> tuple[int, ...]:
        """Axes of the source that run the other way now."""
        return tuple(int(axis) for axis in np.flatnonzero(self.turn[:, 1] < 0))


def turn(voxels: NDArray[Any], affine_ras: Floats, codes: str) -> Turned:
    """Let each axis grow in the direction that `codes` names (`RAS`, `LPS` …), as near as swaps and reversals come to it.

    Raises:
        ValueError: codes that are not three letters, one of each pair R/L, A/P, S/I.
    """
    if len(codes) != 3 or any(len(set(codes) & set(pair)) != 1 for pair in ("RL", "AP", "SI")):
        raise ValueError("an orientation is three letters, one of each pair R/L, A/P, S/I")
    current = nibabel.orientations.io_orientation(affine_ras)
    change = nibabel.orientations.ornt_transform(current, nibabel.orientations.axcodes2ornt(tuple(codes)))
    made = nibabel.orientations.apply_orientation(voxels, change)
    return Turned(made, affine_ras @ nibabel.orientations.inv_ornt_aff(change, voxels.shape[:3]), np.asarray(change))


def turn_back(voxels: NDArray[Any], turned: Turned) -> NDArray[Any]:
    """Voxels of the turned grid (a mask, a map of scores) as they were before the turn."""
    back = np.empty_like(turned.turn)
    for axis, (became, sign) in enumerate(turned.turn):
        back[int(became)] = axis, sign
    return np.asarray(nibabel.orientations.apply_orientation(voxels, back))


def lean_deg(affine_ras: Floats) -> tuple[float, float]:
    """How far the axes lean from the patient's nearest ones, and from being at right angles to each other: the largest of each, in degrees."""
    directions = affine_ras[:3, :3] / np.linalg.norm(affine_ras[:3, :3], axis=0)
    turned = float(np.degrees(np.arccos(np.clip(np.abs(directions).max(axis=0).min(), 0, 1))))
    between = float(np.abs(directions.T @ directions - np.eye(3)).max())
    return turned, float(np.degrees(np.arcsin(min(1.0, between))))
