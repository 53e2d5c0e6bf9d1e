"""Which instance, study and series a data set says that it belongs to: read from its start, without decoding the rest.

What the short reader here does not understand, pydicom reads.
"""

from __future__ import annotations

import os
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian
from pydicom.valuerep import EXPLICIT_VR_LENGTH_16, EXPLICIT_VR_LENGTH_32

SOP_INSTANCE, STUDY, SERIES = 0x00080018, 0x0020000D, 0x0020000E

#: Bytes from a data set's start that are looked at before pydicom is asked.
HEAD = 65536
#: Bytes that a deflated data set's start may become when pydicom is asked: a few kilobytes can inflate to gigabytes.
_INFLATED = 1 << 22

_WANTED = (SOP_INSTANCE, STUDY, SERIES)
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_SHORT = {str(vr).encode() for vr in EXPLICIT_VR_LENGTH_16}
_LONG = {str(vr).encode() for vr in EXPLICIT_VR_LENGTH_32}


def stated(head: bytes, transfer_syntax: str, whole: bool) -> dict[int, str] | None:
    """The UIDs of instance, study and series (tag → value without padding; absent ones are left out).

    Args:
        head: the data set's first bytes, up to `HEAD` of them, as they came.
        transfer_syntax: how the data set is encoded (PS3.5 A).
        whole: whether `head` is all there is.

    Returns:
        None where this cannot be said from `head`, or the data set is not plain enough: ask `stated_by_file`.
    """
    if transfer_syntax == DeflatedExplicitVRLittleEndian:
        try:
            inflater = zlib.decompressobj(-zlib.MAX_WBITS)
            head = inflater.decompress(head, HEAD)
        except zlib.error:
            return None
        whole = inflater.eof
    explicit, order = transfer_syntax != ImplicitVRLittleEndian, "<>"[transfer_syntax == ExplicitVRBigEndian]
    return _scan(head, explicit, order, whole)


def stated_by_file(path: Path, offset: int, transfer_syntax: str) -> dict[int, str]:
    """As `stated`, by pydicom, from a file whose data set begins at `offset`; values it does not need are not read.

    Raises:
        Exception: whatever a broken header makes pydicom raise.
    """
    with path.open("rb") as stream:
        stream.seek(offset)
        if transfer_syntax == DeflatedExplicitVRLittleEndian:
            inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(stream.read(_INFLATED), _INFLATED)
            return _by_pydicom(BytesIO(inflated), transfer_syntax)
        if os.fstat(stream.fileno()).st_size == offset:
            return {}
        return _by_pydicom(stream, transfer_syntax)


def _by_pydicom(stream: BinaryIO, transfer_syntax: str) -> dict[int, str]:
    def past(tag: BaseTag, _representation: str | None, _length: int) -> bool:
        return int(tag) > SERIES

    wanted: list[Any] = list(_WANTED)
    implicit, little = transfer_syntax == ImplicitVRLittleEndian, transfer_syntax != ExplicitVRBigEndian
    header = read_dataset(stream, implicit, little, stop_when=past, specific_tags=wanted)
    found = {}
    for tag in _WANTED:
        if tag in header:
            value = header.get_item(tag).value  # raw: a UID that breaks the rules must not raise a warning that quotes it
            found[tag] = _text(value) if isinstance(value, bytes) else _text(str(value or "").encode("ascii", "replace"))
    return found


def _text(value: bytes) -> str:
    return value.decode("ascii", "replace").rstrip(" \0")


def _scan(data: bytes, explicit: bool, order: str, whole: bool) -> dict[int, str] | None:
    """Walk over elements (PS3.5 7.1), and into sequences of undefined length (7.5), up to the first one after the series' UID."""
    element = struct.Struct(f"{order}HH")
    found: dict[int, str] = {}
    position = depth = 0
    end = len(data)
    while position + 8 <= end:
        group, number = element.unpack_from(data, position)
        tag = group << 16 | number
        if depth == 0 and tag > SERIES:
            return found
        if tag in (_ITEM_END, _SEQUENCE_END):
            depth -= 1
            position += 8
            continue
        header = _extent(data, position, explicit and tag != _ITEM, order)
        if header is None:
            return None
        position, length = header
        if length == _UNDEFINED:
            depth += 1
            continue
        if position + length > end:
            return None
        if depth == 0 and tag in _WANTED:
            found[tag] = _text(data[position : position + length])
        position += length
    return found if whole and position == end and depth == 0 else None


def _extent(data: bytes, position: int, explicit: bool, order: str) -> tuple[int, int] | None:
    """Where the value of the element at `position` begins, and its length; None where that is beyond us."""
    if not explicit:
        return position + 8, struct.unpack_from(f"{order}L", data, position + 4)[0]
    representation = data[position + 4 : position + 6]
    if representation in _SHORT:
        return position + 8, struct.unpack_from(f"{order}H", data, position + 6)[0]
    if representation not in _LONG or position + 12 > len(data):
        return None
    length: int = struct.unpack_from(f"{order}L", data, position + 8)[0]
    if length == _UNDEFINED and representation != b"SQ":
        return None  # UN holds implicit elements (PS3.5 6.2.2), and pixel data has no place here
    return position + 12, length
