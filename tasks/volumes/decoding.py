"""Stored values of frames in any transfer syntax, some at a time: straight from the file where they are native, by pydicom's decoders where they are
compressed. No more than a block of them, and a few images in flight, are ever in memory.
"""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import UID, JPEGLSLossless, JPEGLSNearLossless, RLELossless

from tasks.dicom.elements import PIXELS
from tasks.dicom.headers import count
from tasks.dicom.instances import Instance
from tasks.errors import SafelightError

#: Images that are decoded at once, and how many may wait for their turn.
_THREADS, _AHEAD = 2, 4
#: The decoder of each compressed transfer syntax, by name, so that another package on the machine never changes a pixel.
_PLUGINS = {RLELossless: "pydicom", JPEGLSLossless: "pyjpegls", JPEGLSNearLossless: "pyjpegls"}
_PLUGIN = "pylibjpeg"
_GREY = {"MONOCHROME1", "MONOCHROME2"}

Pixels = NDArray[Any]


@dataclass(frozen=True, slots=True)
class FrameSource:
    """A frame of an instance, counted from 0."""

    instance: Instance
    number: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """Frames one after the other.

    values: (n, rows, columns), or (n, rows, columns, 3) in RGB, in the machine's byte order.
    masked: whether bits above HighBit, such as an overlay's, stood in the pixels and were left out.
    """

    values: Pixels
    masked: bool


@dataclass(frozen=True, slots=True)
class _Layout:
    """How an instance's pixels are laid out, as its header states it; equal for frames that may share a block."""

    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    high: int
    signed: bool
    photometric: str
    frames: int

    @classmethod
    def of(cls, instance: Instance) -> _Layout:
        header = instance.fields()
        names = ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")
        rows, columns, allocated, stored, high, signed = (count(header, name) for name in names)
        if (
            not rows
            or not columns
            or allocated not in {8, 16, 32}
            or not stored
            or high is None
            or not stored - 1 <= high < allocated
        ):
            raise SafelightError("E-VOLUME-DECODE" if not rows or not columns else "E-VOLUME-BITS")
        samples, frames = count(header, "SamplesPerPixel") or 1, count(header, "NumberOfFrames") or 1
        photometric = str(header.get("PhotometricInterpretation") or "")
        return cls(rows, columns, samples, allocated, stored, high, bool(signed), photometric, frames)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(f"{'i' if self.signed else 'u'}{self.allocated // 8}")

    @property
    def frame_bytes(self) -> int:
        return self.rows * self.columns * self.samples * self.allocated // 8


