"""Reads one original instance from the spool, whole and checked: a file that is damaged is refused, never half read.

Only the header is read into memory as a rule; native pixel data are measured against the file's length and copied later, from file to file.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.charset import convert_encodings
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.tag import BaseTag
from pydicom.uid import UID

from tasks.dicom.elements import DEFLATED, UNDEFINED, Element, Encoding, TruncatedError, data_set, file_meta, walk
from tasks.dicom.fields import Fields
from tasks.dicom.stretches import Span, Stretch, Stretches
from tasks.errors import SafelightError

#: Read at first; nearly all headers end before it, or the file is read whole.
_HEADER = 1 << 17
#: The most that a deflated data set may inflate to, in bytes: a few kilobytes can hold petabytes.
MOST_INFLATED = 1 << 29
#: A deflated data set is looked through in pieces of this size.
_SLICE = 1 << 14
#: Behind the pixel data so much is looked at.
_MOST_SURPLUS = 1 << 20
#: Sequences that tell of frames, of ultrasound regions, and of the anatomy.
_DEEP = frozenset({0x52009229, 0x52009230, 0x00186011, 0x00082218})
_TRANSFER_SYNTAX, _CHARACTER_SET = 0x00020010, 0x00080005


@dataclass(frozen=True)
class Instance:
    """One original file, taken apart.

    Attributes:
        data: the file's bytes, or its first ones: all but native pixel data. Of a deflated file: the inflated data set.
        size: the file's length in bytes, or that of the inflated data set.
        syntax: the transfer syntax UID.
        encoding: of the data set.
        meta, head: elements of the file meta information and of the data set before the pixel data; positions in `meta_data` and `data`.
        pixels: the pixel data elements; positions in the file, or in `data` where it was deflated.
        version: what tells that the file has changed since.
        spans: which elements of `head` are those of stretches that were known when it was read.
    """

    path: Path
    data: bytes = field(repr=False)
    meta_data: bytes = field(repr=False)
    size: int
    syntax: str
    encoding: Encoding
    meta: list[Element] = field(repr=False)
    head: list[Element] = field(repr=False)
    pixels: list[Element] = field(repr=False)
    version: tuple[int, int, int]
    spans: list[Span] = field(default_factory=list, repr=False)

    def trimmed(self) -> Instance:
        """The same without the pixel data that were read along with the header: they stay in the file."""
        if self.inflated or self.encapsulated or not self.pixels:
            return self
        return replace(self, data=self.data[: self.pixels[0][2]])

    def bare(self) -> Instance:
        """The same with neither native nor compressed pixel data in memory; only those of a deflated file stay."""
        return self if self.inflated or not self.pixels else replace(self, data=self.data[: self.pixels[0][2]])

    def changed(self) -> bool:
        """Whether the file is another one than when it was read."""
        status = self.path.stat()
        return (status.st_size, status.st_mtime_ns, status.st_ino) != self.version

    @property
    def inflated(self) -> bool:
        """Whether the data set was deflated in the file."""
        return self.syntax == DEFLATED

    @property
    def encapsulated(self) -> bool:
        """Whether the pixel data are in fragments."""
        return any(element[5] for element in self.pixels)

    @cached_property
    def _by_tag(self) -> dict[int, Element]:
        return {element[0]: element for element in self.head}

    def parts(self) -> Iterator[tuple[list[Element], Stretch | None]]:
        """The elements of `head` in order: those of each known stretch together with it, and those between."""
        at = 0
        for first, last, stretch in self.spans:
            if at < first:
                yield self.head[at:first], None
            yield self.head[first:last], stretch
            at = last
        if at < len(self.head):
            yield self.head[at:], None

    def raw(self, tag: int) -> bytes:
        """An outermost element's value as it is encoded; empty where it is not there."""
        element = self._by_tag.get(tag)
        return b"" if element is None else self.data[element[3] : element[4]]

    @cached_property
    def is_deep(self) -> bool:
        """Whether a sequence tells of frames, of ultrasound regions, or of the anatomy: the outermost elements are not the whole story."""
        return not _DEEP.isdisjoint(self._by_tag)

    def stated(self, tag: int) -> tuple[str, bytes] | None:
        """An outermost element's value representation and value as it is encoded: the same bytes under another one mean another thing."""
        element = self._by_tag.get(tag)
        return None if element is None else (element[1], self.data[element[3] : element[4]])

    @cached_property
    def private_blocks(self) -> dict[tuple[int, str], int]:
        """Group and private creator → the block that the creator reserves (PS3.5 section 7.8.1), the first where it reserves several."""
        found: dict[tuple[int, str], int] = {}
        for tag, *_ in self.head:
            if tag & 0x1FF00 == 0x10000 and tag & 0xFF >= 0x10:
                found.setdefault((tag >> 16, self.text(tag)), tag & 0xFF)
        return found

    def text(self, tag: int) -> str:
        """An outermost element's value as text in the default repertoire, without padding."""
        return self.raw(tag).decode("latin-1").strip(" \0")

    @cached_property
    def character_sets(self) -> list[str]:
        """Python's names of the character sets that the data set states (PS3.3 C.12.1.1.2)."""
        return character_sets(self.raw(_CHARACTER_SET))

    def light(self) -> Dataset:
        """The outermost elements but pixels and sequences, as pydicom decodes them when they are asked for; where there is a sequence of
        frames or of regions, the whole header. Much cheaper than `header`.

        Raises:
            SafelightError: E-DEID-UNREADABLE.
        """
        if self.is_deep:
            return self.header()
        implicit, little, data = self.encoding.implicit, not self.encoding.big_endian, self.data
        raw = {
            BaseTag(tag): RawDataElement(BaseTag(tag), vr, end - value, data[value:end], value, implicit, little)
            for tag, vr, _, value, end, _ in self.head
            if vr != "SQ"
        }
        made = FileDataset("", raw, is_implicit_VR=implicit, is_little_endian=little)  # type: ignore[arg-type]
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = UID(self.syntax)
        return made

    def fields(self) -> Fields:
        """The outermost elements as `Fields` decodes them; where there is a sequence of frames or of regions, as pydicom does."""
        return Fields(self, self.header() if self.is_deep else None)

    def native(self) -> bytes | None:
        """The value of native pixel data, read from the file; None where it is compressed or there is not one element of it.

        Raises:
            SafelightError: E-DEID-CHANGED where the file has become shorter since it was read.
        """
        if len(self.pixels) != 1 or self.encapsulated:
            return None
        _, _, _, start, end, _ = self.pixels[0]
        if end <= len(self.data):
            return self.data[start:end]
        with self.path.open("rb", buffering=0) as stream:
            found = os.pread(stream.fileno(), end - start, start)
        if len(found) < end - start:
            raise SafelightError("E-DEID-CHANGED")
        return found

    def header(self) -> FileDataset:
        """The data set without pixel data, as pydicom reads it.

        Raises:
            SafelightError: E-DEID-UNREADABLE.
        """
        end = self.pixels[0][2] if self.pixels else len(self.data)
        return _parsed(self._as_file(end), whole=False)

    def whole(self) -> FileDataset:
        """The data set with its pixel data, as pydicom reads it.

        Raises:
            SafelightError: E-DEID-UNREADABLE.
        """
        if self.pixels and self.pixels[-1][4] > len(self.data):  # native pixel data were left in the file
            return _parsed(self.path.read_bytes(), whole=True)
        return _parsed(self._as_file(self.pixels[-1][4] if self.pixels else len(self.data)), whole=True)

    def _as_file(self, end: int) -> bytes:
        if not self.inflated:
            return self.data[:end]
        plain = bytearray(self.meta_data)
        element = next(each for each in self.meta if each[0] == _TRANSFER_SYNTAX)
        plain[element[3] : element[4]] = b"1.2.840.10008.1.2.1".ljust(element[4] - element[3], b"\0")
        return bytes(plain) + self.data[:end]


