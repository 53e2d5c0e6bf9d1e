"""Whether a face is in view of a set of images, by their pixels: for CT, MR and PET, in any orientation.

A face is told by its nose: skin that stands out over the skin 21 mm to both sides, in a ridge of a nose's size, on a body of a head's depth.
On top of that, "possible" is everything that cannot be told: no geometry, a head whose skin is in view but whose nose is not, emission
images of a region that may be the head. Both are to be treated as a face.

How coarse is harmless? Nobody has published a safe limit. Commercial face recognition matched 97 to 98 % of 3D MRI, 78 % of the CT of PET/CT,
32 to 42 % of PET (Schwarz et al., NeuroImage 258:119357, 2022), and still 32 to 45 % of axial 2D FLAIR and multi-echo GRE (Schwarz et al.,
Alzheimer's & Dementia, abstract "Which common MRI research sequences need de-facing"); Mazura et al. (J Digit Imaging 25:347, 2012) 27.5 % of
head CT. So the limits below only leave out what has too few samples for any relief: a nose is some 50 mm long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

from tasks.deid.faces import morphology
from tasks.deid.faces.grid import Grid, Mask, sample
from tasks.deid.faces.planes import Image, Stack, UnplacedError, planes_of, stacks_of
from tasks.deid.faces.skin import Ridge, Skin, body_of, ridges, skin_of, threshold
from tasks.dicom.instances import Source

Verdict = Literal["none", "possible", "in_view"]

#: Distance of the samples that are looked at, mm.
STEP_MM = 3.0
#: A stack can be rendered from so many planes on, with neighbours and pixels at most so far apart (mm), over so much of each axis (mm).
FEWEST_PLANES, WIDEST_SPACING_MM, WIDEST_PIXEL_MM, LEAST_EXTENT_MM = 6, 10.0, 5.0, 30.0
#: Ridges over both flanks: a nose for certain (adults: tip 20 mm and more over the cheeks), and what may be a child's, or a larynx.
NOSE_MM, WEAK_NOSE_MM = 14.0, 8.0
#: Height, width, depth of the body behind it (mm), and skin in view around it (cm²), of what counts as a nose.
_NOSE_HEIGHT_MM, _NOSE_WIDTH_MM, _HEAD_DEPTH_MM, _FACE_CM2 = (12.0, 90.0), (6.0, 60.0), 90.0, 25.0
#: Skin in view that is too little for anything, cm².
_LEAST_SKIN_CM2 = 10.0
#: A section that is wider is no head (largest adult head breadth with ears: 210 mm, and the grid), mm; a smaller section is no head, cm².
_WIDEST_HEAD_MM, _LEAST_SECTION_CM2 = 240.0, 30.0
#: Cranial cavity in CT: enclosed by bone (HU), and so much of it between these values (brain, blood, fluid; neither fat nor lung).
_BONE_HU, _BRAIN_HU, _BRAIN_SHARE, _CAVITY_LEVELS = 250.0, (-20.0, 120.0), 0.9, 4
#: Of a lung's density, HU, a section of a head has less than this, cm² (partial volume around sinuses, nose and throat).
_LUNG_HU, _MOST_HEAD_AIR_CM2 = (-950.0, -500.0), 40.0
#: Air must be a part of a field of view, to be told from skin without Hounsfield units.
_LEAST_AIR = 0.02
#: Of volumes at the same positions (echoes, phases), so many are looked at, spread over all.
_MOST_STACKS = 8
_ORDER: dict[Verdict, int] = {"none": 0, "possible": 1, "in_view": 2}


@dataclass(frozen=True, slots=True)
class FaceEvidence:
    """The verdict with its numbers; none of them can tell who it is.

    why: one of nose, weak nose, cranium, head in header, emission, no air, unplaced, odd geometry, modality; coarse, no skin, smooth.
    planes, spacing_mm: of the stack that the verdict is from. relief_mm: height of its highest ridge of a nose's size, 0 without one.
    skin_cm2: skin in view from the front. cranium_mm: extent of the cranial cavity along the body (CT only).
    """

    verdict: Verdict
    why: str
    planes: int = 0
    spacing_mm: float = 0.0
    relief_mm: float = 0.0
    skin_cm2: float = 0.0
    cranium_mm: float = 0.0

    @property
    def is_face(self) -> bool:
        """Whether the images must be treated as a face: what is not disproven counts."""
        return self.verdict != "none"


def judge(sources: Sequence[Source], *, header_may_show_head: bool = True) -> FaceEvidence:
    """Look for a face in images. Give all files that lie in one frame of reference, since slices of one head may be spread over series.

    Args:
        sources: files of one series, or of several; CT, MR or PET, single-frame or enhanced, any transfer syntax that can be decoded.
        header_may_show_head: False where the header names a body part without a face and no word for the head (`FaceCheck.suspects`).
            Then a section of a head's size alone (a knee, a child's chest) is not held for a head; a nose still is.

    Raises:
        OSError: a file that cannot be opened.
    """
    try:
        planes = planes_of(sources)
        stacks = stacks_of(planes)
        if not planes:
            return FaceEvidence("none", "coarse")
        fit = [stack for stack in stacks if renderable(stack)]
        if not fit:
            odd = len(planes) >= FEWEST_PLANES and len(stacks) > len(planes) // 2
            return FaceEvidence("possible" if odd else "none", "odd geometry" if odd else "coarse", len(planes))
        chosen = sorted({round(n) for n in np.linspace(0, len(fit) - 1, _MOST_STACKS)})
        found = [_judged(fit[number], header_may_show_head) for number in chosen]
    except UnplacedError:
        return FaceEvidence("possible", "unplaced", len(sources))
    return max(found, key=lambda each: (_ORDER[each.verdict], each.relief_mm))


def renderable(stack: Stack) -> bool:
    """Whether a stack has samples enough for a surface with relief."""
    finest = max(stack.planes[0].spacing) <= WIDEST_PIXEL_MM
    return len(stack.planes) >= FEWEST_PLANES and stack.spacing_mm <= WIDEST_SPACING_MM and finest


def _judged(stack: Stack, header_may_show_head: bool) -> FaceEvidence:
    if stack.modality not in ("CT", "MR", "PT"):
        return FaceEvidence("possible", "modality", len(stack.planes))
    return look(sample(stack, STEP_MM), stack, header_may_show_head=header_may_show_head)


def look(grid: Grid, stack: Stack, *, header_may_show_head: bool) -> FaceEvidence:
    """Judge one sampled stack."""
    level = threshold(grid, stack.modality)
    body = body_of(grid, level)
    skin = skin_of(grid, body, level)
    cavity = cranial_levels(grid) if stack.modality == "CT" else np.zeros(len(body), np.bool_)
    behind = skin_of(grid, body, level, from_behind=True)  # a wrong PatientPosition turns the face to the back
    noses = [
        ridge
        for values, side in ((grid.values, skin), (grid.values[:, ::-1], behind))
        for ridge in ridges(side, WEAK_NOSE_MM)
        if is_nose(ridge) and not (stack.modality == "CT" and _holds_lung(values[ridge.z], side.body[ridge.z], grid.step))
    ]
    relief = max((ridge.relief_mm for ridge in noses), default=0.0)
    verdict, why = _verdict(grid, stack, skin, body, cavity, relief, header_may_show_head)
    return FaceEvidence(
        verdict,
        why,
        len(stack.planes),
        round(stack.spacing_mm, 2),
        round(relief, 1),
        round(skin.visible_cm2, 1),
        STEP_MM * int(cavity.sum()),
    )


def _verdict(
    grid: Grid, stack: Stack, skin: Skin, body: Mask, cavity: Mask, relief: float, header_may_show_head: bool
) -> tuple[Verdict, str]:
    if min(grid.values.shape[0], grid.values.shape[2]) * grid.step < LEAST_EXTENT_MM:
        return "none", "coarse"
    has_cranium = int(cavity.sum()) >= _CAVITY_LEVELS
    if relief >= NOSE_MM:
        return "in_view", "nose"
    if relief and (has_cranium or header_may_show_head):
        return "possible", "weak nose"
    if has_cranium and _area(skin, cavity) >= _LEAST_SKIN_CM2:
        return "possible", "cranium"
    if not header_may_show_head:
        return "none", "smooth" if skin.visible_cm2 >= _LEAST_SKIN_CM2 else "no skin"
    if stack.modality == "PT":
        return "possible", "emission"
    if stack.modality == "MR" and float((grid.seen & ~body).sum()) < _LEAST_AIR * float(grid.seen.sum()):
        return "possible", "no air"
    if skin.visible_cm2 < _LEAST_SKIN_CM2:
        return "none", "no skin"
    if _area(skin, _head_sized(body, grid.step)) >= _LEAST_SKIN_CM2:
        return "possible", "head in header"
    return "none", "smooth"


def _holds_lung(values: Image, body: Mask, step: float) -> bool:
    """Whether a section (y, x) of a CT, HU, has more of a lung's density between the sides of the body than sinuses and throat make up."""
    between = np.maximum.accumulate(body, axis=1) & np.maximum.accumulate(body[:, ::-1], axis=1)[:, ::-1]
    lung = between & (values > _LUNG_HU[0]) & (values < _LUNG_HU[1])
    return float(lung.sum()) * step**2 / 100 > _MOST_HEAD_AIR_CM2


