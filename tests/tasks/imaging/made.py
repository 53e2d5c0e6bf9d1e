"""For tests: affines of all kinds, and voxels whose values state where they are."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from tasks.imaging.grids import Grid

#: A voxel's value is its place in RAS mm times these: a linear field, which linear interpolation gives exactly.
WEIGHTS = np.array([1.0, 3.0, 7.0])


def places(grid: Grid) -> NDArray[np.float64]:
    """(i, j, k, 3), where each voxel's centre is."""
    at = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1)
    return at @ grid.affine_ras[:3, :3].T + grid.affine_ras[:3, 3]


def stating(grid: Grid) -> NDArray[np.float32]:
    """Voxels that state their place."""
    return (places(grid) @ WEIGHTS).astype(np.float32)


def indices(grid: Grid, of: Grid) -> NDArray[np.float64]:
    """(3, i, j, k), the places of the voxels of `of` in `grid`, in voxels; by inversion, as the code does not."""
    inverse = np.linalg.inv(grid.affine_ras)
    return np.moveaxis(places(of) @ inverse[:3, :3].T + inverse[:3, 3], -1, 0)


def within(grid: Grid, of: Grid, margin: float) -> NDArray[np.bool_]:
    """Which voxels of `of` are at least `margin` voxels from the outermost centres of `grid` (negative: outside of them)."""
    at = indices(grid, of)
    return np.all([(each >= margin) & (each <= n - 1 - margin) for each, n in zip(at, grid.shape, strict=True)], axis=0)


def rotation(degrees: tuple[float, float, float]) -> NDArray[np.float64]:
    """(3, 3), turned about x, then y, then z."""
    made = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        one, other = [a for a in range(3) if a != axis]
        turn = np.eye(3)
        turn[one, one] = turn[other, other] = np.cos(angle)
        turn[one, other], turn[other, one] = -np.sin(angle), np.sin(angle)
        made = turn @ made
    return made


def affine(
    spacing: tuple[float, float, float] = (0.8, 0.8, 2.5),
    degrees: tuple[float, float, float] = (0.0, 0.0, 0.0),
    tilt: float = 0.0,
    origin: tuple[float, float, float] = (-20.0, 10.0, 5.0),
) -> NDArray[np.float64]:
    """(4, 4), voxel → RAS mm of a stack that runs to the left, posterior and up, turned, and sheared as by a gantry tilted by so much."""
    axes = np.diag([-spacing[0], -spacing[1], spacing[2]])
    axes[1, 2] = spacing[2] * np.tan(np.radians(tilt))
    made = np.eye(4)
    made[:3, :3] = rotation(degrees) @ axes
    made[:3, 3] = origin
    return made


shapes = st.tuples(*[st.integers(2, 9)] * 3)
spacings = st.tuples(*[st.floats(0.4, 5.0)] * 3)
angles = st.tuples(*[st.floats(-180.0, 180.0)] * 3)
tilts = st.floats(-35.0, 35.0)


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """Any grid: of any shape, turned any way, left- or right-handed, sheared by up to 35 degrees."""
    made = affine(draw(spacings), draw(angles), draw(tilts), draw(st.tuples(*[st.floats(-30.0, 30.0)] * 3)))
    if draw(st.booleans()):
        made[:, 0] *= -1
    return Grid(draw(shapes), made)
