"""The frames of encapsulated pixel data (PS3.5 annex A.4), and what a frame's codestream says of itself before it is decoded."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.encaps import generate_fragmented_frames

from tasks.dicom import codestream
from tasks.errors import SafelightError

#: T.81 table B.1, T.87 table C.1: frame headers, which all begin alike; DHT, JPG and DAC are none.
_SOF = (frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}) | {0xF7}
_SOS = 0xDA

_END = b"\xff\xd9"
#: Ones and zeros by turns, of neither which a decoder makes up where data are missing.
_MORE = b"\xaa\x55" * 32

Offsets = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Depth:
    """What a codestream says of its samples: how many there are, and of how many bits, with or without sign."""

    rows: int
    columns: int
    samples: int
    precision: int
    signed: bool = False


def frames(value: bytes, count: int, extended: Offsets | None = None) -> list[bytes]:
    """The frames of encapsulated pixel data, each with its fragments joined.

    They are told apart by the extended offset table, else by the basic one, else by their number, else by where codestreams end.

    Args:
        value: of the pixel data element, from the basic offset table on.
        count: how many frames the header states.
        extended: values of ExtendedOffsetTable and ExtendedOffsetTableLengths, where they are there.

    Raises:
        SafelightError: E-VOLUME-DECODE where it does not hold just so many frames.
    """
    try:
        found = [
            b"".join(parts) for parts in generate_fragmented_frames(value, number_of_frames=count, extended_offsets=extended)
        ]
    except (ValueError, EOFError, struct.error, TypeError, StopIteration, IndexError):
        raise SafelightError("E-VOLUME-DECODE") from None
    if len(found) != count or not all(found):
        raise SafelightError("E-VOLUME-DECODE")
    return found


def depth_of(frame: bytes) -> Depth:
    """What the header of a whole JPEG, JPEG-LS, JPEG 2000 or HTJ2K codestream says.

    Raises:
        SafelightError: E-VOLUME-DECODE where it is none of these, or is cut short: decoders would fill the rest with something.
    """
    try:
        codestream.segments(frame)  # up to its end mark, which a truncated one has not
        return _of_jpeg_2000(frame) if frame[:2] == codestream.SOC else _of_jpeg(frame)
    except (ValueError, IndexError, struct.error):
        raise SafelightError("E-VOLUME-DECODE") from None


def with_more(frame: bytes) -> bytes:
    """The same JPEG codestream with more coded data before its end mark.

    It is the same image, for no decoder reads on when it has all of it (T.81 E.2.4), unless data are missing: then libjpeg fills the image up with
    zeros, and these stand in their place.
    """
    end = frame.rindex(_END)
    return frame[:end] + _MORE + frame[end:]


def _of_jpeg(frame: bytes) -> Depth:
    """The frame header: T.81 B.2.2, T.87 C.2.2."""
    at = 2
    while frame[at + 1] not in _SOF:
        if frame[at + 1] == _SOS:
            raise ValueError
        at += 1 if frame[at + 1] == 0xFF else 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    precision, rows, columns, samples = struct.unpack_from(">BHHB", frame, at + 4)
    return Depth(rows, columns, samples, precision)


def _of_jpeg_2000(frame: bytes) -> Depth:
    """SIZ, which is the first segment: T.800 A.5.1. All components are alike and none is subsampled."""
    marker, _, _, right, bottom, left, top, *_, samples = struct.unpack_from(">HHHLLLLLLLLH", frame, 2)
    parts: Sequence[tuple[int, int, int]] = list(struct.iter_unpack("BBB", frame[42 : 42 + 3 * samples]))
    if marker != 0xFF51 or len(parts) != samples or len(set(parts)) != 1 or parts[0][1:] != (1, 1):
        raise ValueError
    return Depth(bottom - top, right - left, samples, (parts[0][0] & 0x7F) + 1, bool(parts[0][0] & 0x80))
