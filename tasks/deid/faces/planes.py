"""Where each image plane of a set of files lies, and its pixels: single-frame and enhanced CT, MR and PET alike.

Other than `tasks.volumes.stack` this refuses neither gantry tilt, nor uneven spacing, nor several volumes at once: a face must be
found in those too.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import config
from pydicom.datadict import tag_for_keyword
from pydicom.pixels.utils import pixel_array

from tasks.dicom import instances, native
from tasks.dicom.headers import count, number, numbers, word
from tasks.dicom.instances import Source
from tasks.errors import SafelightError

Floats = NDArray[np.float64]
Image = NDArray[np.float32]

#: Enhanced images state geometry and rescale in functional groups (PS3.3 C.7.6.16.2): attribute → the sequence that holds it.
_GROUPS = {
    "ImagePositionPatient": "PlanePositionSequence", "ImageOrientationPatient": "PlaneOrientationSequence",
    "PixelSpacing": "PixelMeasuresSequence", "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
}  # fmt: skip
#: All that a plane of a single-frame image is made of, but its position and number: images that agree in these have planes alike.
_ALIKE = tuple(
    tag_for_keyword(name) or 0
    for name in (
        "ImageType", "Modality", "NumberOfFrames", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns", "RescaleSlope",
        "RescaleIntercept", "FrameOfReferenceUID",
    )
)  # fmt: skip
#: Direction cosines are unit vectors at right angles, to this accuracy.
_COSINE_TOLERANCE = 1e-2
#: Planes whose direction cosines agree to this belong to one stack; planes nearer than `SAME_POSITION_MM` are at one position.
_SAME_DIRECTION = 0.02
SAME_POSITION_MM = 0.05


class UnplacedError(Exception):
    """The planes of a file cannot be placed in space, or its pixels not be read. It holds no value of the file."""


@dataclass(frozen=True, slots=True)
class Plane:
    """One image plane in DICOM's patient frame (LPS, mm).

    index: which of the sources; frame: which of its frames, from 0.
    position: (3,), centre of the first pixel. row, column: (3,), unit cosines along a row, and down a column.
    spacing: distance of rows, and of columns, in mm. shape: number of rows, and of columns.
    slope, intercept: rescale; CT gives HU.
    """

    index: int
    frame: int
    source: Source
    position: Floats
    row: Floats
    column: Floats
    spacing: tuple[float, float]
    shape: tuple[int, int]
    slope: float
    intercept: float
    modality: str
    reference: str
    instance: float

    @property
    def normal(self) -> Floats:
        """(3,), row × column."""
        return np.asarray(np.cross(self.row, self.column))


@dataclass(frozen=True, slots=True)
class Stack:
    """Parallel planes of one frame of reference and modality, one at each position, ascending along the normal of the first."""

    planes: tuple[Plane, ...]

    @property
    def along(self) -> Floats:
        """(n,), positions along the normal, in mm, ascending."""
        normal = self.planes[0].normal
        return np.array([plane.position @ normal for plane in self.planes])

    @property
    def spacing_mm(self) -> float:
        """The usual distance of neighbours; infinite for a single plane."""
        return float(np.median(np.diff(self.along))) if len(self.planes) > 1 else float("inf")

    @property
    def modality(self) -> str:
        """Modality of all planes: CT, MR or PT."""
        return self.planes[0].modality


def planes_of(sources: Sequence[Source]) -> list[Plane]:
    """All planes of all files; localizers of CT (projections, PS3.3 C.8.2.1.1.1) have no place in a volume and are left out.

    Raises:
        UnplacedError: a file that cannot be parsed, or without position, orientation and spacing as numbers.
    """
    found: list[Plane] = []
    alike: dict[object, Plane | None] = {}
    for index, source in enumerate(sources):
        with quiet():
            try:
                instance = instances.read(source)  # what cannot be opened is the machine's fault, and passes
                header = instance.fields()
            except SafelightError:
                raise UnplacedError from None
            key = (instance.encoding, *map(instance.stated, _ALIKE))
            if not instance.is_deep and key in alike:
                like = alike[key]
                found += [] if like is None else [_moved(like, header, source, index)]
                continue
            kind = (word(header, "ImageType") or "").upper().split("\\")
            localizer = word(header, "Modality") == "CT" and "LOCALIZER" in kind
            frames = 0 if localizer else max(1, count(header, "NumberOfFrames") or 1)
            planes = [_plane(header, source, index, frame) for frame in range(frames)]
            if len(planes) < 2:
                alike[key] = planes[0] if planes else None
            found += planes
    return found


def _moved(like: Plane, header: Any, source: Source, index: int) -> Plane:
    """The plane of an image that differs from another one in nothing but its position and number."""
    position = numbers(header, "ImagePositionPatient")
    if position is None or len(position) != 3:
        raise UnplacedError
    return replace(
        like, source=source, index=index, position=np.array(position), instance=number(header, "InstanceNumber") or 0.0
    )


def stacks_of(planes: Sequence[Plane]) -> list[Stack]:
    """Sort planes into stacks: by frame of reference, modality and orientation, across series. Where several planes stand at one
    position (echoes, phases, repetitions), the first of each make the first stack, the second ones the next, and so on."""
    families: list[list[Plane]] = []
    for plane in planes:
        for family in families:
            first = family[0]
            same = first.reference == plane.reference and first.modality == plane.modality
            if same and max(np.abs(first.row - plane.row).max(), np.abs(first.column - plane.column).max()) < _SAME_DIRECTION:
                family.append(plane)
                break
        else:
            families.append([plane])
    stacks: list[Stack] = []
    for family in families:
        normal = family[0].normal
        layers: dict[int, list[Plane]] = defaultdict(list)
        depth, before = 0, -np.inf
        for plane in sorted(
            family, key=lambda each: (round(float(each.position @ normal), 2), each.instance, each.index, each.frame)
        ):
            at = float(plane.position @ normal)
            depth = depth + 1 if at - before < SAME_POSITION_MM else 0
            before = at
            layers[depth].append(plane)
        stacks += [Stack(tuple(layer)) for layer in layers.values()]
    return stacks


def rescaled(plane: Plane, rows: NDArray[np.intp] | None = None, columns: NDArray[np.intp] | None = None) -> Image:
    """The plane's pixels (rows, columns), rescaled: HU for CT.

    Args:
        rows: take only these, in this order, and only those columns; all of both where nothing is said.

    Raises:
        UnplacedError: no decoder makes an image of the stated shape of the file.
    """
    with quiet():
        try:
            instance = instances.read(plane.source)
            header = instance.fields()
            plain = native.frames_of(instance, native.layout(header))
            values = plain[plane.frame] if plain is not None else pixel_array(instance.whole(), index=plane.frame)
            shape = values.shape
            if rows is not None and columns is not None:
                values = values.take(rows, axis=0).take(columns, axis=1)
            values = native.stored(values, header) if plain is not None else values
        except (MemoryError, OSError):
            raise
        except Exception:  # noqa: BLE001 - decoders raise whatever their libraries raise; each means the same: no image
            raise UnplacedError from None
    if shape != plane.shape:
        raise UnplacedError
    return np.asarray(values * np.float32(plane.slope) + np.float32(plane.intercept), np.float32)


class quiet(warnings.catch_warnings):  # noqa: N801 - a context manager, used like a function
    """Read what other systems wrote without complaint: pydicom's warnings hold values."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore")
        self._validation = config.disable_value_validation()
        self._validation.__enter__()

    def __exit__(self, *raised: Any) -> None:
        self._validation.__exit__(*raised)
        super().__exit__(*raised)


