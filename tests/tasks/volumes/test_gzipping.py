"""One gzip member, read by others, that depends on its content alone; two threads, and few pieces in memory."""

import gzip
import random
import zlib
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.volumes import gzipping
from tasks.volumes.gzipping import PIECE, gzipped, pieces


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes with something in them that repeats."""
    source, runs = np.random.default_rng(seed), size // 2
    return np.repeat(source.integers(0, 40, runs, np.uint8), source.integers(1, 6, runs)).tobytes()[:size]


CONTENT = noise(2_500_000)


@pytest.mark.parametrize("size", [0, 1, 352, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2_500_000])
def test_the_standard_library_reads_what_was_written(size: int) -> None:
    packed = b"".join(gzipped([CONTENT[:size]]))
    assert gzip.decompress(packed) == CONTENT[:size]
    stream = zlib.decompressobj(31)
    assert stream.decompress(packed) == CONTENT[:size]
    assert stream.eof  # one member,
    assert not stream.unused_data  # and nothing behind it


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, len(CONTENT)), max_size=6).map(sorted), threads=st.integers(1, 4))
def test_neither_parts_nor_threads_change_a_byte(cuts: list[int], threads: int) -> None:
    ends = [0, *cuts, len(CONTENT)]
    parts = [CONTENT[a:b] for a, b in pairwise(ends)]
    assert b"".join(gzipped(parts, threads=threads)) == WHOLE


WHOLE = b"".join(gzipped([CONTENT]))


@settings(max_examples=50, deadline=None)
@given(lengths=st.lists(st.integers(0, 30), max_size=8), size=st.integers(1, 20))
def test_pieces_are_the_same_bytes_in_one_size(lengths: list[int], size: int) -> None:
    parts = [bytes(range(length)) for length in lengths]
    found = [bytes(piece) for piece in pieces(parts, size)]
    assert b"".join(found) == b"".join(parts)
    assert all(len(piece) == size for piece in found[:-1])
    assert all(0 < len(piece) <= size for piece in found)


def test_a_piece_may_refer_to_the_end_of_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise that repeats at a distance of 20,000 bytes gets much smaller only if the border of two pieces does not matter."""
    monkeypatch.setattr(gzipping, "PIECE", 20_000)
    once = random.Random(1).randbytes(20_000)
    packed = b"".join(gzipped([once * 20]))
    assert gzip.decompress(packed) == once * 20
    assert len(packed) < 40_000


def test_few_pieces_are_taken_ahead_of_what_was_written() -> None:
    taken = 0

    def parts() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(50):
            taken += 1
            yield bytes(PIECE)

    made = gzipped(parts())
    most = 0
    for written, _ in enumerate(made):
        most = max(most, taken - written)
    assert taken == 50
    assert most <= 6


def test_what_goes_wrong_in_the_source_is_what_is_raised() -> None:
    def parts() -> Iterator[bytes]:
        yield bytes(3 * PIECE)
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(gzipped(parts()))
