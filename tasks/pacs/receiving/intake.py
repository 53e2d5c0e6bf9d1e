"""One study's instances on their way into its folder: each once, under its key, and what contradicts it kept apart."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from pydicom.filereader import read_file_meta_info

from tasks.pacs.receiving.arrival import Arrival
from tasks.pseudonyms import Pseudonyms

#: Pauses between our answers and a PACS's next requests that are remembered: the last so many.
_PAUSES = 1000


@dataclass(frozen=True, slots=True)
class Received:
    """One instance on disk: its keys, the SHA-256 of its file, and the file's bytes."""

    series_key: str
    instance_key: str
    sha256: str
    size: int = field(default=0, compare=False)


@dataclass
class Intake:
    """One study's instances on their way into `folder`; what conflicts goes to `conflicts`. UIDs are the hospital's.

    Several associations may send one study at the same time.
    """

    study_instance_uid: str = field(repr=False)
    folder: Path
    conflicts: Path
    pseudonyms: Pseudonyms
    #: SeriesInstanceUIDs that are wanted; None for all.
    only: frozenset[str] | None = field(default=None, repr=False)
    #: Grows as long as anything of this study comes, within one great instance too.
    activity: int = 0
    #: By SOPInstanceUID.
    received: dict[str, Received] = field(default_factory=dict, repr=False)
    #: By reason code.
    refused: Counter[str] = field(default_factory=Counter)
    #: SOPInstanceUID → SeriesInstanceUID of what was received.
    series: dict[str, str] = field(default_factory=dict, repr=False)
    #: Seconds between our answer to one C-STORE and the PACS's next on the same association; the last ones.
    pauses: deque[float] = field(default_factory=lambda: deque(maxlen=_PAUSES), repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    _closed: bool = field(default=False, repr=False)
    _unforced: list[Path] = field(default_factory=list, repr=False)

    @property
    def bytes(self) -> int:
        """Of all files that were received."""
        with self._lock:
            return sum(each.size for each in self.received.values())

    @property
    def pause(self) -> float | None:
        """The PACS's median pause in seconds, or None where it was not seen to make one."""
        with self._lock:
            return median(self.pauses) if self.pauses else None

    def take(self, arrival: Arrival, sop_instance: str, series: str, *, forced: bool) -> str:
        """Put an arrival into its place; returns "" or the reason code of its refusal.

        Args:
            arrival: a whole one, of this study.
            sop_instance, series: its UIDs, valid ones.
            forced: whether its content was forced to disk; otherwise `flush` does it.

        Raises:
            OSError: it could not be put there.
        """
        instance_key = self.pseudonyms.uid(sop_instance)
        made = Received(self.pseudonyms.uid(series), instance_key, arrival.sha256, arrival.size)
        with self._lock:
            if self._closed:
                return "E-PULL-UNASKED"
            earlier = self.received.get(sop_instance)
            if earlier == made:
                return ""
            if earlier is not None:
                arrival.force()
                arrival.move(self.conflicts / made.series_key / f"{instance_key}.{made.sha256[:16]}.dcm")
                return "E-PULL-CONFLICT"
            path = self._path(made)
            arrival.move(path)
            if not forced:
                self._unforced.append(path)
            self.received[sop_instance], self.series[sop_instance] = made, series
        return ""

    def adopt(self, sop_instance_uid: str, series_instance_uid: str) -> bool:
        """Take over the file of an instance that an earlier, interrupted attempt left in `folder`.

        Returns:
            Whether there is one that can be read. Call it only for attempts whose files were forced to disk, or that the
            machine outlived: what the power's failure leaves of an unforced file cannot be told from a whole one.
        """
        series_key, instance_key = self.pseudonyms.uid(series_instance_uid), self.pseudonyms.uid(sop_instance_uid)
        path = self.folder / series_key / f"{instance_key}.dcm"
        try:
            with path.open("rb") as stream:
                digest, size = hashlib.file_digest(stream, "sha256").hexdigest(), stream.tell()
            stated = str(read_file_meta_info(path).get("MediaStorageSOPInstanceUID", ""))
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it is asked for again
            return False
        if stated != sop_instance_uid:
            return False
        with self._lock:
            self._unforced.append(path)
            self.received[sop_instance_uid] = Received(series_key, instance_key, digest, size)
            self.series[sop_instance_uid] = series_instance_uid
        return True

    def flush(self) -> None:
        """Force to disk what was not forced before it was answered (`fsync: study`); raises OSError."""
        with self._lock:
            waiting, self._unforced = self._unforced, []
        for path in waiting:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)

    def settle(self, quiet_s: float = 0.5) -> None:
        """Wait until nothing of this study has come for so long: for a PACS that left in the middle of a C-MOVE."""
        seen = -1
        while seen != self.activity:
            seen = self.activity
            time.sleep(quiet_s)

    def count(self, code: str) -> None:
        """An instance of this study was refused."""
        with self._lock:
            self.refused[code] += 1

    def note(self, pause: float) -> None:
        """The PACS took so many seconds from our answer to its next request."""
        with self._lock:
            self.pauses.append(pause)

    def open(self) -> None:
        """From now on instances are taken."""
        with self._lock:
            self._closed = False

    def close(self) -> None:
        """From now on nothing is taken, not even what is half here."""
        with self._lock:
            self._closed = True

    def _path(self, made: Received) -> Path:
        return self.folder / made.series_key / f"{made.instance_key}.dcm"
