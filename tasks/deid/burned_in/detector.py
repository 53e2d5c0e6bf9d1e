"""Finds text in a picture, without reading it: the detection network of PP-OCRv4 (differentiable binarization, Liao et al., AAAI 2020).

The weights come with the package `rapidocr-onnxruntime`. Its Python code is not used, so that OpenCV, which needs a library of the desktop,
is never imported; tiling, scaling and the way from the network's map to boxes are here.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.deid.burned_in import mapping, session
from tasks.deid.burned_in.mapping import Found
from tasks.errors import SafelightError

_WEIGHTS = "models/ch_PP-OCRv4_det_infer.onnx"
#: Sides of a tile are grown to a multiple of this.
_STRIDE = 32
#: A pixel belongs to text from this probability on (the network's own default).
_PIXEL = 0.3
#: The network marks the core of a line; a box grows by this times area over perimeter (its own default is 1.6), and by a margin.
_UNCLIP, _MARGIN = 2.0, 2
#: From this length of the longer side on, a picture is looked at as it is, and once more small for large letters.
_LARGE = 1152


def find(picture: NDArray[np.uint8], threshold: float = 0.5, side: int | None = None, enlarged: bool = True) -> tuple[Found, ...]:
    """The places in a picture that show text.

    Args:
        picture: 8-bit grey of shape (rows, columns), or colour of shape (rows, columns, 3), red first.
        threshold: the least mean probability of a place that counts.
        side: the longer side of the image that the picture was cut out of, which tells the scale; the picture's own where nothing is said.
        enlarged: pictures of 321 to 1152 pixels are enlarged for letters of 7 pixels; smaller ones always are.

    Raises:
        SafelightError: E-DEID-TEXT-DETECTOR, when the network can't be loaded.
    """
    shape = picture.shape[0], picture.shape[1]
    found: list[Found] = []
    for scale in scales(side or max(shape), enlarged):
        scaled = _scaled(picture, scale)
        chances = mapping.tiled(scaled.shape[:2], lambda part, shown=scaled: _chances(shown[part]))  # type: ignore[misc]
        ratio = shape[0] / chances.shape[0], shape[1] / chances.shape[1]
        for part, inside in mapping.parts(chances, _PIXEL):
            height, width = inside.shape
            score = mapping.mean(inside)
            if score < threshold or min(height, width) < 3:
                continue
            grow = height * width * _UNCLIP / (2 * (height + width)) + 1
            box = mapping.box(part, grow, _MARGIN, ratio, shape)
            if box.area:
                found.append(Found(box, score))
    return tuple(found)


def scales(side: int, enlarged: bool) -> tuple[float, ...]:
    """At which scales a picture of this longer side is looked at: letters of 7 pixels need to be enlarged, those of 100 reduced."""
    if side > _LARGE:
        return (1.0, 640 / side)
    if side <= 320:
        return (3.0,)
    return ((2.0 if side <= 680 else 1.5) if enlarged else 1.0,)


def _scaled(picture: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    if scale == 1:
        return picture
    from PIL import Image

    rows, columns = picture.shape[:2]
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.BOX))


def _chances(tile: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The network's map for one tile, edges continued to a multiple of its stride; 0 where the tile is even."""
    if int(tile.max()) - int(tile.min()) < 2:
        return np.zeros(tile.shape[:2], np.float32)
    grown = [(0, -size % _STRIDE) for size in tile.shape[:2]]
    colour = tile if tile.ndim == 3 else tile[..., None]
    planes = np.pad(colour, [*grown, (0, 0)], mode="edge").transpose(2, 0, 1)[::-1].astype(np.float32) / 127.5 - 1
    planes = np.ascontiguousarray(np.broadcast_to(planes, (3, *planes.shape[1:])))[None]
    network = _session()
    result: NDArray[np.float32] = network.run(None, {network.get_inputs()[0].name: planes})[0][0, 0]
    return result


@cache
def _session() -> Any:
    """The network, loaded once a process."""
    where = find_spec("rapidocr_onnxruntime")  # looked for, not imported
    if where is None or not where.submodule_search_locations:
        raise SafelightError("E-DEID-TEXT-DETECTOR", "rapidocr-onnxruntime is not installed")
    return session.opened(Path(next(iter(where.submodule_search_locations))) / _WEIGHTS)
