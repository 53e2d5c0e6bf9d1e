"""A frame as a picture in which dim letters stand out as much as bright ones: each value against the mean and the spread of its neighbourhood.

The transform is that of adaptive thresholds for print (W. Niblack, An Introduction to Digital Image Processing, 1986): value minus local mean,
over local standard deviation; here with a floor under the latter, so that noise stays weaker than letters.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Side of the neighbourhood, in pixels: it holds strokes and ground of letters of 7 to 24 pixels.
_SIDE = 25
#: So many standard deviations lie between the middle grey and white.
_REACH = 3.0
#: The floor under the local standard deviation: so many times the frame's noise, and at least this part of its range.
_NOISES, _LEAST = 4.0, 0.01


def local(frame: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """A frame in 8 bits around a middle grey of 128, brightness of the ground taken away.

    Args:
        frame: values of shape (rows, columns); no NaN.
        low: the values that count begin here; hot pixels lie outside.
        high: and end here.
    """
    from scipy import ndimage

    values = np.clip(np.asarray(frame, np.float32), low, high)
    above = values - ndimage.uniform_filter(values, _SIDE)
    spread = np.sqrt(np.maximum(ndimage.uniform_filter(above * above, _SIDE), 0))
    floor = max(_NOISES * noise(values), _LEAST * (high - low), 1e-6)
    return np.asarray((128 + (above / np.maximum(spread, floor) * (127 / _REACH)).clip(-127, 127)).astype(np.uint8))


def noise(values: NDArray[np.float32]) -> float:
    """The standard deviation of the noise, from the median distance of a value from the mean of the 5 by 5 around it."""
    from scipy import ndimage

    thinned = np.abs(values - ndimage.uniform_filter(values, 5))[::2, ::2]
    return 1.4826 * float(np.median(thinned))  # a normal distribution's standard deviation over its median deviation
