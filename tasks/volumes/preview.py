"""The picture of a volume: three middle planes upright in the patient and true in millimetres, or the image of a projection.

Radiological convention: the patient's right is on the viewer's left, anterior is up in axial planes, the head is up in coronal and
sagittal ones, and sagittal planes look from the patient's left, anterior on the viewer's left. The planes are the file's own, whatever
their obliquity: each is called by the patient's axis that is next to its normal. A picture is for looking at, never for measuring.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import permutations
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tasks.dicom.headers import word
from tasks.volumes.values import padding_range

if TYPE_CHECKING:
    from tasks.volumes.parts import Part
    from tasks.volumes.regrid import Regridded
    from tasks.volumes.voxels import Written

Floats = NDArray[np.float64]
Window = tuple[float, float]

#: Height and width of a plane's box in pixels, the space between boxes, and the box of an image that stands alone.
BOX, GAP, ALONE = 128, 4, 192
#: Lower and upper end in HU: soft tissue (width 400, level 40), and lung (width 1500, level -600).
SOFT_TISSUE: Window = (-160.0, 240.0)
LUNG: Window = (-1350.0, 150.0)
#: HU of aerated lung, and from which on it is tissue; where more than this share of both is lung, the lung window shows more.
_AERATED, _TISSUE, _LUNG_SHARE = (-950.0, -500.0), -200.0, 0.3
#: Pixels of a plane that are looked at for its window.
_LOOKED_AT = 1 << 16
_QUALITY, _METHOD = 70, 4
#: Axes of a volume (column, row, slice) along a plane's rows and columns, as the stage collects planes.
_AXES = ((1, 0), (2, 0), (2, 1))
#: By the patient's axis (right, anterior, superior) next to the plane's normal: what grows downwards, what grows to the viewer's right.
_DOWN = {2: (1, -1), 1: (2, -1), 0: (2, -1)}
_RIGHT = {2: (0, -1), 1: (0, -1), 0: (1, -1)}


@dataclass(frozen=True)
class View:
    """A plane as it is shown.

    Attributes:
        pixels: (rows, columns), or (rows, columns, 3) for colour.
        spacing: of rows and of columns, in mm.
        lean: by how many mm each row stands further to the right than the row above it; 0 where the axes are at right angles.
    """

    pixels: NDArray[Any]
    spacing: tuple[float, float]
    lean: float = 0.0


def picture(part: Part, written: Written, regridded: Regridded | None) -> bytes:
    """The WebP of a file that was just written; of several volumes the first, of several frames the middle one.

    MONOCHROME1 is shown inverted, as it is meant to be seen; the file's values are not.
    """
    header, encoding, scale = part.frames[0].header, written.encoding, written.scale
    affine = regridded.affine_ras if regridded is not None else part.stack.affine_ras if part.stack is not None else None
    planes = written.sight.planes
    if scale is not None and (encoding.slope, encoding.intercept) != (1.0, 0.0):
        planes = [plane.astype(np.float64) * encoding.slope + encoding.intercept for plane in planes]
    return drawn(
        planes, affine, written.spacing.millimetres if written.spacing is not None else None,
        modality=word(header, "Modality"), units=scale.units if scale is not None else "unspecified",
        padding=padding_range(part.frames, scale) if scale is not None else None,
        inverted=word(header, "PhotometricInterpretation") == "MONOCHROME1",
    )  # fmt: skip


def drawn(
    planes: Sequence[NDArray[Any]], affine_ras: Floats | None, spacing: tuple[float, float] | None = None, *,
    modality: str | None, units: str, padding: Sequence[float] | None = None, inverted: bool = False,
) -> bytes:  # fmt: skip
    """The WebP of planes of values.

    Args:
        planes: the middle slice (rows, columns), the middle row of each slice (slices, columns), the middle column of each (slices, rows);
            or one image (rows, columns[, 3]). Values, or RGB of 8 bits.
        affine_ras: (4, 4), voxel (column, row, slice) → RAS millimetres; None for a projection.
        spacing: of rows and of columns, in mm, of a projection; None where it is unknown, which is shown as square pixels.
        modality: Modality as DICOM states it.
        units: `HU` or another.
        padding: lowest and highest value that is no measurement; shown black.
        inverted: whether the highest value is black.
    """
    views = [View(planes[0], spacing or (1.0, 1.0))] if affine_ras is None else upright(planes, affine_ras)
    if planes[0].ndim == 3:
        return montage(views)
    window = window_for(modality, units, planes, padding)
    return montage(views, window, padding=padding, inverted=inverted)


def upright(planes: Sequence[NDArray[Any]], affine_ras: Floats) -> list[View]:
    """Planes as a viewer expects them, in the order axial, coronal, sagittal; a stack of one slice gives that slice alone.

    Args:
        planes: as in `drawn`.
        affine_ras: (4, 4), voxel (column, row, slice) → RAS millimetres.
    """
    steps: Floats = np.asarray(affine_ras, np.float64)[:3, :3]
    cosines: Floats = np.abs(steps / np.linalg.norm(steps, axis=0))
    order = max(permutations(range(3)), key=lambda patient: float(np.trace(cosines[list(patient)])))
    shown = planes if len(planes) == 3 and len(planes[1]) > 1 else planes[:1]
    found = {}
    for plane, axes in zip(shown, _AXES, strict=False):
        normal = order[({0, 1, 2} - set(axes)).pop()]
        down, right = _DOWN[normal], _RIGHT[normal]
        vertical = next(axis for axis in axes if order[axis] == down[0])
        horizontal = next(axis for axis in axes if order[axis] == right[0])
        pixels = plane if axes == (vertical, horizontal) else np.swapaxes(plane, 0, 1)
        below, beside = steps[:, vertical].copy(), steps[:, horizontal].copy()
        if below[down[0]] * down[1] < 0:
            pixels, below = pixels[::-1], -below
        if beside[right[0]] * right[1] < 0:
            pixels, beside = pixels[:, ::-1], -beside
        width = float(np.linalg.norm(beside))
        lean = float(below @ beside) / width
        height = sqrt(max(float(below @ below) - lean * lean, 0.0))
        found[normal] = View(pixels, (height, width), lean if abs(lean) > 1e-3 * height else 0.0)
    return [found[normal] for normal in (2, 1, 0) if normal in found]


def window_for(
    modality: str | None, units: str, planes: Sequence[NDArray[Any]], padding: Sequence[float] | None = None
) -> Window:
    """Which values are shown as black and as white: lower and upper end, the lower below the upper.

    CT in HU has soft tissue (-160 to 240), or lung (-1350 to 150) where lung is more than three tenths of lung and
    tissue. All else, and CT of which nothing lies between those, has the 1st to the 99th percentile.

    Args:
        planes: of values; padding and what is not finite do not count.
    """
    seen = np.concatenate([_some(plane) for plane in planes])
    seen = seen[np.isfinite(seen)]
    if padding is not None and len(padding) == 2:
        seen = seen[(seen < padding[0]) | (seen > padding[1])]
    if not seen.size:
        return 0.0, 1.0
    if modality == "CT" and units == "HU":
        lung = np.count_nonzero((seen > _AERATED[0]) & (seen < _AERATED[1]))
        tissue = np.count_nonzero(seen > _TISSUE)
        window = LUNG if lung > _LUNG_SHARE * (lung + tissue) else SOFT_TISSUE
        if ((seen > window[0]) & (seen < window[1])).any():
            return window
    low, high = (float(end) for end in np.percentile(seen, (1, 99)))
    if low == high:
        low, high = float(seen.min()), float(seen.max())
    half = max(0.5, abs(low) * 1e-6)
    return (low, high) if high - low > 1e-9 * half else (low - half, low + half)


def _some(plane: NDArray[Any]) -> NDArray[np.float32]:
    """At most so many of a plane's pixels, evenly chosen."""
    step = max(1, int(np.ceil(sqrt(plane.size / _LOOKED_AT))))
    return plane[::step, ::step].astype(np.float32).ravel()


