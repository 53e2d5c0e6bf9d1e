"""The small shapes in the lungs: branching vessels, lone segments that mimic a nodule in a single slice, and the nodules."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tasks.synthetic.anatomy import Lungs
from tasks.synthetic.scene import Point, Scene, Volume, between

Vector = NDArray[np.float64]


def _capsule(scene: Scene, share: Volume, start: Vector, end: Vector, radius_mm: float) -> None:
    """Add a tube with round ends to a map of how much of each voxel is vessel."""
    low, high = np.minimum(start, end) - radius_mm, np.maximum(start, end) + radius_mm
    where = scene.box((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    z, y, x = scene.offsets(where, (start[0], start[1], start[2]))
    dz, dy, dx = (np.float32(value) for value in end - start)
    squared = dz * dz + dy * dy + dx * dx
    along = np.clip((z * dz + y * dy + x * dx) / squared, 0, 1)
    distance = np.sqrt((z - along * dz) ** 2 + (y - along * dy) ** 2 + (x - along * dx) ** 2)
    # A tube thinner than a pixel never fills one: its share is bounded by the ratio of the areas.
    thin = min(1.0, np.pi * radius_mm**2 / scene.steps[1] ** 2)
    np.maximum(share[where], scene.covered(np.float32(radius_mm) - distance) * np.float32(thin), out=share[where])


def vessel_share(scene: Scene, lungs: Lungs, rng: np.random.Generator) -> Volume:
    """Share of vessel in each voxel, float32, 0 to 1: a tree from each hilum, and stout lone segments."""
    share = np.zeros_like(scene.hu)
    middle = np.array(scene.middle)
    for side, (centre, half) in zip((-1.0, 1.0), lungs, strict=True):
        hilum = np.array([middle[0] + between(rng, -4, 10), middle[1] + 6, middle[2] + side * 26])
        for _ in range(6):
            target = np.array(centre) + np.array(half) * rng.uniform(-0.85, 0.85, 3)
            direction = (target - hilum) / np.sqrt(((target - hilum) ** 2).sum())
            _branch(scene, share, rng, start=hilum, direction=direction, radius_mm=between(rng, 3.0, 4.2), depth=4)
        # Mostly along z and three to five times as long as wide: told from a nodule by their course through thin slices, hardly
        # through thick ones. This is what makes the thick protocol harder.
        for _ in range(int(rng.integers(3, 6))):
            middle_of_it = np.array(centre) + np.array(half) * rng.uniform(-0.7, 0.7, 3)
            direction = rng.standard_normal(3) * np.array([4.0, 1.0, 1.0])
            radius = between(rng, 2.2, 3.8)
            reach = direction / np.sqrt((direction**2).sum()) * radius * between(rng, 2.4, 4.0)
            _capsule(scene, share, middle_of_it - reach, middle_of_it + reach, radius)
    return share


def _branch(
    scene: Scene, share: Volume, rng: np.random.Generator, *, start: Vector, direction: Vector, radius_mm: float, depth: int
) -> None:
    """One segment and the two that leave its end, each thinner, down to a depth of 1. `direction` is a unit vector."""
    end = start + direction * between(rng, 16, 30)
    _capsule(scene, share, start, end, radius_mm)
    if depth == 1:
        return
    for _ in range(2):
        turned = direction + rng.standard_normal(3) * 0.5
        turned /= np.sqrt((turned**2).sum())
        _branch(scene, share, rng, start=end, direction=turned, radius_mm=radius_mm * between(rng, 0.6, 0.8), depth=depth - 1)


def plant_nodules(scene: Scene, vessels: Volume, rng: np.random.Generator, count: int | None) -> list[tuple[Point, float, float]]:
    """Plant nodules in free lung; gives centre (mm from the corner), diameter in mm, and HU."""
    drawn = 0 if rng.random() < 0.55 else int(rng.integers(1, 4))
    planted: list[tuple[Point, float, float]] = []
    for _ in range(drawn if count is None else count):
        # 6 to 16 mm, small ones more often; one in four is faint (sub-solid).
        diameter = 6.0 + 10.0 * float(rng.random()) ** 1.3
        hu = between(rng, -550, -250) if rng.random() < 0.25 else between(rng, -60, 60)
        free = scene.lung_depth > np.float32(diameter / 2 + 2)
        edge = round((diameter / 2 + 4) / scene.steps[0])
        free[:edge] = free[-edge:] = False
        candidates = np.flatnonzero(free)
        for _attempt in range(60):
            index = np.unravel_index(candidates[int(rng.integers(len(candidates)))], free.shape)
            centre = tuple(float(axis[i]) for axis, i in zip(scene.axes, index, strict=True))
            jittered = tuple(middle + step * between(rng, -0.5, 0.5) for middle, step in zip(centre, scene.steps, strict=True))
            place = (jittered[0], jittered[1], jittered[2])
            where, depth = scene.depth(place, (diameter / 2,) * 3)
            apart = all(sum((a - b) ** 2 for a, b in zip(place, other, strict=True)) ** 0.5 > 30 for other, _, _ in planted)
            if apart and float(vessels[where][depth > 0].mean()) < 0.1:
                break
        stretch = np.array([between(rng, 0.9, 1.1) for _ in range(3)])
        z, y, x = diameter / 2 * stretch / float(stretch.prod()) ** (1 / 3)
        scene.ellipsoid(place, (z, y, x), hu)
        planted.append((place, diameter, hu))
    return planted