def is_dicom(head: bytes) -> bool:
    """Whether a file's first 132 bytes are those of a PS3.10 file."""
    return head[128:132] == b"DICM"


#: Where an instance is read from; one whose header was kept is at hand.
Source = Path | Instance


def read(source: Source, stretches: Stretches | None = None) -> Instance:
    """One instance.

    Args:
        stretches: what the headers that were read before have in common, which this one adds to.

    Raises:
        SafelightError: E-DEID-NOT-DICOM, E-DEID-UNREADABLE (no data set can be parsed), E-DEID-TRUNCATED (the file ends inside an element),
            E-DEID-TOO-LARGE (a deflated data set that inflates to more than `MOST_INFLATED` bytes).
        OSError: the machine's fault.
    """
    if isinstance(source, Instance):
        return source
    path = source
    with path.open("rb", buffering=0) as stream:
        status = os.fstat(stream.fileno())
        data = stream.read(_HEADER) or b""
        if not is_dicom(data[:132]):
            raise SafelightError("E-DEID-NOT-DICOM")
        version = (status.st_size, status.st_mtime_ns, status.st_ino)
        try:
            found = _taken_apart(path, data, status.st_size, version, stretches)
        except TruncatedError:
            if len(data) >= status.st_size:
                raise
        else:
            if not found.encapsulated:
                return found
        data += _rest(stream.fileno(), len(data))
    if len(data) != status.st_size:
        raise TruncatedError
    return _taken_apart(path, data, status.st_size, version)


