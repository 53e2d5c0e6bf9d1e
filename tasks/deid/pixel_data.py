"""The pixel data elements of a release: as they came, copied in blocks, or with a value that was edited."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tasks.dicom.elements import LONG, UNDEFINED, Element
from tasks.dicom.instances import Instance
from tasks.errors import SafelightError

_BLOCK = 1 << 20


def copied(instance: Instance) -> Iterator[bytes]:
    """The pixel data elements with their values as they came.

    Raises:
        SafelightError: E-DEID-CHANGED where the file has become shorter since it was read.
    """
    for element in instance.pixels:
        _tag, _vr, _head, value, end, undefined = element
        yield _head_of(instance, element, UNDEFINED if undefined else end - value)
        if end <= len(instance.data):
            yield instance.data[value:end]
            continue
        with instance.path.open("rb", buffering=0) as stream:
            while value < end:
                block = os.pread(stream.fileno(), min(_BLOCK, end - value), value)
                if not block:
                    raise SafelightError("E-DEID-CHANGED")
                value += len(block)
                yield block


def edited(instance: Instance, value: bytes) -> Iterator[bytes]:
    """The pixel data element with another value: native pixels, or fragments with their delimiter, as the original was."""
    [element] = instance.pixels
    length = UNDEFINED if element[5] else len(value) + len(value) % 2
    yield _head_of(instance, element, length)
    yield value
    if element[5]:
        yield instance.encoding.plain_head.pack(0xFFFE, 0xE0DD, 0)
    if not element[5] and len(value) % 2:
        yield b"\0"


def _head_of(instance: Instance, element: Element, length: int) -> bytes:
    """What stands before the value of a pixel data element: tag, VR and length (PS3.5 section 7.1)."""
    tag, vr = element[0], element[1]
    encoding = instance.encoding
    if encoding.implicit:
        return encoding.plain_head.pack(tag >> 16, tag & 0xFFFF, length)
    stated = vr if vr in LONG else "OW"
    return encoding.explicit_head.pack(tag >> 16, tag & 0xFFFF, stated.encode(), 0) + encoding.long_length.pack(length)
