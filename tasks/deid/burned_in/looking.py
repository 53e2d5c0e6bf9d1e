"""Looks for text in the original images of one series, and says which frames have it and where. Nothing is read, kept or written.

CT, MR and PET originals share one look at the maximum, minimum and spread of many slices, and slices that differ from both of their neighbours one
at what sets them apart; the frames of other multi-frame images share one by
the dozen, and one at their first frame; every other image is looked at alone. A place that a projection shows is then looked for frame by frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword

from tasks.deid.burned_in import catalogue, frames, letters, ultrasound
from tasks.deid.burned_in.box import Box, merged, outside
from tasks.deid.burned_in.confirming import CONFIRMED, Confirmation, within
from tasks.deid.burned_in.policy import PixelPolicy
from tasks.deid.burned_in.projecting import Projection
from tasks.deid.burned_in.singling import Singling
from tasks.dicom import headers, instances
from tasks.errors import SafelightError

Source = Literal["text", "catalogue", "ultrasound", "declared", "face"]
#: All that is read of the header of a grey image: SpecificCharacterSet, the catalogue's fields, and what describes pixels and regions.
_READ = tuple(
    tag_for_keyword(name) or 0
    for name in (
        "SpecificCharacterSet", *catalogue.FIELDS, "NumberOfFrames", "PhotometricInterpretation", "SamplesPerPixel", "BitsAllocated", "BitsStored",
        "HighBit", "PixelRepresentation", "SequenceOfUltrasoundRegions", "SOPClassUID", "SharedFunctionalGroupsSequence",
    )
)  # fmt: skip

#: How sure the look at the spread alone must be of a place that no single frame shows.
_STEADY = 0.5


@dataclass(frozen=True, slots=True)
class Look:
    """A row of evidence: what one look was at, how many frames it covered, and how many boxes came of it."""

    source: Source
    view: str
    frames: int
    boxes: int


@dataclass(frozen=True)
class SeriesFindings:
    """What was found in the files of a series, by their place in the list that was asked for.

    Args:
        frames: for each file, the boxes to blank of each frame (from 0) that has any.
        codes: for each file, why it must be held back, or nothing.
        looks: the evidence.
    """

    frames: tuple[Mapping[int, tuple[Box, ...]], ...]
    codes: tuple[str, ...]
    looks: tuple[Look, ...]

    @property
    def boxes(self) -> tuple[tuple[Box, ...], ...]:
        """For each file, the boxes of any of its frames."""
        return tuple(merged(box for boxes in each.values() for box in boxes) for each in self.frames)


@dataclass
class _File:
    source: instances.Source
    header: Dataset
    count: int
    suspect: bool
    declared: bool
    outside: tuple[Box, ...] = ()
    at: tuple[float, ...] = ()
    found: dict[int, tuple[Box, ...]] = field(default_factory=dict)
    code: str = ""

    def add(self, frame: int, boxes: Sequence[Box]) -> None:
        """Note boxes of one frame, clipped to the image."""
        clipped = [box.clipped(int(self.header.Rows), int(self.header.Columns)) for box in boxes]
        if joined := merged([*self.found.get(frame, ()), *clipped]):
            self.found[frame] = joined


def look(sources: Sequence[instances.Source], *, policy: PixelPolicy) -> SeriesFindings:
    """Look at the original files of one series.

    Raises:
        SafelightError: E-DEID-TEXT-DETECTOR, when no look is possible at all.
        OSError: a file can't be read.
    """
    looks: list[Look] = []
    alike: dict[object, _File] = {}
    files = [_open(source, policy, looks, alike) for source in sources]
    for chunk in _chunks([file for file in files if not file.code], policy):
        _look_at(chunk, policy, looks)
    for file in files:
        if file.declared and not file.code and not file.found:
            file.code = "E-DEID-BURNED-IN"  # it says that it has text, and none was found: one of the two is wrong
        if file.found and policy.text == "quarantine" and not file.code:
            file.code = "E-DEID-TEXT-FOUND"
    return SeriesFindings(
        tuple({} if file.code else dict(sorted(file.found.items())) for file in files),
        tuple(file.code for file in files),
        tuple(looks),
    )


def _open(
    source: instances.Source,
    policy: PixelPolicy,
    looks: list[Look],
    alike: dict[object, _File],
) -> _File:
    """A file's header, with what header and catalogue say of text. Slices that agree in all that is read here share one header."""
    try:
        instance = instances.read(source)
        key = (instance.syntax, *map(instance.stated, _READ))
        if (like := alike.get(key)) is not None:
            return replace(like, source=source, found={}, at=_along(instance))
        file = _opened(source, instance.light(), policy, looks)
        file.at = _along(instance)
    except SafelightError:
        return _File(source, Dataset(), 0, False, False, code="E-DEID-PIXELS-UNREADABLE")
    if not file.code and not file.found and file.header.PhotometricInterpretation in ("MONOCHROME1", "MONOCHROME2"):
        alike[key] = file
    return file


