"""The distance of pixels in a projection, and where it is stated: it is one in the patient only where the image was calibrated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tasks.dicom.headers import integer, number, numbers, value, word
from tasks.volumes.frames import Frame
from tasks.volumes.kinds import ULTRASOUND

#: In this order: the plane of the patient (PS3.3 10.7.1.3), the detector's front, the detector's at isocentre.
_STATED = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_CENTIMETRES = 3


@dataclass(frozen=True, slots=True)
class ImageSpacing:
    """Distance of rows, then of columns, in mm, and the keyword that states it; None where no spacing is known."""

    millimetres: tuple[float, float] | None
    source: str | None


def spacing_of(frame: Frame) -> ImageSpacing:
    """The spacing within a projection."""
    header: Any = frame.header
    for keyword in _STATED:
        stated = numbers(header, keyword)
        if stated is not None and len(stated) == 2 and min(stated) > 0:
            return ImageSpacing((stated[0], stated[1]), keyword)
    if word(header, "SOPClassUID") in ULTRASOUND:
        regions = {_region(item) for item in value(frame.instance.whole, "SequenceOfUltrasoundRegions") or ()}
        if len(regions) == 1 and (one := regions.pop()) is not None:
            return ImageSpacing(one, "SequenceOfUltrasoundRegions")
    return ImageSpacing(None, None)


def _region(item: Any) -> tuple[float, float] | None:
    """A region's spacing (PS3.3 C.8.5.5.1): PhysicalDelta is in cm a pixel where the units say so; its sign tells the direction."""
    units = integer(item, "PhysicalUnitsXDirection"), integer(item, "PhysicalUnitsYDirection")
    across, down = number(item, "PhysicalDeltaX"), number(item, "PhysicalDeltaY")
    if units != (_CENTIMETRES, _CENTIMETRES) or not across or not down:
        return None
    return abs(down) * 10, abs(across) * 10
