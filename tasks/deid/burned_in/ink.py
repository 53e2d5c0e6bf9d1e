"""Whether what is found in whole numbers is more than the steps of a smooth shade: each step has an edge, and edges look like strokes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.deid.burned_in.box import Box

#: Strokes differ from the 3 by 3 pixels around them by two steps at least, or by this part of the range: a picture may have few levels at all.
_STEPS, _PART, _AROUND = 2.0, 1 / 64, 3
_PERCENTILES = (1, 99)


def is_ink(frame: NDArray[Any], box: Box) -> bool:
    """Whether pixels in a box differ from their neighbours by more than one step of the values, in one of the colours.

    Args:
        frame: (rows, columns) or (rows, columns, 3). Of fractions all are ink: they have no steps.
    """
    if frame.dtype.kind not in "iu":
        return True
    from scipy import ndimage

    colours = frame if frame.ndim == 3 else frame[..., None]
    for colour in range(colours.shape[2]):
        here = np.asarray(colours[(*box.slices(), colour)], np.float32)
        low, high = np.percentile(here - ndimage.uniform_filter(here, _AROUND), _PERCENTILES)
        if high - low >= min(_STEPS, _PART * float(np.ptp(colours[..., colour].astype(np.float32)))):
            return True
    return False
