"""Who is expected: the studies that are being pulled just now, and what becomes of an instance that comes, by whatever way.

All receivers of a process share one desk. An instance goes to the study that it says it belongs to, if that one is expected.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.guard import ErrorLog
from tasks.pacs.receiving.arrival import Arrival, Piece, trouble
from tasks.pacs.receiving.intake import Intake
from tasks.pacs.receiving.stated import SERIES, SOP_INSTANCE, STUDY
from tasks.pacs.uids import is_uid
from tasks.processes import ProcessId

#: The status that each refusal is answered with (PS3.4 B.2.3, PS3.7 9.1.1.1.9).
STATUS = {
    "": 0x0000,
    "E-PULL-UID": 0x0117,
    "E-PULL-SOP-CLASS": 0x0122,
    "E-PULL-UNASKED": 0x0124,
    "E-PULL-DISK-FULL": 0xA700,
    "E-PULL-WRITE": 0xA701,
    "E-PULL-MISMATCH": 0xA900,
    "E-PULL-UNREADABLE": 0xC000,
    "E-PULL-CONFLICT": 0xC001,
}


class Desk:
    """Holds the studies that are expected, any number at once.

    Args:
        spool: the vault's: instances arrive there.
        errors: where the details of what nobody foresaw are kept.
    """

    def __init__(self, spool: Path, errors: ErrorLog | None = None) -> None:
        #: Refusals outside of any study's turn, and strangers at the door, by reason code.
        self.strays: Counter[str] = Counter()
        #: How many C-STORE requests came so far.
        self.requests = 0
        self._spool, self._errors = spool, errors
        self._process = str(ProcessId.current())
        self._lock = threading.Lock()
        self._expected: dict[str, Intake] = {}
        self._under_way = 0

    @contextmanager
    def expecting(self, intake: Intake) -> Iterator[Intake]:
        """Take this study's instances as long as the context lasts: nothing is added to its folder afterwards."""
        study = intake.study_instance_uid
        with self._lock:
            if study in self._expected:
                raise ValueError("this study is expected already")
            self._expected[study] = intake
        intake.open()
        try:
            yield intake
        finally:
            intake.close()
            with self._lock:
                del self._expected[study]

    def settle(self, quiet_s: float = 0.5) -> None:
        """Wait until nothing is under way, of no study, and no request has come for `quiet_s`: all that came has been taken or refused."""
        seen = -1
        while seen != self.requests or self._under_way:
            seen = self.requests
            time.sleep(quiet_s)

    def take_strays(self) -> Counter[str]:
        """The refusals outside of any study's turn, by reason code; they are counted anew from now on."""
        with self._lock:
            taken = Counter(self.strays)
            self.strays.clear()
        return taken

    def store(
        self, sop_class: str, sop_instance: str, transfer_syntax: str, content: Piece | Iterable[Piece], *,
        force: bool = True, pause: float | None = None, reason: str = "",
    ) -> int:  # fmt: skip
        """Take one instance that has come by another way than the direct engine: that library's receiver, or C-GET.

        Args:
            sop_class, sop_instance: the UIDs of the C-STORE request.
            transfer_syntax: of its presentation context.
            content: the encoded data set, in one piece or in several.
            force: whether it must be on disk when this returns; otherwise when `Intake.flush` does.
            pause: seconds since the answer before, where known.
            reason: why it is refused, where that is known beforehand.

        Returns:
            The C-STORE status to answer with.
        """
        reception = self.begin(sop_class, sop_instance, transfer_syntax, force=force, pause=pause, reason=reason)
        try:
            for piece in [content] if isinstance(content, bytes | bytearray | memoryview) else content:
                reception.write(piece)
            return reception.finish()
        finally:
            reception.discard()

    def begin(
        self,
        sop_class: str,
        sop_instance: str,
        transfer_syntax: str,
        *,
        force: bool,
        pause: float | None = None,
        reason: str = "",
    ) -> Reception:
        """An instance begins to come (arguments as `store`). Finish or discard what is returned."""
        with self._lock:
            self.requests += 1
            self._under_way += 1
            expected = bool(self._expected)
        if not expected:
            reason = "E-PULL-UNASKED"
        elif not is_uid(sop_instance) or not is_uid(sop_class):
            reason = "E-PULL-UID"
        arrival = None if reason else Arrival(self._spool, self._process, sop_class, sop_instance, transfer_syntax)
        return Reception(self, arrival, sop_instance, force, pause, reason)

    def count(self, code: str) -> None:
        """Somebody was refused outside of any study's turn."""
        with self._lock:
            self.strays[code] += 1

    def unexpected(self, error: Exception) -> None:
        """Count what an association died of though nobody foresaw it; its text may quote a patient's data, and goes to the vault."""
        self.count("E-STAGE-UNEXPECTED")
        if self._errors is not None:
            self._errors.record("receiver", error)

    # ---- for receptions ---------------------------------------------------------------------------------------------

    def intake(self, study: str) -> Intake | None:
        """The study, if it is expected."""
        with self._lock:
            return self._expected.get(study)

    def blame(self, code: str, intake: Intake | None) -> None:
        """Count a refusal: for its study, or where that is unknown for the only one expected, or else outside of any turn."""
        with self._lock:
            if intake is None and len(self._expected) == 1:
                (intake,) = self._expected.values()
        if intake is None:
            self.count(code)
        else:
            intake.count(code)

    def ended(self) -> None:
        """A reception is over."""
        with self._lock:
            self._under_way -= 1