def _opened(source: instances.Source, header: Dataset, policy: PixelPolicy, looks: list[Look]) -> _File:
    try:
        count, rows, columns = max(1, int(header.get("NumberOfFrames") or 1)), int(header.Rows), int(header.Columns)
        readable = str(header.PhotometricInterpretation) in frames.PHOTOMETRIC
    except (AttributeError, TypeError, ValueError):
        return _File(source, header, 0, False, False, code="E-DEID-PIXELS-UNREADABLE")
    known = catalogue.ask(header)
    declared = str(header.get("BurnedInAnnotation") or "").strip().upper() == "YES"
    file = _File(source, header, count, known.suspect or declared, declared)
    if not readable:
        file.code = "E-DEID-PIXELS-UNREADABLE"
    elif known.screen or (declared and policy.declared == "quarantine"):
        file.code = "E-DEID-BURNED-IN"
        looks.append(Look("catalogue" if known.screen else "declared", "header", count, 0))
    elif known.boxes and policy.catalogue == "quarantine":
        file.code = "E-DEID-TEXT-FOUND"
        looks.append(Look("catalogue", "header", count, len(known.boxes)))
    if file.code:
        return file
    regions = ultrasound.regions(header)
    if regions:
        file.outside = outside(regions, rows, columns)
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


def _is_sliced(header: Dataset) -> bool:
    """Whether an image is one of many alike: an original grey CT, MR or PET."""
    image_type = [str(value).strip().upper() for value in header.get("ImageType") or ()][:2]
    return (
        str(header.get("Modality")) in ("CT", "MR", "PT")
        and image_type == ["ORIGINAL", "PRIMARY"]
        and header.PhotometricInterpretation in ("MONOCHROME1", "MONOCHROME2")
    )


@dataclass
class _Chunk:
    """Frames that share one look: of several files, or several of one file."""

    files: list[_File]
    frames: list[tuple[_File, int]]
    sliced: bool

    def decoded(self) -> Iterator[tuple[_File, int, NDArray[Any]]]:
        """Each frame with its file and number; a file that can't be decoded is noted and left out."""
        for file in self.files:
            wanted = [number for each, number in self.frames if each is file]
            if file.code:
                continue
            try:
                got = 0
                for number, frame in zip(wanted, frames.decoded(file.source, file.header, wanted), strict=False):
                    got += 1
                    yield file, number, frame
                if got < len(wanted):
                    file.code = "E-DEID-PIXELS-UNREADABLE"
            except SafelightError as refused:
                file.code = refused.code


