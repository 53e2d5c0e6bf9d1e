"""The geometry of a stack of slices: their order, the affine that fits them all, and how far it is from what DICOM says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import SafelightError

#: No volume is published whose affine is further than this from any slice's own geometry.
MAX_POSITION_ERROR_MM = 0.1
#: Positions nearer than this along the normal are the same position.
_SAME_POSITION_MM = 0.01
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


@dataclass(frozen=True, slots=True)
class Stack:
    """Slices in order with their affine.

    order: (n,) indices of the images, ascending along the normal (row × column).
    affine_lps: (4, 4), voxel (column, row, slice) → LPS millimetres, for voxel centres.
    max_position_error_mm: the certificate.
    """

    order: NDArray[np.int64]
    affine_lps: Floats
    max_position_error_mm: float

    @property
    def affine_ras(self) -> Floats:
        """The same in NIfTI's frame: the first two axes point the other way."""
        return np.asarray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ self.affine_lps)


def arrange(planes: Planes) -> Stack:
    """Order slices by position along the normal and fit one affine to all of them by least squares.

    The position of pixel (column i, row j) is `position + i · column_spacing · row_cosine + j · row_spacing · column_cosine`
    (PS3.3 C.7.6.2.1.1). Instance numbers, slice locations and names have no say.

    Raises:
        SafelightError: E-VOLUME-SINGLE-SLICE, -GEOMETRY, -MIXED-MATRIX, -MIXED-SPACING, -MIXED-ORIENTATION, -DUPLICATE-POSITION,
            -UNEVEN-SPACING, -TILT, -CERTIFICATE.
    """
    n = len(planes.position)
    _check_planes(planes)
    if n < 2:
        raise SafelightError("E-VOLUME-SINGLE-SLICE")
    row, column = _directions(planes.orientation)
    normal = np.cross(row, column)
    along = planes.position @ normal
    order = np.argsort(along, kind="stable")
    gaps = np.diff(along[order])
    if gaps.min() < _SAME_POSITION_MM:
        raise SafelightError("E-VOLUME-DUPLICATE-POSITION", f"{int((gaps < _SAME_POSITION_MM).sum())} of {n} slices")
    positions = planes.position[order]
    counter = np.arange(n, dtype=np.float64)
    design = np.stack([counter, np.ones(n)], axis=1)
    (step, origin), *_ = np.linalg.lstsq(design, positions, rcond=None)
    depth_error = np.abs((positions - design @ np.stack([step, origin])) @ normal).max()
    if depth_error > MAX_POSITION_ERROR_MM:
        typical = float(np.median(gaps))
        missing = int(np.maximum(np.rint(gaps / typical) - 1, 0).sum())
        raise SafelightError("E-VOLUME-UNEVEN-SPACING", f"{n} slices, about {missing} missing")
    lean = float(np.linalg.norm(step - (step @ normal) * normal)) * (n - 1)
    if lean > MAX_POSITION_ERROR_MM:
        raise SafelightError("E-VOLUME-TILT", f"the stack leans by {lean:.1f} mm")
    affine = np.eye(4)
    affine[:3, 0] = row * planes.spacing[:, 1].mean()
    affine[:3, 1] = column * planes.spacing[:, 0].mean()
    affine[:3, 2] = step
    affine[:3, 3] = origin
    error = _max_position_error(planes, order, affine)
    if error > MAX_POSITION_ERROR_MM:
        raise SafelightError("E-VOLUME-CERTIFICATE", f"{error:.3f} mm")
    return Stack(order.astype(np.int64), affine, error)


def _check_planes(planes: Planes) -> None:
    row, column = planes.orientation[:, :3], planes.orientation[:, 3:]
    finite = all(bool(np.isfinite(values).all()) for values in (planes.position, planes.orientation, planes.spacing))
    unit = finite and bool(
        (np.abs(np.linalg.norm(row, axis=1) - 1) < _COSINE_TOLERANCE).all()
        and (np.abs(np.linalg.norm(column, axis=1) - 1) < _COSINE_TOLERANCE).all()
        and (np.abs((row * column).sum(axis=1)) < _COSINE_TOLERANCE).all()
    )
    if not unit or not (planes.spacing > 0).all():
        raise SafelightError("E-VOLUME-GEOMETRY")
    if np.ptp(planes.matrix, axis=0).any():
        raise SafelightError("E-VOLUME-MIXED-MATRIX")
    if (np.ptp(planes.spacing, axis=0) * planes.matrix.max(axis=0) > MAX_POSITION_ERROR_MM).any():
        raise SafelightError("E-VOLUME-MIXED-SPACING")
    if (np.abs(planes.orientation - planes.orientation[0]) > _SAME_DIRECTION).any():
        raise SafelightError("E-VOLUME-MIXED-ORIENTATION")


def _directions(orientation: Floats) -> tuple[Floats, Floats]:
    """The mean row and column cosines, made exactly unit and orthogonal."""
    row = orientation[:, :3].mean(axis=0)
    row /= np.linalg.norm(row)
    column = orientation[:, 3:].mean(axis=0)
    column -= (column @ row) * row
    return row, column / np.linalg.norm(column)


def _max_position_error(planes: Planes, order: NDArray[np.int64], affine: Floats) -> float:
    """The largest distance, over all slices and their four corner pixels, between the affine and each slice's own geometry."""
    last_row, last_column = (planes.matrix[0] - 1).astype(float)
    worst = 0.0
    for i in (0.0, last_column):
        for j in (0.0, last_row):
            said = (
                planes.position[order]
                + i * planes.spacing[order, 1:2] * planes.orientation[order, :3]
                + j * planes.spacing[order, 0:1] * planes.orientation[order, 3:]
            )
            counter = np.arange(len(order), dtype=np.float64)
            fitted = affine[:3, 3] + i * affine[:3, 0] + j * affine[:3, 1] + counter[:, None] * affine[:3, 2]
            worst = max(worst, float(np.linalg.norm(said - fitted, axis=1).max()))
    return worst


def planes_of(headers: list[Any]) -> Planes:
    """What the headers (pydicom data sets) of a series say of their planes.

    Raises:
        SafelightError: E-VOLUME-GEOMETRY where a header does not give position, orientation, spacing and matrix as numbers.
    """
    try:
        return Planes(
            np.array([[float(x) for x in header.ImagePositionPatient] for header in headers]).reshape(-1, 3),
            np.array([[float(x) for x in header.ImageOrientationPatient] for header in headers]).reshape(-1, 6),
            np.array([[float(x) for x in header.PixelSpacing] for header in headers]).reshape(-1, 2),
            np.array([[int(header.Rows), int(header.Columns)] for header in headers]).reshape(-1, 2),
        )
    except (AttributeError, TypeError, ValueError):
        raise SafelightError("E-VOLUME-GEOMETRY") from None
