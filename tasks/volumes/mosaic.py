"""Siemens mosaics: the slices of one volume as tiles of one image.

An image of type MOSAIC holds its slices row by row in a square grid of tiles; ImagePositionPatient is that of an image as large as the mosaic whose
centre is the first slice's (nibabel, DICOM documentation, "Siemens mosaic"; dcm2niix does the same). In which direction the slices follow each other
is only said by SliceNormalVector in the private header `SIEMENS CSA HEADER` (0029,xx10); without it a volume may be upside down, and is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from pydicom import Dataset

from tasks.dicom.csa import slice_normal
from tasks.dicom.headers import count, number, word
from tasks.errors import SafelightError

Triple = tuple[float, float, float]
Tile = tuple[int, int, int, int]

#: The stated normal must be the plane's, to the accuracy of decimal strings.
_PARALLEL = 0.999


def is_mosaic(header: Any) -> bool:
    """Whether an image is a mosaic."""
    return "MOSAIC" in (word(header, "ImageType") or "").split("\\")


def tiles(
    header: Dataset, position: Triple, row: Triple, column: Triple, spacing: tuple[float, float]
) -> Iterator[tuple[Tile, Triple]]:
    """Each slice's tile (first row, first column, rows, columns) and the position of its first pixel, in mm (LPS).

    Args:
        position, row, column, spacing: the plane that the mosaic itself states; spacing of rows, then of columns.

    Raises:
        SafelightError: E-VOLUME-MOSAIC where the number of slices, their direction or their distance is not stated.
    """
    n, normal, distance = _slices(header), _normal(header), number(header, "SpacingBetweenSlices")
    rows, columns = count(header, "Rows"), count(header, "Columns")
    if not n or normal is None or not distance or distance <= 0 or not rows or not columns:
        raise SafelightError("E-VOLUME-MOSAIC")
    along_row, along_column = np.array(row), np.array(column)
    across = np.cross(along_row, along_column)
    side = math.ceil(math.sqrt(n))
    if abs(float(across @ normal)) < _PARALLEL or rows % side or columns % side:
        raise SafelightError("E-VOLUME-MOSAIC")
    step = across * math.copysign(distance, float(across @ normal))
    height, width = rows // side, columns // side
    first = np.array(position) + along_row * spacing[1] * (columns - width) / 2 + along_column * spacing[0] * (rows - height) / 2
    for slice_number in range(n):
        x, y, z = (float(part) for part in first + slice_number * step)
        yield ((slice_number // side) * height, (slice_number % side) * width, height, width), (x, y, z)


def _slices(header: Dataset) -> int | None:
    try:
        return int(header.private_block(0x0019, "SIEMENS MR HEADER")[0x0A].value)
    except (KeyError, TypeError, ValueError):
        return None


def _normal(header: Dataset) -> np.ndarray[Any, Any] | None:
    try:
        content = header.private_block(0x0029, "SIEMENS CSA HEADER")[0x10].value
    except KeyError:
        return None
    found = slice_normal(content) if isinstance(content, bytes) else None
    return None if found is None else np.array(found)
