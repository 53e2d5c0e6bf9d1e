"""Our Storage SCP: takes the instances of the one study that was asked for, byte for byte, and refuses and counts all else.

An instance is answered with success only after its file has been written, forced to disk and renamed from a temporary name.
"""

from __future__ import annotations

import errno
import hashlib
import os
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom.filereader import read_partial
from pydicom.tag import BaseTag
from pynetdicom import AE, PYNETDICOM_IMPLEMENTATION_UID, evt

from tasks.errors import ConfigurationError
from tasks.pacs.server import MAXIMUM_PDU, Listener, listen, storage_contexts
from tasks.pacs.settings import ReceiverSettings
from tasks.pacs.uids import is_uid
from tasks.pseudonyms import Pseudonyms
from tasks.vault import private_folder, write_private

#: The status that each refusal is answered with (PS3.4 B.2.3, PS3.7 9.1.1.1.9).
STATUS = {
    "E-PULL-UID": 0x0117,
    "E-PULL-UNASKED": 0x0124,
    "E-PULL-DISK-FULL": 0xA700,
    "E-PULL-WRITE": 0xA701,
    "E-PULL-MISMATCH": 0xA900,
    "E-PULL-UNREADABLE": 0xC000,
    "E-PULL-CONFLICT": 0xC001,
}
_SOP_INSTANCE, _STUDY, _SERIES = 0x00080018, 0x0020000D, 0x0020000E


@dataclass(frozen=True, slots=True)
class Received:
    """One instance on disk: its keys and the SHA-256 of its file."""

    series_key: str
    instance_key: str
    sha256: str


@dataclass
class Intake:
    """One study's instances on their way into `folder`; what conflicts goes to `conflicts`. UIDs are the hospital's."""

    study_instance_uid: str = field(repr=False)
    folder: Path
    conflicts: Path
    pseudonyms: Pseudonyms
    received: dict[str, Received] = field(default_factory=dict, repr=False)
    refused: Counter[str] = field(default_factory=Counter)

    def take(self, sop_class: str, sop_instance: str, transfer_syntax: str, dataset: bytes) -> str:
        """Write one instance; returns "" or the reason code of its refusal.

        Raises:
            OSError: it could not be written.
        """
        if not is_uid(sop_instance) or not is_uid(sop_class):
            return "E-PULL-UID"
        content = _file(sop_class, sop_instance, transfer_syntax, dataset)
        try:
            stated = _uids(content)
        except Exception:  # noqa: BLE001 - whatever a broken header makes pydicom raise, it is unreadable
            return "E-PULL-UNREADABLE"
        study, series = stated.get(_STUDY, ""), stated.get(_SERIES, "")
        if not is_uid(study) or not is_uid(series):
            return "E-PULL-UID"
        if study != self.study_instance_uid:
            return "E-PULL-UNASKED"
        if stated.get(_SOP_INSTANCE, sop_instance) != sop_instance:
            return "E-PULL-MISMATCH"
        sha256 = hashlib.sha256(content).hexdigest()
        made = Received(self.pseudonyms.uid(series), self.pseudonyms.uid(sop_instance), sha256)
        earlier = self.received.get(sop_instance)
        if earlier is not None:
            if earlier == made:
                return ""
            _write(self.conflicts / made.series_key / f"{made.instance_key}.{sha256[:16]}.dcm", content)
            return "E-PULL-CONFLICT"
        _write(self.folder / made.series_key / f"{made.instance_key}.dcm", content)
        self.received[sop_instance] = made
        return ""


