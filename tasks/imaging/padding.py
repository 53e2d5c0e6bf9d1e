"""Values that mark the outside of an image. They are no measurement: they must be replaced before anything is interpolated."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: The lowest and highest value of a range, both inclusive.
Range = tuple[float, float]


def marked(values: NDArray[Any], padding: Range | None) -> NDArray[np.bool_]:
    """Where values are padding: within `padding`, which is `padding_range` of the table `volumes`; nowhere without one."""
    if padding is None:
        return np.zeros(values.shape, np.bool_)
    low, high = padding
    return np.asarray((values >= low) & (values <= high), np.bool_)
