"""What the network is shown of a picture: each of its planes twice, against a wide and against a narrow neighbourhood, in units of its noise.

Ground of any brightness becomes 0. The wide one (25 pixels) holds strokes and ground of letters of 7 to 24 pixels; the narrow one (7 pixels) keeps
strokes that cross the bright rim of an organ, where the wide one's spread drowns them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Sides of the two neighbourhoods, in pixels.
WIDE, NARROW = 25, 7
#: The wide one's floor under the spread, in noises; so many spreads are its whole scale.
_NOISES, _REACH = 3.0, 3.0
#: The noise is at least this part of the range: one step of 8 bits, so that the steps of a smooth shade are no strokes.
_LEAST = 0.004
#: So many noises are where the narrow one begins to bend, and where it ends.
_BEND, _END = 3.0, 60.0
_PERCENTILES = (0.1, 99.9)
#: Channels of one picture: three planes, two neighbourhoods.
CHANNELS = 6


def planes(picture: NDArray[Any]) -> NDArray[np.int8]:
    """The network's input, of shape (6, rows, columns): wide and narrow of the first plane, then of the second and third.

    Args:
        picture: values of any range, (rows, columns), or (rows, columns, 3): colours, or maximum, minimum and spread of many frames. Not-a-numbers
            are black.
    """
    values = np.nan_to_num(np.asarray(picture, np.float32), posinf=0.0, neginf=0.0)
    if values.ndim == 2:
        return np.tile(_pair(values), (3, 1, 1))
    return np.concatenate([_pair(np.ascontiguousarray(values[..., plane])) for plane in range(3)])


def _pair(values: NDArray[np.float32]) -> NDArray[np.int8]:
    from scipy import ndimage

    thinned = values[:: max(1, values.shape[0] // 512), :: max(1, values.shape[1] // 512)]
    low, high = (float(each) for each in np.percentile(thinned, _PERCENTILES))
    if high <= low:  # nearly all of it is even: the little that is not is all there is to see
        low, high = float(values.min()), float(values.max())
    values = np.clip(values, low, high)
    narrow = values - ndimage.uniform_filter(values, NARROW)
    # A normal distribution's standard deviation over its median deviation.
    noise = max(1.4826 * float(np.median(np.abs(narrow[::2, ::2]))), _LEAST * (high - low), 1e-6)
    wide = values - ndimage.uniform_filter(values, WIDE)
    spread = np.sqrt(np.maximum(ndimage.uniform_filter(wide * wide, WIDE), 0))
    wide /= np.maximum(spread, _NOISES * noise)
    bent = np.arcsinh(narrow * (1 / (_BEND * noise))) * (127 / np.arcsinh(_END / _BEND))
    return np.stack([(wide * (127 / _REACH)).clip(-127, 127), bent.clip(-127, 127)]).astype(np.int8)
