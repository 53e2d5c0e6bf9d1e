"""Many frames seen at once: the largest and the smallest value of each pixel, and the distance between them. Memory does not grow with frames."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Projection:
    """Takes in frames of one shape, and shows them as a few."""

    def __init__(self) -> None:
        self.count = 0
        self._most: NDArray[Any] = np.empty(0)
        self._least: NDArray[Any] = np.empty(0)
        self._first: NDArray[Any] = np.empty(0)

    def add(self, frame: NDArray[Any]) -> None:
        """Take in one frame."""
        if not self.count:
            self._first, self._most, self._least = frame, frame.copy(), frame.copy()
        else:
            np.maximum(self._most, frame, out=self._most)
            np.minimum(self._least, frame, out=self._least)
        self.count += 1

    def views(self, *, with_first: bool) -> dict[str, NDArray[Any]]:
        """Maximum, minimum and spread by name, and the first frame where it is asked for; one frame is its own only view."""
        if self.count == 1:
            return {"frame": self._first}
        wide = np.float32 if self._most.dtype.kind == "f" else np.int64
        views = {"maximum": self._most, "minimum": self._least, "spread": self._most.astype(wide) - self._least.astype(wide)}
        return {**views, "first": self._first} if with_first else views
