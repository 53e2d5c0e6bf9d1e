"""The frames of an instance, each with what it says of its plane, of its values and of what tells it from its neighbours.

A classic object has one frame, an enhanced one as many as its functional groups describe, a mosaic one a tile. From here on they are alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tasks.dicom.headers import count, integer, is_stated, numbers, word
from tasks.errors import SafelightError
from tasks.volumes.functional_groups import frame_headers
from tasks.volumes.intake import Instance
from tasks.volumes.kinds import ENHANCED, Kind, kind_of
from tasks.volumes.mosaic import is_mosaic, tiles

Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Plane:
    """Where a frame is, in DICOM's patient frame (LPS), in millimetres.

    position: centre of the first pixel. row, column: unit vectors along a row and along a column. spacing: distance of rows, then of columns.
    matrix: number of rows, then of columns.
    """

    position: Triple
    row: Triple
    column: Triple
    spacing: tuple[float, float]
    matrix: tuple[int, int]


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        number: of the frame in its instance, from 0; of a mosaic, always 0.
        header: reads like a data set of this frame alone.
        plane: where it is; None where it does not say so.
        tile: (first row, first column, rows, columns) of the frame's part of the stored image; None where it is the whole.
        order: its number within the mosaic, else 0.
    """

    instance: Instance
    number: int
    header: Any
    plane: Plane | None
    tile: tuple[int, int, int, int] | None = None
    order: int = 0

    @cached_property
    def kind(self) -> Kind:
        """Cross-section, projection, or no image."""
        return kind_of(word(self.header, "SOPClassUID"), word(self.header, "ImageType"))

    @property
    def matrix(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.tile[2:] if self.tile is not None else (count(self.header, "Rows") or 0, count(self.header, "Columns") or 0)

    @cached_property
    def key(self) -> tuple[int, str, int, int]:
        """Instance number, instance key, frame and tile: the order of frames among which nothing else decides."""
        return (integer(self.instance.header, "InstanceNumber") or 0, self.instance.key, self.number, self.order)


def frames_of(instance: Instance) -> list[Frame]:
    """The frames of an instance; none where it is no image of a kind that becomes a file.

    Raises:
        SafelightError: E-VOLUME-FRAMES where an object's frames are not described one by one, E-VOLUME-MOSAIC.
    """
    header = instance.header
    sop_class = word(header, "SOPClassUID")
    kind = kind_of(sop_class, word(header, "ImageType"))
    if kind is Kind.NONE:
        return []
    stated = count(header, "NumberOfFrames") if is_stated(header, "NumberOfFrames") else 1
    if not stated:
        raise SafelightError("E-VOLUME-FRAMES")
    if sop_class in ENHANCED:
        each = frame_headers(instance.whole, stated)
        return [Frame(instance, n, view, plane_of(view)) for n, view in enumerate(each)]
    if kind is Kind.PROJECTION:
        return [Frame(instance, n, header, None) for n in range(stated)]
    if stated != 1:
        raise SafelightError("E-VOLUME-FRAMES")
    if is_mosaic(header):
        return list(_mosaic(instance))
    return [Frame(instance, 0, header, plane_of(header))]


def _mosaic(instance: Instance) -> Iterator[Frame]:
    plane = plane_of(instance.header)
    if plane is None:
        raise SafelightError("E-VOLUME-MOSAIC")
    for order, (tile, position) in enumerate(tiles(instance.whole, plane.position, plane.row, plane.column, plane.spacing)):
        placed = Plane(position, plane.row, plane.column, plane.spacing, tile[2:])
        yield Frame(instance, 0, instance.header, placed, tile, order)


def plane_of(header: Any) -> Plane | None:
    """A frame's plane (PS3.3 C.7.6.2.1.1), or None where position, orientation, spacing or matrix are not stated as numbers, or the cosines
    are not two unit vectors at right angles."""
    position, cosines, spacing = (
        numbers(header, name) for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
    )
    rows, columns = count(header, "Rows"), count(header, "Columns")
    if position is None or cosines is None or spacing is None or (len(position), len(cosines), len(spacing)) != (3, 6, 2):
        return None
    row, column = cosines[:3], cosines[3:]
    skew = (_dot(row, row) ** 0.5 - 1, _dot(column, column) ** 0.5 - 1, _dot(row, column))
    if any(abs(part) >= _COSINE_TOLERANCE for part in skew) or min(spacing) <= 0 or not rows or not columns:
        return None
    return Plane(
        _triple(position),
        _triple(row),
        _triple(column),
        (spacing[0], spacing[1]),
        (rows, columns),
    )


#: Direction cosines are unit vectors at right angles, to the accuracy of a decimal string.
_COSINE_TOLERANCE = 1e-3


def _dot(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _triple(values: list[float]) -> Triple:
    return values[0], values[1], values[2]