class Reception:
    """One C-STORE request's data set, from its first piece to the status it is answered with."""

    def __init__(
        self, desk: Desk, arrival: Arrival | None, sop_instance: str, force: bool, pause: float | None, reason: str
    ) -> None:
        self._desk, self._arrival, self._sop_instance = desk, arrival, sop_instance
        self._force, self._pause, self._reason = force, pause, reason
        self._intake: Intake | None = None
        self._looked = self._over = False

    def write(self, piece: Piece) -> None:
        """More of the data set. Of what is to be refused nothing is kept, as soon as that is known."""
        if self._intake is not None:
            self._intake.activity += 1
        if self._arrival is None:
            return
        self._arrival.write(piece)
        if self._arrival.head_is_full and not self._looked:
            self._looked = True
            uids = self._arrival.early_uids()
            if uids is not None and (reason := self._judged(uids)):
                self._reason = reason
                self._drop()

    def finish(self) -> int:
        """The data set is whole: put it where it belongs, or refuse it; returns the C-STORE status."""
        reason = self._reason
        if self._arrival is not None:
            try:
                reason = self._placed(self._arrival)
            except OSError as error:
                reason = trouble(error)
        if self._intake is not None and self._pause is not None:
            self._intake.note(self._pause)
        if reason:
            self._desk.blame(reason, self._intake)
        self.discard()
        return STATUS[reason]

    def discard(self) -> None:
        """It will not come to an end, or has come to it: nothing that was not put in its place stays."""
        self._drop()
        if not self._over:
            self._over = True
            self._desk.ended()

    def _placed(self, arrival: Arrival) -> str:
        try:
            uids = arrival.uids()
        except Exception:  # noqa: BLE001 - whatever a broken header makes pydicom raise, it is unreadable
            return arrival.trouble or "E-PULL-UNREADABLE"
        reason = self._judged(uids) or arrival.trouble
        if reason or self._intake is None:
            return reason
        if self._force:
            arrival.force()
        else:
            arrival.hurry()
        return self._intake.take(arrival, self._sop_instance, uids[SERIES], forced=self._force)

    def _judged(self, uids: dict[int, str]) -> str:
        study, series = uids.get(STUDY, ""), uids.get(SERIES, "")
        if not is_uid(study) or not is_uid(series):
            return "E-PULL-UID"
        self._intake = self._desk.intake(study)
        if self._intake is None or (self._intake.only is not None and series not in self._intake.only):
            return "E-PULL-UNASKED"
        self._intake.activity += 1
        return "" if uids.get(SOP_INSTANCE, self._sop_instance) == self._sop_instance else "E-PULL-MISMATCH"

    def _drop(self) -> None:
        if self._arrival is not None:
            self._arrival.discard()
            self._arrival = None
