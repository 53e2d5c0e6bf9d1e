"""A chest-CT-like phantom from a seed: body, lungs, spine, heart, branching vessels, and nodules at known places.

Nobody's anatomy: every shape is an ellipsoid, a tube or a shell whose size is drawn from a seeded generator. It is made for
exercising software, not for learning anything about patients.

Axis order is (slice, row, column) = (z, y, x). z grows towards the head, y towards the back, x towards the patient's left, so that
the direction cosines of the rows and columns in DICOM's patient frame (LPS, PS3.3 C.7.6.2.1.1) are (1,0,0) and (0,1,0).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kernel = Literal["smooth", "sharp"]
Point = tuple[float, float, float]
Volume = NDArray[np.float32]

FINE_MM = 1.25
"""Anatomy is computed on slices this thick and averaged, so a thick slice has the partial-volume effect of a real one."""

AIR, LUNG, FAT, MUSCLE, BLOOD, MARROW, BONE = -1000.0, -855.0, -95.0, 45.0, 55.0, 180.0, 620.0


@dataclass(frozen=True, slots=True)
class Protocol:
    """How the phantom is scanned.

    Args:
        slice_thickness_mm: thickness and spacing of the slices, a multiple of 1.25.
        pixel_spacing_mm: spacing of rows and of columns.
        matrix: rows and columns.
        kernel: `smooth` blurs the image and correlates its noise over neighbouring pixels; `sharp` does neither.
        noise_hu: standard deviation of the noise in one slice, in HU.
        extent_mm: length along z, a multiple of the slice thickness.
    """

    slice_thickness_mm: float = 2.5
    pixel_spacing_mm: float = 2.5
    matrix: int = 128
    kernel: Kernel = "smooth"
    noise_hu: float = 30.0
    extent_mm: float = 160.0

    def __post_init__(self) -> None:
        if self.slice_thickness_mm % FINE_MM or self.extent_mm % self.slice_thickness_mm:
            raise ValueError("the thickness must be a multiple of 1.25 mm, and the extent a multiple of the thickness")

    @property
    def slices(self) -> int:
        """Number of slices."""
        return round(self.extent_mm / self.slice_thickness_mm)


THIN = Protocol(slice_thickness_mm=2.5, kernel="sharp", noise_hu=40.0)
MEDIUM = Protocol(slice_thickness_mm=5.0, kernel="smooth", noise_hu=25.0)
THICK = Protocol(slice_thickness_mm=10.0, kernel="smooth", noise_hu=20.0)


@dataclass(frozen=True, slots=True)
class Nodule:
    """One planted nodule. `center_mm` is (z, y, x) in mm from the centre of the first voxel; `hu` is that of its tissue."""

    center_mm: Point
    diameter_mm: float
    hu: float


@dataclass(frozen=True, slots=True)
class Phantom:
    """A volume of int16 HU, shape (slices, rows, columns), with its spacing (z, y, x) in mm and what was planted in it."""

    volume: NDArray[np.int16] = field(repr=False)
    spacing_mm: Point
    nodules: tuple[Nodule, ...]


def chest(seed: int | np.random.SeedSequence, *, protocol: Protocol, nodules: int | None = None) -> Phantom:
    """A chest from a seed.

    The same seed gives the same anatomy and the same nodules under every protocol; only the sampling and the noise differ.

    Args:
        seed: anything; a `SeedSequence` keeps the seeds of different purposes apart by construction.
        protocol: how it is scanned.
        nodules: how many nodules; None draws none for 55 of 100 seeds, else one to three.
    """
    sequence = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    # Children by key rather than by spawn(), which counts up inside the caller's object: a second call would differ.
    anatomy_rng, vessel_rng, nodule_rng, noise_rng = (
        np.random.Generator(np.random.PCG64(np.random.SeedSequence(sequence.entropy, spawn_key=(*sequence.spawn_key, part))))
        for part in range(4)
    )
    scene = _Scene.empty(protocol)
    lungs = _anatomy(scene, anatomy_rng)
    vessels = _vessels(scene, lungs, vessel_rng)
    inside = scene.lung_depth > 0
    scene.hu[inside] += (vessels * (BLOOD - scene.hu))[inside]
    planted = _nodules(scene, vessels, nodule_rng, nodules)
    volume = _scan(scene, protocol, noise_rng)
    half = (protocol.slice_thickness_mm / 2, protocol.pixel_spacing_mm / 2, protocol.pixel_spacing_mm / 2)
    found = tuple(
        Nodule(
            center_mm=(centre[0] - half[0], centre[1] - half[1], centre[2] - half[2]), diameter_mm=diameter, hu=hu
        )
        for centre, diameter, hu in planted
    )
    return Phantom(volume, (protocol.slice_thickness_mm, protocol.pixel_spacing_mm, protocol.pixel_spacing_mm), found)


@dataclass(slots=True)
class _Scene:
    """The fine grid. Positions are in mm from the corner of the volume, not from the first voxel's centre."""

    hu: Volume
    lung_depth: Volume
    """mm to the lung's surface, positive inside, roughly."""
    axes: tuple[Volume, Volume, Volume]
    steps: Point

    @classmethod
    def empty(cls, protocol: Protocol) -> _Scene:
        steps = (FINE_MM, protocol.pixel_spacing_mm, protocol.pixel_spacing_mm)
        counts = (round(protocol.extent_mm / FINE_MM), protocol.matrix, protocol.matrix)
        z, y, x = (((np.arange(n) + 0.5) * step).astype(np.float32) for n, step in zip(counts, steps, strict=True))
        return cls(np.full(counts, AIR, np.float32), np.full(counts, -1e3, np.float32), (z, y, x), steps)

    @property
    def middle(self) -> Point:
        """The centre of the volume in mm from its corner."""
        counts = self.hu.shape
        return (counts[0] * self.steps[0] / 2, counts[1] * self.steps[1] / 2, counts[2] * self.steps[2] / 2)

    def box(self, low: Point, high: Point) -> tuple[slice, slice, slice]:
        """The voxels between two corners, with one more on each side, cut at the volume's edge."""
        found = []
        for axis in range(3):
            first = int(low[axis] // self.steps[axis]) - 1
            last = int(high[axis] // self.steps[axis]) + 2
            size = self.hu.shape[axis]
            found.append(slice(min(max(first, 0), size), min(max(last, 0), size)))
        return found[0], found[1], found[2]

    def offsets(self, where: tuple[slice, slice, slice], centre: Point) -> tuple[Volume, Volume, Volume]:
        """Distances in mm from a point along each axis, shaped to broadcast over the box."""
        z, y, x = (axis[part] - np.float32(middle) for axis, part, middle in zip(self.axes, where, centre, strict=True))
        return z[:, None, None], y[None, :, None], x[None, None, :]

    def depth(self, centre: Point, half_axes: Point) -> tuple[tuple[slice, slice, slice], Volume]:
        """A box, and in it mm below the surface of an ellipsoid: exact on the surface, an approximation elsewhere."""
        low = (centre[0] - half_axes[0], centre[1] - half_axes[1], centre[2] - half_axes[2])
        high = (centre[0] + half_axes[0], centre[1] + half_axes[1], centre[2] + half_axes[2])
        where = self.box(low, high)
        z, y, x = self.offsets(where, centre)
        radius = np.sqrt((z / np.float32(half_axes[0])) ** 2 + ((y / np.float32(half_axes[1])) ** 2 + (x / np.float32(half_axes[2])) ** 2))
        return where, (np.float32(1) - radius) * np.float32(min(half_axes))

    def ellipsoid(self, centre: Point, half_axes: Point, hu: float) -> None:
        """Fill an ellipsoid with a tissue, its surface shared in proportion."""
        where, depth = self.depth(centre, half_axes)
        view = self.hu[where]
        view += self.covered(depth) * (np.float32(hu) - view)

    def covered(self, depth: Volume) -> Volume:
        """The share of a voxel that lies inside a surface, from its centre's depth in mm."""
        return np.clip(depth / np.float32(self.steps[1]) + np.float32(0.5), 0, 1)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(rng.random())


def _anatomy(scene: _Scene, rng: np.random.Generator) -> tuple[tuple[Point, Point], tuple[Point, Point]]:
    """Fill the scene with everything but vessels and nodules; gives the centre and half axes of the right and the left lung."""
    cz, cy, cx = scene.middle
    size = _between(rng, 0.9, 1.04)
    girth = _between(rng, 0.92, 1.04)
    fat_mm = _between(rng, 8, 20)
    z, y, x = scene.axes
    # The body is a cylinder that widens towards the shoulders: one ellipse, scaled slice by slice.
    body_y, body_x = 100 * size * girth, 142 * size * min(girth, 1.0)
    ellipse = np.sqrt(((y[:, None] - cy) / np.float32(body_y)) ** 2 + ((x[None, :] - cx) / np.float32(body_x)) ** 2).astype(np.float32)
    widening = (1 + 0.05 * (z - cz) / np.float32(cz)).astype(np.float32)[:, None, None]
    depth = (widening - ellipse[None]) * np.float32(body_y)
    scene.hu += scene.covered(depth) * np.float32(FAT - AIR)
    scene.hu += scene.covered(depth - np.float32(fat_mm)) * np.float32(MUSCLE - FAT)
    _table(scene, cy + body_y * 1.06)

    lungs = []
    for side in (-1.0, 1.0):
        half = (_between(rng, 98, 112), 74 * size * _between(rng, 0.95, 1.05), 50 * size * _between(rng, 0.95, 1.05))
        centre = (cz - 12, cy - 3, cx + side * 64 * size)
        lungs.append((centre, half))
        _ribs(scene, centre, half, rng)
    for centre, half in lungs:
        where, depth = scene.depth(centre, half)
        np.maximum(scene.lung_depth[where], depth, out=scene.lung_depth[where])
    _outside_lung(scene, rng, (cz, cy, cx), size)
    lung_hu = LUNG + _between(rng, -20, 25) + (y - np.float32(cy))[None, :, None] * np.float32(0.35) + _texture(scene, rng)
    scene.hu += scene.covered(scene.lung_depth) * (lung_hu - scene.hu)
    _mediastinum(scene, rng, (cz, cy, cx), size)
    return lungs[0], lungs[1]


def _outside_lung(scene: _Scene, rng: np.random.Generator, middle: Point, size: float) -> None:
    """Take heart, mediastinum and the domes of the diaphragm out of the lungs."""
    cz, cy, cx = middle
    heart = (cz - 38, cy - 22, cx + 18 * size)
    taken = [
        (heart, (54.0, 44 * size, 52 * size)),
        ((cz, cy + 8, cx), (150.0, 66 * size, 25 * size)),
        ((cz - _between(rng, 108, 120), cy, cx - 62 * size), (62.0, 88 * size, 66 * size)),
        ((cz - _between(rng, 118, 130), cy, cx + 62 * size), (62.0, 88 * size, 66 * size)),
    ]
    for centre, half in taken:
        where, depth = scene.depth(centre, half)
        np.minimum(scene.lung_depth[where], -depth, out=scene.lung_depth[where])


def _mediastinum(scene: _Scene, rng: np.random.Generator, middle: Point, size: float) -> None:
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
    discs = np.flatnonzero((scene.axes[0] + np.float32(_between(rng, 0, 25))) % np.float32(25) < 5)
    _, rows, columns = scene.box((0, spine_y - 15, cx - 19), (0, spine_y + 15, cx + 19))
    disc = scene.hu[discs, rows, columns]
    disc[disc > MUSCLE + 60] = MUSCLE + 40
    scene.hu[discs, rows, columns] = disc
    scene.ellipsoid((cz + 5, cy - 84 * size, cx), (110, 6, 16), BONE * 0.7)


def _ribs(scene: _Scene, centre: Point, half: Point, rng: np.random.Generator) -> None:
    """Bands of bone in the wall around a lung, sloping down towards the front."""
    where, depth = scene.depth(centre, (half[0] + 40, half[1] + 14, half[2] + 14))
    z, y, x = scene.offsets(where, centre)
    phase = np.float32(_between(rng, 0, 26))
    band = np.float32(5) - np.abs((z - np.float32(0.45) * y + phase) % np.float32(26) - np.float32(13))
    wall = np.float32(4) - np.abs(depth - np.float32(5))
    # Not on the side of the mediastinum, where there is no wall.
    lateral = np.sign(centre[2] - scene.middle[2]) * x + np.float32(half[2] * 0.35)
    view = scene.hu[where]
    view += scene.covered(np.minimum(np.minimum(band, wall), lateral)) * (np.float32(BONE * 0.8) - view)


def _table(scene: _Scene, top_mm: float) -> None:
    """The couch under the patient."""
    cx = scene.middle[2]
    y, x = scene.axes[1][:, None], scene.axes[2][None, :]
    board = np.float32(2.5) - np.abs(y - np.float32(top_mm) + ((x - np.float32(cx)) / 110) ** 2 * np.float32(14))
    share = scene.covered(np.minimum(board, np.float32(130) - np.abs(x - np.float32(cx))))[None]
    np.maximum(scene.hu, np.float32(AIR) + share * np.float32(820), out=scene.hu)


def _texture(scene: _Scene, rng: np.random.Generator) -> Volume:
    """Slow unevenness of the lung, 18 HU, over about 10 mm: noise on a coarse grid, interpolated linearly axis by axis."""
    field_ = rng.standard_normal((20, 34, 34), dtype=np.float32) * np.float32(18)
    for axis, size in enumerate(scene.hu.shape):
        place = np.linspace(0, field_.shape[axis] - 1.001, size, dtype=np.float32)
        first = place.astype(np.intp)
        share = (place - first).reshape([-1 if k == axis else 1 for k in range(3)])
        field_ = np.take(field_, first, axis) * (1 - share) + np.take(field_, first + 1, axis) * share
    return field_


def _capsule(scene: _Scene, share: Volume, start: NDArray[np.float64], end: NDArray[np.float64], radius_mm: float) -> None:
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


def _vessels(scene: _Scene, lungs: tuple[tuple[Point, Point], tuple[Point, Point]], rng: np.random.Generator) -> Volume:
    """Share of vessel in each voxel: a tree from each hilum, and stout lone segments that look like a nodule in a single slice."""
    share = np.zeros_like(scene.hu)
    middle = np.array(scene.middle)
    for side, (centre, half) in zip((-1.0, 1.0), lungs, strict=True):
        hilum = np.array([middle[0] + _between(rng, -4, 10), middle[1] + 6, middle[2] + side * 26])
        for _ in range(6):
            target = np.array(centre) + np.array(half) * rng.uniform(-0.85, 0.85, 3)
            direction = (target - hilum) / np.sqrt(((target - hilum) ** 2).sum())
            _branch(scene, share, hilum, direction, _between(rng, 3.0, 4.2), 4, rng)
        for _ in range(int(rng.integers(2, 5))):
            middle_of_it = np.array(centre) + np.array(half) * rng.uniform(-0.6, 0.6, 3)
            direction = rng.standard_normal(3) * np.array([2.5, 1.0, 1.0])
            reach = direction / np.sqrt((direction**2).sum()) * _between(rng, 9, 18)
            _capsule(scene, share, middle_of_it - reach, middle_of_it + reach, _between(rng, 2.4, 4.2))
    return share


def _branch(
    scene: _Scene, share: Volume, start: NDArray[np.float64], direction: NDArray[np.float64], radius_mm: float, depth: int, rng: np.random.Generator
) -> None:
    """One segment and the two that leave its end, each thinner."""
    end = start + direction * _between(rng, 16, 30)
    _capsule(scene, share, start, end, radius_mm)
    if depth == 1:
        return
    for _ in range(2):
        turned = direction + rng.standard_normal(3) * 0.5
        _branch(scene, share, end, turned / np.sqrt((turned**2).sum()), radius_mm * _between(rng, 0.6, 0.8), depth - 1, rng)


def _nodules(scene: _Scene, vessels: Volume, rng: np.random.Generator, count: int | None) -> list[tuple[Point, float, float]]:
    """Plant nodules in free lung; gives centre (mm from the corner), diameter in mm, and HU."""
    drawn = 0 if rng.random() < 0.55 else int(rng.integers(1, 4))
    planted: list[tuple[Point, float, float]] = []
    for _ in range(drawn if count is None else count):
        diameter = _between(rng, 6.0, 16.0)
        # Small ones are solid more often; a few large ones are faint (sub-solid).
        hu = _between(rng, -550, -250) if rng.random() < 0.25 else _between(rng, -60, 60)
        free = scene.lung_depth > np.float32(diameter / 2 + 2)
        edge = round((diameter / 2 + 4) / scene.steps[0])
        free[:edge] = free[-edge:] = False
        candidates = np.flatnonzero(free)
        for _attempt in range(60):
            index = np.unravel_index(candidates[int(rng.integers(len(candidates)))], free.shape)
            centre = tuple(float(axis[i]) for axis, i in zip(scene.axes, index, strict=True))
            jittered = tuple(middle + step * _between(rng, -0.5, 0.5) for middle, step in zip(centre, scene.steps, strict=True))
            place = (jittered[0], jittered[1], jittered[2])
            where, depth = scene.depth(place, (diameter / 2,) * 3)
            apart = all(sum((a - b) ** 2 for a, b in zip(place, other, strict=True)) ** 0.5 > 30 for other, _, _ in planted)
            if apart and float(vessels[where][depth > 0].mean()) < 0.1:
                break
        stretch = np.array([_between(rng, 0.9, 1.1) for _ in range(3)])
        z, y, x = diameter / 2 * stretch / float(stretch.prod()) ** (1 / 3)
        scene.ellipsoid(place, (z, y, x), hu)
        planted.append((place, diameter, hu))
    return planted


def _scan(scene: _Scene, protocol: Protocol, rng: np.random.Generator) -> NDArray[np.int16]:
    """Average the fine slices over the slice thickness, apply the kernel in plane, add its noise, and round to int16 HU."""
    per_slice = round(protocol.slice_thickness_mm / FINE_MM)
    counts = scene.hu.shape
    image = scene.hu.reshape(protocol.slices, per_slice, counts[1], counts[2]).mean(axis=1, dtype=np.float32)
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    if protocol.kernel == "smooth":
        image = _smooth(image)
        # The variance left by the taps (1, 2, 1)/4 is 6/16 along each of the two axes.
        noise = _smooth(noise) / np.float32(6 / 16)
    image += noise * np.float32(protocol.noise_hu)
    return np.clip(np.rint(image), -1024, 3071).astype(np.int16)


def _smooth(image: Volume) -> Volume:
    """The taps (1, 2, 1)/4 along rows and columns, edges repeated."""
    for axis in (1, 2):
        padded = np.pad(image, [(1, 1) if k == axis else (0, 0) for k in range(3)], mode="edge")
        size = image.shape[axis]
        before, after = np.take(padded, range(size), axis), np.take(padded, range(2, size + 2), axis)
        image = (before + after) * np.float32(0.25) + image * np.float32(0.5)
    return image