def _plane(header: Any, source: Source, index: int, frame: int) -> Plane:
    position, orientation, spacing = (
        _stated(header, frame, name) for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
    )
    rows, columns = count(header, "Rows"), count(header, "Columns")
    if (count(header, "NumberOfFrames") or 1) > 1 and len(header.get("PerFrameFunctionalGroupsSequence") or ()) <= frame:
        raise UnplacedError  # several frames, and nothing says where each one lies
    if position is None or orientation is None or spacing is None or not rows or not columns:
        raise UnplacedError
    if (len(position), len(orientation), len(spacing)) != (3, 6, 2) or min(spacing) <= 0:
        raise UnplacedError
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(lengths[0] - 1), abs(lengths[1] - 1), abs(row @ column)) > _COSINE_TOLERANCE:
        raise UnplacedError
    slope, intercept = (
        _stated(header, frame, name) or [default] for name, default in (("RescaleSlope", 1.0), ("RescaleIntercept", 0.0))
    )
    return Plane(
        index, frame, source, np.array(position), row / lengths[0], column / lengths[1], (spacing[0], spacing[1]), (rows, columns),
        slope[0], intercept[0], word(header, "Modality") or "", word(header, "FrameOfReferenceUID") or "",
        number(header, "InstanceNumber") or 0.0,
    )  # fmt: skip


def _stated(header: Any, frame: int, name: str) -> list[float] | None:
    """An attribute's numbers: of the frame, else shared by all frames, else of the image."""
    per_frame, shared = header.get("PerFrameFunctionalGroupsSequence"), header.get("SharedFunctionalGroupsSequence")
    for groups in (per_frame[frame] if per_frame and frame < len(per_frame) else None, shared[0] if shared else None):
        items = groups.get(_GROUPS[name]) if groups is not None else None
        if items:
            return _as_list(items[0], name)
    return _as_list(header, name)


def _as_list(header: Any, name: str) -> list[float] | None:
    if name.startswith("Rescale"):
        single = number(header, name)
        return None if single is None else [single]
    return numbers(header, name)
