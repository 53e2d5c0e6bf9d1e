"""Stored values of frames in any transfer syntax, a block at a time: native ones straight from the file into one array, compressed ones by
pydicom's decoders. Nothing but one block is held, whatever the length of the series.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGLSLossless, JPEGLSNearLossless, JPEGTransferSyntaxes, RLELossless

from tasks.dicom.elements import PIXELS
from tasks.dicom.instances import Instance
from tasks.errors import SafelightError
from tasks.volumes.codestreams import depth_of, frames, with_more
from tasks.volumes.layout import Layout, of_codestream, unmasked

#: The decoder of each compressed transfer syntax, by pydicom's name, so that another package on the machine never changes a pixel.
_DECODERS = {RLELossless: "pydicom", JPEGLSLossless: "pyjpegls", JPEGLSNearLossless: "pyjpegls"}
_DECODER = "pylibjpeg"
_EXTENDED_OFFSETS = (0x7FE00001, 0x7FE00002)

Pixels = NDArray[Any]


@dataclass(frozen=True, slots=True)
class FrameSource:
    """A frame of an instance, counted from 0."""

    instance: Instance
    number: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """Frames one after the other.

    values: (n, rows, columns), or (n, rows, columns, 3) in RGB of 8 bits; C order, the machine's byte order; all blocks of one call have one type.
    masked: whether bits outside of the values, such as an overlay's, stood in the pixels and were left out.
    """

    values: Pixels
    masked: bool


def blocks(sources: Sequence[FrameSource], *, block_bytes: int = 1 << 22) -> Iterator[Block]:
    """The stored values of frames of one size, in the order given.

    The type is the one that the header states. Where frames differ in signedness or depth, it is one that holds all of them. Colour, whatever
    its photometric interpretation, comes out as RGB, a palette's too; grey is not inverted, and nothing is rescaled.

    Args:
        block_bytes: frames are handed on in arrays of about this size, at least one at a time.

    Raises:
        SafelightError: E-VOLUME-DECODE where no decoder makes an image of the stated shape, or frames differ in size; E-VOLUME-BITS where the bits
            are not laid out in a way that is understood, or a value has more of them than is stated; E-DEID-CHANGED where a file is
            another one than when it was taken apart.
        OSError: the machine's fault.
    """
    layouts: dict[int, Layout] = {}
    for source in sources:
        key = id(source.instance)
        if key not in layouts:
            layouts[key] = Layout.of(source.instance)
            _hold(source.instance, layouts[key])
        if not 0 <= source.number < layouts[key].frames:
            raise SafelightError("E-VOLUME-DECODE")
    if len({layout.shape for layout in layouts.values()}) > 1:
        raise SafelightError("E-VOLUME-DECODE")
    if not sources:
        return
    shape = next(iter(layouts.values())).shape
    dtype = np.result_type(*(layout.dtype for layout in layouts.values()))
    n = max(1, block_bytes // (prod(shape) * dtype.itemsize))
    opened = _Opened()
    for start in range(0, len(sources), n):
        members = sources[start : start + n]
        values, masked, first = np.empty((len(members), *shape), dtype), False, 0
        for (layout, direct), run in groupby(members, lambda source: _path(source.instance, layouts[id(source.instance)])):
            alike = list(run)
            into = values[first : first + len(alike)]
            masked |= _read(alike, layout, into) if direct else _decode(alike, layout, into, opened)
            first += len(alike)
        yield Block(values, masked)


def _hold(instance: Instance, layout: Layout) -> None:
    """Hold that there is one element of pixel data, and that native ones have the stated length.

    Bytes may follow that are no image: fewer than a row or a column has, so that the stated matrix cannot be off by one, or zeros, but no
    whole frame of them.
    """
    if len(instance.pixels) != 1 or instance.pixels[0][0] != PIXELS[0]:
        raise SafelightError("E-VOLUME-DECODE")
    if instance.encapsulated != UID(instance.syntax).is_encapsulated:
        raise SafelightError("E-VOLUME-DECODE")
    if instance.encapsulated:
        return
    if instance.encoding.big_endian and layout.allocated == 32:  # writers differ in whether OW is turned by two bytes or by four
        raise SafelightError("E-VOLUME-BITS")
    _, _, _, start, end, _ = instance.pixels[0]
    expected = layout.frames * layout.frame_bytes
    surplus = end - start - expected
    if not 0 <= surplus < max(2, layout.frame_bytes):
        raise SafelightError("E-VOLUME-DECODE")
    least = min(layout.rows, layout.columns) * layout.samples * layout.allocated // 8
    if surplus >= max(2, least) and _bytes(instance, start + expected, end).strip(b"\0"):
        raise SafelightError("E-VOLUME-DECODE")


def _path(instance: Instance, layout: Layout) -> tuple[Layout, bool]:
    """The layout, and whether values go straight from the file to where they belong."""
    swapped = instance.encoding.big_endian and layout.allocated == 8
    return layout, layout.is_grey and not instance.encapsulated and not swapped


def _read(members: Sequence[FrameSource], layout: Layout, into: Pixels) -> bool:
    """Native grey frames into (n, rows, columns); whether something else stood in their cells."""
    cells = into if into.dtype == layout.cell else np.empty(into.shape, layout.cell)
    for place, source in enumerate(members):
        start = source.instance.pixels[0][3] + source.number * layout.frame_bytes
        _fill(source.instance, start, memoryview(cells[place]).cast("B"))
        if source.instance.encoding.big_endian:
            cells[place].byteswap(inplace=True)
    values, masked = unmasked(cells, layout)
    if values is not into:
        into[...] = values
    return masked


def _fill(instance: Instance, start: int, into: memoryview) -> None:
    """Bytes of an instance, from a position on, out of memory or out of the file.

    Raises:
        SafelightError: E-DEID-CHANGED where the file is another one than when it was taken apart, or is shorter.
    """
    end = start + len(into)
    if instance.inflated or end <= len(instance.data):
        into[:] = instance.data[start:end]
        return
    descriptor = os.open(instance.path, os.O_RDONLY)
    try:
        status = os.fstat(descriptor)
        if (status.st_size, status.st_mtime_ns, status.st_ino) != instance.version:
            raise SafelightError("E-DEID-CHANGED")
        found = 0
        while found < len(into):  # Linux reads at most 2 GiB at once
            some = os.preadv(descriptor, [into[found:]], start + found)
            if not some:
                raise SafelightError("E-DEID-CHANGED")
            found += some
    finally:
        os.close(descriptor)


def _bytes(instance: Instance, start: int, end: int) -> bytes:
    into = bytearray(end - start)
    _fill(instance, start, memoryview(into))
    return bytes(into)


class _Opened:
    """The frames of the compressed instance that was asked for last: a multi-frame one is taken apart once."""

    def __init__(self) -> None:
        self._instance: Instance | None = None
        self._frames: list[bytes] = []

    def frame(self, source: FrameSource, layout: Layout) -> bytes:
        """A compressed frame's codestream."""
        instance = source.instance
        if instance is not self._instance:
            _, _, _, start, end, _ = instance.pixels[0]
            offsets, lengths = (instance.raw(tag) for tag in _EXTENDED_OFFSETS)
            extended = (offsets, lengths) if offsets else None
            self._instance, self._frames = instance, frames(_bytes(instance, start, end), layout.frames, extended)
        return self._frames[source.number]


