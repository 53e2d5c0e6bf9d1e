"""Walks the raw elements of an encoded data set (PS3.5 section 7) without decoding a value.

Everything is a position in the bytes that were read. What ends before it should, or contradicts itself, is refused with a code; no part of a
damaged data set is ever handed on. Nesting deeper than `DEEPEST` levels is refused: no object of the standard needs it, and each
level costs one call.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from pydicom.datadict import dictionary_VR
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from tasks.errors import SafelightError

if TYPE_CHECKING:
    from tasks.dicom.stretches import Span, Stretch

UNDEFINED = 0xFFFFFFFF
DEEPEST = 24
PIXELS = (0x7FE00010, 0x7FE00008, 0x7FE00009)
_LAST = 0x7FE00010
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD

#: Tag, VR, where the element begins, where its value begins, where the element ends (delimiters included), whether its length is undefined.
Element = tuple[int, str, int, int, int, bool]

#: VRs whose length takes four bytes in explicit encodings (PS3.5 section 7.1.2); the others take two.
LONG = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
_SHORT = frozenset({
    "AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US",
})  # fmt: skip
_VRS = {vr.encode(): (vr, vr in LONG) for vr in LONG | _SHORT}


@dataclass(frozen=True)
class Encoding:
    """How a data set is encoded: with or without VRs, and in which byte order."""

    implicit: bool
    big_endian: bool

    @classmethod
    def of(cls, transfer_syntax: str) -> Encoding:
        """The encoding of a transfer syntax; a deflated data set counts as it is once inflated."""
        return cls(transfer_syntax == ImplicitVRLittleEndian, transfer_syntax == ExplicitVRBigEndian)

    @cached_property
    def explicit_head(self) -> struct.Struct:
        """Group, number, VR and a two-byte length."""
        return struct.Struct(">HH2sH" if self.big_endian else "<HH2sH")

    @cached_property
    def plain_head(self) -> struct.Struct:
        """Group, number and a four-byte length: implicit elements, items and delimiters."""
        return struct.Struct(">HHL" if self.big_endian else "<HHL")

    @cached_property
    def long_length(self) -> struct.Struct:
        """A four-byte length."""
        return struct.Struct(">L" if self.big_endian else "<L")

    def element(self, tag: int, vr: str, value: bytes) -> bytes:
        """One element with this value, padded to an even length (PS3.5 section 6.2).

        Raises:
            ValueError: where a value is too long for its VR's two-byte length.
        """
        if len(value) % 2:
            value += b"\0" if vr in ("UI", "OB", "UN") else b" "
        if self.implicit:
            return self.plain_head.pack(tag >> 16, tag & 0xFFFF, len(value)) + value
        if vr in LONG:
            return self.explicit_head.pack(tag >> 16, tag & 0xFFFF, vr.encode(), 0) + self.long_length.pack(len(value)) + value
        if len(value) > 0xFFFF:
            raise ValueError(vr)
        return self.explicit_head.pack(tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value

    def item(self, content: bytes) -> bytes:
        """One item of a sequence, with its length."""
        return self.plain_head.pack(0xFFFE, 0xE000, len(content)) + content


#: File meta information (PS3.10 section 7.1), and what UN of undefined length is encoded with (PS3.5 section 6.2.2, note 4).
EXPLICIT_LITTLE = Encoding(implicit=False, big_endian=False)
IMPLICIT_LITTLE = Encoding(implicit=True, big_endian=False)
DEFLATED = str(DeflatedExplicitVRLittleEndian)

_implicit_vrs: dict[int, str] = {}


def implicit_vr(tag: int) -> str:
    """The VR of an attribute that is encoded without one; `UN` where PS3.6 does not know it."""
    known = _implicit_vrs.get(tag)
    if known is None:
        try:
            known = dictionary_VR(tag).split(" or ")[-1]
        except KeyError:
            known = "LO" if (tag >> 16) % 2 and 0x10 <= (tag & 0xFFFF) <= 0xFF else "UN"
        _implicit_vrs[tag] = known
    return known


class TruncatedError(SafelightError):
    """The bytes end inside of an element (E-DEID-TRUNCATED)."""

    def __init__(self) -> None:
        super().__init__("E-DEID-TRUNCATED")


def _each_once(found: list[Element]) -> None:
    """No element may stand twice in a data set (PS3.5 section 7.1): readers differ in which one counts. Their order is not asked."""
    if len({element[0] for element in found}) != len(found):
        raise _unreadable()


def _unreadable() -> SafelightError:
    return SafelightError("E-DEID-UNREADABLE")


def file_meta(data: bytes, start: int = 132) -> tuple[list[Element], int]:
    """The elements of group 0002, and where the data set begins. The group's stated length is not asked."""
    found: list[Element] = []
    while data[start : start + 2] == b"\x02\x00":
        element = _explicit(data, start, len(data), EXPLICIT_LITTLE, 0)
        found.append(element)
        start = element[4]
    return found, start


