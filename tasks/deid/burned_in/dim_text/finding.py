"""Asks the network: the lines of a picture as boxes. It needs onnxruntime, not torch."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import as_file, files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.deid.burned_in import mapping, session
from tasks.deid.burned_in.dim_text.planes import planes
from tasks.deid.burned_in.mapping import Found

_WEIGHTS = "text/dim_text.onnx"
#: The picture is looked at as it is, reduced by two for letters of 24 pixels and more, and a large one by four.
_REDUCED = {1: 0, 2: 2, 4: 1153}
#: One pixel of the map stands for two by two; sides of what the network takes are multiples of 8.
_STEP, _STRIDE = 2, 8
#: A pixel belongs to a line from this probability on.
_PIXEL = 0.3
#: A line is as sure as the surest stretch of it, of so many heights and at least so many pixels of the map: where it crosses an edge or lies on
#: speckle, the rest of it is less so.
_STRETCH = 2.5, 4
#: A line is so long at least, in pixels: letters of 7 pixels are some 5 wide, and three make a line.
_SHORTEST = 12
#: A box grows by so many pixels: the map is coarse, and lines were drawn for training to the last pixel of their letters.
_MARGIN = 3
#: And by so many times its height at both ends: letters at an end may lie on ground that drowns them.
_ENDS = 1.0


def find(picture: NDArray[Any], threshold: float) -> tuple[Found, ...]:
    """The lines of text in a picture, of letters up to some 60 pixels, twice as large in pictures of more than 1152 pixels.

    Args:
        picture: values of any range, (rows, columns) or (rows, columns, 3): colours, or maximum, minimum and spread of many frames.
        threshold: the least probability of a line, the mean of its surest stretch.

    Raises:
        SafelightError: E-DEID-TEXT-DETECTOR, when the network can't be loaded.
    """
    shape = picture.shape[0], picture.shape[1]
    steps = (by for by, least in _REDUCED.items() if max(shape) >= least and min(shape) >= by)
    return tuple(found for by in steps for found in _found(_reduced(picture, by), threshold, by, shape))


def _found(picture: NDArray[Any], threshold: float, by: int, shape: tuple[int, int]) -> Iterator[Found]:
    """The lines of a reduced picture, as boxes of the whole one; of large letters only those that run across: ribs stand one above the other."""
    shown = planes(picture)
    chances = mapping.tiled((shown.shape[1], shown.shape[2]), lambda part: _chances(shown[:, part[0], part[1]]), _STEP)
    for part, inside in mapping.parts(chances, _PIXEL):
        height, width = (_STEP * size for size in inside.shape)
        score = mapping.surest(inside, *_STRETCH)
        if score < threshold or max(height, width) < _SHORTEST or (by > 1 and height > width):
            continue
        yield Found(mapping.box(part, 0, _MARGIN, (_STEP * by, _STEP * by), shape).longer(_ENDS).clipped(*shape), score)


def _reduced(picture: NDArray[Any], by: int) -> NDArray[Any]:
    """The means of so many by so many pixels; rows and columns that are left over are left out."""
    if by == 1:
        return picture
    rows, columns = (size // by * by for size in picture.shape[:2])
    parts = picture[:rows, :columns].astype(np.float32)
    return np.asarray(parts.reshape(rows // by, by, columns // by, by, *picture.shape[2:]).mean((1, 3)))


def _chances(shown: NDArray[np.int8]) -> NDArray[np.float32]:
    """The probability of a line, at half the size."""
    grown = [(0, 0), *((0, -size % _STRIDE) for size in shown.shape[1:])]
    network = _session()
    logits: NDArray[np.float32] = network.run(None, {"shown": np.pad(shown, grown, mode="edge").astype(np.float32)[None]})[0][
        0, 0
    ]
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


@cache
def _session() -> Any:
    """The network, loaded once a process."""
    with as_file(files("configs") / _WEIGHTS) as weights:
        return session.opened(weights)
