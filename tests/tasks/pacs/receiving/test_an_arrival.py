"""A file on its way in: what its head states is read once, and once it has its place it is nobody's to remove."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from tasks.pacs.receiving import arrival as module
from tasks.pacs.receiving.arrival import Arrival
from tasks.pacs.receiving.stated import HEAD, SERIES, SOP_INSTANCE, STUDY


def encoded(tail: int) -> bytes:
    """A data set in Explicit VR Little Endian: three UIDs, and so many bytes of pixel data."""
    uids = ((0x0008, 0x0018, b"1.2.3.1\0"), (0x0020, 0x000D, b"1.2.3.22"), (0x0020, 0x000E, b"1.2.3.33"))
    head = b"".join(struct.pack("<HH2sH", group, number, b"UI", len(value)) + value for group, number, value in uids)
    return head + struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, tail) + bytes(tail)


def begun(spool: Path) -> Arrival:
    return Arrival(spool, "process", CTImageStorage, "1.2.3.1", ExplicitVRLittleEndian)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    (tmp_path / "spool").mkdir()
    return tmp_path / "spool"


UIDS = {SOP_INSTANCE: "1.2.3.1", STUDY: "1.2.3.22", SERIES: "1.2.3.33"}


def test_what_the_head_has_told_is_not_read_again(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrival = begun(spool)
    arrival.write(encoded(2 * HEAD))
    assert arrival.head_is_full
    assert arrival.early_uids() == UIDS
    monkeypatch.setattr(module, "stated", None)
    monkeypatch.setattr(module, "stated_by_file", None)
    assert arrival.uids() == UIDS
    arrival.discard()


@pytest.mark.parametrize("tail", [0, 10, 2 * HEAD])
def test_without_an_early_look_the_same_is_read_of_the_whole(spool: Path, tail: int) -> None:
    arrival = begun(spool)
    arrival.write(encoded(tail))
    assert arrival.uids() == UIDS
    arrival.discard()
    assert list(spool.iterdir()) == []


def test_a_file_that_has_its_place_stays_whatever_lies_where_it_arrived(spool: Path) -> None:
    arrival = begun(spool)
    arrival.write(encoded(10))
    target = spool / "study" / "series" / "instance.dcm"  # neither folder is there
    arrival.move(target)
    arrival.path.write_bytes(b"another's")
    arrival.discard()
    assert arrival.path.read_bytes() == b"another's"
    assert hashlib.sha256(target.read_bytes()).hexdigest() == arrival.sha256
    assert dcmread(target).SOPInstanceUID == "1.2.3.1"


def test_a_file_that_could_not_be_moved_goes_with_its_arrival(spool: Path) -> None:
    arrival = begun(spool)
    (spool / "place").mkdir()
    with pytest.raises(IsADirectoryError):
        arrival.move(spool / "place")
    arrival.discard()
    assert [path.name for path in spool.iterdir()] == ["place"]
