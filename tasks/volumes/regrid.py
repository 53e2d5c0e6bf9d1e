"""Resamples a stack onto another grid: right angles instead of a shear, even spacing instead of gaps. What it makes is always marked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.imaging.grids import Grid, orthogonal
from tasks.imaging.padding import Range, marked
from tasks.imaging.stacks import even_stack
from tasks.volumes.nifti import write
from tasks.volumes.parts import Part, Regrid
from tasks.volumes.stack import Planes
from tasks.volumes.values import Encoding, padding_range, scale_of
from tasks.volumes.voxels import Sight, Written, loaded

Floats = NDArray[np.float64]

_INT16 = np.iinfo(np.int16)


@dataclass(frozen=True, slots=True)
class Regridded:
    """The grid of resampled voxels: (columns, rows, slices), and (4, 4) voxel → RAS millimetres."""

    shape: tuple[int, int, int]
    affine_ras: Floats


def regrid(part: Part, kind: Regrid, path: Path) -> tuple[Written, Regridded]:
    """Resample every volume of a part linearly, and write the result.

    Values stay whole numbers of 16 bits where they were such, rounded to the nearest. Padding is no measurement, and between it and the image there
    is nothing: it becomes the lowest value of the image before, as do voxels outside of the source.

    Raises:
        SafelightError: E-VOLUME-DECODE, E-VOLUME-BITS, E-VOLUME-RESCALE.
    """
    values, scale = loaded(part), scale_of(part.frames)
    outside = marked(values, _range(padding_range(part.frames, scale)))
    if outside.any() and not outside.all():
        values[outside] = values[~outside].min()
    per_volume = len(part.frames) // part.n_volumes
    low, high = float(values.min()), float(values.max())
    whole = np.issubdtype(values.dtype, np.integer) and _INT16.min <= low and high <= _INT16.max
    dtype = np.dtype(np.int16) if whole else np.dtype(np.float32)
    volumes, grid = [], None
    for first in range(0, len(values), per_volume):
        made, grid = _one(part, kind, values[first : first + per_volume].transpose(2, 1, 0), low)
        volumes.append(made.astype(dtype, copy=False))
    if grid is None:
        raise ValueError("a part has at least one volume")
    sight = Sight(low, high)
    shape = (*grid.shape, part.n_volumes) if part.n_volumes > 1 else grid.shape
    sha256 = write(path, _slices(volumes, sight), shape, dtype, grid.affine_ras)
    encoding = Encoding(dtype, rescaled=True, exact=False)
    return Written(sha256, shape, encoding, scale, sight), grid


def _range(stated: list[float] | None) -> Range | None:
    return None if stated is None else (stated[0], stated[-1])


def _slices(volumes: list[NDArray[Any]], sight: Sight) -> Iterator[NDArray[Any]]:
    """(slices, rows, columns) of each volume in turn."""
    for number, volume in enumerate(volumes):
        block = np.ascontiguousarray(volume.transpose(2, 1, 0))
        sight.of(block, number * len(block), len(block), stacked=True)
        yield block


def _one(part: Part, kind: Regrid, voxels: NDArray[Any], outside: float) -> tuple[NDArray[Any], Regridded]:
    """One volume (column, row, slice), in its own type where that is whole numbers."""
    whole = np.issubdtype(voxels.dtype, np.integer)
    if kind is Regrid.ORTHOGONAL:
        from tasks.imaging.resampling import resample  # SimpleITK is only loaded where it is needed

        if part.stack is None:
            raise ValueError("a sheared stack has an affine")
        source = Grid(voxels.shape, part.stack.affine_ras)
        target = orthogonal(source)
        target = Grid(target.shape, _as_written(target.affine_ras))
        return resample(voxels, source, target, outside=outside, rounded=whole), Regridded(target.shape, target.affine_ras)
    planes = Planes.of([frame.plane for frame in part.frames[: voxels.shape[2]] if frame.plane is not None])
    step = float(np.median(np.diff(planes.along)))
    made = even_stack(voxels, planes.along, step, rounded=whole).voxels
    row, column = planes.orientation[:, :3].mean(axis=0), planes.orientation[:, 3:].mean(axis=0)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = row * planes.spacing[:, 1].mean(), column * planes.spacing[:, 0].mean()
    affine[:3, 2], affine[:3, 3] = np.cross(row, column) * step, planes.position[0]
    return made, Regridded(made.shape, _as_written(np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine))


def _as_written(affine: Floats) -> Floats:
    """As the header's float32 holds it, without negative zeros."""
    return affine.astype(np.float32).astype(np.float64) + 0.0
