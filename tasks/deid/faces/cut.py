"""Where a head is cut so that its face is gone and its brain is not: a surface that follows the brain from outside, and nothing else.

The idea is Quickshear's (Schimke and Hale, USENIX HealthSec 2011): one surface, straight from left to right, that leaves the brain on one
side and the face on the other. It is made from the brain's outline seen from the side, so that it holds nothing of the skin's relief. Here it
is no plane but a line for each level: in front of the frontal lobes upright, below them back under the orbits, and down to the chin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tasks.deid.faces.grid import Grid, Mask
from tasks.deid.faces.judge import cavities

#: No voxel nearer to the brain than this is changed, mm.
MARGIN_MM = 5.0
#: Below the frontal lobes the cut runs back, where no brain is found at all by this slope (30 degrees from upright), and never further
#: behind the frontal pole than this, mm: the temporal poles lie some 40 mm behind it, and bone may not enclose them in view.
_SLOPE, _BEHIND_MM = float(np.tan(np.radians(30))), 32.0
#: The face begins where the cut lies by this behind the frontal pole, mm.
_BROW_MM = 10.0
#: The lowest point of chin and of outer ear, and the mouth, below the frontal pole, as shares of the brain's length. Adults: 170 mm
#: of brain, the chin some 120 mm below the pole, and lower where the head is bent back.
_CHIN, _EAR_LOBE, _MOUTH = 0.8, 0.65, 0.5
#: The outer ear is what stands out sideways by more than this over the brain's widest part, mm.
_EAR_MM = 10.0
#: The cut reaches so far to each side of the brain's middle, mm: the head, not an arm beside it.
_ASIDE_MM = 140.0
#: A brain, mL (newborn 350, largest adult 1,900); its extents along z, y, x, mm.
_VOLUME_ML, _LEAST_MM = (250.0, 2200.0), (60.0, 80.0, 70.0)
_LEAST_CORE_ML = 100.0
_MOST_MM = (190.0, 215.0, 185.0)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cut:
    """What is taken away, in the patient's frame (LPS, mm).

    z: ascending levels; front: at each of them, everything with y below it goes. middle: x of the brain; aside: half width of the head
    without ears. ears: lowest and highest z of the outer ears. brow: z from which on downwards
    the cut lies well behind the forehead, the upper end of what counts as the face;
    mouth: its lower end for `deface`'s proof, since the neck's skin begins below it.
    """

    z: Floats
    front: Floats
    middle: float
    aside: float
    ears: tuple[float, float]
    brow: float
    mouth: float

    def covers(self, x: Floats, y: Floats, z: Floats) -> Mask:
        """Whether points lie in what is taken away; the arrays are broadcast."""
        beside = np.abs(x - self.middle)
        face = (z >= self.z[0]) & (z <= self.z[-1]) & (y < np.interp(z, self.z, self.front)) & (beside <= _ASIDE_MM)
        ear = (z >= self.ears[0]) & (z <= self.ears[1]) & (beside > self.aside) & (beside <= _ASIDE_MM)
        return np.asarray(face | ear)


def brain_of(grid: Grid) -> Mask | None:
    """(z, y, x), the brain with what encloses it closely in a CT: the cavity that bone encloses, checked for volume and extent; or None."""
    core = ndimage.binary_opening(cavities(grid))
    labels, n = ndimage.label(core)
    sizes = np.bincount(labels.ravel(), minlength=n + 1)
    fit = []
    for part in range(1, n + 1):
        if sizes[part] * grid.step**3 / 1000 < _LEAST_CORE_ML:
            continue
        found = ndimage.binary_dilation(labels == part)
        if _is_brain(found, grid.step):
            fit.append((float(np.nonzero(found)[0].mean()), found))
    return max(fit, key=lambda each: each[0])[1] if fit else None  # the neck is lower


def _is_brain(found: Mask, step: float) -> bool:
    millilitres = float(found.sum()) * step**3 / 1000
    (place,) = ndimage.find_objects(found.astype(np.uint8))
    extents = [(axis.stop - axis.start) * step for axis in place]
    fits = all(least <= extent <= most for least, extent, most in zip(_LEAST_MM, extents, _MOST_MM, strict=True))
    filled = float(found[place].mean())  # an ellipsoid fills half of its box
    return fits and _VOLUME_ML[0] <= millilitres <= _VOLUME_ML[1] and filled >= 0.35


def cut_of(grid: Grid, brain: Mask) -> Cut:
    """The cut around a brain, `MARGIN_MM` away from it."""
    step, (z, y, x) = grid.step, (grid.axis(axis).astype(np.float64) for axis in range(3))
    outline: Mask = np.asarray(brain.any(axis=2), np.bool_)
    front: Floats = np.where(outline.max(axis=1), y[outline.argmax(axis=1)], np.inf)
    highest = int(np.flatnonzero(np.isfinite(front))[-1])
    beside = np.flatnonzero(brain.any(axis=(0, 1)))
    middle, half = float(x[beside].mean()), float(np.ptp(x[beside])) / 2 + step / 2
    reach = np.arange(-int(np.ceil(MARGIN_MM / step)), int(np.ceil(MARGIN_MM / step)) + 1)
    near = np.array([front[np.clip(level + reach, 0, len(z) - 1)].min() for level in range(len(z))])
    pole = int(np.argmin(front))
    last = float(front[pole]) + _BEHIND_MM
    length = float(np.ptp(y[brain.any(axis=(0, 2))])) + step
    bottom = float(z[pole]) - _CHIN * length
    steps = np.arange(float(z[pole]), bottom - step, -step)
    line = [float(front[pole]) - MARGIN_MM - step / 2]
    for level in steps[1:]:
        index = round((level - float(z[0])) / step)
        there = near[index] if 0 <= index < len(z) else np.inf
        back = there - MARGIN_MM - step / 2 if np.isfinite(there) else line[-1] + _SLOPE * step
        line.append(max(line[-1], min(back, last)))
    top = float(z[highest]) + 30
    brow = float(steps[np.argmax(np.array(line) > line[0] + _BROW_MM)])
    return Cut(
        np.array([*steps[::-1], top]), np.array([*line[::-1], line[0]]), middle, half + _EAR_MM,
        (float(z[pole]) - _EAR_LOBE * length, float(z[pole])), brow, float(z[pole]) - _MOUTH * length,
    )  # fmt: skip
