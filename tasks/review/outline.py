"""The outline of a label in a plane, along the edges of its voxels, as the path of an SVG: neither smoothed nor moved by half a voxel."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def path(inside: NDArray[np.bool_]) -> str:
    """The outline as path data (SVG 2, section 9.3) in units of voxels, of which (0, 0) is the outer corner of the first; empty where
    nothing is inside.

    Args:
        inside: (rows, columns).
    """
    return "".join([
        *(f"M{first} {row}H{last}" for row, first, last in _runs(inside)),
        *(f"M{column} {first}V{last}" for column, first, last in _runs(inside.T)),
    ])  # fmt: skip


def _runs(inside: NDArray[np.bool_]) -> Iterator[tuple[int, int, int]]:
    """Straight pieces between a row and the next whose voxels differ: the row's edge, the first column, and the first beyond."""
    padded = np.zeros((inside.shape[0] + 2, inside.shape[1] + 2), np.int8)
    padded[1:-1, 1:-1] = inside
    differs = padded[1:] != padded[:-1]  # row r: between voxel rows r - 1 and r
    steps = np.diff(differs.astype(np.int8), axis=1)
    starts, stops = np.argwhere(steps == 1), np.argwhere(steps == -1)
    for (row, first), (_, last) in zip(starts.tolist(), stops.tolist(), strict=True):
        yield row, first, last
