"""From a volume to a network's input: orientation, padding, spacing and window, in the order that the manifest names.

Training and inference go through `prepare` and nothing else. The same volume and settings give the same numbers, whatever else runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import SimpleITK
from numpy.typing import NDArray

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
    directions = volume.affine_ras[:3, :3] / np.linalg.norm(volume.affine_ras[:3, :3], axis=0)
    between = np.abs(directions.T @ directions - np.eye(3)).max()
    nearest = np.abs(directions).max(axis=0)
    turned = np.unique(np.abs(directions).argmax(axis=0)).size < 3 or nearest.min() < np.cos(np.radians(MAXIMUM_TURN_DEG))
    return bool(between <= np.sin(np.radians(MAXIMUM_SHEAR_DEG)) and not turned)


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
        made = window(resample(image, spacing, how.spacing_mm), how.window.center, how.window.width)
    else:
        made = resample(window(image, how.window.center, how.window.width), spacing, how.spacing_mm)
    if how.shape is not None:
        (outside,) = window(np.array([how.padding_hu], np.float32), how.window.center, how.window.width)
        made = fit(made, how.shape, float(outside))
    return Prepared(made, float(made.mean(dtype=np.float64)), float(made.std(dtype=np.float64)))


def window(image: Image, center: float, width: float) -> Image:
    """`center - width/2` becomes 0, `center + width/2` becomes 1; clipped."""
    return np.asarray(np.clip((image - np.float32(center - width / 2)) / np.float32(width), 0, 1), np.float32)


def resample(image: Image, spacing: Triple, wanted: Triple) -> Image:
    """Linear interpolation to a spacing (z, y, x in mm); outer edges stay where they are, beyond the last centre the edge is repeated."""
    if np.allclose(spacing, wanted, rtol=1e-6):
        return image
    itk: Any = SimpleITK
    old = itk.GetImageFromArray(image)
    old.SetSpacing(spacing[::-1])
    size = [max(1, round(n * have / want)) for n, have, want in zip(image.shape, spacing, wanted, strict=True)]
    grid = itk.ResampleImageFilter()
    grid.SetSize(size[::-1])
    grid.SetOutputSpacing(wanted[::-1])
    grid.SetOutputOrigin([(want - have) / 2 for want, have in zip(wanted[::-1], spacing[::-1], strict=True)])
    grid.SetInterpolator(itk.sitkLinear)
    grid.SetUseNearestNeighborExtrapolator(True)
    return np.asarray(itk.GetArrayFromImage(grid.Execute(old)), np.float32)


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
    current = nibabel.orientations.io_orientation(volume.affine_ras)
    turn = nibabel.orientations.ornt_transform(current, nibabel.orientations.axcodes2ornt(tuple(orientation)))
    turned = nibabel.orientations.apply_orientation(volume.voxels, turn)
    lengths = np.linalg.norm(volume.affine_ras[:3, :3], axis=0)
    spacing = [0.0, 0.0, 0.0]
    for old, (new, _) in enumerate(turn):
        spacing[int(new)] = float(lengths[old])
    image = np.array(turned.transpose(2, 1, 0), dtype=np.float32, order="C")
    return image, (spacing[2], spacing[1], spacing[0])
