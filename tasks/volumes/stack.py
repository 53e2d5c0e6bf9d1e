"""The geometry of a stack of slices: their order, the affine that fits them all, and how far it is from what DICOM says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.dicom.headers import count, numbers, word
from tasks.errors import SafelightError

#: No volume is published whose affine is further than this from any slice's own geometry.
MAX_POSITION_ERROR_MM = 0.1
#: Positions nearer than this along the normal are the same position.
_SAME_POSITION_MM = 0.01
#: A distance that is longer than the usual one by this factor has room for a missing slice, however thin the slices are.
_GAP = 1.5
#: Direction cosines that differ by more belong to another orientation; smaller jitter is left to the certificate.
_SAME_DIRECTION = 0.01
#: Direction cosines are unit vectors at right angles, to the accuracy of a decimal string.
_COSINE_TOLERANCE = 1e-3

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

    @property
    def single_orientation(self) -> bool:
        """Whether all images have one orientation."""
        return not bool((np.abs(self.orientation - self.orientation[0]) > _SAME_DIRECTION).any())

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
        return bool((np.diff(np.sort(self.along)) >= _SAME_POSITION_MM).all())

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


@dataclass(frozen=True, slots=True)
class Stack:
    """Slices in order with their affine.

    order: (n,) indices of the images, ascending along the normal (row × column).
    affine_lps: (4, 4), voxel (column, row, slice) → LPS millimetres, for voxel centres. Right-handed. Its numbers are exact in
        float32, so that a NIfTI header holds them as they are.
    max_position_error_mm: the certificate.
    """

    order: NDArray[np.int64]
    affine_lps: Floats
    max_position_error_mm: float

    @property
    def affine_ras(self) -> Floats:
        """The same in NIfTI's frame: the first two axes of space point the other way."""
        return np.asarray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ self.affine_lps) + 0.0  # no negative zeros


def arrange(planes: Planes) -> Stack:
    """Order slices by position along the normal and fit one affine to all of them by least squares.

    The position of pixel (column i, row j) is `position + i · column_spacing · row_cosine + j · row_spacing · column_cosine`
    (PS3.3 C.7.6.2.1.1). Instance numbers, slice locations and names have no say.

    Raises:
        SafelightError: E-VOLUME-SINGLE-SLICE, -MIXED-MATRIX, -MIXED-SPACING, -MIXED-ORIENTATION, -DUPLICATE-POSITION,
            -UNEVEN-SPACING, -TILT, -CERTIFICATE.
    """
    n = len(planes.position)
    _check_consistent(planes)
    if n < 2:
        raise SafelightError("E-VOLUME-SINGLE-SLICE")
    if not planes.unique_slice_positions:
        raise SafelightError("E-VOLUME-DUPLICATE-POSITION", f"{n} slices")
    if not planes.uniform_slice_spacing:
        raise SafelightError("E-VOLUME-UNEVEN-SPACING", f"{n} slices")
    order = np.argsort(planes.along, kind="stable")
    counter = np.arange(n, dtype=np.float64)
    (step, origin), *_ = np.linalg.lstsq(np.stack([counter, np.ones(n)], axis=1), planes.position[order], rcond=None)
    row, column = _directions(planes.orientation)
    normal = np.cross(row, column)
    lean = float(np.linalg.norm(step - (step @ normal) * normal)) * (n - 1)
    if lean > MAX_POSITION_ERROR_MM:
        raise SafelightError("E-VOLUME-TILT", f"the stack leans by {lean:.1f} mm")
    affine = np.eye(4)
    affine[:3, 0] = row * planes.spacing[:, 1].mean()
    affine[:3, 1] = column * planes.spacing[:, 0].mean()
    affine[:3, 2] = step
    affine[:3, 3] = origin
    affine = affine.astype(np.float32).astype(np.float64) + 0.0
    error = _max_position_error(planes, order, affine)
    if not error <= MAX_POSITION_ERROR_MM:
        raise SafelightError("E-VOLUME-CERTIFICATE", f"{error:.3f} mm")
    return Stack(order.astype(np.int64), affine, error)


def is_regular(planes: Planes) -> bool:
    """Whether one affine describes all images within the certificate."""
    try:
        arrange(planes)
    except SafelightError:
        return False
    return True


def _check_consistent(planes: Planes) -> None:
    if not planes.consistent_image_dimensions:
        raise SafelightError("E-VOLUME-MIXED-MATRIX")
    if not planes.consistent_pixel_spacing:
        raise SafelightError("E-VOLUME-MIXED-SPACING")
    if not planes.single_orientation:
        raise SafelightError("E-VOLUME-MIXED-ORIENTATION")


def _directions(orientation: Floats) -> tuple[Floats, Floats]:
    """The mean row and column cosines, made exactly unit and orthogonal."""
    row = orientation[:, :3].mean(axis=0)
    row /= np.linalg.norm(row)
    column = orientation[:, 3:].mean(axis=0)
    column -= (column @ row) * row
    return row, column / np.linalg.norm(column)


def _max_position_error(planes: Planes, order: NDArray[np.int64], affine: Floats) -> float:
    """The largest distance, over all slices and their four corner pixels, between the affine and each slice's own geometry.

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


def planes_of(headers: Sequence[Any]) -> Planes:
    """What the headers (pydicom data sets) of a series say of their planes.

    Raises:
        SafelightError: E-VOLUME-GEOMETRY where a header does not give position, orientation, spacing and matrix as numbers, or the
            cosines are not two unit vectors at right angles (PS3.3 C.7.6.2.1.1); E-VOLUME-MIXED-FRAME where positions belong to
            different frames of reference (PS3.3 C.7.4.1.1.1), so that they cannot be compared.
    """
    position = [numbers(header, "ImagePositionPatient") for header in headers]
    orientation = [numbers(header, "ImageOrientationPatient") for header in headers]
    spacing = [numbers(header, "PixelSpacing") for header in headers]
    matrix = [[count(header, "Rows"), count(header, "Columns")] for header in headers]
    for values, length in ((position, 3), (orientation, 6), (spacing, 2)):
        if any(each is None or len(each) != length for each in values):
            raise SafelightError("E-VOLUME-GEOMETRY")
    if any(None in each for each in matrix):
        raise SafelightError("E-VOLUME-GEOMETRY")
    if len({word(header, "FrameOfReferenceUID") for header in headers}) != 1:
        raise SafelightError("E-VOLUME-MIXED-FRAME")
    planes = Planes(
        np.array(position, np.float64),
        np.array(orientation, np.float64),
        np.array(spacing, np.float64),
        np.array(matrix, np.int64),
    )
    row, column = planes.orientation[:, :3], planes.orientation[:, 3:]
    skew = [np.linalg.norm(row, axis=1) - 1, np.linalg.norm(column, axis=1) - 1, (row * column).sum(axis=1)]
    if (np.abs(skew) >= _COSINE_TOLERANCE).any() or not (planes.spacing > 0).all() or not (planes.matrix > 0).all():
        raise SafelightError("E-VOLUME-GEOMETRY")
    return planes