def blocks(sources: Sequence[FrameSource], *, block_bytes: int = 1 << 23) -> Iterator[Block]:
    """The stored values of frames of one size, in the order given.

    A block holds frames of one type; neighbours may differ in signedness and depth.

    Raises:
        SafelightError: E-VOLUME-DECODE where no decoder makes an image of the stated shape, or the file has become shorter; E-VOLUME-BITS
            where the bits are not laid out in a way that is understood, or a decoded value has more of them than is stated.
    """
    laid_out = [(_Layout.of(source.instance), source) for source in sources]
    if len({(layout.rows, layout.columns, layout.samples) for layout, _ in laid_out}) > 1:
        raise SafelightError("E-VOLUME-DECODE")
    for (layout, native), run in groupby(laid_out, lambda pair: (pair[0], _is_native(pair[1].instance, pair[0]))):
        members = [source for _, source in run]
        size = max(1, block_bytes // max(1, layout.frame_bytes))
        if native:
            for start in range(0, len(members), size):
                yield _unmasked(_read(members[start : start + size], layout), layout)
        else:
            for values in _decoded(members, layout):
                yield _checked(values, layout)


def _is_native(instance: Instance, layout: _Layout) -> bool:
    """Whether the values stand in the file, one after the other, as the machine can read them."""
    plain = not instance.encapsulated and len(instance.pixels) == 1 and instance.pixels[0][0] == PIXELS[0]
    swapped = instance.encoding.big_endian and layout.allocated == 8
    return plain and not swapped and layout.samples == 1 and layout.photometric in _GREY


def _read(members: Sequence[FrameSource], layout: _Layout) -> Pixels:
    """(n, rows, columns), read into one array."""
    values = np.empty((len(members), layout.rows, layout.columns), layout.dtype)
    for place, source in enumerate(members):
        _fill(memoryview(values[place]).cast("B"), source, layout)
    return values.byteswap(inplace=True) if members[0].instance.encoding.big_endian else values


def _fill(into: memoryview, source: FrameSource, layout: _Layout) -> None:
    instance = source.instance
    _, _, _, start, end, _ = instance.pixels[0]
    surplus = end - start - layout.frames * layout.frame_bytes
    offset = start + source.number * layout.frame_bytes
    if not 0 <= surplus < layout.frame_bytes or source.number >= layout.frames:
        raise SafelightError("E-VOLUME-DECODE")
    if end <= len(instance.data):  # it was inflated, or is short
        into[:] = instance.data[offset : offset + layout.frame_bytes]
        return
    descriptor = os.open(instance.path, os.O_RDONLY)
    try:
        found = os.preadv(descriptor, [into], offset)
    finally:
        os.close(descriptor)
    if found != layout.frame_bytes:
        raise SafelightError("E-VOLUME-DECODE")


def _unmasked(values: Pixels, layout: _Layout) -> Block:
    """Values without what stands in the bits above or below them (PS3.5 section 8.1.1), negative ones with their sign."""
    low, high = _limits(layout)
    if layout.high == layout.stored - 1 and (layout.stored == layout.allocated or (values.min() >= low and values.max() <= high)):
        return Block(values, masked=False)
    bare = np.right_shift(np.left_shift(values, layout.allocated - 1 - layout.high), layout.allocated - layout.stored)
    bits = values.view(f"u{layout.allocated // 8}")
    above = (bits >> np.array(layout.high, bits.dtype) >> np.array(1, bits.dtype)) != 0
    if layout.high == layout.stored - 1:
        above &= bare != values
    below = layout.high >= layout.stored and bool(
        (bits & np.array((1 << (layout.high + 1 - layout.stored)) - 1, bits.dtype)).any()
    )
    return Block(bare, bool(above.any()) or below)


def _limits(layout: _Layout) -> tuple[int, int]:
    return (-(1 << (layout.stored - 1)), (1 << (layout.stored - 1)) - 1) if layout.signed else (0, (1 << layout.stored) - 1)


def _checked(values: Pixels, layout: _Layout) -> Block:
    """A decoded image: of the stated shape, and with no value of more bits than are stated."""
    shape = (layout.rows, layout.columns)
    if values.shape == (*shape, 3) and values.dtype == np.uint8:
        return Block(values[None], masked=False)
    if values.shape != shape or not np.issubdtype(values.dtype, np.integer) or layout.samples != 1:
        raise SafelightError("E-VOLUME-DECODE")
    low, high = _limits(layout)
    if int(values.min()) < low or int(values.max()) > high:
        raise SafelightError("E-VOLUME-BITS")
    return Block(np.ascontiguousarray(values, values.dtype.newbyteorder("="))[None], masked=False)


def _decoded(members: Sequence[FrameSource], layout: _Layout) -> Iterator[Pixels]:
    """Images in the order given, decoded in threads."""
    held: tuple[Instance, Dataset] | None = None
    waiting: deque[Future[Pixels]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        for source in members:
            if layout.frames > 1:  # its frames share one parsed file
                if held is None or held[0] is not source.instance:
                    held = source.instance, _parsed(source.instance)
                waiting.append(pool.submit(_image, _of(held[1]), source.number))
            else:
                waiting.append(pool.submit(_image, _later(source.instance), 0))
            if len(waiting) >= _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _of(dataset: Dataset) -> Callable[[], Dataset]:
    return lambda: dataset


def _later(instance: Instance) -> Callable[[], Dataset]:
    return lambda: _parsed(instance)


def _parsed(instance: Instance) -> Dataset:
    """A file with its pixels, as pydicom reads it; what cannot be opened is the machine's fault, and passes."""
    content = instance.path.read_bytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dcmread(BytesIO(content))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - whatever a parser raises on a damaged file: it is no image
        raise SafelightError("E-VOLUME-DECODE") from None


def _image(parsed: Callable[[], Dataset], number: int) -> Pixels:
    """(rows, columns), or (rows, columns, 3) in RGB."""
    dataset = parsed()
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what decoders grumble about is checked by shape and bits, or raised
            decoder = get_decoder(syntax)
            plugin = _PLUGINS.get(syntax, _PLUGIN) if syntax.is_encapsulated else ""
            values, _ = decoder.as_array(dataset, index=number, decoding_plugin=plugin)
            if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
                coloured = apply_color_lut(values, dataset)
                return np.asarray(coloured if coloured.dtype == np.uint8 else coloured >> 8).astype(np.uint8)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - decoders raise whatever their libraries raise; each means the same: no image
        raise SafelightError("E-VOLUME-DECODE") from None
    return np.asarray(values)
