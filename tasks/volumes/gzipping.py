"""Gzip by two threads, and always the same bytes: what is compressed together depends on the content alone.

The content is cut into pieces of one size wherever it came from. Each is deflated on its own, with the end of the piece before as its dictionary
(RFC 1951: a distance may reach back into the block before), so that nothing depends on which thread takes which, or how many there are.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from isal import isal_zlib

#: Pieces that are deflated together, in bytes.
PIECE = 1 << 20
#: Of noisy CT, ISA-L's level 2 is 3 % smaller than level 1 and takes no longer; level 3 is 2 % smaller and takes a third longer.
LEVEL = 2
_THREADS = 2
#: Pieces that are waited for at most: enough for both threads, and a bound on memory.
_AHEAD = 2 * _THREADS
_WINDOW = 1 << 15
#: RFC 1952: deflate, no flags (so no name and no comment), no time, unknown system.
_HEADER = struct.pack("<BBBBIBB", 0x1F, 0x8B, 8, 0, 0, 0, 0xFF)

Buffer = bytes | bytearray | memoryview


def gzipped(parts: Iterable[Buffer], *, threads: int = _THREADS) -> Iterator[bytes]:
    """One gzip member of all parts, some bytes at a time.

    Args:
        parts: contiguous buffers of bytes, one after the other. They must not change once they are handed over.
        threads: does not change a byte.
    """
    yield _HEADER
    checksum = size = 0
    before: Buffer = b""
    waiting: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(threads, "gzip") as pool:
        for piece in pieces(parts, PIECE):
            waiting.append(pool.submit(_deflated, piece, bytes(before[-_WINDOW:])))
            checksum, size, before = isal_zlib.crc32(piece, checksum), size + len(piece), piece
            if len(waiting) >= _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    yield isal_zlib.compress(b"", LEVEL, -15)  # the last block, empty
    yield struct.pack("<II", checksum, size & 0xFFFFFFFF)


def pieces(parts: Iterable[Buffer], size: int) -> Iterator[Buffer]:
    """The same bytes in pieces of `size`, the last one shorter. Only what stands across the border of two parts is copied."""
    held = bytearray()
    for part in parts:
        view = memoryview(part)
        if held:
            missing = size - len(held)
            held += view[:missing]
            view = view[missing:]
            if len(held) < size:
                continue
            yield held
            held = bytearray()
        whole = len(view) // size * size
        for start in range(0, whole, size):
            yield view[start : start + size]
        held += view[whole:]
    if held:
        yield held


def _deflated(piece: Buffer, dictionary: bytes) -> bytes:
    """Raw deflate that ends at a byte, without the mark of a last block."""
    stream = (
        isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, -15, zdict=dictionary)
        if dictionary
        else (isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, -15))
    )
    return bytes(stream.compress(piece) + stream.flush(isal_zlib.Z_SYNC_FLUSH))
