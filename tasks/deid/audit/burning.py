"""Burns markers into the pixels of copies, as scanners and screens do, and looks afterwards whether they can still be read.

Only native pixel data of 8 or 16 bits are burned into: to compress an image anew would change more of it than the text. The font is DejaVu Sans,
which matplotlib brings.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset
from pydicom.dataset import FileDataset

from tasks.deid.audit.markers import Marker, Mint

#: A text counts as gone when at most this share of its own pixels still has the value with which it was written.
MOST_LEFT = 0.05
#: Heights of the font in pixels, from the smallest that can be read.
SIZES = (10, 12, 14, 16, 20, 24)
LINES = 3
_SMALLEST_IMAGE = 96
_MARGIN = 4


@dataclass(frozen=True)
class Burned:
    """A text in the pixels: the marker, and where its own pixels are in the flat array of samples, with the value written there."""

    marker: Marker = field(repr=False)
    at: NDArray[np.int64] = field(repr=False)
    value: int


def can_burn(dataset: Dataset) -> bool:
    """Whether the pixel data are native, of 8 or 16 bits, in one or three channels side by side, and large enough for a line of text."""
    syntax = dataset.file_meta.TransferSyntaxUID
    return (
        "PixelData" in dataset
        and not syntax.is_compressed
        and syntax.is_little_endian
        and _number(dataset, "BitsAllocated") in (8, 16)
        and _number(dataset, "SamplesPerPixel") in (1, 3)
        and _number(dataset, "PlanarConfiguration") == 0
        and min(_number(dataset, "Rows"), _number(dataset, "Columns")) >= _SMALLEST_IMAGE
        and len(dataset.PixelData) >= _samples(dataset) * _number(dataset, "BitsAllocated") // 8
    )


def burn(dataset: FileDataset, mint: Mint, dice: random.Random) -> list[Burned]:
    """Write up to `LINES` lines of a name and a number into one frame, in place, and say where.

    Each stands in a band of its own, at a place and in a size that are drawn, nearly as bright as the brightest pixel of the frame or nearly
    as dark as the darkest, whichever differs more from what is below: a box that is filled with an extreme value is told from the text.

    Args:
        dataset: an instance for which `can_burn` holds.
    """
    rows, columns, channels = (_number(dataset, name) for name in ("Rows", "Columns", "SamplesPerPixel"))
    frames = _number(dataset, "NumberOfFrames") or 1
    samples = _array(dataset).copy()
    frame = dice.randrange(frames)
    start = frame * rows * columns * channels
    image = samples[start : start + rows * columns * channels].reshape(rows, columns, channels)
    lowest, highest = int(image.min()), int(image.max())
    if highest - lowest < 64:  # a flat image: write as bright as its stored bits allow
        highest = _ceiling(dataset)
    inside = max(1, (highest - lowest) // 16)
    burned = []
    band = rows // LINES
    for line in range(LINES):
        marker = mint.spoken("name" if line == 0 else dice.choice(("name", "id", "number")))
        mask = _fitting(marker.value, dice.choice(SIZES), band - 2 * _MARGIN, columns - 2 * _MARGIN)
        height, width = mask.shape
        top = line * band + dice.randrange(_MARGIN, max(_MARGIN + 1, band - height - _MARGIN + 1))
        left = dice.randrange(_MARGIN, max(_MARGIN + 1, columns - width - _MARGIN + 1))
        below = float(image[top : top + height, left : left + width].mean())
        value = highest - inside if highest - below >= below - lowest else lowest + inside
        y, x = np.nonzero(mask)
        flat = ((top + y) * columns + left + x)[:, None] * channels + np.arange(channels)
        samples[start + flat.ravel()] = value
        burned.append(Burned(marker, start + flat.ravel().astype(np.int64), value))
    dataset["PixelData"].value = samples.tobytes() + dataset.PixelData[samples.nbytes :]
    return burned


def is_left(burned: Burned, released: FileDataset, original: FileDataset) -> bool:
    """Whether a burned text can still be read in a released image.

    Args:
        released: the image as it would be released. Where its samples are not laid out as the copy's were, the text counts as left:
            it cannot be shown that it is gone.
        original: the copy.
    """
    layout = (
        "Rows",
        "Columns",
        "SamplesPerPixel",
        "BitsAllocated",
        "PixelRepresentation",
        "PlanarConfiguration",
        "NumberOfFrames",
    )
    if released.file_meta.TransferSyntaxUID.is_compressed or any(
        _number(released, name) != _number(original, name) for name in layout
    ):
        return True
    samples = _array(released)
    return bool(np.mean(samples[burned.at] == burned.value) > MOST_LEFT)


def _array(dataset: Dataset) -> NDArray[Any]:
    """The samples as a flat array, in the order in which they are stored: frame, row, column, channel."""
    signed = _number(dataset, "PixelRepresentation") == 1
    kind = {8: "i1" if signed else "u1", 16: "<i2" if signed else "<u2"}[_number(dataset, "BitsAllocated")]
    return np.frombuffer(dataset.PixelData, dtype=kind, count=_samples(dataset))


def _samples(dataset: Dataset) -> int:
    frames = _number(dataset, "NumberOfFrames") or 1
    return _number(dataset, "Rows") * _number(dataset, "Columns") * _number(dataset, "SamplesPerPixel") * frames


def _ceiling(dataset: Dataset) -> int:
    bits = _number(dataset, "BitsStored") or _number(dataset, "BitsAllocated")
    return int(2 ** (bits - (1 if _number(dataset, "PixelRepresentation") == 1 else 0)) - 1)


def _number(dataset: Dataset, keyword: str) -> int:
    """An attribute as a whole number; 0 where it is not there, or no number."""
    try:
        return int(dataset.get(keyword) or 0)
    except (TypeError, ValueError):
        return 0


def _fitting(text: str, size: int, height: int, width: int) -> NDArray[np.bool_]:
    """A text as a mask (rows, columns), in the largest font up to `size` in which it fits; what still sticks out is cut off."""
    mask = _drawn(text, size)
    while (mask.shape[0] > height or mask.shape[1] > width) and size > SIZES[0]:
        size -= 1
        mask = _drawn(text, size)
    return mask[:height, :width]


def _drawn(text: str, size: int) -> NDArray[np.bool_]:
    font = _font(size)
    left, top, right, bottom = (int(edge) for edge in font.getbbox(text))
    canvas = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(canvas).text((-left, -top), text, fill=255, font=font)
    return np.asarray(canvas) > 96


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)
