"""The skin: where a body's surface meets air that was seen, as a map of depths from the front, and the ridges that stand out of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tasks.deid.faces import morphology
from tasks.deid.faces.grid import Grid, Mask
from tasks.deid.faces.planes import Image

#: CT: air is -1000 HU and fat about -100; half way, less a margin for the partial volumes of thick slices.
SKIN_HU = -350.0
#: A part of the body that is smaller than this is a tube, a strap, a finger or noise, mm³.
_SMALLEST_PART_MM3 = 60_000.0
#: How far to each side the flank of a ridge is looked for, mm. A nose is 30 to 40 mm wide (alar width of adults), a child's less.
_FLANK_MM = 21.0
#: No nose is higher above its flanks; what is, is a limb in front of a trunk.
_HIGHEST_RIDGE_MM = 45.0


@dataclass(frozen=True, slots=True)
class Skin:
    """What is seen of a body from one side.

    depth: (z, x), distance in mm of the surface from the front of the grid; NaN where no surface between seen air and tissue is in view.
    body: (z, y, x), the body, front first along y. step: mm.
    """

    depth: Image
    body: Mask
    step: float

    @property
    def visible_cm2(self) -> float:
        """Area of the surface in view, projected on the coronal plane, in cm²."""
        return float(np.isfinite(self.depth).sum()) * self.step**2 / 100


@dataclass(frozen=True, slots=True)
class Ridge:
    """A part of the skin that stands out over both of its flanks, as a nose does.

    relief_mm: its greatest height over the higher flank; height_mm, width_mm: its extent along z and x;
    around_cm2: skin in view within 60 mm of it; behind_mm, across_mm: how deep the body is behind it, and how broad there;
    z, x: its highest point in the grid.
    """

    relief_mm: float
    height_mm: float
    width_mm: float
    around_cm2: float
    behind_mm: float
    across_mm: float
    z: int
    x: int


def threshold(grid: Grid, modality: str) -> float:
    """The value between air and tissue: fixed for CT (HU); for others half of Otsu's threshold (IEEE Trans SMC 9:62, 1979), taken below
    the 99th percentile, because skin is darker than what lies under a receive coil."""
    if modality == "CT":
        return SKIN_HU
    values = grid.values[grid.seen]
    if not values.size:
        return np.inf
    low, high = np.percentile(values, [0.5, 99])
    if not high > low:
        return np.inf
    counts, edges = np.histogram(values.clip(low, high), 256)
    centres = (edges[1:] + edges[:-1]) / 2
    below, total = np.cumsum(counts), counts.sum()
    sums = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (sums[-1] / total * below - sums) ** 2 / (below * (total - below))
    otsu = float(centres[int(np.nanargmax(between[:-1]))])
    return float(low) + 0.5 * (otsu - float(low))


def body_of(grid: Grid, level: float) -> Mask:
    """(z, y, x), tissue in parts of a body's size: thin things in front of it (straps, masks, blankets, tubes) are left out.

    Air that a section encloses counts as body: a wall that is thin over a lung is skin all the same.
    """
    tissue = morphology.filled(grid.seen & (grid.values > level))
    labels, n = ndimage.label(morphology.opened(tissue))
    if not n:
        return np.zeros_like(tissue)
    large = np.bincount(labels.ravel(), minlength=n + 1) * grid.step**3 >= _SMALLEST_PART_MM3
    large[0] = False
    return morphology.dilated(large[labels]) & tissue


def skin_of(grid: Grid, body: Mask, level: float, *, from_behind: bool = False) -> Skin:
    """The surface seen from the front (or from behind, for patients whose position was stated wrongly), to a fraction of a sample."""
    values, seen = grid.values, grid.seen
    if from_behind:
        values, seen, body = values[:, ::-1], seen[:, ::-1], body[:, ::-1]
    first = body.argmax(axis=1)
    before = np.maximum(first - 1, 0)
    z, x = np.indices(first.shape)
    in_view = body.any(axis=1) & (first > 0) & seen[z, before, x]
    air, tissue = values[z, before, x], values[z, first, x]
    part = np.clip((level - air) / np.where(tissue > air, tissue - air, 1), 0, 1)
    depth = np.where(in_view, (before + part) * np.float32(grid.step), np.nan)
    return Skin(np.asarray(depth, np.float32), body, grid.step)


def ridges(skin: Skin, least_mm: float) -> list[Ridge]:
    """Parts of the skin that stand out by at least `least_mm` over the skin 21 mm to both sides, highest first."""
    flank = max(1, round(_FLANK_MM / skin.step))
    depth = skin.depth
    if depth.shape[1] <= 2 * flank:
        return []
    relief = np.full(depth.shape, np.nan, np.float32)
    middle = depth[:, flank:-flank]
    relief[:, flank:-flank] = np.minimum(depth[:, : -2 * flank], depth[:, 2 * flank :]) - middle
    found = np.nan_to_num(relief, nan=0.0)
    standing = (found >= least_mm) & (found <= _HIGHEST_RIDGE_MM)
    labels, n = ndimage.label(standing, np.ones((3, 3)))
    return sorted((_ridge(skin, found, labels == number) for number in range(1, n + 1)), key=lambda ridge: -ridge.relief_mm)


def _ridge(skin: Skin, relief: Image, part: NDArray[np.bool_]) -> Ridge:
    z, x = np.nonzero(part)
    best = int(np.argmax(relief[z, x]))
    at_z, at_x = int(z[best]), int(x[best])
    near = round(60 / skin.step)
    window = skin.depth[max(0, at_z - near) : at_z + near + 1, max(0, at_x - near) : at_x + near + 1]
    behind = np.flatnonzero(skin.body[at_z, :, at_x])
    gaps = np.flatnonzero(~skin.body[at_z].any(axis=0))
    left, right = gaps[gaps < at_x].max(initial=-1), gaps[gaps > at_x].min(initial=skin.body.shape[2])
    return Ridge(
        float(relief[at_z, at_x]), float(np.ptp(z) + 1) * skin.step, float(np.ptp(x) + 1) * skin.step,
        float(np.isfinite(window).sum()) * skin.step**2 / 100, float(behind[-1] - behind[0] + 1) * skin.step,
        float(right - left - 1) * skin.step, at_z, at_x,
    )  # fmt: skip
