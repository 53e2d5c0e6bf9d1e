"""Drawn consoles for training: what they show beside text and is none: rulers along an edge, grey bars, frames, buttons, curves, marks.

It is crisp, has no noise, and stays where it is when slices pass. Like `grounds`, all is made from a random generator that is given.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Plane = NDArray[np.float32]
Draw = ImageDraw.ImageDraw
#: All is drawn twice as large as it is wanted, so that strokes may lie between pixels, and may not.
_TWICE = 2


def console(rng: np.random.Generator, side: int) -> Plane:
    """One to five of such things: how bright they are, from 0 to 1, and 0 where none is.

    Returns:
        float32 of shape (side, side).
    """
    crisp = rng.random() < 0.6
    scale = 1 if crisp else _TWICE
    canvas = Image.new("L", (side * scale, side * scale))
    draw = ImageDraw.Draw(canvas)
    makers: tuple[Callable[[np.random.Generator, Draw, int, int], None], ...] = (
        _ruler, _grey_bar, _frames, _buttons, _curve, _marks, _dashes, _columns,
    )  # fmt: skip
    chances = np.array([4, 3, 2, 2, 2, 2, 1.5, 1])
    for number in rng.choice(len(makers), int(rng.integers(1, 6)), p=chances / chances.sum()):
        makers[number](rng, draw, side * scale, scale)
    return np.asarray(np.asarray(canvas.resize((side, side), Image.Resampling.BOX), np.float32) / 255, np.float32)


def _ink(rng: np.random.Generator) -> int:
    return int(rng.choice([255, int(rng.integers(40, 256))]))


def _strokes(rng: np.random.Generator, scale: int) -> int:
    return int(scale * rng.choice([1, 1, 2]))


def _ruler(rng: np.random.Generator, draw: Draw, side: int, scale: int) -> None:
    """Ticks at even steps, every fifth or tenth longer: along an edge of the picture or of the image in it, or as dots."""
    step, ink, stroke = scale * rng.uniform(2, 30), _ink(rng), _strokes(rng, scale)
    if rng.random() < 0.4:
        step = scale * float(rng.integers(2, 24))
    every, longer = int(rng.choice([2, 5, 10])), rng.uniform(1, 3)
    short = scale * rng.uniform(1, 9)
    where = rng.choice([scale * rng.uniform(0, 14), side - scale * rng.uniform(0, 14), rng.uniform(0, side)])
    sign, sideways, line, dots = rng.choice([-1, 1]), rng.random() < 0.4, rng.random() < 0.4, rng.random() < 0.2
    first = rng.uniform(-side, 0.5 * side)
    last = min(side, first + rng.uniform(0.3, 2.5) * side)

    def across(a: tuple[float, float], b: tuple[float, float]) -> None:
        draw.line([a[::-1], b[::-1]] if sideways else [a, b], ink, stroke)

    for number, at in enumerate(np.arange(first, last, step)):
        long = short * (longer if number % every == 0 else 1)
        across((where, float(at)), (where + sign * (stroke if dots else long), float(at)))
    if line:
        across((where, first), (where, last))


def _grey_bar(rng: np.random.Generator, draw: Draw, side: int, scale: int) -> None:
    """A bar that goes from black to white, smoothly or in steps, with or without a frame."""
    wide, long = scale * int(rng.integers(4, 22)), scale * int(rng.integers(30, 160))
    top, left = (int(each) for each in rng.integers(0, max(1, side - wide), 2))
    levels, upward, sideways = int(rng.choice([4, 8, 16, 64, 256])), rng.random() < 0.5, rng.random() < 0.3
    for at in range(long):
        level = int(at / long * levels) / max(1, levels - 1)
        ink = int(255 * min(1.0, level if upward else 1 - level))
        draw.line(
            [(left + at, top), (left + at, top + wide)] if sideways else [(left, top + at), (left + wide, top + at)], ink, 1
        )
    if rng.random() < 0.5:
        box = (left, top, left + long, top + wide) if sideways else (left, top, left + wide, top + long)
        draw.rectangle(box, outline=_ink(rng), width=scale)


def _frames(rng: np.random.Generator, draw: Draw, side: int, scale: int) -> None:
    """Frames, panels and lines between them."""
    for _ in range(int(rng.integers(1, 6))):
        x, y = (int(each) for each in rng.integers(-20, side, 2))
        box = (x, y, x + int(rng.integers(6, side)), y + int(rng.integers(6, side)))
        filled = rng.random() < 0.3
        draw.rectangle(box, fill=int(rng.integers(10, 120)) if filled else None, outline=_ink(rng), width=_strokes(rng, scale))


def _buttons(rng: np.random.Generator, draw: Draw, side: int, scale: int) -> None:
    """Like boxes in a row or a column: buttons, boxes to tick, thumbnails, a curve's keys."""
    wide, high = scale * rng.uniform(3, 50), scale * rng.uniform(3, 24)
    gap, (x, y) = scale * rng.uniform(1, 16), rng.uniform(0, side, 2)
    downward, ink, fill = rng.random() < 0.5, _ink(rng), int(rng.integers(0, 160)) if rng.random() < 0.6 else None
    radius = scale * rng.choice([0, 2, 4]) if min(wide, high) > 10 * scale else 0
    for _ in range(int(rng.integers(2, 12))):
        draw.rounded_rectangle((x, y, x + wide, y + high), radius, fill, ink, scale)
        if rng.random() < 0.2:
            draw.line([(x, y), (x + wide, y + high)], ink, scale)
        x, y = (x, y + high + gap) if downward else (x + wide + gap, y)


