"""Writes a part of a series in one pass over its frames: decoded, rescaled, compressed, hashed, and looked at for its picture and its range."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import SafelightError
from tasks.volumes import decoding
from tasks.volumes.frames import Frame
from tasks.volumes.nifti import RGB, write
from tasks.volumes.parts import Part
from tasks.volumes.spacing import ImageSpacing, spacing_of
from tasks.volumes.values import DoesNotFitError, Encoding, Scale, encode, encodings, scale_of


@dataclass
class Sight:
    """What was seen of the frames while they went by.

    Attributes:
        low, high: of all values; None for colour.
        masked: whether bits outside of the values stood in the pixels.
        planes: the middle slice (rows, columns), the middle row of each slice (slices, columns) and the middle column of each (slices, rows),
            of the first volume; of projections the middle frame alone. As values.
    """

    low: float | None = None
    high: float | None = None
    masked: bool = False
    planes: list[NDArray[Any]] = field(default_factory=list)
    _across: list[NDArray[Any]] = field(default_factory=list)
    _down: list[NDArray[Any]] = field(default_factory=list)

    def of(self, made: NDArray[Any], first: int, n_slices: int, *, stacked: bool) -> None:
        """Look at frames `first` and on of a file with `n_slices` frames a volume."""
        middle = n_slices // 2
        if first <= middle < first + len(made):
            self.planes.insert(0, made[middle - first].copy())
        if stacked and first < n_slices:
            of_first = made[: n_slices - first]
            self._across.append(of_first[:, made.shape[1] // 2].copy())
            self._down.append(of_first[:, :, made.shape[2] // 2].copy())
            if first + len(made) >= n_slices:
                self.planes += [np.concatenate(self._across), np.concatenate(self._down)]


@dataclass(frozen=True)
class Written:
    """A file that was written.

    Attributes:
        shape: (columns, rows, slices[, volumes]).
        spacing: within an image, of a projection; None for a stack.
    """

    sha256: str
    shape: tuple[int, ...]
    encoding: Encoding
    scale: Scale | None
    sight: Sight
    spacing: ImageSpacing | None = None


def stored(frames: Sequence[Frame]) -> Iterator[decoding.Block]:
    """Stored values of frames in the order given, some at a time: (n, rows, columns), or (n, rows, columns, 3) for colour.

    Raises:
        SafelightError: E-VOLUME-DECODE, E-VOLUME-BITS.
    """
    sources = [decoding.FrameSource(_source(frame), frame.number) for frame in frames]
    if all(frame.tile is None for frame in frames):
        yield from decoding.blocks(sources)
        return
    held: tuple[str, decoding.Block] | None = None
    for frame, source in zip(frames, sources, strict=True):
        if held is None or held[0] != frame.instance.key:
            held = frame.instance.key, next(decoding.blocks([source]))
        yield decoding.Block(_tile(held[1].values, frame), held[1].masked)


def _source(frame: Frame) -> Any:
    if frame.instance.source is None:
        raise SafelightError("E-VOLUME-DECODE")
    return frame.instance.source


def _tile(values: NDArray[Any], frame: Frame) -> NDArray[Any]:
    if frame.tile is None:
        return values
    row, column, rows, columns = frame.tile
    return np.ascontiguousarray(values[:, row : row + rows, column : column + columns])


def same_pixels(frames: Sequence[Frame]) -> bool:
    """Whether all frames have the same values.

    Frames that cannot be decoded are not the same.
    """
    try:
        first, *others = (block.values for frame in frames for block in stored([frame]))
        scales = [scale_of([frame]) for frame in frames]
    except SafelightError:
        return False
    alike = all((one.slopes[0], one.intercepts[0]) == (scales[0].slopes[0], scales[0].intercepts[0]) for one in scales)
    return alike and all(np.array_equal(first, other) for other in others)


def write_part(part: Part, path: Path) -> Written:
    """Write a volume or an image as it was acquired.

    Raises:
        SafelightError: E-VOLUME-DECODE, E-VOLUME-BITS, E-VOLUME-RESCALE.
    """
    rows, columns = part.frames[0].matrix
    stacked = part.stack is not None
    per_volume = len(part.frames) // part.n_volumes
    shape = (columns, rows, per_volume, part.n_volumes)[: 4 if part.n_volumes > 1 else 3 if stacked else 2]
    spacing = None if stacked else spacing_of(part.frames[0])
    affine = None if part.stack is None else part.stack.affine_ras
    in_plane = None if spacing is None else spacing.millimetres
    if (part.frames[0].header.get("SamplesPerPixel") or 1) != 1 or part.frames[0].header.get(
        "PhotometricInterpretation"
    ) == "PALETTE COLOR":
        sight = Sight()
        blocks = _colours(part, sight, per_volume)
        sha256 = write(path, blocks, shape, RGB, affine, spacing=in_plane)
        return Written(sha256, shape, Encoding(RGB, rescaled=False), None, sight, spacing)
    scale = scale_of(part.frames)
    for encoding in encodings(scale, part.frames):
        sight = Sight()
        blocks = _values(part, scale, encoding, sight, per_volume)
        try:
            sha256 = write(
                path, blocks, shape, encoding.dtype, affine, slope=encoding.slope, inter=encoding.intercept, spacing=in_plane
            )
        except DoesNotFitError:
            continue
        return Written(sha256, shape, encoding, scale, sight, spacing)
    raise SafelightError("E-VOLUME-RESCALE")


def _values(part: Part, scale: Scale, encoding: Encoding, sight: Sight, per_volume: int) -> Iterator[NDArray[Any]]:
    first = 0
    for block in stored(part.frames):
        made, (low, high) = encode(block.values, first, scale, encoding)
        sight.low = low if sight.low is None else min(sight.low, low)
        sight.high = high if sight.high is None else max(sight.high, high)
        sight.masked |= block.masked
        _look(part, sight, made, first, per_volume)
        yield made
        first += len(made)


def _colours(part: Part, sight: Sight, per_volume: int) -> Iterator[NDArray[Any]]:
    first = 0
    for block in stored(part.frames):
        _look(part, sight, block.values, first, per_volume)
        yield block.values
        first += len(block.values)


def _look(part: Part, sight: Sight, made: NDArray[Any], first: int, per_volume: int) -> None:
    n = per_volume if part.stack is not None else len(part.frames)
    sight.of(made, first, n, stacked=part.stack is not None)


def loaded(part: Part) -> NDArray[Any]:
    """All values of a part in memory, as float64 where they are not whole numbers: (frames, rows, columns)."""
    scale = scale_of(part.frames)
    for encoding in encodings(scale, part.frames):
        try:
            return _all_values(part, scale, encoding)
        except DoesNotFitError:
            continue
    raise SafelightError("E-VOLUME-RESCALE")


def _all_values(part: Part, scale: Scale, encoding: Encoding) -> NDArray[Any]:
    first, made = 0, []
    for block in stored(part.frames):
        made.append(encode(block.values, first, scale, encoding)[0])
        first += len(block.values)
    values = np.concatenate(made)
    return values if (encoding.slope, encoding.intercept) == (1.0, 0.0) else values * encoding.slope + encoding.intercept