def montage(
    views: Sequence[View], window: Window = (0.0, 255.0), *, padding: Sequence[float] | None = None, inverted: bool = False
) -> bytes:
    """Views beside each other, each as large as its box allows, as WebP; the same input gives the same bytes.

    Args:
        views: up to three.
        window: lower and upper end; colour is shown as it is.
        padding, inverted: as in `drawn`.
    """
    images = [eight_bits(view.pixels, window, padding, inverted=inverted) for view in views]
    boxes = [fitted(image, view, BOX if len(views) > 1 else ALONE) for image, view in zip(images, views, strict=True)]
    if len(boxes) == 1:
        canvas = boxes[0]
    else:
        canvas = Image.new(boxes[0].mode, (len(boxes) * (BOX + GAP) - GAP, BOX))
        for place, box in enumerate(boxes):
            canvas.paste(box, (place * (BOX + GAP) + (BOX - box.width) // 2, (BOX - box.height) // 2))
    out = BytesIO()
    canvas.save(out, "WEBP", quality=_QUALITY, method=_METHOD)
    return out.getvalue()


def eight_bits(pixels: NDArray[Any], window: Window, padding: Sequence[float] | None, *, inverted: bool) -> Image.Image:
    """Values through a window as grey of 8 bits, or colour as it is.

    Args:
        pixels: (rows, columns), or (rows, columns, 3) of 8 bits.
        window: the values that become black and white; those beyond are clipped.
        padding, inverted: as in `drawn`; padding and what is not finite is black.
    """
    if pixels.ndim == 3:
        return Image.fromarray(np.ascontiguousarray(pixels, np.uint8))
    low, high = window
    shown = pixels.astype(np.float32)
    outside = ~np.isfinite(shown)
    if padding is not None and len(padding) == 2:
        outside |= (shown >= padding[0]) & (shown <= padding[1])
    with np.errstate(over="ignore", invalid="ignore"):  # infinity is clipped, and what is no number is outside
        shown -= np.float32(low)
        shown *= np.float32(255.0 / (high - low))
        shown = np.clip(shown, 0, 255, out=shown)
    if inverted:
        np.subtract(np.float32(255), shown, out=shown)
    shown[outside] = 0
    return Image.fromarray(np.rint(shown).astype(np.uint8))


def fitted(image: Image.Image, view: View, box: int) -> Image.Image:
    """An image with square pixels, no side longer than the box.

    Args:
        image: of the view's rows and columns.
        view: whose spacing, and by how much its rows lean.
        box: in pixels.
    """
    rows, columns = view.pixels.shape[:2]
    height, width = rows * view.spacing[0], columns * view.spacing[1]
    aside = abs(view.lean) * (rows - 1)
    scale = box / max(height, width + aside)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
    if not view.lean:
        return small
    slope = view.lean / view.spacing[0]  # pixels to the right for one pixel down
    start = 0.0 if slope > 0 else slope * (size[1] - 1)
    whole = min(box, size[0] + int(np.ceil(aside * scale)))
    return small.transform((whole, size[1]), Image.Transform.AFFINE, (1, -slope, start, 0, 1, 0), Image.Resampling.BILINEAR)
