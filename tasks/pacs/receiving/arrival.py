"""One instance on its way in: from the wire into a file of ours, by its bytes, with a digest made on the way.

The file lies as `spool/.arriving-<process>-<random>` until it is whole, on disk, and known to be wanted; then one rename puts it
into its study. Memory does not grow with the instance.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import struct
from pathlib import Path

from pynetdicom import PYNETDICOM_IMPLEMENTATION_UID

from tasks.pacs.receiving.stated import HEAD, stated, stated_by_file
from tasks.processes import ProcessId
from tasks.vault import private_folder

#: Bytes of a data set, in whatever they lie.
Piece = bytes | bytearray | memoryview

_MARK = ".arriving-"


class Arrival:
    """A file that is being written. Whoever begins one moves the file to its place, or it goes when the arrival is discarded."""

    def __init__(self, spool: Path, process: str, sop_class: str, sop_instance: str, transfer_syntax: str) -> None:
        """Args: the two UIDs of the C-STORE request, valid ones, and how the data set is encoded; `process` owns the file."""
        self.path = spool / f"{_MARK}{process}-{secrets.token_hex(8)}"
        self.transfer_syntax = transfer_syntax
        #: Bytes of the file.
        self.size = 0
        #: Why it cannot be written, once that is so; what still comes is then let pass.
        self.trouble = ""
        self._sha256 = hashlib.sha256()
        self._head = bytearray()
        self._early: dict[int, str] | None = None
        self._lies_here = True
        self._descriptor: int | None = None
        try:
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            self.trouble = trouble(error)
        meta = file_meta(sop_class, sop_instance, transfer_syntax)
        self._append(meta)
        self._offset = len(meta)

    @property
    def sha256(self) -> str:
        """Of the file, as far as it has come."""
        return self._sha256.hexdigest()

    @property
    def head_is_full(self) -> bool:
        """Whether as much of the data set has come as `uids` looks at first."""
        return len(self._head) == HEAD

    def write(self, chunk: Piece) -> None:
        """Add bytes of the data set. Never fails: see `trouble`."""
        room = HEAD - len(self._head)
        if room:
            self._head += memoryview(chunk)[:room]
        self._append(chunk)

    def early_uids(self) -> dict[int, str] | None:
        """What is stated, as far as the head that came tells without a doubt."""
        self._early = stated(bytes(self._head), self.transfer_syntax, whole=False)
        return self._early

    def uids(self) -> dict[int, str]:
        """The UIDs that the whole data set states, by tag (see `stated`).

        Raises:
            Exception: its header cannot be read.
        """
        if self._early is not None:  # what follows cannot change it
            return self._early
        whole = self.size - self._offset == len(self._head)
        found = stated(bytes(self._head), self.transfer_syntax, whole)
        return stated_by_file(self.path, self._offset, self.transfer_syntax) if found is None else found

    def force(self) -> None:
        """Force the content to disk; raises OSError."""
        if self._descriptor is not None:
            os.fdatasync(self._descriptor)

    def hurry(self) -> None:
        """Have the kernel begin to write the content to disk, without waiting for it: `Intake.flush` then has less to wait for."""
        if self._descriptor is not None:
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def move(self, target: Path) -> None:
        """Put the file into its place, by one rename; its folder is made where it is missing. Raises OSError."""
        try:
            os.replace(self.path, target)  # noqa: PTH105 - twice as fast as Path.replace, and there are many
        except FileNotFoundError:
            private_folder(target.parent)
            os.replace(self.path, target)  # noqa: PTH105
        self._lies_here = False

    def discard(self) -> None:
        """Close it, and remove the file where it still lies where it arrived."""
        if self._descriptor is None:
            return
        os.close(self._descriptor)
        self._descriptor = None
        if self._lies_here:
            self.path.unlink(missing_ok=True)

    def _append(self, chunk: Piece) -> None:
        view = memoryview(chunk)
        self.size += len(view)
        if self._descriptor is None or self.trouble:
            return
        self._sha256.update(view)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            self.trouble = trouble(error)


def trouble(error: OSError) -> str:
    """The reason code for an instance that could not be written."""
    return "E-PULL-DISK-FULL" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "E-PULL-WRITE"


def sweep_arrivals(spool: Path) -> int:
    """Remove what arrived for processes of this host that were killed meanwhile; returns how many files.

    Args:
        spool: the vault's spool.
    """
    removed = 0
    for entry in sorted(spool.glob(f"{_MARK}*")):
        owner = ProcessId.parse(entry.name.removeprefix(_MARK).rsplit("-", 1)[0])
        if owner is not None and not owner.is_alive():
            entry.unlink(missing_ok=True)
            removed += 1
    return removed


def file_meta(sop_class: str, sop_instance: str, transfer_syntax: str) -> bytes:
    """What a PS3.10 file (7.1) has before its data set: the preamble, and the file meta information of a C-STORE request."""
    meta = _meta(0x0001, b"OB\0\0" + struct.pack("<L", 2), b"\0\1") + b"".join(
        _meta(number, b"UI" + struct.pack("<H", len(uid) + len(uid) % 2), uid.encode("ascii") + b"\0" * (len(uid) % 2))
        for number, uid in (
            (0x0002, sop_class), (0x0003, sop_instance), (0x0010, transfer_syntax), (0x0012, PYNETDICOM_IMPLEMENTATION_UID)
        )
    )  # fmt: skip
    length = _meta(0x0000, b"UL" + struct.pack("<H", 4), struct.pack("<L", len(meta)))
    return b"\0" * 128 + b"DICM" + length + meta


def _meta(number: int, representation: bytes, value: bytes) -> bytes:
    """An element of group 0002 in Explicit VR Little Endian (PS3.5 7.1.2)."""
    return struct.pack("<HH", 0x0002, number) + representation + value
