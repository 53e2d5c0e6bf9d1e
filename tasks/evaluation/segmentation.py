"""One mask against another: overlap, distances of their surfaces, and volumes.

Sources: Dice, Ecology 1945;26:297; Huttenlocher et al., IEEE PAMI 1993;15:850 (Hausdorff); Nikolov et al., J Med Internet Res
2021;23:e26151 (surface Dice). Distances are scipy's exact Euclidean distance transform.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan, prod

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage


@dataclass(frozen=True)
class Overlap:
    """How two masks agree. Distances in mm, volumes in mm³; NaN where a mask is empty (`dice` of two empty masks is NaN, too).

    Args:
        mean_distance: mean over both surfaces' voxels of the distance to the other surface.
        hausdorff, hausdorff_95: the greater of the two directed maxima, and of the two directed 95th percentiles.
        surface_dice: share of both surfaces' voxels that are no farther from the other surface than the tolerance.
    """

    dice: float
    mean_distance: float
    hausdorff: float
    hausdorff_95: float
    surface_dice: float
    volume: float
    reference_volume: float


def overlap(mask: ArrayLike, reference: ArrayLike, spacing: Sequence[float], *, tolerance: float = 1.0) -> Overlap:
    """Compare a mask with its reference.

    A surface voxel is one of the mask with a neighbour (by a face) outside of it; what lies at the edge of the grid is surface, too.

    Args:
        mask, reference: bool of the same shape, two or three axes.
        spacing: of the voxels in mm, one number an axis.
        tolerance: of the surface Dice, in mm.

    Raises:
        ValueError: shapes differ, values other than 0 and 1, or a spacing that does not fit.
    """
    one, other = _mask(mask), _mask(reference)
    if one.shape != other.shape or len(spacing) != one.ndim or not all(step > 0 for step in spacing):
        raise ValueError("both masks must have the same shape, and spacing a positive number for each axis")
    voxel = prod(spacing)
    sizes = int(one.sum()), int(other.sum())
    volumes = {"volume": sizes[0] * voxel, "reference_volume": sizes[1] * voxel}
    dice = 2.0 * int((one & other).sum()) / sum(sizes) if sum(sizes) else nan
    if not all(sizes):
        return Overlap(dice=dice, mean_distance=nan, hausdorff=nan, hausdorff_95=nan, surface_dice=nan, **volumes)
    # All that matters lies within the box of both.
    box = ndimage.find_objects((one | other).astype(np.int8))[0]
    surfaces = [_surface(each[box]) for each in (one, other)]
    directed = [ndimage.distance_transform_edt(~there, sampling=spacing)[here] for here, there in (surfaces, surfaces[::-1])]
    both = np.concatenate(directed)
    return Overlap(
        dice=dice, mean_distance=float(both.mean()), hausdorff=float(both.max()),
        hausdorff_95=float(max(np.percentile(each, 95) for each in directed)), surface_dice=float(np.mean(both <= tolerance)), **volumes,
    )  # fmt: skip


def _mask(values: ArrayLike) -> NDArray[np.bool_]:
    given = np.asarray(values)
    if given.dtype != np.bool_ and not np.isin(given, (0, 1)).all():
        raise ValueError("a mask must hold 0 and 1 alone")
    return given.astype(np.bool_)


def _surface(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(mask & ~ndimage.binary_erosion(mask, border_value=0))
