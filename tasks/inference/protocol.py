"""What a model is to the rest: three steps, of which the middle one alone needs the device.

`prepare` and `finish` of some studies run beside `infer` of another. A model that brings its own way (nnU-Net, say) is a class with these
three methods and a class method `open`; its manifest names it as `weights.reader`, with `format: package`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from tasks.inference.bundle import Bundle
from tasks.inference.execution import Execution
from tasks.inference.preprocess import Prepared
from tasks.inference.volume import Volume

Labels = NDArray[np.uint8]
Edges = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A box in the input: edges (z, y, x) in voxels, voxel n reaching from n to n + 1."""

    finding: str
    score: float
    start: Edges
    stop: Edges


@dataclass(frozen=True, slots=True)
class Found:
    """What a network gave, on the input's voxels.

    Args:
        scores: by finding, 0 to 1; none for a segmentation.
        boxes: of a detection.
        labels: (z, y, x) of a segmentation: `Manifest.label_of` each finding, else 0.
    """

    scores: Mapping[str, float]
    boxes: tuple[Box, ...] = ()
    labels: Labels | None = None


@dataclass(frozen=True, slots=True)
class PlacedBox:
    """A box in the volume: its first voxel (i, j, k), and the first beyond it."""

    finding: str
    score: float
    start: tuple[int, int, int]
    stop: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model says of a volume, on the volume's voxels; labels are (i, j, k), of the volume's shape."""

    scores: Mapping[str, float]
    boxes: tuple[PlacedBox, ...] = ()
    labels: Labels | None = None


class Reader(Protocol):
    """One model version, opened. Its methods may be called from several threads, `infer` from one at a time."""

    @classmethod
    def open(cls, bundle: Bundle, how: Execution) -> Self:
        """Open a checked bundle; raise ConfigurationError where it cannot be run so."""
        ...

    def prepare(self, volume: Volume) -> Prepared:
        """The input; the volume is not needed afterwards."""
        ...

    def infer(self, prepared: Prepared) -> Found:
        """What the network gives; the same bits for the same input each time."""
        ...

    def finish(self, found: Found, prepared: Prepared) -> Reading:
        """That, on the volume's voxels."""
        ...


def as_labels(values: Any) -> Labels:
    """Label numbers as they are kept."""
    return np.ascontiguousarray(values, np.uint8)
