"""Drawn heads for training: folds, ventricles and nuclei on both sides of a midline, which lie as close and as even as letters in a line.

Nothing of them comes from a patient's image. Like `grounds`, all is made from a random generator that is given.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Plane = NDArray[np.float32]


def brain(rng: np.random.Generator, shapes: Plane) -> Plane:
    """The picture with a head of skin, skull and brain on it, upright or lying, whole or in part.

    Args:
        shapes: float32 of shape (side, side), changed in place.
    """
    side = len(shapes)
    wide = side * rng.uniform(0.35, 1.6)
    down, across = _frame(rng, side, wide)
    long = rng.uniform(0.75, 1.4)
    radius = np.hypot(down / long, across) * (1 + rng.uniform(-0.12, 0.12) * down)
    greys = rng.permutation([rng.uniform(0, 0.2), rng.uniform(0.3, 0.6), rng.uniform(0.6, 1)]).astype(np.float32)
    fluid, cortex, white = (float(each) for each in greys)
    head = _layers(rng, np.array(shapes), radius, fluid)
    inside = radius < 1
    depth = np.asarray(1 - radius, np.float32)
    folds = _folds(rng, side, wide, down, across)
    tissue = np.full_like(shapes, cortex)
    tissue[depth + rng.uniform(0.05, 0.25) * folds > rng.uniform(0.1, 0.35)] = white
    reach = rng.uniform(0.05, 0.5)  # so deep fluid lies between folds
    tissue[folds < -rng.uniform(0.5, 1.2) - 1.5 * depth / reach] = fluid
    for value, part in _middle(rng, down, across, (fluid, cortex)):
        tissue[part] = value
    head[inside] = tissue[inside]
    return np.asarray(head, np.float32)


def _frame(rng: np.random.Generator, side: int, wide: float) -> tuple[Plane, Plane]:
    """Where each pixel lies from the head's middle, down and across, in half widths of the head."""
    rows, columns = np.indices((side, side), np.float32)
    y, x = rng.uniform(0.1, 0.9, 2) * side
    angle = rng.choice([0, np.pi / 2, np.pi, -np.pi / 2]) + rng.normal(0, 0.12)
    v, u = (rows - y) * np.float32(2 / wide), (columns - x) * np.float32(2 / wide)
    return np.asarray(v * np.cos(angle) - u * np.sin(angle), np.float32), np.asarray(
        v * np.sin(angle) + u * np.cos(angle), np.float32
    )


def _layers(rng: np.random.Generator, head: Plane, radius: Plane, fluid: float) -> Plane:
    """Skin, skull and fluid around the brain; a template of a brain alone has none."""
    if rng.random() < 0.3:
        head[radius < 1.02] = fluid
        return head
    outer = 1 + np.cumsum(rng.uniform(0.02, 0.1, 4))[::-1]
    for limit, value in zip(outer, (rng.uniform(0.4, 1.2), rng.uniform(0, 0.3), rng.uniform(0.2, 1), fluid), strict=True):
        head[radius < limit] = value
    return head


def _folds(rng: np.random.Generator, side: int, wide: float, down: Plane, across: Plane) -> Plane:
    """Bands of one scale, standard deviation 1; often nearly the same on both sides of the midline."""
    scale = max(0.8, wide * rng.uniform(0.012, 0.035))
    grains = rng.standard_normal((side, side), np.float32)
    if rng.random() < 0.6:
        # What lies left and right of the midline is drawn from the same grains.
        half = max(8, int(wide))
        own = rng.standard_normal((2 * half + 1, half + 1), np.float32)
        at = ((down + 1) / 2 * wide).clip(0, 2 * half).astype(int), (np.abs(across) / 2 * wide).clip(0, half).astype(int)
        mixed = np.float32(rng.uniform(0.5, 1))
        grains = mixed * own[at] + np.sqrt(1 - mixed**2) * grains
    bands = ndimage.gaussian_filter(grains, scale) - ndimage.gaussian_filter(grains, 1.8 * scale)
    return np.asarray(bands / (bands.std() + 1e-6), np.float32)


def _middle(
    rng: np.random.Generator, down: Plane, across: Plane, values: tuple[float, float]
) -> list[tuple[float, NDArray[np.bool_]]]:
    """Grey values and where they lie: nuclei and ventricles in pairs, small things on the midline one after the other, and its fissure."""
    fluid, grey = values
    aside = np.abs(across)
    parts: list[tuple[float, NDArray[np.bool_]]] = []
    for _ in range(int(rng.integers(0, 4))):  # nuclei, and further folds deep inside
        y, x, high, broad = rng.uniform(-0.5, 0.5), rng.uniform(0.05, 0.5), rng.uniform(0.03, 0.25), rng.uniform(0.02, 0.12)
        lean = rng.uniform(-0.8, 0.8)
        parts.append((grey, ((down - y) / high) ** 2 + ((aside - x - lean * (down - y)) / broad) ** 2 < 1))
    for _ in range(int(rng.integers(0, 3))):  # horns: arcs of a ring on each side
        y, x, turn = rng.uniform(-0.4, 0.4), rng.uniform(0.1, 0.4), rng.uniform(0.08, 0.35)
        thick, upper = rng.uniform(0.015, 0.08), rng.choice([-1.0, 1.0])
        ring = np.abs(np.hypot(down - y, aside - x) - turn) < thick
        parts.append((fluid, ring & (upper * (down - y) > rng.uniform(-0.2, 0.1))))
    y = rng.uniform(-0.4, 0.4)
    for _ in range(int(rng.integers(0, 6))):  # on the midline: third and fourth ventricle, aqueduct, callosum, vermis
        high, broad = rng.uniform(0.01, 0.12), rng.uniform(0.01, 0.2)
        parts.append((float(rng.choice([fluid, grey, rng.uniform(0, 1)])), ((down - y) / high) ** 2 + (across / broad) ** 2 < 1))
        y += rng.uniform(0.05, 0.25)
    if rng.random() < 0.7:
        least = rng.uniform(0, 0.6)
        parts.append((fluid, (aside < rng.uniform(0.005, 0.03)) & (np.abs(down) > least)))
    return parts
