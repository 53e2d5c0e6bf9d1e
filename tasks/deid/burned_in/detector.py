"""Finds text in a picture, without reading it: the detection network of PP-OCRv4 (differentiable binarization, Liao et al., AAAI 2020).

The weights come with the package `rapidocr-onnxruntime`. Its Python code is not used, so that OpenCV, which needs a library of the desktop,
is never imported; tiling, scaling and the way from the network's map to boxes are here. Nothing is downloaded and nothing is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.deid.burned_in.box import Box
from tasks.errors import SafelightError

_WEIGHTS = "models/ch_PP-OCRv4_det_infer.onnx"
#: Side and overlap of a tile, in pixels of the scaled picture; the side is a multiple of 32, the network's stride.
_TILE, _OVERLAP, _STRIDE = 1024, 96, 32
#: A pixel belongs to text from this probability on (the network's own default).
_PIXEL = 0.3
#: The network marks the core of a line; a box grows by this times area over perimeter (its own default is 1.6), and by a margin.
_UNCLIP, _MARGIN = 2.0, 2
#: From this length of the longer side on, a picture is looked at as it is, and once more small for large letters.
_LARGE = 1152


@dataclass(frozen=True, slots=True)
class Found:
    """A place with text, and the mean probability of its pixels (0 to 1)."""

    box: Box
    score: float


def find(picture: NDArray[np.uint8], threshold: float = 0.5, side: int | None = None) -> tuple[Found, ...]:
    """The places in a picture that show text.

    Args:
        picture: 8-bit grey of shape (rows, columns), or colour of shape (rows, columns, 3), red first.
        threshold: the least mean probability of a place that counts.
        side: the longer side of the image that the picture was cut out of, which tells the scale; the picture's own where nothing is said.

    Raises:
        SafelightError: E-DEID-TEXT-DETECTOR, when the network can't be loaded.
    """
    found: list[Found] = []
    for scale in scales(side or max(picture.shape[:2])):
        chances = _chances(_scaled(picture, scale))
        found += _places(chances, picture.shape[0], picture.shape[1], threshold)
    return tuple(found)


def scales(side: int) -> tuple[float, ...]:
    """At which scales a picture of this longer side is looked at: letters of 7 pixels need to be enlarged, those of 100 reduced."""
    if side <= 320:
        return (3.0,)
    if side <= 680:
        return (2.0,)
    if side <= _LARGE:
        return (1.5,)
    return (1.0, 640 / side)


def _scaled(picture: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    if scale == 1:
        return picture
    from PIL import Image

    rows, columns = picture.shape[:2]
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.BOX))


def _chances(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The probability of text for each pixel, of shape (rows, columns); 0 where a tile is even."""
    chances = np.zeros(picture.shape[:2], np.float32)
    for rows in _tiles(picture.shape[0]):
        for columns in _tiles(picture.shape[1]):
            tile = picture[rows, columns]
            if int(tile.max()) - int(tile.min()) < 2:
                continue
            here = chances[rows, columns]
            np.maximum(here, _network(tile)[: here.shape[0], : here.shape[1]], out=here)
    return chances


def _tiles(length: int) -> Iterator[slice]:
    """The tiles of a side: as few as there may be, evenly spread, at least `_OVERLAP` in common."""
    count = max(1, -(-(length - _OVERLAP) // (_TILE - _OVERLAP)))
    side = -(-(length + (count - 1) * _OVERLAP) // count)
    for number in range(count):
        start = min(number * (side - _OVERLAP), length - side)
        yield slice(start, start + side)


def _network(tile: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The network's map for one tile, edges continued to a multiple of its stride."""
    grown = [(0, -size % _STRIDE) for size in tile.shape[:2]]
    colour = tile if tile.ndim == 3 else tile[..., None]
    planes = np.pad(colour, [*grown, (0, 0)], mode="edge").transpose(2, 0, 1)[::-1].astype(np.float32) / 127.5 - 1
    planes = np.ascontiguousarray(np.broadcast_to(planes, (3, *planes.shape[1:])))[None]
    session = _session()
    result: NDArray[np.float32] = session.run(None, {session.get_inputs()[0].name: planes})[0][0, 0]
    return result


@cache
def _session() -> Any:
    """The network, loaded once a process, on one thread: a night has a worker a core."""
    try:
        import onnxruntime
    except ImportError:
        raise SafelightError("E-DEID-TEXT-DETECTOR", "onnxruntime is not installed") from None
    try:
        where = find_spec("rapidocr_onnxruntime")  # looked for, not imported
        if where is None or not where.submodule_search_locations:
            raise SafelightError("E-DEID-TEXT-DETECTOR", "rapidocr-onnxruntime is not installed")
        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        path = Path(next(iter(where.submodule_search_locations))) / _WEIGHTS
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except (MemoryError, SafelightError):
        raise
    except Exception as error:  # noqa: BLE001 - the runtime's errors have no common class; they name the weights' path, not data
        raise SafelightError("E-DEID-TEXT-DETECTOR", type(error).__name__) from None


def _places(chances: NDArray[np.float32], rows: int, columns: int, threshold: float) -> Iterator[Found]:
    """Connected pixels of the map as boxes of an image of so many rows and columns."""
    from scipy import ndimage

    labels, count = ndimage.label(chances > _PIXEL, np.ones((3, 3)))
    if not count:
        return
    scores = np.atleast_1d(ndimage.mean(chances, labels, np.arange(1, count + 1)))
    down, across = rows / chances.shape[0], columns / chances.shape[1]
    for (vertical, horizontal), score in zip(ndimage.find_objects(labels), scores, strict=True):
        height, width = vertical.stop - vertical.start, horizontal.stop - horizontal.start
        if score < threshold or min(height, width) < 3:
            continue
        grow = height * width * _UNCLIP / (2 * (height + width)) + 1
        box = Box(
            int((horizontal.start - grow) * across) - _MARGIN,
            int((vertical.start - grow) * down) - _MARGIN,
            int(np.ceil((horizontal.stop + grow) * across)) + _MARGIN,
            int(np.ceil((vertical.stop + grow) * down)) + _MARGIN,
        ).clipped(rows, columns)
        if box.area:
            yield Found(box, float(score))
