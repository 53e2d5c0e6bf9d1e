"""Voxels onto another grid, and back: `resample(voxels, a, b)` and `resample(made, b, a)` are each other's inverse, but for what is lost.

Any two grids will do, sheared or not. ITK images open no shear, so everything happens in index space: the source is an image without
geometry, and an affine transform says where in it each voxel of the target is.

Memory, beside the voxels that are given and returned: `MEMORY` bytes, whatever their size. The same arguments give the same bytes, in
any number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tasks.errors import SafelightError
from tasks.imaging.blocks import LIMIT, Block, divide
from tasks.imaging.execution import Interpolation, execute
from tasks.imaging.grids import Floats, Grid, Triple, shape_of

#: Bytes: a block's box in float32, ITK's copy of it, ITK's result, our copy of that, and one more for what is passing. Blocks of
#: float64, and those for splines, whose coefficients are float64, are half as large.
MEMORY = 5 * 4 * LIMIT

Outside = float | Literal["edge"]

#: How far from a voxel a cubic spline's coefficients still depend on it: 0.268 ** 16 is below 1e-9 (Unser 1999, box 2).
_SPLINE_REACH = 16
#: A Gaussian's full width at half maximum in standard deviations.
_FWHM = 2 * np.sqrt(2 * np.log(2))
#: The Gaussian is cut at so many standard deviations.
_CUT = 4.0


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """What is lost by resampling onto a grid and back.

    Args:
        n: voxels of the source that the other grid covers, and that were compared.
        covered: their share of the source.
        changed: the share of them whose value is not what it was; for labels, the share of wrong ones.
        mean_abs, rms, max_abs: of the differences, in the values' unit.
    """

    n: int
    covered: float
    changed: float
    mean_abs: float
    rms: float
    max_abs: float


def resample(
    voxels: NDArray[Any],
    source: Grid,
    target: Grid,
    interpolation: Interpolation = "linear",
    outside: Outside = 0.0,
    *,
    rounded: bool = False,
    antialias: bool = False,
) -> NDArray[Any]:
    """Voxels of one grid on another.

    Args:
        voxels: (i, j, k) or (i, j, k, t) on `source`; whole or real numbers, or truth values. Padding must have been replaced before.
        source, target: where voxels are, and where they are wanted.
        interpolation: `linear`; `bspline`, cubic, which may give values beyond those of its neighbours; or `nearest`, which gives
            only values that are there, and is the one for labels.
        outside: what stands beyond the source's outer edges, or `edge`, which goes on with its outermost voxels. Between the
            outermost centres and the outer edges these are repeated in any case (splines are mirrored).
        rounded: give the voxels' own type, rounded half to even and cut at its ends; `nearest` always does.
        antialias: blur the source before, where the target is coarser, by a Gaussian such that widths at half maximum add in square to
            the target's voxel (Cardoso et al., MICCAI 2015, "Scale factor point spread function matching"): its variance along an
            axis of the source is (r² - 1) / 5.545, r being the target's voxel in the source's voxels along it. Not for labels.

    Returns:
        (i, j, k[, t]) on `target`, the first axis contiguous in memory, as NIfTI has it. float32 unless `rounded` or `nearest`; whole
        numbers of 64 bits are exact up to 2**53. Where both grids are the same, a copy.

    Raises:
        SafelightError: E-IMAGING-VOXELS where the array is not of the source's shape or of a type that can be resampled, where
            `outside` is no value of the type asked for, or labels are to be blurred.
    """
    if shape_of(voxels) != source.shape:
        raise SafelightError("E-IMAGING-VOXELS", "another shape than the grid's")
    if interpolation == "nearest" and antialias:
        raise SafelightError("E-IMAGING-VOXELS", "labels are not blurred")
    dtype = voxels.dtype if rounded or interpolation == "nearest" else np.dtype(np.float32)
    work = _work_type(voxels.dtype, interpolation)
    _check_outside(outside, dtype)
    made = np.empty((*voxels.shape[3:], *target.shape[::-1]), dtype).transpose(*range(voxels.ndim - 1, -1, -1))
    if source.same_as(target):
        made[...] = _as_type(np.asarray(voxels), dtype)
        return made
    indices = source.indices_from(target)
    blur = _blur(indices) if antialias else (0.0, 0.0, 0.0)
    around = _SPLINE_REACH if interpolation == "bspline" else 1
    i, j, k = (around + int(np.ceil(_CUT * sigma)) for sigma in blur)
    beyond = outside == "edge" and _leaves(indices, target, source)
    limit = LIMIT if work.itemsize <= 4 and interpolation != "bspline" else LIMIT // 2
    for block in divide(target.shape, source.shape, indices, (i, j, k), beyond=beyond, limit=limit):
        place = tuple(slice(a, b) for a, b in zip(block.start, block.stop, strict=True))
        for t in np.ndindex(*voxels.shape[3:]):
            part = _part(voxels[(..., *t)], block, indices, interpolation, outside, blur, work, beyond)
            made[(*place, *t)] = _as_type(part, dtype)
    return made


def respace(image: NDArray[np.float32], spacing_mm: Triple, wanted_mm: Triple) -> NDArray[np.float32]:
    """An image at another spacing along its own axes, by linear interpolation, all at once.

    Args:
        image: float32 of three axes, C-contiguous.
        spacing_mm, wanted_mm: along these axes.

    Returns:
        C-contiguous, over the same place as `grids.to_spacing` gives: the first outer edges stay, beyond the last centre the edge is
        repeated. The image itself where the spacing is the same within a millionth.
    """
    if np.allclose(spacing_mm, wanted_mm, rtol=1e-6):
        return image
    z, y, x = (max(1, round(n * have / want)) for n, have, want in zip(image.shape, spacing_mm, wanted_mm, strict=True))
    have, want = spacing_mm[::-1], wanted_mm[::-1]
    first = tuple((new - old) / 2 for new, old in zip(want, have, strict=True))
    made = execute(
        image, (x, y, z), interpolation="linear", extend=True, spacing=(have, want, (first[0], first[1], first[2]))
    )  # fmt: skip
    return np.asarray(made, np.float32)


def round_trip(
    voxels: NDArray[Any],
    source: Grid,
    target: Grid,
    interpolation: Interpolation = "linear",
    *,
    antialias: bool = False,
) -> RoundTrip:
    """What is lost by resampling voxels onto a grid and back, over the voxels whose centres are within that grid's outer edges.

    Arguments as of `resample`. The way back is never blurred.
    """
    there = resample(voxels, source, target, interpolation, "edge", antialias=antialias)
    back = resample(there, target, source, interpolation, "edge")
    within = resample(np.ones(target.shape, np.uint8), target, source, "nearest", 0)
    n, changed, total, squares, largest = 0, 0, 0.0, 0.0, 0.0
    for k in range(source.shape[2]):
        here = within[:, :, k] > 0
        off = np.abs(back[:, :, k][here].astype(np.float64) - voxels[:, :, k][here])
        n, changed = n + off.size, changed + int(np.count_nonzero(off))
        total, squares = total + float(off.sum()), squares + float((off**2).sum())
        largest = max(largest, float(off.max(initial=0.0)))
    many = max(n, 1)
    return RoundTrip(n, n / max(voxels.size, 1), changed / many, total / many, float(np.sqrt(squares / many)), largest)


def _part(
    volume: NDArray[Any],
    block: Block,
    indices: Floats,
    interpolation: Interpolation,
    outside: Outside,
    blur: Triple,
    work: np.dtype[Any],
    beyond: bool,
) -> NDArray[Any]:
    """One block of a three-dimensional target, (i, j, k)."""
    size = tuple(b - a for a, b in zip(block.start, block.stop, strict=True))
    cut = block if beyond else block.inside((volume.shape[0], volume.shape[1], volume.shape[2]))
    if cut is None:
        return np.full(size, 0 if outside == "edge" else outside, work)
    box = _box(volume, cut, work)
    for axis, sigma in enumerate(blur[::-1]):
        if sigma:
            ndimage.gaussian_filter1d(box, sigma, axis, output=box, mode="nearest", truncate=_CUT)
    local = np.array(indices)
    local[:3, 3] += indices[:3, :3] @ np.array(block.start) - np.array(cut.box_start)
    value = 0.0 if outside == "edge" else float(outside)
    made = execute(
        box, (size[0], size[1], size[2]), interpolation=interpolation, outside=value, extend=outside == "edge", indices=local
    )  # fmt: skip
    return made.transpose(2, 1, 0)


def _box(volume: NDArray[Any], block: Block, work: np.dtype[Any]) -> NDArray[Any]:
    """A copy of the box of a volume as (z, y, x); beyond the volume its edges go on."""
    if block.inside((volume.shape[0], volume.shape[1], volume.shape[2])) == block:
        part = volume[tuple(slice(a, b) for a, b in zip(block.box_start, block.box_stop, strict=True))]
    else:
        ends = zip(block.box_start, block.box_stop, volume.shape, strict=True)
        part = volume[np.ix_(*(np.clip(np.arange(a, b), 0, n - 1) for a, b, n in ends))]
    return np.array(part.transpose(2, 1, 0), work, order="C")


def _leaves(indices: Floats, target: Grid, source: Grid) -> bool:
    """Whether some of the target lies beyond the source's outer edges."""
    ends = np.array([[0, 0, 0], [n - 1 for n in target.shape]], np.float64)
    parts = indices[:3, :3] * ends[:, None, :]
    low = indices[:3, 3] + parts.min(axis=0).sum(axis=1)
    high = indices[:3, 3] + parts.max(axis=0).sum(axis=1)
    return bool((low < -0.5 - 1e-6).any() or (high > np.array(source.shape) - 0.5 + 1e-6).any())


