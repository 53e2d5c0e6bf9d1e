"""Tells lines of letters from what the network takes for one: a body is one large letter to it, a vessel a small one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tasks.deid.burned_in.box import Box
from tasks.deid.burned_in.detector import find

#: The tallest line, in pixels, and as a part of the picture's shorter side: letters of 24 pixels give a box of some 40.
_TALLEST, _TALLEST_PART = 48, 0.1
#: A line of three or four letters crosses from dark to bright and back at least so often; an organ, a vessel or a marker does less.
_CROSSINGS = 8


def lines(picture: NDArray[np.uint8], threshold: float) -> tuple[Box, ...]:
    """The boxes of a picture that hold a line of letters.

    Args:
        picture: 8 bits, (rows, columns) or (rows, columns, 3).
        threshold: the least mean probability of text.

    Raises:
        SafelightError: E-DEID-TEXT-DETECTOR.
    """
    tallest = max(_TALLEST, _TALLEST_PART * min(picture.shape[:2]))
    found = []
    for each in find(picture, threshold):
        box = each.box
        if min(box.right - box.left, box.bottom - box.top) <= tallest and crossings(picture[box.slices()]) >= _CROSSINGS:
            found.append(_with_ends(box).clipped(*picture.shape[:2]))
    return tuple(found)


def _with_ends(box: Box) -> Box:
    """The box, longer by half its height at both ends: letters at an end may lie on ground that drowns them for the network."""
    width, height = box.right - box.left, box.bottom - box.top
    if width >= height:
        return Box(box.left - height // 2, box.top, box.right + height // 2, box.bottom)
    return Box(box.left, box.top - width // 2, box.right, box.bottom + width // 2)


def crossings(crop: NDArray[np.uint8]) -> int:
    """How often a line through a crop changes between dark and bright strokes: of the lines along its long side, the ninth of ten.

    The mean of a neighbourhood as long as the crop is high is taken away first, so that letters count on ground of any brightness. A change
    counts from an eighth of the range below nothing to an eighth above, so that noise on an even ground is none.
    """
    planes = crop if crop.ndim == 3 else crop[..., None]
    return max(_crossings(planes[..., plane].astype(np.float32)) for plane in range(planes.shape[2]))


def _crossings(crop: NDArray[np.float32]) -> int:
    from scipy import ndimage

    rows = crop if crop.shape[1] >= crop.shape[0] else crop.T
    strokes = rows - ndimage.uniform_filter1d(rows, max(5, rows.shape[0]), axis=1)
    low, high = np.percentile(strokes, (2, 98))
    if high - low < 3:
        return 0
    eighth = (high - low) / 8
    counts = []
    for row in strokes:
        state = np.sign(row[np.abs(row) > eighth])
        counts.append(int(np.count_nonzero(np.diff(state))))
    return int(np.percentile(counts, 90))