def _chunks(files: Sequence[_File], policy: PixelPolicy) -> Iterator[_Chunk]:
    groups: dict[tuple[Any, ...], list[_File]] = {}
    for file in files:
        header = file.header
        if not _is_sliced(header) or file.suspect:
            step = 1 if file.suspect else policy.frames_a_look
            for start in range(0, file.count, step):
                yield _Chunk([file], [(file, number) for number in range(start, min(start + step, file.count))], False)
            continue
        shape = tuple(
            header.get(name) for name in ("Rows", "Columns", "PhotometricInterpretation", "PixelRepresentation", "BitsAllocated")
        )
        groups.setdefault(shape, []).append(file)
    for group in groups.values():
        group.sort(key=lambda file: file.at)
        every = [(file, number) for file in group for number in range(file.count)]
        for start in range(0, len(every), policy.slices_a_look):
            part = every[start : start + policy.slices_a_look]
            yield _Chunk(list({id(file): file for file, _ in part}.values()), part, True)


def _look_at(chunk: _Chunk, policy: PixelPolicy, looks: list[Look]) -> None:
    """Look at one chunk, and note for each of its frames what is to be blanked."""
    projection, single = Projection(), Singling()
    taken: list[tuple[_File, int]] = []
    for file, number, frame in chunk.decoded():
        projection.add(frame)
        if chunk.sliced and frame.dtype.itemsize <= 2:
            single.add(frame)
            taken.append((file, number))
    if not projection.count:
        return
    _look_at_odd([(*taken[each.place], each.beyond) for each in single.odd()], policy, looks)
    head = chunk.files[0]
    threshold = policy.suspect_threshold if head.suspect else policy.threshold
    views = projection.views(with_first=not chunk.sliced)
    places: list[Box] = []
    for names, shown in _shown(views):
        here = letters.lines(shown, threshold)
        if head.outside and policy.ultrasound == "text":  # where consoles print, less is enough
            near = letters.lines(shown, policy.suspect_threshold)
            here += tuple(box for box in near if any(box.meets(each) for each in head.outside))
        places += here
        looks.extend(Look("text", name, projection.count, len(here)) for name in names)
    found = merged(places)
    if not found:
        return
    if projection.count == 1:
        for file, number in chunk.frames:
            file.add(number, found)
        return
    _confirm(chunk, found, views["spread"])


def _look_at_odd(odd: Sequence[tuple[_File, int, NDArray[Any]]], policy: PixelPolicy, looks: list[Look]) -> None:
    """Look at slices that differ from both of their neighbours, by that difference: what is written on one slice alone shows there."""
    if not odd:
        return
    most, least = (pick([beyond for _, _, beyond in odd], axis=0) for pick in (np.max, np.min))
    places = merged(letters.lines(np.stack([most, least, most - least], axis=-1), policy.threshold))
    looks.append(Look("text", "difference", len(odd), len(places)))
    for file, number, beyond in odd:
        for place in places:
            if meeting := within(beyond, place, CONFIRMED):
                file.add(number, [place, *meeting])


def _shown(views: Mapping[str, NDArray[Any]]) -> Iterator[tuple[tuple[str, ...], NDArray[Any]]]:
    """What to look at, each with the views in it: maximum, minimum and spread are the three colours of one."""
    shared = tuple(name for name in views if name not in ("frame", "first"))
    if shared:
        yield shared, np.stack([_grey(name, views[name]) for name in shared], axis=-1)
    for name in ("frame", "first"):
        if name in views:
            yield (name,), views[name]


def _grey(view: str, array: NDArray[Any]) -> NDArray[Any]:
    """A projection over the colours too, where there are any."""
    if array.ndim == 2:
        return array
    return np.asarray(array.min(axis=-1) if view == "minimum" else array.max(axis=-1))


def _confirm(chunk: _Chunk, found: tuple[Box, ...], spread: NDArray[Any]) -> None:
    """Find out which frames have the places of a projection.

    A place that the spread shows and no single frame does is the same in all frames and as dim as their noise: it is blanked in all.
    A place that only the maximum or minimum shows, and no frame, was put together from several frames: it is nobody's text.
    """
    confirmation = Confirmation(found)
    for file, number, frame in chunk.decoded():
        file.add(number, confirmation.boxes(frame))
    steady = [place for place in found if place not in confirmation.seen and within(_grey("spread", spread), place, _STEADY)]
    for file, number in chunk.frames if steady else ():
        file.add(number, steady)
