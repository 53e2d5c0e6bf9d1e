"""The geometry of a stack of slices: their order, the affine that fits them all, and how far it is from what DICOM says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.errors import SafelightError
from tasks.volumes.frames import Plane

#: No volume is published whose affine is further than this from any slice's own geometry.
MAX_POSITION_ERROR_MM = 0.1
#: Positions nearer than this along the normal are the same position.
SAME_POSITION_MM = 0.01
#: A distance that is longer than the usual one by this factor has room for a missing slice, however thin the slices are.
_GAP = 1.5
#: Gaps are of missing slices where they are so near to a multiple of the usual distance.
_MULTIPLE = 0.1
#: Direction cosines that differ by more belong to another orientation; smaller jitter is left to the certificate.
SAME_DIRECTION = 2e-3

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Planes:
    """What n images say of where they are, in DICOM's patient frame (LPS), in millimetres.

    position: (n, 3), centre of the first pixel (ImagePositionPatient).
    orientation: (n, 6), cosines of the row, then of the column (ImageOrientationPatient).
    spacing: (n, 2), distance of rows, then of columns (PixelSpacing).
    matrix: (n, 2), number of rows, then of columns.
    """

    position: Floats
    orientation: Floats
    spacing: Floats
    matrix: NDArray[np.int64]

    @classmethod
    def of(cls, planes: Sequence[Plane]) -> Planes:
        """The planes of at least one frame as arrays."""
        return cls(
            np.array([plane.position for plane in planes], np.float64),
            np.array([(*plane.row, *plane.column) for plane in planes], np.float64),
            np.array([plane.spacing for plane in planes], np.float64),
            np.array([plane.matrix for plane in planes], np.int64),
        )

    @property
    def single_orientation(self) -> bool:
        """Whether all images have one orientation."""
        return not bool((np.abs(self.orientation - self.orientation[0]) > SAME_DIRECTION).any())

    @property
    def consistent_image_dimensions(self) -> bool:
        """Whether all images have one matrix."""
        return not bool(np.ptp(self.matrix, axis=0).any())

    @property
    def consistent_pixel_spacing(self) -> bool:
        """Whether all images have one pixel spacing: to 0.1 mm over the whole width and height."""
        return bool((np.ptp(self.spacing, axis=0) * self.matrix.max(axis=0) <= MAX_POSITION_ERROR_MM).all())

    @property
    def along(self) -> Floats:
        """(n,) position along the common normal (row × column), in mm."""
        return np.asarray(self.position @ np.cross(*_directions(self.orientation)))

    @property
    def unique_slice_positions(self) -> bool:
        """Whether no two images stand at one position along the common normal."""
        return bool((np.diff(np.sort(self.along)) >= SAME_POSITION_MM).all())

    @property
    def uniform_slice_spacing(self) -> bool:
        """Whether neighbours are equally far apart, to 0.1 mm from a straight line, and no gap has room for another image."""
        along = np.sort(self.along)
        gaps = np.diff(along)
        if not len(gaps):
            return True
        counter = np.arange(len(along), dtype=np.float64)
        off = along - np.polynomial.Polynomial.fit(counter, along, 1)(counter)
        return bool(np.abs(off).max() <= MAX_POSITION_ERROR_MM and gaps.max() < _GAP * np.median(gaps))

    @property
    def missing_positions(self) -> list[float] | None:
        """Where slices are missing along the normal, in mm, if all distances are multiples of the usual one; None where they vary otherwise."""
        along = np.sort(self.along)
        gaps = np.diff(along)
        usual = float(np.median(gaps)) if len(gaps) else 0.0
        steps = np.rint(gaps / usual) if usual > 0 else gaps
        if not len(gaps) or usual <= 0 or (np.abs(gaps / usual - steps) > _MULTIPLE).any() or (steps < 1).any():
            return None
        return [
            float(start + gap * n / step)
            for start, gap, step in zip(along[:-1], gaps, steps, strict=True)
            for n in range(1, int(step))
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stack:
    """Slices in order with their affine.

    order: (n,) indices of the images, ascending along the normal (row × column).
    affine_lps: (4, 4), voxel (column, row, slice) → LPS millimetres, for voxel centres. Right-handed. Its numbers are exact in
        float32, so that a NIfTI header holds them as they are.
    max_position_error_mm: the certificate.
    lean_mm: how far the last slice is shifted within its plane against the first; a stack that leans more than the certificate allows is sheared.
    """

    order: NDArray[np.int64]
    affine_lps: Floats
    max_position_error_mm: float
    lean_mm: float = 0.0

    @property
    def affine_ras(self) -> Floats:
        """The same in NIfTI's frame: the first two axes of space point the other way."""
        return np.asarray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ self.affine_lps) + 0.0  # no negative zeros

    @property
    def is_sheared(self) -> bool:
        """Whether the slice axis leans from the normal."""
        return self.lean_mm > MAX_POSITION_ERROR_MM

    @property
    def shear_deg(self) -> float:
        """The angle between the slice axis and the normal, in degrees."""
        axes = self.affine_lps[:3, :3]
        normal = np.cross(axes[:, 0], axes[:, 1])
        cosine = float(normal @ axes[:, 2] / (np.linalg.norm(normal) * np.linalg.norm(axes[:, 2])))
        return float(np.degrees(np.arccos(min(1.0, abs(cosine))))) if self.is_sheared else 0.0


