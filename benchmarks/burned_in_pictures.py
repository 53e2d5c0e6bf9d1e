"""Pictures of eight kinds without text, and lines of text to put on them: what the finding of text is measured with. All are drawn from a seed.

Values are in stored units of their kind: CT in Hounsfield units, MR and PET in arbitrary units from 0, DX, mammography and angiography
of 12 bit, ultrasound and secondary capture of 8 bit. Nothing is anatomy but the shapes that can be taken for text: bodies, ribs, vessels,
strands, edges, speckle, bars, grids.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

Array = NDArray[Any]
KINDS = ("CT", "MR", "PT", "US", "DX", "SC", "MG", "XA")
#: Rows and columns of each kind.
SHAPES = {
    "CT": (512, 512),
    "MR": (256, 256),
    "PT": (168, 168),
    "US": (480, 640),
    "DX": (1536, 1280),
    "SC": (512, 640),
    "MG": (1536, 1024),
    "XA": (512, 512),
}
#: The noise (standard deviation) and the whole range of values of each kind, in its own units.
NOISE = {"CT": 12.0, "MR": 25.0, "PT": 120.0, "US": 0.0, "DX": 18.0, "SC": 0.0, "MG": 24.0, "XA": 30.0}
RANGE = {"CT": 2000.0, "MR": 1000.0, "PT": 8000.0, "US": 255.0, "DX": 4095.0, "SC": 255.0, "MG": 4095.0, "XA": 4095.0}
FONTS = ("DejaVuSans.ttf", "DejaVuSansMono.ttf", "DejaVuSans-Bold.ttf", "pillow")
WORDS = (
    "SAMPLE^PERSON", "ID 00471108", "12.04.1937", "Example, Maria F 83Y", "St. Example Clinic", "2021-03-17 10:11:12",
    "ACC 8815522", "DOB 04/12/1937",
)  # fmt: skip


def clean(kind: str, seed: int) -> Array:
    """A picture of a kind without text: (rows, columns), for SC (rows, columns, 3)."""
    return _DRAWN[kind](np.random.default_rng([seed, KINDS.index(kind)]))


def grown(shape: tuple[int, int], y: float, x: float, ry: float, rx: float, angle: float = 0.0) -> NDArray[np.bool_]:
    """The pixels of an ellipse: centre and half axes in parts of the picture, angle in radians."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    v, u = (rows / shape[0] - y), (columns / shape[1] - x)
    c, s = np.cos(angle), np.sin(angle)
    return np.asarray(((u * c + v * s) / rx) ** 2 + ((v * c - u * s) / ry) ** 2 <= 1)


def _noise(rng: np.random.Generator, kind: str, blur: float = 0.6) -> Array:
    noise = ndimage.gaussian_filter(rng.standard_normal(SHAPES[kind]), blur)
    return noise / noise.std() * NOISE[kind]


def _ct(rng: np.random.Generator) -> Array:
    shape = SHAPES["CT"]
    made = np.full(shape, -1000.0)
    y, x = 0.5 + rng.uniform(-0.03, 0.03), 0.5 + rng.uniform(-0.03, 0.03)
    ry, rx = rng.uniform(0.27, 0.36), rng.uniform(0.36, 0.46)
    made[grown(shape, y, x, ry, rx)] = -90
    made[grown(shape, y, x, ry * 0.93, rx * 0.94)] = 45
    if rng.random() < 0.6:
        for side in (-1, 1):
            made[grown(shape, y - 0.02, x + side * rx * 0.48, ry * 0.7, rx * 0.36, side * 0.15)] = -850
        for _ in range(60):
            made[
                grown(
                    shape,
                    y + rng.uniform(-0.2, 0.2),
                    x + rng.uniform(-0.3, 0.3),
                    *rng.uniform(0.003, 0.012, 2),
                    rng.uniform(0, 3),
                )
            ] = 40
    else:
        for _ in range(9):
            made[
                grown(
                    shape,
                    y + rng.uniform(-0.15, 0.15),
                    x + rng.uniform(-0.25, 0.25),
                    *rng.uniform(0.02, 0.1, 2),
                    rng.uniform(0, 3),
                )
            ] = rng.uniform(-60, 180)
    for angle in np.linspace(0, 2 * np.pi, int(rng.integers(10, 22)), endpoint=False) + rng.uniform(0, 1):
        at = (y + ry * 0.86 * np.sin(angle), x + rx * 0.88 * np.cos(angle))
        made[grown(shape, *at, 0.009, 0.035, angle + np.pi / 2)] = rng.uniform(300, 900)
    made[grown(shape, y + ry * 0.66, x, 0.05, 0.055)] = 350
    made[grown(shape, y + ry * 0.8, x, 0.016, 0.02)] = 700
    table = (
        np.abs(
            np.arange(shape[0])[:, None] / shape[0] - (y + ry + 0.03 - 0.15 * (np.arange(shape[1])[None] / shape[1] - 0.5) ** 2)
        )
        < 0.004
    )
    made[table] = 150
    return np.asarray(ndimage.gaussian_filter(made, 0.8) + _noise(rng, "CT"))