class Receiver:
    """The listening Storage SCP. Use as a context manager, started once for a batch. It refuses all while nothing is expected.

    Any calling AE title is taken: many a PACS sends from another title than it answers to. The called one must be ours.
    """

    def __init__(self, settings: ReceiverSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._intake: Intake | None = None
        self._open = ExitStack()
        self._listener: Listener | None = None
        #: Refusals outside of any study's turn, by reason code.
        self.strays: Counter[str] = Counter()
        #: How many C-STORE requests came so far: the sign of life of a long C-MOVE.
        self.requests = 0

    @property
    def ae_title(self) -> str:
        """Its AE title: the destination of C-MOVE."""
        return self._settings.ae_title

    def __enter__(self) -> Receiver:
        """Listen.

        Raises:
            ConfigurationError: E-PULL-PORT-BUSY, E-PULL-BIND (not an address of this machine, or not allowed).
        """
        entity = AE(ae_title=self._settings.ae_title)
        entity.require_called_aet = True
        entity.maximum_associations = self._settings.maximum_associations
        entity.maximum_pdu_size = MAXIMUM_PDU
        address = (self._settings.host, self._settings.port)
        try:
            self._listener = listen(entity, address, storage_contexts(), [(evt.EVT_C_STORE, self._on_store)])
        except OSError as error:
            code = "E-PULL-PORT-BUSY" if error.errno == errno.EADDRINUSE else "E-PULL-BIND"
            raise ConfigurationError(code, f"{address[0]}:{address[1]}") from None
        self._open.enter_context(self._listener)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @contextmanager
    def expecting(self, intake: Intake) -> Iterator[Intake]:
        """Take this study's instances, and no other's, as long as the context lasts."""
        with self._lock:
            self._intake = intake
        try:
            yield intake
        finally:
            with self._lock:
                self._intake = None

    def settle(self, quiet_s: float = 0.5) -> None:
        """Wait until no instance has come for `quiet_s`: for a PACS that left in the middle of a C-MOVE."""
        seen = -1
        while seen != self.requests:
            seen = self.requests
            time.sleep(quiet_s)

    def _on_store(self, event: Any) -> int:
        self.requests += 1
        request = event.request
        arguments = (str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID), str(event.context.transfer_syntax))
        with self._lock:
            intake = self._intake
            if intake is None:
                reason, counted = "E-PULL-UNASKED", self.strays
            else:
                counted = intake.refused
                try:
                    reason = intake.take(*arguments, request.DataSet.getvalue() if request.DataSet is not None else b"")
                except OSError as error:
                    reason = "E-PULL-DISK-FULL" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "E-PULL-WRITE"
            if not reason:
                return 0x0000
            counted[reason] += 1
        return STATUS[reason]


def _uids(content: bytes) -> dict[int, str]:
    """The UIDs of instance, study and series that a file's data set states; elements after them are not looked at."""

    def past(tag: BaseTag, _representation: str | None, _length: int) -> bool:
        return int(tag) > _SERIES

    wanted: list[Any] = [_SOP_INSTANCE, _STUDY, _SERIES]
    header = read_partial(BytesIO(content), stop_when=past, specific_tags=wanted)
    found = {}
    for tag in wanted:
        if tag in header:
            value = header.get_item(tag).value  # raw: a UID that breaks the rules must not raise a warning that quotes it
            found[tag] = (value.decode("ascii", "replace") if isinstance(value, bytes) else str(value or "")).rstrip(" \0")
    return found


def _file(sop_class: str, sop_instance: str, transfer_syntax: str, dataset: bytes) -> bytes:
    """A PS3.10 file (7.1): preamble, the file meta information that the C-STORE request gives, and the data set's bytes."""
    meta = _meta(0x0001, b"OB\0\0" + struct.pack("<L", 2), b"\0\1") + b"".join(
        _meta(number, b"UI" + struct.pack("<H", len(uid) + len(uid) % 2), uid.encode("ascii") + b"\0" * (len(uid) % 2))
        for number, uid in (
            (0x0002, sop_class), (0x0003, sop_instance), (0x0010, transfer_syntax), (0x0012, PYNETDICOM_IMPLEMENTATION_UID)
        )
    )  # fmt: skip
    length = _meta(0x0000, b"UL" + struct.pack("<H", 4), struct.pack("<L", len(meta)))
    return b"\0" * 128 + b"DICM" + length + meta + dataset


def _meta(number: int, representation: bytes, value: bytes) -> bytes:
    """An element of group 0002 in Explicit VR Little Endian (PS3.5 7.1.2)."""
    return struct.pack("<HH", 0x0002, number) + representation + value


def _write(path: Path, content: bytes) -> None:
    if not path.parent.exists():
        private_folder(path.parent)
    fresh = path.with_name(f".{path.name}")
    try:
        write_private(fresh, content)
        os.replace(fresh, path)  # noqa: PTH105 - twice as fast as Path.replace, and there are many
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
