"""The large shapes of the chest: body, couch, ribs, lungs, heart, great vessels and spine, each of a size that is drawn."""

from __future__ import annotations

import numpy as np

from tasks.synthetic.scene import AIR, BLOOD, BONE, FAT, LUNG, MARROW, MUSCLE, Point, Scene, Volume, between

Lungs = tuple[tuple[Point, Point], tuple[Point, Point]]
"""Centre and half axes, (z, y, x) in mm, of the patient's right and left lung."""


def draw_anatomy(scene: Scene, rng: np.random.Generator) -> Lungs:
    """Fill the scene with everything but vessels and nodules; gives the centre and half axes of the right and the left lung."""
    cz, cy, cx = scene.middle
    size = between(rng, 0.9, 1.04)
    girth = between(rng, 0.92, 1.04)
    fat_mm = between(rng, 8, 20)
    z, y, x = scene.axes
    # The body is a cylinder that widens towards the shoulders: one ellipse, scaled slice by slice.
    body_y, body_x = 100 * size * girth, 142 * size * min(girth, 1.0)
    across = ((y[:, None] - cy) / np.float32(body_y)) ** 2 + ((x[None, :] - cx) / np.float32(body_x)) ** 2
    ellipse = np.sqrt(across).astype(np.float32)
    widening = (1 + 0.05 * (z - cz) / np.float32(cz)).astype(np.float32)[:, None, None]
    depth = (widening - ellipse[None]) * np.float32(body_y)
    scene.hu += scene.covered(depth) * np.float32(FAT - AIR)
    scene.hu += scene.covered(depth - np.float32(fat_mm)) * np.float32(MUSCLE - FAT)
    _table(scene, cy + body_y * 1.06)

    lungs = []
    for side in (-1.0, 1.0):
        half = (between(rng, 98, 112), 74 * size * between(rng, 0.95, 1.05), 50 * size * between(rng, 0.95, 1.05))
        centre = (cz - 12, cy - 3, cx + side * 64 * size)
        lungs.append((centre, half))
        _ribs(scene, centre, half, rng)
    for centre, half in lungs:
        where, depth = scene.depth(centre, half)
        np.maximum(scene.lung_depth[where], depth, out=scene.lung_depth[where])
    _outside_lung(scene, rng, (cz, cy, cx), size)
    lung_hu = LUNG + between(rng, -20, 25) + (y - np.float32(cy))[None, :, None] * np.float32(0.35) + _texture(scene, rng)
    scene.hu += scene.covered(scene.lung_depth) * (lung_hu - scene.hu)
    _mediastinum(scene, rng, (cz, cy, cx), size)
    return lungs[0], lungs[1]


def _outside_lung(scene: Scene, rng: np.random.Generator, middle: Point, size: float) -> None:
    """Take heart, mediastinum and the domes of the diaphragm out of the lungs."""
    cz, cy, cx = middle
    heart = (cz - 38, cy - 22, cx + 18 * size)
    taken = [
        (heart, (54.0, 44 * size, 52 * size)),
        ((cz, cy + 8, cx), (150.0, 66 * size, 25 * size)),
        ((cz - between(rng, 108, 120), cy, cx - 62 * size), (62.0, 88 * size, 66 * size)),
        ((cz - between(rng, 118, 130), cy, cx + 62 * size), (62.0, 88 * size, 66 * size)),
    ]
    for centre, half in taken:
        where, depth = scene.depth(centre, half)
        np.minimum(scene.lung_depth[where], -depth, out=scene.lung_depth[where])


def _mediastinum(scene: Scene, rng: np.random.Generator, middle: Point, size: float) -> None:
    """Heart, aorta, trachea, oesophagus and spine."""
    cz, cy, cx = middle
    scene.ellipsoid((cz - 38, cy - 22, cx + 18 * size), (50, 40 * size, 48 * size), BLOOD)
    scene.ellipsoid((cz, cy + 40 * size, cx + 20 * size), (400, 12, 12), BLOOD)
    scene.ellipsoid((cz + 20, cy - 10, cx + 10), (70, 14, 14), BLOOD)
    scene.ellipsoid((cz + 95, cy + 4, cx), (90, 8.5, 9.5), AIR)
    scene.ellipsoid((cz, cy + 26 * size, cx + 4), (400, 6, 7), MUSCLE - 15)
    spine_y = cy + 64 * size
    scene.ellipsoid((cz, spine_y, cx), (900, 16, 20), BONE)
    scene.ellipsoid((cz, spine_y, cx), (900, 13, 17), MARROW)
    scene.ellipsoid((cz, spine_y + 24, cx), (900, 11, 12), BONE)
    scene.ellipsoid((cz, spine_y + 23, cx), (900, 7.5, 8.5), 20.0)
    discs = np.flatnonzero((scene.axes[0] + np.float32(between(rng, 0, 25))) % np.float32(25) < 5)
    _, rows, columns = scene.box((0, spine_y - 15, cx - 19), (0, spine_y + 15, cx + 19))
    disc = scene.hu[discs, rows, columns]
    disc[disc > MUSCLE + 60] = MUSCLE + 40
    scene.hu[discs, rows, columns] = disc
    scene.ellipsoid((cz + 5, cy - 84 * size, cx), (110, 6, 16), BONE * 0.7)


def _ribs(scene: Scene, centre: Point, half: Point, rng: np.random.Generator) -> None:
    """Bands of bone in the wall around a lung, sloping down towards the front."""
    where, depth = scene.depth(centre, (half[0] + 40, half[1] + 14, half[2] + 14))
    z, y, x = scene.offsets(where, centre)
    phase = np.float32(between(rng, 0, 26))
    band = np.float32(5) - np.abs((z - np.float32(0.45) * y + phase) % np.float32(26) - np.float32(13))
    wall = np.float32(4) - np.abs(depth - np.float32(5))
    # Not on the side of the mediastinum, where there is no wall.
    lateral = np.sign(centre[2] - scene.middle[2]) * x + np.float32(half[2] * 0.35)
    view = scene.hu[where]
    view += scene.covered(np.minimum(np.minimum(band, wall), lateral)) * (np.float32(BONE * 0.8) - view)


def _table(scene: Scene, top_mm: float) -> None:
    """The couch under the patient."""
    cx = scene.middle[2]
    y, x = scene.axes[1][:, None], scene.axes[2][None, :]
    board = np.float32(2.5) - np.abs(y - np.float32(top_mm) + ((x - np.float32(cx)) / 110) ** 2 * np.float32(14))
    share = scene.covered(np.minimum(board, np.float32(130) - np.abs(x - np.float32(cx))))[None]
    np.maximum(scene.hu, np.float32(AIR) + share * np.float32(820), out=scene.hu)


def _texture(scene: Scene, rng: np.random.Generator) -> Volume:
    """Slow unevenness of the lung, 18 HU, over about 10 mm: noise on a coarse grid, interpolated linearly axis by axis."""
    field_ = rng.standard_normal((20, 34, 34), dtype=np.float32) * np.float32(18)
    for axis, size in enumerate(scene.hu.shape):
        place = np.linspace(0, field_.shape[axis] - 1.001, size, dtype=np.float32)
        first = place.astype(np.intp)
        share = (place - first).reshape([-1 if k == axis else 1 for k in range(3)])
        field_ = np.take(field_, first, axis) * (1 - share) + np.take(field_, first + 1, axis) * share
    return field_
