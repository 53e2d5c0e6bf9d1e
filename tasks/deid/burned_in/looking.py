"""Looks for text in the original images of one series, and says which frames have it and where. Nothing is read, kept or written.

CT, MR and PET originals share one look at the maximum, minimum and spread of many slices, and slices that differ from both of their neighbours one
at what sets them apart; the frames of other multi-frame images share one by
the dozen, and one at their first frame; every other image is looked at alone. A place that a projection shows is then looked for frame by frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.deid.burned_in import frames, searching
from tasks.deid.burned_in.box import Box, merged
from tasks.deid.burned_in.confirming import CONFIRMED, Confirmation, is_steady, within
from tasks.deid.burned_in.evidence import Look
from tasks.deid.burned_in.opening import File, opened
from tasks.deid.burned_in.policy import PixelPolicy
from tasks.deid.burned_in.projecting import Projection
from tasks.deid.burned_in.singling import Singling
from tasks.dicom import instances
from tasks.errors import SafelightError

#: How sure the look at the spread alone must be of a place that no single frame shows.
_STEADY = 0.5


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


def look(sources: Sequence[instances.Source], *, policy: PixelPolicy) -> SeriesFindings:
    """Look at the original files of one series.

    Raises:
        SafelightError: E-DEID-TEXT-DETECTOR, when no look is possible at all.
        OSError: a file can't be read.
    """
    looks: list[Look] = []
    files = opened(sources, policy, looks)
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


@dataclass
class _Chunk:
    """Frames that share one look: of several files, or several of one file."""

    files: list[File]
    frames: list[tuple[File, int]]
    sliced: bool

    def decoded(self) -> Iterator[tuple[File, int, NDArray[Any]]]:
        """Each frame with its file and number; a file that can't be decoded is noted and left out."""
        wanted_of: dict[int, list[int]] = {}
        for file, number in self.frames:
            wanted_of.setdefault(id(file), []).append(number)
        for file in self.files:
            if file.code:
                continue
            wanted = wanted_of[id(file)]
            try:
                got = 0
                for number, frame in zip(wanted, frames.decoded(file.source, file.header, file.layout, wanted), strict=False):
                    got += 1
                    yield file, number, frame
                if got < len(wanted):
                    file.code = "E-DEID-PIXELS-UNREADABLE"
            except SafelightError as refused:
                file.code = refused.code


def _chunks(files: Sequence[File], policy: PixelPolicy) -> Iterator[_Chunk]:
    groups: dict[tuple[object, ...], list[File]] = {}
    for file in files:
        if file.group is None or file.suspect:
            step = 1 if file.suspect else policy.frames_a_look
            for start in range(0, file.count, step):
                yield _Chunk([file], [(file, number) for number in range(start, min(start + step, file.count))], False)
            continue
        groups.setdefault(file.group, []).append(file)
    for group in groups.values():
        group.sort(key=lambda file: file.at)
        every = [(file, number) for file in group for number in range(file.count)]
        for start in range(0, len(every), policy.slices_a_look):
            part = every[start : start + policy.slices_a_look]
            yield _Chunk(list({id(file): file for file, _ in part}.values()), part, True)


def _look_at(chunk: _Chunk, policy: PixelPolicy, looks: list[Look]) -> None:
    """Look at one chunk, and note for each of its frames what is to be blanked."""
    projection, single = Projection(), Singling()
    taken: list[tuple[File, int]] = []
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
    shared = chunk.sliced and projection.count > 1  # one look for many slices: small letters in it are left to our network
    places: list[Box] = []
    for names, shown in _shown(views):
        here = searching.lines(shown, threshold, enlarged=not shared)
        if head.outside and policy.ultrasound == "text":  # where consoles print, less is enough
            near = searching.lines(shown, policy.suspect_threshold, enlarged=not shared)
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


def _look_at_odd(odd: Sequence[tuple[File, int, NDArray[Any]]], policy: PixelPolicy, looks: list[Look]) -> None:
    """Look at slices that differ from both of their neighbours, by that difference: what is written on one slice alone shows there."""
    if not odd:
        return
    most, least = (pick([beyond for _, _, beyond in odd], axis=0) for pick in (np.max, np.min))
    places = searching.lines(np.stack([most, least, most - least], axis=-1), policy.threshold, enlarged=False)
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

    A place that the spread shows and no single frame does is the same in all frames and as dim as their noise: it is blanked in all, and so
    is one that single frames show here and there, where the spread says that its letters are in all of them.
    A place that only the maximum or minimum shows, and no frame, was put together from several frames: it is nobody's text.
    """
    confirmation = Confirmation(found)
    for file, number, frame in chunk.decoded():
        file.add(number, confirmation.boxes(frame))
    grey = _grey("spread", spread)
    steady = [
        place
        for place in found
        if (is_steady(grey, place, len(chunk.frames)) if place in confirmation.seen else within(grey, place, _STEADY))
    ]
    for file, number in chunk.frames if steady else ():
        file.add(number, steady)
