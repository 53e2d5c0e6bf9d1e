"""A chest-CT-like phantom from a seed: body, lungs, spine, heart, branching vessels, and nodules at known places.

Nobody's anatomy: every shape is an ellipsoid, a tube or a shell whose size is drawn from a seeded generator. It is made for
exercising software, not for learning anything about patients.

Axis order is (slice, row, column) = (z, y, x). z grows towards the head, y towards the back, x towards the patient's left, so
that the direction cosines of the rows and columns in DICOM's patient frame (LPS, PS3.3 C.7.6.2.1.1) are (1,0,0) and (0,1,0).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tasks.synthetic.anatomy import draw_anatomy
from tasks.synthetic.lesions import plant_nodules, vessel_share
from tasks.synthetic.scene import BLOOD, FINE_MM, Point, Scene, Volume

Kernel = Literal["smooth", "sharp"]


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

#: Noise of an average scanner by slice thickness in mm. The thick protocol is one of very low dose: thick slices and little
#: light, as for a quick look, which makes it the harder one.
SCANNER_NOISE_HU = {2.5: 30.0, 5.0: 24.0, 10.0: 60.0}
#: How much noisier the sharp kernel is.
SHARP_NOISE = 1.4


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


def chest(seed: int | np.random.SeedSequence, *, protocol: Protocol, nodules: int | None = None, scan: int = 0) -> Phantom:
    """A chest from a seed.

    The same seed gives the same anatomy and the same nodules under every protocol; only the sampling and the noise differ.

    Args:
        seed: anything; a `SeedSequence` keeps the seeds of different purposes apart by construction.
        protocol: how it is scanned.
        nodules: how many nodules; None draws none for 55 of 100 seeds, else one to three.
        scan: which scan of this chest it is: another number gives the same chest with other noise.
    """
    sequence = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    # Children by key rather than by spawn(), which counts up inside the caller's object: a second call would differ.
    streams: list[tuple[int, ...]] = [(0,), (1,), (2,), (3, scan) if scan else (3,)]
    anatomy_rng, vessel_rng, nodule_rng, noise_rng = (
        np.random.Generator(np.random.PCG64(np.random.SeedSequence(sequence.entropy, spawn_key=(*sequence.spawn_key, *stream))))
        for stream in streams
    )
    scene = Scene.empty(extent_mm=protocol.extent_mm, matrix=protocol.matrix, pixel_spacing_mm=protocol.pixel_spacing_mm)
    lungs = draw_anatomy(scene, anatomy_rng)
    vessels = vessel_share(scene, lungs, vessel_rng)
    inside = scene.lung_depth > 0
    scene.hu[inside] += (vessels * (BLOOD - scene.hu))[inside]
    planted = plant_nodules(scene, vessels, nodule_rng, nodules)
    volume = _scan(scene, protocol, noise_rng)
    half = (protocol.slice_thickness_mm / 2, protocol.pixel_spacing_mm / 2, protocol.pixel_spacing_mm / 2)
    found = tuple(
        Nodule(center_mm=(centre[0] - half[0], centre[1] - half[1], centre[2] - half[2]), diameter_mm=diameter, hu=hu)
        for centre, diameter, hu in planted
    )
    return Phantom(volume, (protocol.slice_thickness_mm, protocol.pixel_spacing_mm, protocol.pixel_spacing_mm), found)


def _scan(scene: Scene, protocol: Protocol, rng: np.random.Generator) -> NDArray[np.int16]:
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
    hounsfield: NDArray[np.int16] = np.clip(np.rint(image), -1024, 3071).astype(np.int16)
    return hounsfield


def _smooth(image: Volume) -> Volume:
    """The taps (1, 2, 1)/4 along rows and columns, edges repeated."""
    for axis in (1, 2):
        padded = np.pad(image, [(1, 1) if k == axis else (0, 0) for k in range(3)], mode="edge")
        size = image.shape[axis]
        before, after = np.take(padded, range(size), axis), np.take(padded, range(2, size + 2), axis)
        image = (before + after) * np.float32(0.25) + image * np.float32(0.5)
    return image