def path_of(source: Source) -> Path:
    """The file that an instance is in."""
    return source.path if isinstance(source, Instance) else source


def has_surplus(instance: Instance) -> bool:
    """Whether bytes follow the pixel data that are neither elements nor zeros: then the header may have slipped into the pixels."""
    if not instance.pixels:
        return False
    start = instance.pixels[-1][4]
    if start == instance.size:
        return False
    if instance.size <= len(instance.data):
        rest = instance.data[start:]
    else:
        with instance.path.open("rb", buffering=0) as stream:
            rest = os.pread(stream.fileno(), _MOST_SURPLUS, start)
    if not rest.strip(b"\0"):
        return False
    try:
        return any(element[0] <= instance.pixels[-1][0] for element in walk(rest, 0, len(rest), instance.encoding, 0))
    except SafelightError:
        return True


def of_bytes(content: bytes, stretches: Stretches | None = None) -> Instance:
    """One instance from the bytes of a whole file, or of a file up to its pixel data; `stretches` as in `read`.

    Raises:
        SafelightError: as `read`.
    """
    if not is_dicom(content[:132]):
        raise SafelightError("E-DEID-NOT-DICOM")
    return _taken_apart(Path(), content, len(content), (len(content), 0, 0), stretches)


def character_sets(value: bytes) -> list[str]:
    """Python's names of the character sets in a value of SpecificCharacterSet; unknown ones count as the default repertoire."""
    stated = value.decode("latin-1").strip(" \0").split("\\") if value else [""]
    try:
        return list(convert_encodings(stated))
    except (LookupError, ValueError):
        return list(convert_encodings(""))


def _rest(descriptor: int, offset: int) -> bytes:
    parts = []
    while part := os.pread(descriptor, 1 << 24, offset):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def _taken_apart(
    path: Path, data: bytes, size: int, version: tuple[int, int, int], stretches: Stretches | None = None
) -> Instance:
    meta, start = file_meta(data)
    syntax = next((data[e[3] : e[4]].decode("latin-1").strip(" \0") for e in meta if e[0] == _TRANSFER_SYNTAX), "")
    if not _is_transfer_syntax(syntax):
        raise SafelightError("E-DEID-UNREADABLE")
    meta_data = data[:start]
    if syntax == DEFLATED:
        if len(data) < size:
            raise TruncatedError
        data, start = _inflate(data[start:]), 0
        size = len(data)
    encoding = Encoding.of(syntax)
    if stretches is None:
        head, pixels, spans = data_set(data, start, size, encoding)
    else:
        head, pixels, spans = data_set(data, start, size, encoding, stretches.known(encoding))
        stretches.learn(data, head, spans, encoding)
    if not head:
        raise SafelightError("E-DEID-UNREADABLE")
    return Instance(path, data, meta_data, size, syntax, encoding, meta, head, pixels, version, spans)


@lru_cache(256)
def _is_transfer_syntax(uid: str) -> bool:
    """Whether it is one of the standard's."""
    return UID(uid).is_transfer_syntax and not UID(uid).is_private


def _inflate(content: bytes) -> bytes:
    """A deflated data set (PS3.5 A.5: raw deflate, RFC 1951). Its length is counted first, block by block, so that a bomb takes no memory."""
    stream, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    try:
        for start in range(0, len(content), _SLICE):
            rest = content[start : start + _SLICE]
            while rest and not stream.eof:
                size += len(stream.decompress(rest, _HEADER))
                rest = stream.unconsumed_tail
                if size > MOST_INFLATED:
                    raise SafelightError("E-DEID-TOO-LARGE")
        while not stream.eof and (block := stream.decompress(b"", _HEADER)):
            size += len(block)
            if size > MOST_INFLATED:
                raise SafelightError("E-DEID-TOO-LARGE")
        if not stream.eof:
            raise TruncatedError
        return zlib.decompress(content, -zlib.MAX_WBITS, size or 1)
    except zlib.error:
        raise SafelightError("E-DEID-UNREADABLE") from None


def _parsed(content: bytes, *, whole: bool) -> FileDataset:
    try:
        return dcmread(BytesIO(content), stop_before_pixels=not whole)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - a parser may raise anything on damaged input, with values in its message
        raise SafelightError("E-DEID-UNREADABLE") from None


__all__ = ["UNDEFINED", "Instance", "character_sets", "has_surplus", "is_dicom", "of_bytes", "read"]
