"""What a compressed frame holds beside its image: comments, application data, bytes before, between and behind. No pixel is decoded.

JPEG and JPEG-LS: ITU-T T.81 annex B, T.87; JPEG 2000: T.800 annex A; RLE: PS3.5 annex G; encapsulation: PS3.5 annex A.4.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from itertools import pairwise

from pydicom.encaps import generate_fragments

SOI, SOC = b"\xff\xd8", b"\xff\x4f"
_EOI, _SOS, _COM = 0xD9, 0xDA, 0xFE
_SOT, _SOD, _J2K_COM = 0x90, 0x93, 0x64
#: In entropy-coded data a 0xFF is stuffed (next byte below 0x80) or begins a restart marker; anything else is a marker.
_NEXT_MARKER = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
_RLE_HEADER = 64


class CodestreamError(ValueError):
    """A frame that is not built as its standard says, or has bytes that belong to no image."""


def frames(value: bytes, count: int) -> list[bytes]:
    """The frames of encapsulated pixel data, each with its fragments joined.

    Args:
        value: the pixel data element's value, items and offset table, without the sequence delimiter.
        count: how many frames the header states.

    Raises:
        CodestreamError: the offset table is none, or the fragments cannot be told apart as so many frames.
        ValueError, EOFError, struct.error: the items are damaged.
    """
    table, *fragments = generate_fragments(value)
    if not _is_offset_table(table, count):
        raise CodestreamError
    if count == 1:
        return [b"".join(fragments)] if fragments else []
    if len(fragments) == count:
        return fragments
    joined: list[list[bytes]] = []
    for fragment in fragments:
        if fragment[:2] in (SOI, SOC):
            joined.append([])
        if not joined:
            raise CodestreamError
        joined[-1].append(fragment)
    return [b"".join(parts) for parts in joined]


def _is_offset_table(table: bytes, count: int) -> bool:
    """Empty, or offsets that begin with 0 and grow: other bytes would be somebody's message."""
    if len(table) % 4 or len(table) > 4 * count:
        return False
    offsets = struct.unpack(f"<{len(table) // 4}L", table)
    return not offsets or (offsets[0] == 0 and all(a < b for a, b in pairwise(offsets)))


def segments(frame: bytes) -> list[tuple[int, bytes]]:
    """Every comment and application segment of a JPEG, JPEG-LS or JPEG 2000 frame, as (marker, content).

    Raises:
        CodestreamError: it is none of these, it is cut short, or more than padding follows its end.
    """
    try:
        if frame[:2] == SOI:
            return list(_jpeg(frame))
        if frame[:2] == SOC:
            return list(_jpeg_2000(frame))
    except (IndexError, struct.error):
        raise CodestreamError from None
    raise CodestreamError


def _jpeg(frame: bytes) -> Iterator[tuple[int, bytes]]:
    at = 2
    while True:
        if frame[at] != 0xFF:
            raise CodestreamError
        while frame[at + 1] == 0xFF:  # fill bytes
            at += 1
        marker = frame[at + 1]
        if marker == _EOI:
            return _end(frame, at + 2)
        body, at = _segment(frame, at)
        if marker == _COM or 0xE0 <= marker <= 0xEF:
            yield marker, body
        elif marker == _SOS:
            found = _NEXT_MARKER.search(frame, at)
            if found is None:
                raise CodestreamError
            at = found.start()


def _jpeg_2000(frame: bytes) -> Iterator[tuple[int, bytes]]:
    at = 2
    while True:
        marker = _marker(frame, at)
        if marker == _EOI:
            return _end(frame, at + 2)
        if marker != _SOT:
            body, at = _segment(frame, at)
            if marker == _J2K_COM:
                yield marker, body[2:]
            continue
        start, length = at, int(struct.unpack(">L", frame[at + 6 : at + 10])[0])
        at += 12
        while _marker(frame, at) != _SOD:
            marker = frame[at + 1]
            body, at = _segment(frame, at)
            if marker == _J2K_COM:
                yield marker, body[2:]
        at = start + length if length else frame.rindex(b"\xff\xd9")


def _marker(frame: bytes, at: int) -> int:
    if frame[at] != 0xFF:
        raise CodestreamError
    return frame[at + 1]


def _segment(frame: bytes, at: int) -> tuple[bytes, int]:
    """A marker segment's content, and where the next marker stands."""
    length = int(struct.unpack(">H", frame[at + 2 : at + 4])[0])
    end = at + 2 + length
    if length < 2 or end > len(frame):
        raise CodestreamError
    return frame[at + 4 : end], end


def _end(frame: bytes, at: int) -> None:
    if frame[at:].strip(b"\0\xff"):
        raise CodestreamError


def check_rle(frame: bytes, pixels: int) -> None:
    """Hold an RLE frame to its header: nothing before, between and behind its segments but zeros.

    Args:
        frame: the one fragment of the frame.
        pixels: rows times columns.

    Raises:
        CodestreamError: it is cut short, or has bytes that are no part of a segment.
    """
    if len(frame) < _RLE_HEADER:
        raise CodestreamError
    count, *offsets = struct.unpack(f"<{_RLE_HEADER // 4}L", frame[:_RLE_HEADER])
    if not 1 <= count <= len(offsets) or any(offsets[count:]):
        raise CodestreamError
    at = _RLE_HEADER
    for offset in offsets[:count]:
        if offset < at or frame[at:offset].strip(b"\0"):
            raise CodestreamError
        at = _run_out(frame, offset, pixels)
    if frame[at:].strip(b"\0"):
        raise CodestreamError


def _run_out(frame: bytes, at: int, pixels: int) -> int:
    """Where a segment ends that unpacks to so many bytes (PS3.5 G.3.2)."""
    left = pixels
    while left > 0:
        if at >= len(frame):
            raise CodestreamError
        control = frame[at]
        if control < 128:
            at, left = at + control + 2, left - control - 1
        elif control > 128:
            at, left = at + 2, left - 257 + control
        else:
            at += 1
    if at > len(frame):
        raise CodestreamError
    return at
