"""Opens the files of a series for a look: what header and catalogue say of text, and how the pixels lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword

from tasks.deid.burned_in import catalogue, frames, ultrasound
from tasks.deid.burned_in.box import Box, merged, outside
from tasks.deid.burned_in.evidence import Look, Source
from tasks.deid.burned_in.policy import PixelPolicy
from tasks.dicom import headers, instances, native
from tasks.errors import SafelightError

#: All that is read of the header of a grey image: SpecificCharacterSet, the catalogue's fields, and what describes pixels and regions.
_READ = tuple(
    tag_for_keyword(name) or 0
    for name in (
        "SpecificCharacterSet", *catalogue.FIELDS, "NumberOfFrames", "PhotometricInterpretation", "SamplesPerPixel", "BitsAllocated", "BitsStored",
        "HighBit", "PixelRepresentation", "SequenceOfUltrasoundRegions", "SOPClassUID", "SharedFunctionalGroupsSequence",
    )
)  # fmt: skip
_GREY = ("MONOCHROME1", "MONOCHROME2")


@dataclass
class File:
    """A file of a series, and what is found in it.

    Args:
        header: the data set without pixels; slices that agree in all that is asked of it share one.
        count: how many frames it has.
        suspect: header or catalogue say that text is likely.
        declared: the header says that text is burned in.
        shape: rows and columns.
        layout: how native grey pixels lie; nothing for all others.
        group: what slices of one shared look have in common; nothing where the image is no original slice of CT, MR or PET.
        outside: what lies in none of ultrasound's calibrated regions.
        at: what slices are ordered by.
        found: boxes by frame.
        code: why it must be held back.
    """

    source: instances.Source
    header: Dataset = field(default_factory=Dataset)
    count: int = 0
    suspect: bool = False
    declared: bool = False
    shape: tuple[int, int] = (0, 0)
    layout: native.Layout | None = None
    group: tuple[object, ...] | None = None
    outside: tuple[Box, ...] = ()
    at: tuple[float, ...] = ()
    found: dict[int, tuple[Box, ...]] = field(default_factory=dict)
    code: str = ""

    def add(self, frame: int, boxes: Sequence[Box]) -> None:
        """Note boxes of one frame, clipped to the image."""
        if joined := merged([*self.found.get(frame, ()), *(box.clipped(*self.shape) for box in boxes)]):
            self.found[frame] = joined


def opened(sources: Sequence[instances.Source], policy: PixelPolicy, looks: list[Look]) -> list[File]:
    """Every file of a series, opened; what header and catalogue say is added to the evidence."""
    alike: dict[object, File] = {}
    return [_open(source, policy, looks, alike) for source in sources]


def _open(source: instances.Source, policy: PixelPolicy, looks: list[Look], alike: dict[object, File]) -> File:
    try:
        instance = instances.read(source)
        key = (instance.syntax, *map(instance.stated, _READ))
        if (like := alike.get(key)) is not None:
            return replace(like, source=source, found={}, at=_along(instance))
        file = _described(source, instance.light(), policy, looks)
        file.at = _along(instance)
    except SafelightError:
        return File(source, code="E-DEID-PIXELS-UNREADABLE")
    if not file.code and not file.found and file.header.PhotometricInterpretation in _GREY:
        alike[key] = file
    return file


def _described(source: instances.Source, header: Dataset, policy: PixelPolicy, looks: list[Look]) -> File:
    try:
        count, shape = max(1, int(header.get("NumberOfFrames") or 1)), (int(header.Rows), int(header.Columns))
        if str(header.PhotometricInterpretation) not in frames.PHOTOMETRIC:
            return File(source, code="E-DEID-PIXELS-UNREADABLE")
    except (AttributeError, TypeError, ValueError):
        return File(source, code="E-DEID-PIXELS-UNREADABLE")
    known = catalogue.ask(header)
    declared = str(header.get("BurnedInAnnotation") or "").strip().upper() == "YES"
    try:
        file = File(source, header, count, known.suspect or declared, declared, shape, native.layout(header), _group(header))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - pydicom decodes values now, and raises anything on damaged ones, with the value in its message
        return File(source, code="E-DEID-PIXELS-UNREADABLE")
    if known.screen or (declared and policy.declared == "quarantine"):
        file.code = "E-DEID-BURNED-IN"
        looks.append(Look("catalogue" if known.screen else "declared", "header", count, 0))
    elif known.boxes and policy.catalogue == "quarantine":
        file.code = "E-DEID-TEXT-FOUND"
        looks.append(Look("catalogue", "header", count, len(known.boxes)))
    if file.code:
        return file
    regions = ultrasound.regions(header)
    if regions:
        file.outside = outside(regions, *shape)
    fixed: list[tuple[Source, tuple[Box, ...]]] = [("catalogue", known.boxes)]
    if policy.ultrasound == "outside":
        fixed.append(("ultrasound", file.outside))
    for kind, boxes in fixed:
        if boxes:
            looks.append(Look(kind, "header", count, len(boxes)))
            for frame in range(count):
                file.add(frame, boxes)
    return file


def _along(instance: instances.Instance) -> tuple[float, ...]:
    """What slices of a series are ordered by: the place along their normal, then their number."""
    header = instance.fields()
    position, orientation = headers.numbers(header, "ImagePositionPatient"), headers.numbers(header, "ImageOrientationPatient")
    along = 0.0
    if position is not None and orientation is not None and len(position) == 3 and len(orientation) == 6:
        along = float(np.dot(np.cross(orientation[:3], orientation[3:]), position))
    return along, headers.number(header, "InstanceNumber") or 0.0


def _group(header: Dataset) -> tuple[object, ...] | None:
    """What slices that share a look agree in; nothing but for an original grey slice of CT, MR or PET, one of many alike."""
    image_type = [str(value).strip().upper() for value in header.get("ImageType") or ()][:2]
    if str(header.get("Modality")) not in ("CT", "MR", "PT") or image_type != ["ORIGINAL", "PRIMARY"]:
        return None
    if header.PhotometricInterpretation not in _GREY:
        return None
    return tuple(
        header.get(name) for name in ("Rows", "Columns", "PhotometricInterpretation", "PixelRepresentation", "BitsAllocated")
    )
