"""Pictures to train on: grounds with and without lines of text, as a look sees them, and where the lines are."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from tasks.deid.burned_in.dim_text import printing
from tasks.deid.burned_in.dim_text.grounds import Ground, Plane, ground
from tasks.deid.burned_in.dim_text.planes import planes

#: Fewer characters are no line: a side marker is no identifier, and may be found or not.
_CHARACTERS = 3
#: Strokes that rise less than this many standard deviations of the noise behind them can't be read; they may be found or not.
_READABLE = 1.0
#: Of so many places, the one with the most behind it, when a line is to cross an edge.
_PLACES = 5
#: Around a line so many pixels may be found or not.
_MARGIN = 3


@dataclass(frozen=True)
class Example:
    """One picture.

    Args:
        shown: what the network is shown, int8 of shape (6, side, side).
        wanted: at half the size: 1 where a line is, 0 where none is, 2 where either answer is right; uint8.
    """

    shown: NDArray[np.int8]
    wanted: NDArray[np.uint8]


def example(seed: int, number: int, side: int, folder: Path) -> Example:
    """The example of a number: the same numbers and fonts give the same picture."""
    rng = np.random.default_rng([seed, number])
    whole = int(side * rng.choice([1.0, rng.uniform(0.75, 1.7)], p=[0.8, 0.2]))
    behind = ground(rng, whole)
    picture = _stack(rng, behind) if rng.random() < 0.35 else behind.seen(rng)
    wanted = np.zeros((whole, whole), np.uint8)
    if rng.random() < 0.75:
        for _ in range(int(rng.integers(1, 9))):
            picture = _printed(rng, picture, wanted, folder)
    if isinstance(picture, tuple):
        frames = np.stack(picture)
        seen = np.stack([frames.max(0), frames.min(0), np.ptp(frames, axis=0)], -1)
    else:
        seen = _degraded(rng, picture)
    if whole != side:
        seen, wanted = _resized(seen, wanted, side)
    return Example(planes(seen), _halved(wanted))


Picture = Plane | tuple[Plane, ...]


def _stack(rng: np.random.Generator, behind: Ground) -> Picture:
    """Some slices that pass into one another: the same shapes, moved and bent, each with noise of its own; or one in colours."""
    if rng.random() < 0.25:
        tint = rng.uniform(0.1, 1, 3).astype(np.float32)
        if rng.random() < 0.5:
            return np.asarray(behind.seen(rng)[..., None] * tint, np.float32)
        others = (ground(rng, len(behind.shapes)).seen(rng) if rng.random() < 0.5 else behind.seen(rng) for _ in range(3))
        return np.stack([shade * each for shade, each in zip(tint, others, strict=True)], -1)
    step = rng.normal(0, rng.choice([0.3, 2.0]), 2)[:, None, None]
    bend = _bend(rng, len(behind.shapes)) if rng.random() < 0.5 else np.float32(0)
    here = np.indices(behind.shapes.shape, np.float32)
    made = []
    for number in range(int(rng.integers(3, 7))):
        at = here - number * (step + bend)
        shapes = ndimage.map_coordinates(behind.shapes, at, order=1, mode="nearest") * np.float32(1 + rng.normal(0, 0.03))
        made.append(replace(behind, shapes=shapes).seen(rng))
    return tuple(made)


def _bend(rng: np.random.Generator, side: int) -> NDArray[np.float32]:
    """How far each place moves from slice to slice, down and across, of shape (2, side, side): neighbours nearly alike."""
    grains = ndimage.gaussian_filter(rng.standard_normal((2, side, side), np.float32), (0, *[10 ** rng.uniform(0.8, 1.5)] * 2))
    return np.asarray(grains / grains.std() * np.float32(rng.uniform(0.3, 3)), np.float32)


def _printed(rng: np.random.Generator, picture: Picture, wanted: NDArray[np.uint8], folder: Path) -> Picture:
    """The picture with one more line, where there is room for it; where the line is goes into `wanted`."""
    line = printing.line(rng, folder)
    ink, side = line.ink, len(wanted)
    rows, columns = min(ink.shape[0], side), min(ink.shape[1], side)
    ink = ink[:rows, :columns]
    first = picture[0] if isinstance(picture, tuple) else picture if picture.ndim == 2 else picture.mean(-1)
    top, left = _place(rng, first, rows, columns)
    part = np.s_[top : top + rows, left : left + columns]
    around = np.s_[max(0, top - _MARGIN) : top + rows + _MARGIN, max(0, left - _MARGIN) : left + columns + _MARGIN]
    if wanted[around].any() or not (ink > 0.35).any():
        return picture
    here = first[part]
    fine = _noise(here)
    reach = float(np.ptp(first)) + 1e-4
    rise = rng.choice([fine * 10 ** rng.uniform(-0.1, 1.3), reach * 10 ** rng.uniform(-1.5, 0)])
    rise = float(min(rise, 1.2 * reach) * rng.choice([1, -1], p=[0.8, 0.2]))
    level = None
    if rng.random() < 0.25:  # the same grey wherever it is, not so much brighter than what is behind
        level = float(here.mean() + rise)
    strip, halo = rng.random() < 0.08, rng.random() < 0.1
    paint = rng.uniform(0.3, 1, 3).astype(np.float32) if not isinstance(picture, tuple) and picture.ndim == 3 else None

    def put(plane: Plane, ink: Plane, amount: float) -> None:
        if strip:
            plane[part] = np.float32(here.mean() - 0.5 * rise)
        if halo:
            dark = ndimage.maximum_filter(ink, 3) - ink
            plane[part] -= np.float32(0.7 * amount) * dark
        plane[part] = (
            plane[part] * (1 - ink) + np.float32(level) * ink if level is not None else plane[part] + np.float32(amount) * ink
        )

    if isinstance(picture, tuple):
        chosen = range(len(picture)) if rng.random() < 0.65 else [int(rng.integers(len(picture)))]
        for number in chosen:
            put(picture[number], ink, rise)
    elif paint is None:
        picture = np.array(picture)
        put(picture, ink, rise)
    else:
        for plane in range(3):
            put(picture[..., plane], ink, rise * float(paint[plane]))
    readable = abs(rise) >= _READABLE * fine and line.characters >= _CHARACTERS
    marked = ink > 0.35
    down, across = np.flatnonzero(marked.any(1)), np.flatnonzero(marked.any(0))
    where = np.s_[top + down[0] : top + down[-1] + 1, left + across[0] : left + across[-1] + 1]
    wanted[around] = 2
    if readable:
        wanted[where] = 1
    return picture


def _place(rng: np.random.Generator, ground: Plane, rows: int, columns: int) -> tuple[int, int]:
    """The top and left of a line of so many rows and columns: anywhere, along an edge of the picture as consoles print, or across edges in it."""
    most = len(ground) - rows, len(ground) - columns
    places = [(int(rng.integers(0, most[0] + 1)), int(rng.integers(0, most[1] + 1))) for _ in range(_PLACES)]
    kind = rng.random()
    if kind < 0.3:
        return int(rng.choice([int(rng.integers(0, min(12, most[0] + 1))), max(0, most[0] - int(rng.integers(0, 12)))])), places[
            0
        ][1]
    if kind < 0.6:
        return max(places, key=lambda place: float(np.ptp(ground[place[0] : place[0] + rows, place[1] : place[1] + columns])))
    return places[0]


def _noise(ground: Plane) -> float:
    """The standard deviation of the noise in a part of a picture, from the median deviation: a rim that crosses it counts little."""
    fine = ground - ndimage.median_filter(ground, 7)
    return float(1.4826 * np.median(np.abs(fine))) + 1e-4


def _degraded(rng: np.random.Generator, picture: Plane) -> Plane:
    """What storage does: values cut off below, few levels, JPEG."""
    low, high = float(picture.min()), float(picture.max())
    scale = max(high - low, 1e-6)
    if rng.random() < 0.3:
        picture = np.maximum(picture, np.float32(low + rng.uniform(0, 0.2) * scale))
    if rng.random() < 0.6:
        levels = 2.0 ** rng.integers(6, 13) / scale
        picture = np.asarray(np.round(picture * levels) / levels, np.float32)
    if rng.random() < 0.12 and picture.ndim == 2:
        grey = ((picture - low) * (255 / scale)).clip(0, 255).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(grey).save(file, "JPEG", quality=int(rng.integers(50, 96)))
        picture = np.asarray(Image.open(file), np.float32)
    return np.asarray(picture, np.float32)


def _resized(seen: Plane, wanted: NDArray[np.uint8], side: int) -> tuple[Plane, NDArray[np.uint8]]:
    """Picture and lines at another size, as a capture of a screen is."""
    factor = side / len(wanted)
    zoom = (factor, factor, 1)[: seen.ndim]
    made = ndimage.zoom(seen, zoom, order=1)[:side, :side]
    return made, ndimage.zoom(wanted, factor, order=0)[:side, :side]


def _halved(wanted: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Of each two by two pixels: a line where most are, else either answer where any is."""
    parts = wanted.reshape(len(wanted) // 2, 2, -1, 2)
    lines = (parts == 1).sum((1, 3))
    return np.where(lines >= 2, 1, np.where((parts > 0).any((1, 3)), 2, 0)).astype(np.uint8)