def data_set(
    data: bytes, start: int, size: int, encoding: Encoding, known: Mapping[bytes, Stretch] = MappingProxyType({})
) -> tuple[list[Element], list[Element], list[Span]]:
    """The outermost elements before the pixel data, the pixel data elements, and which of the former belong to known stretches.

    What follows the pixel data is not looked at.

    Args:
        data: the file's bytes, or its first ones: those of native pixel data need not be there.
        start: where the data set begins.
        size: how long the whole file is.
        known: stretches of headers in the same encoding, by the four bytes of their first tag.

    Raises:
        SafelightError: E-DEID-TRUNCATED (perhaps only because `data` is not all of the file), E-DEID-UNREADABLE.
    """
    one = _implicit if encoding.implicit else _explicit
    head: list[Element] = []
    pixels: list[Element] = []
    spans: list[Span] = []
    here = start
    while here < len(data):
        if not encoding.implicit:
            here = _run(data, here, len(data), encoding, head, known)
        if (stretch := known.get(data[here : here + 4])) is not None and data.startswith(stretch.content, here):
            spans.append((len(head), len(head) + len(stretch.elements), stretch))
            head += [(tag, vr, at + here, value + here, end + here, odd) for tag, vr, at, value, end, odd in stretch.elements]
            here += len(stretch.content)
            continue
        if here == len(data):
            break
        if here + 8 > len(data):
            raise TruncatedError
        peek = encoding.plain_head.unpack_from(data, here)
        tag = peek[0] << 16 | peek[1]
        if tag > _LAST:
            break
        if peek[0] == 0x0002:
            raise _unreadable()
        element = one(data, here, size if tag in PIXELS else len(data), encoding, 0)
        (pixels if tag in PIXELS else head).append(element)
        here = element[4]
        if tag == _LAST:
            break
    if not pixels:
        if len(data) < size:
            raise TruncatedError
        if here < len(data) and any(tag <= _LAST for tag in _tags_behind(data, here, encoding)):
            raise _unreadable()  # the header goes on where nobody would look for it
    _each_once(head)
    return head, pixels, spans


def _tags_behind(data: bytes, here: int, encoding: Encoding) -> Iterator[int]:
    """The tags of elements behind where pixel data should have been."""
    one = _implicit if encoding.implicit else _explicit
    while here + 8 <= len(data):
        element = one(data, here, len(data), encoding, 0)
        yield element[0]
        here = element[4]


def walk(data: bytes, start: int, end: int, encoding: Encoding, depth: int) -> list[Element]:
    """The elements of one item whose extent is known."""
    one = _implicit if encoding.implicit else _explicit
    found: list[Element] = []
    while start < end:
        if not encoding.implicit:
            start = _run(data, start, end, encoding, found)
            if start == end:
                break
        element = one(data, start, end, encoding, depth)
        found.append(element)
        start = element[4]
    _each_once(found)
    return found


def items(data: bytes, element: Element, encoding: Encoding, depth: int) -> list[tuple[int, int]]:
    """Where the items of a sequence begin and end, without their own heads and delimiters."""
    _tag, _vr, _head, value, end, undefined = element
    return _items(data, value, end, encoding, depth, undefined=undefined)[0]