def _decode(members: Sequence[FrameSource], layout: Layout, into: Pixels, opened: _Opened) -> bool:
    """All other frames, one after the other: none of the decoders lets another thread run meanwhile, so that threads would gain nothing."""
    masked = False
    for place, source in enumerate(members):
        native = not source.instance.encapsulated
        frame = _native(source, layout) if native else opened.frame(source, layout)
        with _no_image_where_it_fails():
            if layout.samples == 3:
                into[place] = _colour(frame, source.instance, layout)
                continue
            if native:
                cells = (
                    np.frombuffer(frame, layout.cell.newbyteorder("<")).reshape(layout.rows, layout.columns).astype(layout.cell)
                )
                values, more = unmasked(cells, layout)
            else:
                values, more = _grey(frame, source.instance.syntax, layout)
            masked |= more
            into[place] = _looked_up(values, source.instance) if layout.is_palette else values
    return masked


@contextmanager
def _no_image_where_it_fails() -> Iterator[None]:
    """Decoders raise whatever their libraries raise; each means the same. What they grumble about is checked by shape and bits."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (MemoryError, SafelightError):
        raise
    except Exception:  # noqa: BLE001
        raise SafelightError("E-VOLUME-DECODE") from None


def _native(source: FrameSource, layout: Layout) -> bytes:
    """A native frame's bytes, in little endian. Big endian turns pairs of bytes, of single ones too where they are OW (PS3.5 section 8.1.1)."""
    instance = source.instance
    _, vr, _, value, end, _ = instance.pixels[0]
    start = value + source.number * layout.frame_bytes
    stop = start + layout.frame_bytes
    if not instance.encoding.big_endian or (layout.allocated == 8 and vr != "OW"):
        return _bytes(instance, start, stop)
    before = (start - value) % 2
    pairs = _bytes(instance, start - before, min(end, stop + (stop - value) % 2))
    return np.frombuffer(pairs, np.uint16).byteswap().tobytes()[before : before + layout.frame_bytes]


