"""An array of another extent: evenly cropped where it is too large, padded where it is too small."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def fit(image: NDArray[Any], shape: Sequence[int], outside: float) -> NDArray[Any]:
    """Evenly crop what is too much and pad what is missing, along each axis; of an odd number the larger part comes last.

    Args:
        image: of as many axes as `shape`, in any order. `grids.fitted` says where the result is.
        shape: wanted.
        outside: what is padded with.

    Returns:
        C-contiguous, of the image's type.
    """
    for axis, wanted in enumerate(shape):
        excess = image.shape[axis] - wanted
        if excess > 0:
            image = np.take(image, range(excess // 2, excess // 2 + wanted), axis)
        elif excess < 0:
            widths = [(0, 0)] * image.ndim
            widths[axis] = (-excess // 2, -excess - -excess // 2)
            image = np.pad(image, widths, constant_values=outside)
    return np.ascontiguousarray(image)
