"""Reads a data frame from an R package's lazy-load database, without R, so that its published examples can be reference data.

Format: the manual "R Internals", chapter "Serialization Formats" (XDR, versions 2 and 3). A lazy-load database is an index of
name → (offset, length) and blocks of a 4-byte length and zlib data. Only what data frames need is read: vectors, lists,
attributes, symbols.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np


class _Reader:
    def __init__(self, content: bytes) -> None:
        if content[:2] != b"X\n":
            raise ValueError("not R's XDR serialization")
        self._content, self._at, self._symbols = content, 2, list[Any]()
        if self._integer() == 3:  # version 3 names the native encoding after the two R versions
            self._at += 8
            self._at += 4 + struct.unpack_from(">i", content, self._at)[0]
        else:
            self._at += 8

    def _integer(self) -> int:
        self._at += 4
        return int(struct.unpack_from(">i", self._content, self._at - 4)[0])

    def _vector(self, kind: str, size: int) -> np.ndarray:
        n = self._integer()
        self._at += n * size
        return np.frombuffer(self._content, kind, n, self._at - n * size).astype(kind[1:])

    def item(self) -> Any:
        """The next object; one with attributes comes as (object, attributes)."""
        flags = self._integer()
        kind, attributed = flags & 0xFF, bool(flags & 0x200)
        if kind == 254:
            return None
        if kind == 255:
            return self._symbols[(flags >> 8) - 1]
        if kind == 1:
            self._symbols.append(self.item())
            return self._symbols[-1]
        if kind == 2:
            name = self.item() if flags & 0x400 else None
            first = {name: self.item()}
            return first | (self.item() or {})
        if kind == 9:
            n = self._integer()
            self._at += max(n, 0)
            return None if n < 0 else self._content[self._at - n : self._at].decode("latin-1")
        made: Any
        if kind in (10, 13):
            made = self._vector(">i4", 4)
        elif kind == 14:
            made = self._vector(">f8", 8)
        elif kind in (16, 19):
            made = [self.item() for _ in range(self._integer())]
        else:
            raise ValueError(f"R's type {kind} is not part of a simple data frame")
        return (made, self.item()) if attributed else made


def data_frame(package: Path, name: str) -> dict[str, np.ndarray]:
    """Column name → values of a data frame of an installed (or unpacked) R package; factors as their codes from 1."""
    index = (package / "data" / "Rdata.rdx").read_bytes()
    (blocks, attributes), *_ = _Reader(gzip.decompress(index) if index[:2] == b"\x1f\x8b" else zlib.decompress(index)).item()[0]
    offset, length = (int(value) for value in blocks[attributes["names"].index(name)])
    block = (package / "data" / "Rdata.rdb").read_bytes()[offset : offset + length]
    columns, said = _Reader(zlib.decompress(block[4:])).item()
    return {
        column: values[0] if isinstance(values, tuple) else values for column, values in zip(said["names"], columns, strict=True)
    }
