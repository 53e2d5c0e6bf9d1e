"""Drawn grounds without text, for training: noise of several kinds under shapes, rims, folds, vessels, rulers, bars, grids, heads and consoles.

They share no code with the pictures of `benchmarks/burned_in_pictures.py`, by which the network is measured. All come from a random generator that
is given, as float32 of shape (side, side); units mean nothing, the noise's standard deviation is told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from tasks.deid.burned_in.dim_text.brains import brain
from tasks.deid.burned_in.dim_text.consoles import console

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Ground:
    """What is behind text: the shapes, and how their noise comes about.

    Args:
        shapes: the picture without noise, from about 0 to 1.
        noise: the noise's standard deviation in the same units; 0 for none.
        grain: how far the noise is smoothed, in pixels down and across.
        kind: `added`, `magnitude` (as of complex numbers), `speckle` (logarithm of it), `counted` (grows with the root of brightness).
        quiet: where no noise is, as outside of a fan.
        drawn: what a console draws over it, from 0 to 1 where it does.
    """

    shapes: Plane
    noise: float
    grain: tuple[float, float]
    kind: str
    quiet: NDArray[np.bool_] | None = None
    drawn: Plane | None = None

    def seen(self, rng: np.random.Generator) -> Plane:
        """The ground once, with noise of its own."""
        made = self._noisy(rng)
        if self.quiet is not None:
            made = np.where(self.quiet, self.shapes, made)
        if self.drawn is not None:
            made = np.where(self.drawn > 0, self.drawn * np.float32(max(1.0, made.max())), made)
        return made

    def _noisy(self, rng: np.random.Generator) -> Plane:
        if self.noise == 0:
            return self.shapes
        if self.kind == "magnitude":
            made = np.hypot(self.shapes + self._grains(rng), self._grains(rng))
        elif self.kind == "speckle":
            grains = np.hypot(self._grains(rng), self._grains(rng)) / self.noise
            made = self.shapes + self.noise * np.log(grains + 0.05)
        elif self.kind == "counted":
            made = self.shapes + self._grains(rng) * np.sqrt(0.1 + np.abs(self.shapes))
        else:
            made = self.shapes + self._grains(rng)
        return np.asarray(made, np.float32)

    def _grains(self, rng: np.random.Generator) -> Plane:
        grains = rng.standard_normal(self.shapes.shape, np.float32)
        if max(self.grain) > 0:
            grains = ndimage.gaussian_filter(grains, self.grain)
            grains /= grains.std()
        return np.asarray(grains * np.float32(self.noise), np.float32)


def ground(rng: np.random.Generator, side: int) -> Ground:
    """One of them; some are noise alone."""
    shapes = np.full((side, side), rng.choice([0.0, rng.uniform(0, 1)]), np.float32)
    makers = (_bodies, _rims, _folds, _clouds, _vessels, _ladder, _rulers, _bars, _wave, _trabeculae, _shade, brain)
    chances = np.array([4, 4, 3, 3, 3, 2, 1.5, 2.5, 1, 2, 2, 4])
    for number in rng.choice(len(makers), int(rng.integers(1, 5)), p=chances / chances.sum()) if rng.random() < 0.93 else ():
        shapes = makers[number](rng, shapes)
    if rng.random() < 0.8:
        shapes = ndimage.gaussian_filter(shapes, rng.choice([0.5, 0.8, 1.2, 2.5], p=[0.35, 0.35, 0.2, 0.1]))
    if rng.random() < 0.4:
        ramp = np.linspace(-1, 1, side, dtype=np.float32)
        shapes = shapes * (1 + rng.uniform(-0.3, 0.3) * ramp[:, None] + rng.uniform(-0.3, 0.3) * ramp[None])
    kind = str(rng.choice(["added", "magnitude", "speckle", "counted"], p=[0.4, 0.2, 0.25, 0.15]))
    quiet = None
    if rng.random() < (0.5 if kind == "speckle" else 0.1):
        quiet = ~_fan(rng, side)
        shapes = np.where(quiet, np.float32(rng.choice([0.0, shapes.min()])), shapes)
    drawn = console(rng, side) if rng.random() < (0.5 if quiet is not None else 0.15) else None
    if kind == "speckle":
        noise, grain = float(rng.uniform(0.05, 0.25)), (float(rng.uniform(0.5, 1.5)), float(rng.uniform(0.8, 3)))
    else:
        across = float(rng.choice([0, 0.4, 0.6, 0.9, 1.3]))
        noise, grain = float(rng.choice([0, 10 ** rng.uniform(-2.7, -1)], p=[0.15, 0.85])), (across, across)
    return Ground(np.asarray(shapes, np.float32), noise, grain, kind, quiet, drawn)


def _ellipse(side: int, y: float, x: float, down: float, across: float, angle: float) -> NDArray[np.bool_]:
    rows, columns = np.ogrid[:side, :side]
    v, u = rows - y, columns - x
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(((u * cos + v * sin) / across) ** 2 + ((v * cos - u * sin) / down) ** 2 <= 1)


def _bodies(rng: np.random.Generator, shapes: Plane) -> Plane:
    side = len(shapes)
    for _ in range(int(rng.integers(1, 40))):
        down, across = side * 10 ** rng.uniform(-2, -0.3, 2)
        y, x = rng.uniform(-0.1, 1.1, 2) * side
        inside = _ellipse(side, y, x, down, across, rng.uniform(0, np.pi))
        shapes[inside] = shapes[inside] * rng.choice([0, 1]) + rng.uniform(-0.6, 1)
    return shapes


def _rims(rng: np.random.Generator, shapes: Plane) -> Plane:
    """Layers as of skin, bone and brain: rings of one centre, each of its own brightness."""
    side = len(shapes)
    y, x, angle = *rng.uniform(-0.3, 1.3, 2) * side, rng.uniform(0, np.pi)
    down, across = rng.uniform(0.3, 1.2, 2) * side
    for _ in range(int(rng.integers(1, 5))):
        shapes[_ellipse(side, y, x, down, across, angle)] = rng.uniform(0, 1.2)
        thick = 10 ** rng.uniform(0.2, 1.3)
        down, across = max(2.0, down - thick), max(2.0, across - thick)
    return shapes


def _folds(rng: np.random.Generator, shapes: Plane) -> Plane:
    """Bands of two scales, as of a brain's folds or bowel."""
    wide = 10 ** rng.uniform(0.2, 1.0)
    grains = rng.standard_normal(shapes.shape, np.float32)
    bands = ndimage.gaussian_filter(grains, wide) - ndimage.gaussian_filter(grains, 1.8 * wide)
    bands /= bands.std()
    if rng.random() < 0.6:
        bands = np.tanh(rng.uniform(1, 4) * bands)
    return np.asarray(shapes + rng.uniform(0.03, 0.4) * bands, np.float32)


