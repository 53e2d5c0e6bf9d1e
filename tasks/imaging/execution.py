"""The only caller of ITK's resampling: one image in memory onto one raster. Reads no geometry but what it is given.

ITK (through SimpleITK) computes in float64 and gives the same bits in any number of threads: along a row, places lie between those of the
row's ends, whatever part of the image a thread has.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from tasks.imaging.grids import Triple

Interpolation = Literal["nearest", "linear", "bspline"]

_INTERPOLATORS = {"nearest": "sitkNearestNeighbor", "linear": "sitkLinear", "bspline": "sitkBSpline3"}


def execute(
    image: NDArray[Any],
    size: tuple[int, int, int],
    *,
    interpolation: Interpolation,
    outside: float = 0.0,
    extend: bool = False,
    indices: NDArray[np.float64] | None = None,
    spacing: tuple[Triple, Triple, Triple] | None = None,
) -> NDArray[Any]:
    """Resample an image.

    Args:
        image: (z, y, x), C-contiguous; a number type that ITK has.
        size: of the result, (x, y, z).
        interpolation: which; `bspline` is cubic, with mirrored ends.
        outside: what is given beyond the image's outer edges. Between these and the outermost centres the edge is repeated.
        extend: give the nearest voxel there instead of `outside`.
        indices: (4, 4), voxel (x, y, z) of the result → place in the image, in voxels.
        spacing: or, for parallel rasters: spacing of the image, spacing of the result, and where its first centre is from the image's
            first, each (x, y, z) in one unit of length.

    Returns:
        (z, y, x), of the image's type; it belongs to nobody else.
    """
    itk: Any = SimpleITK
    old = itk.GetImageFromArray(image)
    grid = itk.ResampleImageFilter()
    grid.SetSize(size)
    if spacing is not None:
        old.SetSpacing(spacing[0])
        grid.SetOutputSpacing(spacing[1])
        grid.SetOutputOrigin(spacing[2])
    if indices is not None:
        transform = itk.AffineTransform(3)
        transform.SetMatrix(indices[:3, :3].ravel().tolist())
        transform.SetTranslation(indices[:3, 3].tolist())
        grid.SetTransform(transform)
    grid.SetInterpolator(getattr(itk, _INTERPOLATORS[interpolation]))
    grid.SetDefaultPixelValue(outside)
    grid.SetUseNearestNeighborExtrapolator(extend)
    made: NDArray[Any] = itk.GetArrayFromImage(grid.Execute(old))
    return made
