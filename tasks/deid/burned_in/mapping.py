"""Between a picture and a network's map of it: tiles that a network takes one by one, and the map's connected parts as boxes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.deid.burned_in.box import Box

#: Side and overlap of a tile, in pixels of the scaled picture.
_TILE, _OVERLAP = 1024, 96


@dataclass(frozen=True, slots=True)
class Found:
    """A place with text, and how sure the network is of it (0 to 1)."""

    box: Box
    score: float


def tiles(length: int) -> Iterator[slice]:
    """The tiles of a side: as few as there may be, evenly spread, at least 96 pixels in common."""
    count = max(1, -(-(length - _OVERLAP) // (_TILE - _OVERLAP)))
    side = -(-(length + (count - 1) * _OVERLAP) // count)
    for number in range(count):
        start = min(number * (side - _OVERLAP), length - side)
        yield slice(start, start + side)


def parts(chances: NDArray[np.float32], pixel: float) -> Iterator[tuple[tuple[slice, slice], NDArray[np.float32]]]:
    """Rows and columns of each connected part of a map whose pixels are above `pixel`, and its own part of the map, 0 around it."""
    from scipy import ndimage

    labels, _ = ndimage.label(chances > pixel, np.ones((3, 3)))
    for number, part in enumerate(ndimage.find_objects(labels), 1):
        yield part, np.where(labels[part] == number, chances[part], np.float32(0))


def mean(part: NDArray[np.float32]) -> float:
    """The mean of a part of a map, without what is 0 around it."""
    return float(part.sum(dtype=np.float64)) / int(np.count_nonzero(part))


def surest(part: NDArray[np.float32], stretch: float, shortest: int) -> float:
    """The greatest mean of a stretch of a part of a map, along its longer side; across, its greatest value counts.

    Args:
        stretch: how long, in heights of the part.
        shortest: and at least so long, in pixels of the map; all of a part that is shorter.
    """
    along = part.max(0 if part.shape[1] >= part.shape[0] else 1)
    length = min(len(along), max(shortest, int(stretch * min(part.shape))))
    sums = np.cumsum([0.0, *along])
    return float((sums[length:] - sums[:-length]).max()) / length


def box(part: tuple[slice, slice], grow: float, margin: int, scale: tuple[float, float], shape: tuple[int, int]) -> Box:
    """A part of a map as a box of an image.

    Args:
        grow: by so much on each side, in pixels of the map.
        margin: and by so much, in pixels of the image.
        scale: how many pixels of the image one of the map stands for, down and across.
        shape: the image's rows and columns.
    """
    vertical, horizontal = part
    down, across = scale
    return Box(
        int((horizontal.start - grow) * across) - margin,
        int((vertical.start - grow) * down) - margin,
        int(np.ceil((horizontal.stop + grow) * across)) + margin,
        int(np.ceil((vertical.stop + grow) * down)) + margin,
    ).clipped(*shape)


def tiled(
    shape: tuple[int, int], network: Callable[[tuple[slice, slice]], NDArray[np.float32]], step: int = 1
) -> NDArray[np.float32]:
    """A network's map of a whole picture, the greater value where tiles overlap.

    Args:
        shape: the picture's rows and columns.
        network: the map of a tile that is given by its rows and columns; may be larger than the tile.
        step: one pixel of the map stands for so many of the picture along each side.
    """
    chances = np.zeros((-(-shape[0] // step), -(-shape[1] // step)), np.float32)
    for rows in tiles(shape[0]):
        for columns in tiles(shape[1]):
            first = rows.start // step, columns.start // step
            here = chances[first[0] : -(-rows.stop // step), first[1] : -(-columns.stop // step)]
            made = network((slice(first[0] * step, rows.stop), slice(first[1] * step, columns.stop)))
            np.maximum(here, made[: here.shape[0], : here.shape[1]], out=here)
    return chances