def _curve(rng: np.random.Generator, draw: Draw, side: int, scale: int) -> None:
    """An electrocardiogram, a pulse, breath, or a histogram's outline, over a part of the picture."""
    count = int(rng.integers(side // 2, 2 * side))
    x = np.linspace(rng.uniform(-side, side / 2), rng.uniform(side / 2, 2 * side), count)
    period, height = scale * rng.uniform(12, 90), scale * rng.uniform(3, 30)
    phase = (x % period) / period
    spikes = np.exp(-(((phase - 0.3) / 0.03) ** 2)) - 0.3 * np.exp(-(((phase - 0.37) / 0.03) ** 2))
    spikes += rng.uniform(0, 0.4) * np.exp(-(((phase - 0.65) / 0.08) ** 2))
    shape = (spikes, np.sin(2 * np.pi * phase), np.abs(np.cumsum(rng.normal(0, 0.2, count))) % 2)[int(rng.integers(3))]
    y = rng.uniform(0, side) - height * shape
    draw.line(list(zip(x.tolist(), y.tolist(), strict=True)), _ink(rng), _strokes(rng, scale))


def _marks(rng: np.random.Generator, draw: Draw, side: int, scale: int) -> None:
    """Single marks: crosses of a caliper, arrows, triangles of a focus, circles, a hand's outline."""
    for _ in range(int(rng.integers(1, 9))):
        (x, y), reach, ink, stroke = rng.uniform(0, side, 2), scale * rng.uniform(2, 12), _ink(rng), _strokes(rng, scale)
        kind = int(rng.integers(5))
        if kind == 0:
            draw.line([(x - reach, y), (x + reach, y)], ink, stroke)
            draw.line([(x, y - reach), (x, y + reach)], ink, stroke)
        elif kind == 1:
            draw.line([(x - reach, y - reach), (x + reach, y + reach)], ink, stroke)
            draw.line([(x - reach, y + reach), (x + reach, y - reach)], ink, stroke)
        elif kind == 2:
            draw.ellipse((x - reach, y - reach, x + reach, y + reach), outline=ink, width=stroke)
        else:
            corners = np.array([x, y]) + rng.uniform(-reach, reach, (3 if kind == 3 else int(rng.integers(4, 9)), 2))
            draw.polygon([(float(u), float(v)) for u, v in corners], fill=ink if rng.random() < 0.6 else None, outline=ink)


def _dashes(rng: np.random.Generator, draw: Draw, side: int, scale: int) -> None:
    """A line of dashes or dots: a beam, a measured distance, a gate."""
    (x, y), angle = rng.uniform(0, side, 2), rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)])
    long, gap = scale * rng.uniform(1, 10), scale * rng.uniform(1, 10)
    ink, stroke, ahead = _ink(rng), _strokes(rng, scale), np.array([np.cos(angle), np.sin(angle)])
    for number in range(int(rng.integers(5, 80))):
        start = np.array([x, y]) + ahead * number * (long + gap)
        draw.line([tuple(start.tolist()), tuple((start + ahead * long).tolist())], ink, stroke)


def _columns(rng: np.random.Generator, draw: Draw, side: int, scale: int) -> None:
    """The columns of a histogram or a loudness meter."""
    wide, gap, high = scale * rng.uniform(1, 12), scale * rng.choice([0, 1, 2, 4]), scale * rng.uniform(6, 60)
    x, foot, ink = rng.uniform(-0.2, 0.8) * side, rng.uniform(0.1, 1) * side, _ink(rng)
    level = partial(rng.uniform, 0.1, 1)
    for _ in range(int(rng.integers(4, 60))):
        draw.rectangle((x, foot - high * level(), x + wide, foot), fill=ink)
        x += wide + gap