def arrange(planes: Planes, thickness_mm: float | None = None) -> Stack:
    """Order slices by position along the normal and fit one affine to all of them by least squares.

    The position of pixel (column i, row j) is `position + i · column_spacing · row_cosine + j · row_spacing · column_cosine`
    (PS3.3 C.7.6.2.1.1). Instance numbers, slice locations and names have no say.

    Args:
        thickness_mm: the third axis' step of a single slice, whose distance from others is unknown; 1 mm where it is not given.

    Raises:
        SafelightError: E-VOLUME-DUPLICATE-POSITION, -MISSING-SLICES, -UNEVEN-SPACING, -CERTIFICATE.
        ValueError: images of different matrices.
    """
    if not planes.consistent_image_dimensions:
        raise ValueError("images of different matrices are no stack")
    n = len(planes.position)
    row, column = _directions(planes.orientation)
    normal = np.cross(row, column)
    if n == 1:
        step, origin, lean = normal * (thickness_mm or 1.0), planes.position[0], 0.0
        order = np.zeros(1, np.int64)
    else:
        if not planes.unique_slice_positions:
            raise SafelightError("E-VOLUME-DUPLICATE-POSITION", f"{n} slices")
        if not planes.uniform_slice_spacing:
            raise SafelightError(
                "E-VOLUME-MISSING-SLICES" if planes.missing_positions else "E-VOLUME-UNEVEN-SPACING", f"{n} slices"
            )
        order = np.argsort(planes.along, kind="stable")
        counter = np.arange(n, dtype=np.float64)
        (step, origin), *_ = np.linalg.lstsq(np.stack([counter, np.ones(n)], axis=1), planes.position[order], rcond=None)
        lean = float(np.linalg.norm(step - (step @ normal) * normal)) * (n - 1)
    affine = np.eye(4)
    affine[:3, 0] = row * planes.spacing[:, 1].mean()
    affine[:3, 1] = column * planes.spacing[:, 0].mean()
    affine[:3, 2] = step
    affine[:3, 3] = origin
    affine = affine.astype(np.float32).astype(np.float64) + 0.0
    error = position_error(planes, order, affine)
    if not error <= MAX_POSITION_ERROR_MM:
        raise SafelightError("E-VOLUME-CERTIFICATE", f"{error:.3f} mm")
    return Stack(order.astype(np.int64), affine, error, lean)


def is_regular(planes: Planes) -> bool:
    """Whether one affine without shear describes all images within the certificate."""
    try:
        return planes.consistent_image_dimensions and not arrange(planes).is_sheared
    except SafelightError:
        return False


def _directions(orientation: Floats) -> tuple[Floats, Floats]:
    """The mean row and column cosines, made exactly unit and orthogonal."""
    row = orientation[:, :3].mean(axis=0)
    row /= np.linalg.norm(row)
    column = orientation[:, 3:].mean(axis=0)
    column -= (column @ row) * row
    return row, column / np.linalg.norm(column)


def position_error(planes: Planes, order: NDArray[np.int64], affine: Floats) -> float:
    """The largest distance in mm, over all slices and their four corner pixels, between an affine and each slice's own geometry.

    Args:
        order: which of the planes is each slice.
        affine: (4, 4), voxel (column, row, slice) → LPS millimetres.

    Both are linear in the pixel's indices, so that no pixel between the corners is further off.
    """
    last_row, last_column = (planes.matrix[0] - 1).astype(float)
    counter = np.arange(len(order), dtype=np.float64)
    worst = 0.0
    for i in (0.0, last_column):
        for j in (0.0, last_row):
            said = (
                planes.position[order]
                + i * planes.spacing[order, 1:2] * planes.orientation[order, :3]
                + j * planes.spacing[order, 0:1] * planes.orientation[order, 3:]
            )
            fitted = affine[:3, 3] + i * affine[:3, 0] + j * affine[:3, 1] + counter[:, None] * affine[:3, 2]
            worst = max(worst, float(np.linalg.norm(said - fitted, axis=1).max()))
    return worst