def _run(
    data: bytes,
    here: int,
    end: int,
    encoding: Encoding,
    found: list[Element],
    known: Mapping[bytes, Stretch] = MappingProxyType({}),
) -> int:
    """Take up explicit elements as long as they are plain: nearly all are, and this is the innermost loop of de-identification.

    Stops before the pixel data, what has an undefined length, and what is odd in any way: all that is left to `_explicit`; and where a
    known stretch may follow.
    """
    unpack, unpack_long, vrs, add = encoding.explicit_head.unpack_from, encoding.long_length.unpack_from, _VRS, found.append
    while here + 12 <= end:
        if known and data[here : here + 4] in known:
            break
        group, number, code, length = unpack(data, here)
        if code not in vrs or not 0x0002 < group < 0x7FE0:
            break
        vr, is_long = vrs[code]
        value = here + 8
        if is_long:
            (length,) = unpack_long(data, value)
            value += 4
        after = value + length
        if after > end:
            break
        add((group << 16 | number, vr, here, value, after, False))
        here = after
    return here


def _explicit(data: bytes, here: int, end: int, encoding: Encoding, depth: int) -> Element:
    if here + 8 > end or here + 8 > len(data):
        raise TruncatedError
    group, number, code, length = encoding.explicit_head.unpack_from(data, here)
    known = _VRS.get(code)
    if known is None:
        raise _unreadable()
    vr, is_long = known
    value = here + 8
    if is_long:
        if here + 12 > end or here + 12 > len(data):
            raise TruncatedError
        (length,) = encoding.long_length.unpack_from(data, value)
        value += 4
    if length == UNDEFINED:
        return _undefined(data, (group << 16 | number, vr, here, value, end, True), encoding, depth)
    if value + length > end:
        raise TruncatedError
    return group << 16 | number, vr, here, value, value + length, False


def _implicit(data: bytes, here: int, end: int, encoding: Encoding, depth: int) -> Element:
    if here + 8 > end or here + 8 > len(data):
        raise TruncatedError
    group, number, length = encoding.plain_head.unpack_from(data, here)
    tag = group << 16 | number
    value = here + 8
    if length == UNDEFINED:
        vr = "OB" if tag in PIXELS and depth == 0 else "SQ"
        return _undefined(data, (tag, vr, here, value, end, True), encoding, depth)
    if value + length > end:
        raise TruncatedError
    return tag, implicit_vr(tag), here, value, value + length, False


def _undefined(data: bytes, element: Element, encoding: Encoding, depth: int) -> Element:
    """An element of undefined length, with its end: a sequence, unknown bytes that hold one, or encapsulated frames."""
    tag, vr, here, value, end, _ = element
    if vr == "UN":
        encoding = IMPLICIT_LITTLE
    elif vr != "SQ" and not (tag in PIXELS and depth == 0 and vr in ("OB", "OW")):
        raise _unreadable()
    _spans, after = _items(data, value, min(end, len(data)), encoding, depth, undefined=True)
    return tag, vr, here, value, after, True


def _items(
    data: bytes, here: int, end: int, encoding: Encoding, depth: int, *, undefined: bool
) -> tuple[list[tuple[int, int]], int]:
    if depth >= DEEPEST:
        raise _unreadable()
    spans: list[tuple[int, int]] = []
    unpack = encoding.plain_head.unpack_from
    while here < end:
        if here + 8 > end:
            raise TruncatedError
        group, number, length = unpack(data, here)
        tag = group << 16 | number
        here += 8
        if tag == _SEQUENCE_END and undefined:
            return spans, here
        if tag != _ITEM:
            raise _unreadable()
        after = _item_end(data, here, end, encoding, depth + 1) if length == UNDEFINED else here + length
        if after > end:
            raise TruncatedError
        spans.append((here, after))
        here = after + 8 if length == UNDEFINED else after
    if undefined:
        raise TruncatedError
    return spans, here


def _item_end(data: bytes, here: int, end: int, encoding: Encoding, depth: int) -> int:
    """Where the delimiter of an item of undefined length stands."""
    one = _implicit if encoding.implicit else _explicit
    unpack = encoding.plain_head.unpack_from
    while here + 8 <= end:
        group, number, _length = unpack(data, here)
        if group << 16 | number == _ITEM_END:
            return here
        here = one(data, here, end, encoding, depth)[4]
    raise TruncatedError