def _mr(rng: np.random.Generator) -> Array:
    shape = SHAPES["MR"]
    made = np.zeros(shape)
    y, x = 0.5 + rng.uniform(-0.03, 0.03), 0.5 + rng.uniform(-0.03, 0.03)
    made[grown(shape, y, x, 0.42, 0.34)] = 800
    made[grown(shape, y, x, 0.39, 0.31)] = 120
    made[grown(shape, y, x, 0.36, 0.28)] = 480
    for _ in range(40):
        made[
            grown(
                shape, y + rng.uniform(-0.27, 0.27), x + rng.uniform(-0.2, 0.2), *rng.uniform(0.008, 0.04, 2), rng.uniform(0, 3)
            )
        ] += rng.uniform(-160, 160)
    made[grown(shape, y, x - 0.05, 0.12, 0.025, 0.2)] = made[grown(shape, y, x + 0.05, 0.12, 0.025, -0.2)] = 60
    bias = 1 + 0.3 * np.cos(np.linspace(0, rng.uniform(1, 3), shape[0]))[:, None]
    smooth = ndimage.gaussian_filter(made, 0.7) * bias
    return np.asarray(np.hypot(smooth + _noise(rng, "MR", 0.5), _noise(rng, "MR", 0.5)))


def _pet(rng: np.random.Generator) -> Array:
    shape = SHAPES["PT"]
    made = 600.0 * grown(shape, 0.5, 0.5, 0.32, 0.42)
    for _ in range(int(rng.integers(4, 12))):
        made[grown(shape, *rng.uniform(0.3, 0.7, 2), *rng.uniform(0.01, 0.08, 2))] += rng.uniform(500, 7000)
    return np.asarray(np.maximum(ndimage.gaussian_filter(made, 2.5) + _noise(rng, "PT", 1.2), 0))


def _us(rng: np.random.Generator) -> Array:
    shape = SHAPES["US"]
    rows, columns = np.indices(shape)
    depth, across = rows - 30.0, columns - shape[1] / 2
    inside = (
        (np.hypot(depth, across) < rng.uniform(360, 430))
        & (np.abs(np.arctan2(across, depth + 40)) < rng.uniform(0.5, 0.8))
        & (depth > 0)
    )
    speckle = np.hypot(*(ndimage.gaussian_filter(rng.standard_normal(shape), (0.9, 2.2)) for _ in range(2)))
    tissue = np.full(shape, 1.0)
    for _ in range(10):
        tissue[grown(shape, rng.uniform(0.15, 0.8), rng.uniform(0.25, 0.75), *rng.uniform(0.02, 0.12, 2), rng.uniform(0, 3))] = (
            rng.uniform(0.05, 2.5)
        )
    tissue = ndimage.gaussian_filter(tissue, 2)
    grey = 70 + 42 * np.log(speckle / speckle.mean() * tissue + 0.05)
    made = np.where(inside, grey, 0).clip(0, 255)
    made[60:260, 612:624] = np.linspace(255, 0, 200)[:, None]
    return np.asarray(made)


def _dx(rng: np.random.Generator) -> Array:
    shape = SHAPES["DX"]
    made = np.full(shape, 2600.0)
    for side in (-1, 1):
        made[grown(shape, 0.45, 0.5 + side * 0.2, 0.3, 0.13, side * -0.08)] = 1100
    made[grown(shape, 0.6, 0.54, 0.14, 0.12)] = 3000
    for level in range(9):
        for side in (-1, 1):
            ring = grown(shape, 0.2 + level * 0.065, 0.5 + side * 0.2, 0.075, 0.17, side * 0.5) & ~grown(
                shape, 0.211 + level * 0.065, 0.5 + side * 0.2, 0.075, 0.17, side * 0.5
            )
            made[ring] += 450
        made[grown(shape, 0.12 + level * 0.085, 0.5, 0.03, 0.035)] += 250
    made = ndimage.gaussian_filter(made, 3)
    for _ in range(int(rng.integers(0, 5))):
        a, b = rng.uniform(0.2, 0.8, 2), rng.uniform(0.2, 0.8, 2)
        made[_stroke(shape, a, b, 3)] += 900
    edge = int(rng.integers(0, 60))
    made[:edge], made[:, :edge], made[shape[0] - edge :], made[:, shape[1] - edge :] = 60, 60, 60, 60
    return np.asarray((made + _noise(rng, "DX", 0.7)).clip(0, 4095))


