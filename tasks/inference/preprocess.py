"""From a volume to a network's input: orientation, padding, spacing and window, in the order that the manifest names.

Training and inference go through `prepare` and nothing else. The same volume and settings give the same numbers, whatever else runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from tasks.imaging import windows
from tasks.imaging.grids import Grid, resample, to_spacing
from tasks.imaging.orientation import lean_deg, turn
from tasks.inference.bundle import Input, Range

Image = NDArray[np.float32]
Triple = tuple[float, float, float]

#: The most that a volume's axes may lean from the patient's, and from being perpendicular to each other, in degrees.
MAXIMUM_TURN_DEG, MAXIMUM_SHEAR_DEG = 30.0, 1.0


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume as NIfTI holds it.

    Args:
        voxels: (i, j, k), in HU.
        affine_ras: (4, 4), from voxel to RAS millimetres.
        padding: the lowest and highest value that marks voxels outside of the image, where there are such.
    """

    voxels: NDArray[Any]
    affine_ras: NDArray[np.float64]
    padding: Range | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """An input, float32 (z, y, x), and its mean and standard deviation for the input gate."""

    voxels: Image
    mean: float
    std: float


def read_volume(path: Path, padding: Range | None = None) -> Volume:
    """Read a NIfTI file; `padding` is `padding_range` of the table `volumes`."""
    image = nibabel.load(path)
    return Volume(np.asarray(image.dataobj), np.asarray(image.affine, np.float64), padding)


def along_the_patient(volume: Volume) -> bool:
    """Whether the axes are perpendicular and lean little from the patient's: only then does `prepare` give what it promises."""
    turned, between = lean_deg(volume.affine_ras)
    nearest = np.abs(volume.affine_ras[:3, :3]).argmax(axis=0)
    return np.unique(nearest).size == 3 and turned <= MAXIMUM_TURN_DEG and between <= MAXIMUM_SHEAR_DEG


def prepare(volume: Volume, how: Input) -> Prepared:
    """Prepare a volume.

    Args:
        volume: for which `along_the_patient` holds.
        how: the manifest's input section.

    Returns:
        the input, on a grid along the volume's own axes (an oblique volume is not turned), which covers the same extent. Its axes are
        (z, y, x); z grows in the last direction that `orientation` names, x in the first.
    """
    image, spacing = _oriented(volume, how.orientation)
    if volume.padding is not None:
        low, high = volume.padding
        image[(image >= low) & (image <= high)] = how.padding_hu
    np.maximum(image, np.float32(how.padding_hu), out=image)
    if how.order == "resample_then_window":
        made = window(respace(image, spacing, how.spacing_mm), how.window.center, how.window.width)
    else:
        made = respace(window(image, how.window.center, how.window.width), spacing, how.spacing_mm)
    if how.shape is not None:
        (outside,) = window(np.array([how.padding_hu], np.float32), how.window.center, how.window.width)
        made = fit(made, how.shape, float(outside))
    return Prepared(made, float(made.mean(dtype=np.float64)), float(made.std(dtype=np.float64)))


def window(image: Image, center: float, width: float) -> Image:
    """`center - width/2` becomes 0, `center + width/2` becomes 1; clipped."""
    return windows.apply(image, windows.Window(center, width))


def respace(image: Image, spacing: Triple, wanted: Triple) -> Image:
    """Linear interpolation to a spacing (z, y, x in mm); outer edges stay where they are, beyond the last centre the edge is repeated."""
    if np.allclose(spacing, wanted, rtol=1e-6):
        return image
    depth, height, width = image.shape
    source = Grid((width, height, depth), np.diag([*spacing[::-1], 1.0]))
    z, y, x = wanted
    return np.ascontiguousarray(resample(image.T, source, to_spacing(source, (x, y, z))).T)


def fit(image: Image, shape: tuple[int, int, int], outside: float) -> Image:
    """Evenly crop what is too much and pad what is missing, along each axis; of an odd number the larger part comes last."""
    for axis, wanted in enumerate(shape):
        excess = image.shape[axis] - wanted
        if excess > 0:
            image = np.take(image, range(excess // 2, excess // 2 + wanted), axis)
        elif excess < 0:
            widths = [(0, 0)] * 3
            widths[axis] = (-excess // 2, -excess - -excess // 2)
            image = np.pad(image, widths, constant_values=outside)
    return np.ascontiguousarray(image)


def _oriented(volume: Volume, orientation: str) -> tuple[Image, Triple]:
    """A copy as (z, y, x), its axes growing as `orientation` says, and the spacing in that order."""
    turned = turn(volume.voxels, volume.affine_ras, orientation)
    x, y, z = (float(step) for step in np.linalg.norm(turned.affine_ras[:3, :3], axis=0))
    return np.array(turned.voxels.transpose(2, 1, 0), dtype=np.float32, order="C"), (z, y, x)
