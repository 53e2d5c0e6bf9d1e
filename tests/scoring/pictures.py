"""Frames of synthetic anatomy, with or without burned-in text, and the two facts about them that can be checked without the code under test.

What must stay is a digest of a region. What must be hidden is kept as a pattern, glyph by glyph: as long as the pixels of a glyph stand out from
those around it, somebody can read it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

FONT = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
#: A glyph is hidden when its pixels stand out by less than this share of what they did.
READABLE = 0.1
Frame = NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Glyph:
    """A letter that was drawn: its box (left, top, right, bottom; half-open), its pixels in it, and by how much they stood out."""

    box: tuple[int, int, int, int]
    mask: NDArray[np.bool_]
    contrast: float


def anatomy(rows: int, columns: int, low: int, high: int, seed: int) -> NDArray[np.int64]:
    """A frame, shape (rows, columns), of an ellipse with two darker ones in it and noise: black towards the edges, where consoles print."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[0:rows, 0:columns].astype(float)
    y, x = (y - rows * 0.55) / rows, (x - columns / 2) / columns
    body = (x / 0.36) ** 2 + (y / 0.28) ** 2 < 1
    lungs = ((np.abs(x) - 0.15) / 0.1) ** 2 + (y / 0.18) ** 2 < 1
    values = low + (high - low) * (0.45 * body - 0.25 * lungs)
    return np.asarray(np.rint(values + body * chance.normal(0, (high - low) * 0.01, (rows, columns))), np.int64)


def burn(frame: Frame, text: str, left: int, top: int, size: int, value: int) -> list[Glyph]:
    """Draw text into a frame (in place; all channels of a colour frame), letter by letter; return the letters."""
    font = ImageFont.truetype(str(FONT), size)
    drawn = []
    for letter in text:
        width = int(font.getlength(letter)) + 1
        image = Image.new("1", (width, size + size // 2), 0)
        ImageDraw.Draw(image).text((0, 0), letter, fill=1, font=font)
        mask = np.asarray(image, bool)
        if mask.any():
            box = (left, top, left + width, top + mask.shape[0])
            if box[2] > frame.shape[1] or box[3] > frame.shape[0]:
                raise ValueError("the text does not fit into the frame")
            frame[box[1] : box[3], box[0] : box[2]][mask] = value
            drawn.append(Glyph(box, mask, _contrast(frame, box, mask)))
        left += width
    return drawn


def _contrast(frame: Frame, box: tuple[int, int, int, int], mask: NDArray[np.bool_]) -> float:
    part = np.asarray(frame[box[1] : box[3], box[0] : box[2]], float)
    grey = part.mean(axis=-1) if part.ndim == 3 else part
    return abs(float(grey[mask].mean() - grey[~mask].mean()))


def pattern(glyphs: list[Glyph]) -> str:
    """The letters as one string of the answer key."""
    return "\n".join(
        f"{','.join(map(str, each.box))};{each.contrast:.3f};{np.packbits(each.mask).tobytes().hex()}" for each in glyphs
    )


def _glyphs(written: str) -> Iterator[Glyph]:
    for line in written.split("\n"):
        box, contrast, bits = line.split(";")
        left, top, right, bottom = (int(each) for each in box.split(","))
        count = (right - left) * (bottom - top)
        mask = (
            np.unpackbits(np.frombuffer(bytes.fromhex(bits), np.uint8), count=count)
            .astype(bool)
            .reshape(bottom - top, right - left)
        )
        yield Glyph((left, top, right, bottom), mask, float(contrast))


def readable(frame: Frame, written: str) -> int:
    """How many letters of a pattern still stand out in a frame."""
    return sum(_contrast(frame, glyph.box, glyph.mask) > READABLE * glyph.contrast for glyph in _glyphs(written))


def digest(frame: Frame, box: tuple[int, int, int, int] | None = None) -> str:
    """SHA-256 of the values in a region, whatever type they are stored in."""
    part = frame if box is None else frame[box[1] : box[3], box[0] : box[2]]
    return hashlib.sha256(np.ascontiguousarray(part, "<i8").tobytes()).hexdigest()