def _grey(frame: bytes, syntax: str, layout: Layout) -> tuple[Pixels, bool]:
    """(rows, columns) of one sample, and whether something else stood in its cells: only run lengths pack whole cells (PS3.5 annex G)."""
    if syntax == RLELossless:
        return unmasked(_decoded(frame, syntax, layout, layout.allocated, layout.allocated).view(layout.cell), layout)
    depth = depth_of(frame)
    if (depth.rows, depth.columns, depth.samples) != (layout.rows, layout.columns, 1):
        raise SafelightError("E-VOLUME-DECODE")
    width = next(width for width in (8, 16, 32) if depth.precision <= width)
    raw = _decoded(frame, syntax, layout, width, depth.precision)
    return of_codestream(raw, depth.precision, signed=depth.signed, layout=layout), False


def _decoded(frame: bytes, syntax: str, layout: Layout, width: int, precision: int) -> Pixels:
    """What the decoder gives, without any correction: (rows, columns), unsigned, of so many bits."""
    options = {
        "bits_allocated": width, "bits_stored": precision, "photometric_interpretation": "MONOCHROME2", "pixel_representation": 0,
        "correct_unused_bits": False, "apply_jls_sign_correction": False, "apply_j2k_sign_correction": False,
    }  # fmt: skip
    return _as_array(frame, UID(syntax), layout, options)[0]


def _colour(frame: bytes, instance: Instance, layout: Layout) -> Pixels:
    """(rows, columns, 3), RGB of 8 bits."""
    syntax = UID(instance.syntax)
    if instance.encapsulated and syntax != RLELossless:
        depth = depth_of(frame)
        if (depth.rows, depth.columns, depth.samples, depth.precision) != (layout.rows, layout.columns, 3, 8):
            raise SafelightError("E-VOLUME-DECODE")
    options = {
        "bits_allocated": 8, "bits_stored": 8, "photometric_interpretation": layout.photometric, "planar_configuration": layout.planar,
        "pixel_representation": 0, "pixel_vr": "OB",
    }  # fmt: skip
    values, said = _as_array(frame, syntax if instance.encapsulated else ExplicitVRLittleEndian, layout, options)
    if said["photometric_interpretation"] != "RGB":
        raise SafelightError("E-VOLUME-DECODE")
    return values


def _as_array(value: bytes, syntax: UID, layout: Layout, options: dict[str, Any]) -> tuple[Pixels, dict[str, Any]]:
    """One frame of native bytes or of a codestream, and what pydicom says of it."""
    decoder = get_decoder(syntax)
    options = options | {
        "rows": layout.rows, "columns": layout.columns, "samples_per_pixel": layout.samples, "number_of_frames": 1, "pixel_keyword": "PixelData",
        "decoding_plugin": _DECODERS.get(syntax, _DECODER) if syntax.is_encapsulated else "",
        "index": 0, "raw": layout.samples == 1, "validate": False,
    }  # fmt: skip
    values, said = decoder.as_array(encapsulate([value]) if syntax.is_encapsulated else value, **options)
    if syntax in JPEGTransferSyntaxes and not np.array_equal(
        decoder.as_array(encapsulate([with_more(value)]), **options)[0], values
    ):
        raise SafelightError("E-VOLUME-DECODE")
    return values, said


def _looked_up(places: Pixels, instance: Instance) -> Pixels:
    """(rows, columns, 3) of a palette's colours (PS3.3 C.7.6.3.1.5). Of 16-bit ones the upper byte counts, unless none uses it."""
    colours = apply_color_lut(places, instance.header())
    return colours if colours.dtype == np.uint8 or int(colours.max()) < 256 else colours >> 8