def _stroke(shape: tuple[int, int], a: Array, b: Array, width: int) -> NDArray[np.bool_]:
    drawn = Image.new("L", shape[::-1])
    points = [(float(x * shape[1]), float(y * shape[0])) for y, x in (a, (a + b) / 2 + 0.05, b)]
    ImageDraw.Draw(drawn).line(points, fill=1, width=width, joint="curve")
    return np.asarray(drawn, bool)


def _sc(rng: np.random.Generator) -> Array:
    shape = SHAPES["SC"]
    made = np.zeros((*shape, 3))
    which = int(rng.integers(4))
    rows, columns = np.indices(shape) / np.array(shape)[:, None, None]
    if which == 0:  # a rendered body
        shade = np.sqrt(np.clip(1 - ((columns - 0.5) / 0.3) ** 2 - ((rows - 0.5) / 0.42) ** 2, 0, 1))
        made += shade[..., None] * np.array([255, 200, 160]) * (0.8 + 0.2 * np.sin(rows * rng.uniform(10, 60)))[..., None]
    elif which == 1:  # curves in a frame
        for colour in ((255, 80, 80), (80, 255, 80), (90, 120, 255)):
            curve = 0.5 + 0.25 * np.sin(columns[0] * rng.uniform(3, 14) + rng.uniform(0, 6)) * np.exp(
                -columns[0] * rng.uniform(0, 2)
            )
            made[np.abs(rows - curve[None]) < 0.004] = colour
        made[::64], made[:, ::64] = 60, 60
    elif which == 2:  # a map of colours over grey
        field = ndimage.gaussian_filter(rng.standard_normal(shape), rng.uniform(8, 30))
        field = (field - field.min()) / np.ptp(field)
        made = np.stack([255 * field, 255 * (1 - np.abs(2 * field - 1)), 255 * (1 - field)], -1)
    else:  # a phantom: bars and a step wedge
        pitch = int(rng.integers(2, 12))
        made[80:180, 60:560] = 220 * ((np.arange(500) // pitch) % 2)[None, :, None]
        made[240:300, 60:560] = (np.arange(500) // 50 * 25)[None, :, None]
        for number in range(8):
            made[grown(shape, 0.8, 0.15 + number * 0.1, 0.002 + number * 0.004, 0.002 + number * 0.003)] = 230
    return np.asarray(made.clip(0, 255))


def _mg(rng: np.random.Generator) -> Array:
    """A breast at one edge: skin, fat, glandular strands that thin out towards it, calcifications, a muscle's corner."""
    shape = SHAPES["MG"]
    rows, columns = np.indices(shape) / np.array(shape)[:, None, None]
    depth = np.hypot((rows - rng.uniform(0.42, 0.58)) / rng.uniform(0.3, 0.42), columns / rng.uniform(0.5, 0.85))
    breast = depth < 1
    made = np.where(breast, 900 + 700 * np.sqrt(np.clip(1 - depth, 0, 1)), 40.0)
    strands = (
        ndimage.gaussian_filter(rng.standard_normal(shape), (3, 14)) * 6
        + ndimage.gaussian_filter(rng.standard_normal(shape), (12, 5)) * 9
    )
    blobs = ndimage.gaussian_filter(rng.standard_normal(shape), 40) * 60
    made += breast * np.clip(1.2 - depth, 0, 1) * (420 * np.tanh(strands) + 380 * np.tanh(blobs))
    made[breast & (depth > 0.985)] += 300
    made[breast & ((rows + 1.6 * columns) < rng.uniform(0.3, 0.6))] += 500
    for _ in range(int(rng.integers(0, 30))):
        y, x = rng.uniform(0.25, 0.75), rng.uniform(0.02, 0.5)
        made[grown(shape, y, x, *rng.uniform(0.0006, 0.002, 2))] += 900
    return np.asarray((ndimage.gaussian_filter(made, 0.8) + _noise(rng, "MG", 0.6)).clip(0, 4095))


def _xa(rng: np.random.Generator) -> Array:
    """A tree of contrast-filled vessels over ribs and a heart, in a round collimator."""
    shape = SHAPES["XA"]
    made = np.full(shape, 2400.0)
    for level in range(7):
        ring = grown(shape, 0.15 + level * 0.13, 0.4, 0.12, 0.6, 0.35) & ~grown(shape, 0.17 + level * 0.13, 0.4, 0.12, 0.6, 0.35)
        made[ring] -= 250
    made[grown(shape, 0.6, 0.55, 0.28, 0.24, 0.5)] -= 500
    vessels = Image.new("L", (2 * shape[1], 2 * shape[0]))
    draw = ImageDraw.Draw(vessels)
    ends = [(np.array([rng.uniform(0.3, 0.5), 0.05]) * 2 * shape[1], np.pi / 2, 14.0)]
    while ends:
        at, heading, width = ends.pop()
        points = [at]
        for _ in range(int(rng.integers(12, 30))):
            heading += rng.normal(0, 0.16)
            points.append(points[-1] + 12 * np.array([np.cos(heading), np.sin(heading)]))
        draw.line([(float(x), float(y)) for x, y in points], 255, max(1, round(width)), "curve")
        if width > 2.5:
            ends += [(points[-1], heading + turn, width * rng.uniform(0.55, 0.8)) for turn in rng.uniform(0.2, 0.8, 2) * (1, -1)]
    made -= np.asarray(vessels.resize(shape[::-1], Image.Resampling.BOX), float) / 255 * rng.uniform(500, 1300)
    made = ndimage.gaussian_filter(made, 1.2)
    made[~grown(shape, 0.5, 0.5, 0.49, 0.49)] = 30
    return np.asarray((made + _noise(rng, "XA", 0.8)).clip(0, 4095))


_DRAWN = {"CT": _ct, "MR": _mr, "PT": _pet, "US": _us, "DX": _dx, "SC": _sc, "MG": _mg, "XA": _xa}


@dataclass(frozen=True)
class Line:
    """A line of text on a picture: its ink, of the picture's (rows, columns), from 0 to 1; its font's size in pixels; what it says."""

    ink: Array
    size: int
    text: str

    @property
    def read(self) -> NDArray[np.bool_]:
        """The pixels that the letters are read by."""
        return np.asarray(self.ink > 0.35)

    def share_covered(self, boxes: Any) -> float:
        """How much of the letters lies inside boxes."""
        covered = np.zeros(self.ink.shape, bool)
        for box in boxes:
            covered[box.slices()] = True
        return float(covered[self.read].mean())


def line(shape: tuple[int, int], size: int, seed: int, *, turned: int = 0) -> Line:
    """A line of text somewhere on a picture of this shape, of a font's size in pixels, turned by so many quarters; cut where it is too long."""
    rng = np.random.default_rng([seed, size, 7])
    text, font = str(rng.choice(WORDS)), _font(str(rng.choice(FONTS)), size)
    if turned % 2:
        shape = (shape[1], shape[0])
    while font.getbbox(text)[2] > shape[1] - 6 and len(text) > 4:
        text = text[:-1]
    left, top, right, bottom = font.getbbox(text)
    x = rng.integers(2, max(3, shape[1] - int(right) - 2))
    y = rng.integers(2, max(3, shape[0] - int(bottom) - 2))
    drawn = Image.new("L", shape[::-1])
    ImageDraw.Draw(drawn).text((int(x - left), int(y - top)), text, fill=255, font=font)
    return Line(np.rot90(np.asarray(drawn) / 255.0, turned), size, text)


@cache
def _font(name: str, size: int) -> Any:
    if name == "pillow":
        return ImageFont.load_default(size)
    return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / name), size)


def written(kind: str, picture: Array, text: Line, contrast: float) -> Array:
    """The picture with text on it, brighter than what is behind by `contrast` of the kind's whole range (negative: darker); clipped as stored."""
    ink = text.ink if picture.ndim == 2 else text.ink[..., None]
    made = picture + ink * contrast * RANGE[kind]
    low = -1024.0 if kind == "CT" else 0.0
    return np.asarray(made.clip(low, low + 32767 if kind in ("CT", "MR", "PT") else RANGE[kind]))


def stored(kind: str, picture: Array) -> Array:
    """The picture in the integers that such an image stores."""
    dtype = {"CT": np.int16, "US": np.uint8, "SC": np.uint8}.get(kind, np.uint16)
    return np.asarray(np.rint(picture).astype(dtype))
