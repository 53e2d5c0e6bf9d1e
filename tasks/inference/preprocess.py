"""From a volume to a network's input: orientation, padding, spacing and window, in the order that the manifest names. And back.

Training and inference go through `prepare` and nothing else. The same volume and settings give the same numbers, whatever else runs.
What is done to voxels is in `tasks/imaging`; here is in which order, plane by plane, so that beside the volume and the input
little memory is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import SafelightError
from tasks.imaging import orientation
from tasks.imaging.extent import fit
from tasks.imaging.grids import Grid, fitted, to_spacing
from tasks.imaging.resampling import resample
from tasks.imaging.separable import linear, nearest
from tasks.inference.intensity import of_values, of_volume
from tasks.inference.manifest import Input
from tasks.inference.statistics import Statistics, measure
from tasks.inference.volume import Volume, tidy

Image = NDArray[np.float32]

#: The most that a volume's axes may lean from the patient's, and from being perpendicular to each other, in degrees.
MAXIMUM_TURN_DEG, MAXIMUM_SHEAR_DEG = 30.0, 1.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """A network's input.

    Args:
        voxels: float32 (z, y, x).
        outside: the value that stands beyond it.
        statistics: of the voxels.
        source: where the voxels of the volume are.
        grid: where the voxels of the input are, axes (x, y, z): the input's the other way round.
    """

    voxels: Image
    outside: float
    statistics: Statistics
    source: Grid
    grid: Grid


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
        (z, y, x); z grows in the last direction that `orientation` names, x in the first. An edge goes on to the outer edges.
    """
    source, respaced = volume.grid, _respaced(volume.grid, how)
    before = of_volume(volume, how) if how.order == "window_then_resample" else None

    def clean(plane: Image, stored: NDArray[Any]) -> None:
        tidy(plane, stored, volume.padding, how)
        if before is not None:
            before.apply(plane)

    made = linear(volume.voxels, source, respaced, clean)
    after = before or of_values(made, how)
    if before is None:
        after.apply(made)
    outside = np.array([how.padding], np.float32)
    after.apply(outside)
    if how.shape is not None:
        made = fit(made, how.shape, float(outside[0]))
    return Prepared(made, float(outside[0]), measure(made), source, input_grid(source, how))


def input_grid(source: Grid, how: Input) -> Grid:
    """Where the voxels of the input are that is prepared from a volume on a grid. Axes (x, y, z): the input's the other way round."""
    grid = _respaced(source, how)
    return grid if how.shape is None else fitted(grid, (how.shape[2], how.shape[1], how.shape[0]))


def restore(output: NDArray[Any], prepared: Prepared, *, labels: bool = False, outside: float = 0.0) -> NDArray[Any]:
    """A network's output (a mask, a map of probabilities) on the voxels of the volume that its input was prepared from.

    Args:
        output: (z, y, x), one value a voxel of the input.
        prepared: that input.
        labels: take the nearest voxel's value, of the output's own type; float32 by linear interpolation otherwise.
        outside: what stands where the input did not reach.

    Returns:
        (i, j, k), of the volume's shape, the first axis contiguous.

    Raises:
        SafelightError: E-IMAGING-VOXELS where the output is not of the input's shape.
    """
    if output.shape != prepared.grid.shape[::-1]:
        raise SafelightError("E-IMAGING-VOXELS", "another shape than the input's")
    turned = output.transpose(2, 1, 0)
    if not labels:
        return resample(turned, prepared.grid, prepared.source, "linear", outside)
    made = np.empty(prepared.source.shape, output.dtype, order="F")
    for k, plane in enumerate(nearest(turned, prepared.grid, prepared.source, outside)):
        made[:, :, k] = plane
    return made


def _respaced(source: Grid, how: Input) -> Grid:
    turned = orientation.turn_to(source, how.orientation).target
    return turned if how.spacing_mm is None else to_spacing(turned, how.spacing_mm[::-1])
