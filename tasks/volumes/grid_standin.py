"""Stand-in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import affine_transform


@dataclass(frozen=True)
class Grid:
    shape: tuple[int, int, int]
    affine_ras: Any


def orthogonal(grid: Grid) -> Grid:
    a = grid.affine_ras
    r, c = a[:3, 0] / np.linalg.norm(a[:3, 0]), a[:3, 1] / np.linalg.norm(a[:3, 1])
    n = np.cross(r, c)
    n *= np.sign(n @ a[:3, 2])
    corners = (
        np.array([[i, j, k, 1] for i in (0, grid.shape[0] - 1) for j in (0, grid.shape[1] - 1) for k in (0, grid.shape[2] - 1)])
        @ a.T
    )
    steps = [np.linalg.norm(a[:3, 0]), np.linalg.norm(a[:3, 1]), float(n @ a[:3, 2])]
    axes = [r, c, n]
    lo = [float((corners[:, :3] @ x).min()) for x in axes]
    hi = [float((corners[:, :3] @ x).max()) for x in axes]
    m = np.eye(4)
    for q in range(3):
        m[:3, q] = axes[q] * steps[q]
    m[:3, 3] = sum(l * x for l, x in zip(lo, axes))
    return Grid(tuple(int(np.ceil((h - l) / s - 1e-6)) + 1 for l, h, s in zip(lo, hi, steps)), m)


def resample(voxels: Any, source: Grid, target: Grid, interpolation: str = "linear", outside: float = 0.0) -> Any:
    t = np.linalg.inv(source.affine_ras) @ target.affine_ras
    return affine_transform(voxels.astype(np.float64), t[:3, :3], t[:3, 3], target.shape, order=1, cval=outside)


def even_stack(voxels: Any, positions: Any, step: float) -> Any:
    want = np.arange(positions[0], positions[-1] + step / 2, step)
    out = np.empty((*voxels.shape[:2], len(want)))
    for k, z in enumerate(want):
        i = min(np.searchsorted(positions, z, side="right") - 1, len(positions) - 2)
        f = (z - positions[i]) / (positions[i + 1] - positions[i])
        out[:, :, k] = (1 - f) * voxels[:, :, i] + f * voxels[:, :, i + 1]
    return out
