"""Single outermost values of an instance, decoded one by one from its bytes: where each of a thousand slices is asked for a few numbers, pydicom's
data set costs ten times as much.

What is not plain text or one whole number, pydicom decodes, and all of a header in which frames have values of their own.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from pydicom.datadict import tag_for_keyword

if TYPE_CHECKING:
    from pydicom import Dataset

    from tasks.dicom.instances import Instance

#: VRs of the default repertoire (PS3.5 section 6.1.2.3), those of them that are numbers, and binary whole numbers.
_TEXTS = frozenset({"AS", "CS", "DA", "DS", "IS", "TM", "UI"})
_NUMBERS = frozenset({"DS", "IS"})
#: Texts whose bytes mean the same in every character set where they are ASCII without escape sequences; leading spaces are part of them.
_NAMES = frozenset({"LO", "SH"})
_WHOLE = {"SL": "l", "SS": "h", "UL": "L", "US": "H"}
_BINARY = _WHOLE | {"FD": "d", "FL": "f"}


class Fields:
    """Reads like a pydicom data set: `get`, and attributes by keyword. Text and numbers are plain `str`, `float` and `int`.

    Args:
        instance: of which the outermost elements are read.
        decoded: the data set that answers instead, where that is known to be needed.
    """

    def __init__(self, instance: Instance, decoded: Dataset | None = None) -> None:
        self._instance, self._decoded = instance, decoded

    def get(self, keyword: str, default: Any = None) -> Any:
        """A value; several are a list; `default` where the element is not there, None where it is empty.

        Raises:
            SafelightError: E-DEID-UNREADABLE.
        """
        if self._decoded is None:
            found = self._instance.stated(_tag(keyword))
            if found is None:
                return default
            vr, raw = found
            if vr in _TEXTS:
                return _text(raw.decode("latin-1"), number=vr in _NUMBERS)
            if vr in _NAMES and raw.isascii() and b"\x1b" not in raw:
                names = [part.rstrip(" \0") for part in raw.decode("ascii").split("\\")]
                return names if len(names) > 1 else (names[0] or None)
            if vr in _WHOLE and len(raw) == struct.calcsize("=" + _WHOLE[vr]):
                [value] = struct.unpack((">" if self._instance.encoding.big_endian else "<") + _WHOLE[vr], raw)
                return value
            self._decoded = self._instance.header() if vr == "SQ" else self._instance.light()
        return self._decoded.get(keyword, default)

    def private(self, group: int, creator: str, element: int) -> Any:
        """The value of a private element (PS3.5 section 7.8.1), or None: a number or a list of them, text where it is neither."""
        block = self._instance.private_blocks.get((group, creator))
        found = None if block is None else self._instance.stated(group << 16 | block << 8 | element)
        return None if found is None else self._number(*found)

    def _number(self, vr: str, raw: bytes) -> Any:
        kind = _BINARY.get(vr)
        if kind is None:  # text, or unknown: then it is what text would be
            return _text(raw.decode("latin-1"), number=True)
        width = struct.calcsize("=" + kind)
        order = ">" if self._instance.encoding.big_endian else "<"
        values = list(struct.unpack(f"{order}{len(raw) // width}{kind}", raw[: len(raw) // width * width]))
        return values if len(values) != 1 else values[0]

    def __contains__(self, keyword: str) -> bool:
        return self._instance.stated(_tag(keyword)) is not None

    def __getattr__(self, keyword: str) -> Any:
        if keyword.startswith("_") or (value := self.get(keyword)) is None:
            raise AttributeError(keyword)
        return value


@cache
def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise LookupError(keyword)
    return tag


def _text(text: str, *, number: bool) -> Any:
    values: list[Any] = [part.rstrip(" \0").lstrip(" ") for part in text.split("\\")]
    if number:
        with suppress(ValueError):  # it stays text, which is no number to whoever asks for one
            values = [float(value) for value in values]
    return values if len(values) > 1 else (values[0] if values[0] != "" else None)
