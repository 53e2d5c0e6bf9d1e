"""From a volume to a network's input: orientation, padding, spacing and window, in the order that the manifest names. And back.

Training and inference go through `prepare` and nothing else. The same volume and settings give the same numbers, whatever else runs.
What is done to voxels is in `tasks/imaging`; here is in which order.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from tasks.errors import SafelightError
from tasks.imaging import orientation, windows
from tasks.imaging.extent import fit
from tasks.imaging.grids import Grid, fitted, shape_of, to_spacing
from tasks.imaging.padding import marked
from tasks.imaging.resampling import resample, respace
from tasks.inference.bundle import Input, Range

Image = NDArray[np.float32]

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

    @property
    def grid(self) -> Grid:
        """Where the voxels are."""
        return Grid(shape_of(self.voxels), self.affine_ras)


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
    lean = orientation.lean(volume.grid)
    return lean.shear_deg <= MAXIMUM_SHEAR_DEG and max(lean.angles_deg) <= MAXIMUM_TURN_DEG


def prepare(volume: Volume, how: Input) -> Prepared:
    """Prepare a volume.

    Args:
        volume: for which `along_the_patient` holds.
        how: the manifest's input section.

    Returns:
        the input, on a grid along the volume's own axes (an oblique volume is not turned), which covers the same extent. Its axes are
        (z, y, x); z grows in the last direction that `orientation` names, x in the first.
    """
    turn = orientation.turn_to(volume.grid, how.orientation)
    image = np.array(orientation.apply(volume.voxels, turn).transpose(2, 1, 0), dtype=np.float32, order="C")
    x, y, z = turn.target.spacing_mm
    window = windows.Window(how.window.center, how.window.width)
    if volume.padding is not None:
        image[marked(image, volume.padding)] = how.padding_hu
    np.maximum(image, np.float32(how.padding_hu), out=image)
    if how.order == "resample_then_window":
        made = windows.apply(respace(image, (z, y, x), how.spacing_mm), window)
    else:
        made = respace(windows.apply(image, window), (z, y, x), how.spacing_mm)
    if how.shape is not None:
        (outside,) = windows.apply(np.array([how.padding_hu], np.float32), window)
        made = fit(made, how.shape, float(outside))
    return Prepared(made, float(made.mean(dtype=np.float64)), float(made.std(dtype=np.float64)))


def input_grid(volume: Volume, how: Input) -> Grid:
    """Where the voxels of the prepared input are. Axes (x, y, z): the input's the other way round."""
    z, y, x = how.spacing_mm
    grid = to_spacing(orientation.turn_to(volume.grid, how.orientation).target, (x, y, z))
    return grid if how.shape is None else fitted(grid, (how.shape[2], how.shape[1], how.shape[0]))


def restore(output: NDArray[Any], volume: Volume, how: Input, *, labels: bool = False, outside: float = 0.0) -> NDArray[Any]:
    """A network's output (a mask, a map of probabilities) on the voxels of the volume that its input was prepared from.

    Args:
        output: (z, y, x), one value a voxel of the input.
        volume, how: as given to `prepare`.
        labels: take the nearest voxel's value, of the output's own type; float32 by linear interpolation otherwise.
        outside: what stands where the input did not reach.

    Returns:
        (i, j, k), of the volume's shape.

    Raises:
        SafelightError: E-IMAGING-VOXELS where the output is not of the input's shape.
    """
    grid = input_grid(volume, how)
    if output.shape != grid.shape[::-1]:
        raise SafelightError("E-IMAGING-VOXELS", "another shape than the input's")
    return resample(output.transpose(2, 1, 0), grid, volume.grid, "nearest" if labels else "linear", outside)