def _clouds(rng: np.random.Generator, shapes: Plane) -> Plane:
    """Noise of all scales, as of tissue."""
    side = len(shapes)
    frequencies = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    frequencies[0, 0] = 1
    spectrum = np.fft.rfft2(rng.standard_normal((side, side))) / frequencies ** rng.uniform(0.8, 2)
    made = np.fft.irfft2(spectrum, (side, side))
    made = (made - made.mean()) / made.std()
    if rng.random() < 0.3:
        made = (made > rng.uniform(-1, 1)).astype(np.float32)
    return np.asarray(shapes + rng.uniform(0.03, 0.4) * made, np.float32)


def _drawn(side: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """A canvas of twice the side, so that strokes have smooth edges."""
    canvas = Image.new("L", (2 * side, 2 * side))
    return canvas, ImageDraw.Draw(canvas)


def _laid(shapes: Plane, canvas: Image.Image, value: float) -> Plane:
    ink = np.asarray(canvas.resize(shapes.shape[::-1], Image.Resampling.BOX), np.float32) / 255
    return np.asarray(shapes + value * ink, np.float32)


def _vessels(rng: np.random.Generator, shapes: Plane) -> Plane:
    """Curves of one thickness each: vessels, catheters, leads, cracks."""
    side = len(shapes)
    canvas, draw = _drawn(side)
    for _ in range(int(rng.integers(1, 25))):
        points, heading = [rng.uniform(0, 2 * side, 2)], rng.uniform(0, 2 * np.pi)
        for _ in range(int(rng.integers(2, 30))):
            heading += rng.normal(0, 0.5)
            points.append(points[-1] + rng.uniform(4, 24) * np.array([np.cos(heading), np.sin(heading)]))
        draw.line([(float(x), float(y)) for x, y in points], 255, int(rng.choice([1, 2, 3, 4, 6, 10, 16])), "curve")
    return _laid(shapes, canvas, rng.uniform(-0.5, 0.9))


def _ladder(rng: np.random.Generator, shapes: Plane) -> Plane:
    """Like things in a row: ribs, vertebrae, stitches, electrodes, beads."""
    side = len(shapes)
    canvas, draw = _drawn(side)
    step = rng.uniform(6, 90)
    at, along = rng.uniform(0, 2 * side, 2), rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)])
    down, across = step * rng.uniform(0.2, 0.7), step * rng.uniform(0.2, 4)
    kind = int(rng.integers(3))
    for _ in range(int(rng.integers(4, 40))):
        at = at + step * np.array([np.cos(along), np.sin(along)]) * rng.uniform(0.9, 1.1) + rng.normal(0, 0.1 * step, 2)
        high, long = (down, across) if along < 0.1 else (across, down)
        box = (at[0] - high / 2, at[1] - long / 2, at[0] + high / 2, at[1] + long / 2)
        width = int(rng.choice([1, 2, 4]))
        if kind == 0:
            draw.ellipse(box, outline=255, width=width)
        elif kind == 1:
            draw.ellipse(box, fill=255)
        else:
            start, end = sorted(float(each) for each in rng.uniform(0, 360, 2))
            draw.arc(box, start, end, 255, width)
    return _laid(shapes, canvas, rng.uniform(-0.5, 0.9))