def _blur(indices: Floats) -> Triple:
    """Standard deviations along (i, j, k) of the source, in its voxels; 0 where the target is not coarser."""
    ratio = np.linalg.norm(indices[:3, :3], axis=1)
    i, j, k = (float(np.sqrt(max(r**2 - 1, 0.0)) / _FWHM) for r in ratio)
    return i, j, k


def _work_type(dtype: np.dtype[Any], interpolation: Interpolation) -> np.dtype[Any]:
    """The type that voxels are computed in."""
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise SafelightError("E-IMAGING-VOXELS", "neither whole nor real numbers")
    if interpolation == "nearest" and dtype != np.float16:
        return np.dtype(np.uint8) if dtype.kind == "b" else dtype.newbyteorder("=")
    return np.dtype(np.float32 if np.can_cast(dtype, np.float32, "safe") else np.float64)


def _check_outside(outside: Outside, dtype: np.dtype[Any]) -> None:
    if outside == "edge" or dtype.kind == "f":
        return
    low, high = _ends(dtype)
    if not (low <= float(outside) <= high and float(outside).is_integer()):
        raise SafelightError("E-IMAGING-VOXELS", "what stands outside is no value of the voxels' type")


def _as_type(made: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Values in a type: rounded half to even, in place, and cut at its ends where that is one of whole numbers."""
    if dtype.kind != "f" and made.dtype.kind == "f":
        np.rint(made, out=made)
        np.clip(made, *_ends(dtype), out=made)
    return made.astype(dtype, copy=False)


def _ends(dtype: np.dtype[Any]) -> tuple[int, int]:
    """The least and largest value of a type of whole numbers or truth values."""
    return (0, 1) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