def is_nose(ridge: Ridge) -> bool:
    """Whether a ridge is of a nose's size, on a body of a head's depth and breadth, with skin around it."""
    tall = _NOSE_HEIGHT_MM[0] <= ridge.height_mm <= _NOSE_HEIGHT_MM[1]
    broad = _NOSE_WIDTH_MM[0] <= ridge.width_mm <= _NOSE_WIDTH_MM[1]
    head = ridge.across_mm <= _WIDEST_HEAD_MM
    return tall and broad and head and ridge.behind_mm >= _HEAD_DEPTH_MM and ridge.around_cm2 >= _FACE_CM2


def cranial_levels(grid: Grid) -> Mask:
    """(z,), the levels of a CT at which bone encloses a cavity of at least 30 cm² that holds brain."""
    return np.asarray(cavities(grid).sum(axis=(1, 2)) * grid.step**2 / 100 >= _LEAST_SECTION_CM2)


def cavities(grid: Grid) -> Mask:
    """(z, y, x), at each level of a CT the largest part that bone encloses, where nearly all of it is as dense as brain."""
    bone = np.pad((grid.values > _BONE_HU) & grid.seen, ((0, 0), (2, 2), (2, 2)))
    parts, n = morphology.enclosed(morphology.closed(bone))
    parts = parts[:, 2:-2, 2:-2]
    where = np.flatnonzero(parts)
    names = parts.ravel()[where]
    values = grid.values.ravel()[where]
    sizes = np.bincount(names, minlength=n + 1)
    dense = np.bincount(names, (values > _BRAIN_HU[0]) & (values < _BRAIN_HU[1]), minlength=n + 1)
    level = np.zeros(n + 1, np.intp)
    level[names] = where // parts[0].size
    chosen = np.zeros(n + 1, np.bool_)
    order = np.argsort(-sizes, kind="stable")
    order = order[sizes[order] > 0]
    _, first = np.unique(level[order], return_index=True)  # the largest part of each level, the first one of equal ones
    largest = order[first]
    chosen[largest] = dense[largest] >= _BRAIN_SHARE * sizes[largest]
    return chosen[parts]


def _area(skin: Skin, levels: Mask) -> float:
    """Skin in view at some levels, cm²."""
    return float(np.isfinite(skin.depth[levels]).sum()) * skin.step**2 / 100


def _head_sized(body: Mask, step: float) -> Mask:
    """(z,), the levels at which a part of the body has a section that could be a head's."""
    found = np.zeros(len(body), np.bool_)
    for number, section in enumerate(body):
        labels, n = ndimage.label(section)
        for part, place in enumerate(ndimage.find_objects(labels), start=1) if n else ():
            wide = (place[1].stop - place[1].start) * step
            area = float((labels[place] == part).sum()) * step**2 / 100
            found[number] |= wide <= _WIDEST_HEAD_MM and area >= _LEAST_SECTION_CM2
    return found