def _rulers(rng: np.random.Generator, shapes: Plane) -> Plane:
    """A scale with ticks, a grey bar, a graph's frame: what consoles draw beside text, and is none."""
    side = len(shapes)
    canvas, draw = _drawn(side)
    for _ in range(int(rng.integers(1, 3))):
        where, step, fifth = rng.uniform(0, 2 * side), rng.uniform(6, 60), rng.uniform(1.2, 3)
        short, width, sideways = rng.uniform(4, 16), int(rng.choice([1, 2, 3])), rng.random() < 0.5
        for number, at in enumerate(np.arange(rng.uniform(0, step), 2 * side, step)):
            long = short * (fifth if number % 5 == 0 else 1)
            ends = [(where, at), (where + long, at)]
            draw.line(
                [(float(y), float(x)) for x, y in ends] if sideways else [(float(x), float(y)) for x, y in ends], 255, width
            )
        if rng.random() < 0.5:
            ends = [(where, 0), (where, 2 * side)]
            draw.line(
                [(float(y), float(x)) for x, y in ends] if sideways else [(float(x), float(y)) for x, y in ends], 255, width
            )
    return _laid(shapes, canvas, rng.uniform(-0.8, 1.2))


def _bars(rng: np.random.Generator, shapes: Plane) -> Plane:
    """Bars of a phantom, steps, a chessboard."""
    side = len(shapes)
    top, left = (int(each) for each in rng.integers(0, side - 16, 2))
    high, wide = (int(each) for each in rng.integers(8, side, 2))
    rows, columns = np.indices((side, side))
    pitch = int(rng.integers(1, 14))
    kind = int(rng.integers(4))
    pattern = ((columns // pitch) % 2, (rows // pitch) % 2, (rows // pitch + columns // pitch) % 2, (columns // (4 * pitch)) / 8)[
        kind
    ]
    part = np.s_[top : top + high, left : left + wide]
    shapes[part] = shapes[part] * rng.choice([0, 1]) + rng.uniform(0.1, 1) * pattern[part]
    return shapes


def _wave(rng: np.random.Generator, shapes: Plane) -> Plane:
    """Rings and waves: of an echo, of a moving body, of a grid before the detector."""
    side = len(shapes)
    rows, columns = np.indices((side, side), np.float32)
    angle, length = rng.uniform(0, np.pi), 10 ** rng.uniform(0.4, 1.8)
    along = columns * np.cos(angle) + rows * np.sin(angle)
    if rng.random() < 0.5:
        along = np.hypot(rows - rng.uniform(-1, 2) * side, columns - rng.uniform(-1, 2) * side)
    return np.asarray(shapes + rng.uniform(0.02, 0.3) * np.sin(2 * np.pi * along / length), np.float32)


def _trabeculae(rng: np.random.Generator, shapes: Plane) -> Plane:
    """Fine strokes in a part of the picture, as thick as letters' and in no order: spongy bone, lung, hair."""
    side = len(shapes)
    canvas, draw = _drawn(side)
    where, spread, slant = rng.uniform(0, 2 * side, 2), rng.uniform(20, 200), rng.uniform(0, np.pi)
    for _ in range(int(rng.integers(20, 250))):
        x, y = where + rng.normal(0, spread, 2)
        angle, long = slant + rng.normal(0, rng.choice([0.1, 2])), rng.uniform(3, 30)
        draw.line(
            [(float(x), float(y)), (float(x + long * np.cos(angle)), float(y + long * np.sin(angle)))],
            255,
            int(rng.choice([1, 2, 3, 4])),
        )
    return _laid(shapes, canvas, rng.uniform(-0.4, 0.8))


def _shade(rng: np.random.Generator, shapes: Plane) -> Plane:
    """A smooth shade, as of a rendered surface: in few levels it has steps."""
    side = len(shapes)
    rows, columns = np.indices((side, side), np.float32) / side
    made = np.zeros_like(shapes)
    for _ in range(int(rng.integers(1, 4))):
        y, x, width = *rng.uniform(-0.2, 1.2, 2), rng.uniform(0.15, 1)
        made += np.float32(rng.uniform(0.2, 1)) * np.sqrt(np.maximum(1 - ((rows - y) ** 2 + (columns - x) ** 2) / width**2, 0))
    return np.asarray(np.maximum(shapes * np.float32(rng.choice([0, 1])), made), np.float32)


def _fan(rng: np.random.Generator, side: int) -> NDArray[np.bool_]:
    """Inside of a fan, a disc or a rectangle: all outside is even, as in ultrasound and fluoroscopy."""
    rows, columns = np.indices((side, side), np.float32)
    if rng.random() < 0.3:
        (top, left), (high, wide) = rng.uniform(-0.3, 0.5, 2) * side, rng.uniform(0.3, 1, 2) * side
        return np.asarray((rows >= top) & (rows < top + high) & (columns >= left) & (columns < left + wide))
    y, x = rng.uniform(-1, 0.3) * side, rng.uniform(-0.3, 1.3) * side
    return np.asarray(
        (np.hypot(rows - y, columns - x) < rng.uniform(0.6, 2) * side)
        & (np.abs(np.arctan2(columns - x, rows - y)) < rng.uniform(0.4, 1.5))
    )
