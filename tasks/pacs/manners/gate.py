"""The gate that a worker passes before it begins a study: it holds the work back while it must wait, and says why and until when."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import tzinfo

from tasks.executor import OnWait
from tasks.pacs.book import HOUR_S, Book, Condition
from tasks.pacs.manners.breaker import Breaker
from tasks.pacs.manners.hours import AllowedHours
from tasks.pacs.manners.pace import Pace
from tasks.pacs.settings import PacsSettings

#: Why and until when.
Reason = tuple[str, float | None]

#: Whoever waits looks after so many seconds whether an order has come, or the reason is gone.
_LOOK_AGAIN_S = 2.0
_AT_ONCE_S = 0.05


class Gate:
    """The gate to one PACS. Safe to use from several threads; each process has its own, and what they count is in the ledger."""

    def __init__(
        self,
        pacs: PacsSettings,
        book: Book,
        zone: tzinfo,
        *,
        pace: Pace,
        breaker: Breaker,
        stop: threading.Event | None = None,
        sleep: Callable[[float], object] | None = None,
        on_wait: OnWait | None = None,
    ) -> None:
        """Set it up.

        Args:
            pacs: the PACS, with its manners.
            book: what the ledger knows of it; its clock is the gate's.
            zone: the site's time zone, for the allowed hours.
            pace: asked whether to rest.
            breaker: asked whether a connection may be opened.
            stop: set, it ends all waiting: nobody passes any more.
            sleep: waits some seconds; on `stop` unless another is given.
            on_wait: called once for each change.
        """
        self._source, self._manners, self._book = pacs.source, pacs.manners, book
        self._hours = AllowedHours.parse(pacs.manners.allowed_hours, zone)
        self._pace, self._breaker = pace, breaker
        self._stop = stop or threading.Event()
        self._sleep = sleep or self._stop.wait
        self._on_wait = on_wait
        self._said: Reason | None = None
        self._lock = threading.Lock()

    def wait(self, leave: Callable[[], None] = lambda: None) -> bool:
        """Block until work may go on.

        Args:
            leave: called before the waiting begins, where there is any: an association must not stay open meanwhile.

        Returns:
            False where no study shall be begun any more: the PACS is drained or given up, or the process is to stop.
        """
        left = False
        fresh_s = _AT_ONCE_S  # the end of the study before has just looked
        while not self._is_over():
            condition = self._book.condition(self._source, fresh_s)
            fresh_s = 0.0
            if condition.order == "drain":
                return False
            reason = self.reason(condition)
            self._tell(reason, condition)
            now = self._book.now()
            pause = self._pause_after_a_failure(condition, now)
            if reason is None and pause <= 0:
                return True
            if not left:
                leave()
                left = True
            until = (
                reason[1] if reason is not None and reason[1] is not None else now + (pause if reason is None else _LOOK_AGAIN_S)
            )
            self._sleep(min(_LOOK_AGAIN_S, max(_AT_ONCE_S, until - now)))
        return False

    def begin(self, key: str) -> bool:
        """Take what can be given to one worker only: a place in the hour, the trial of a breaker that is half open.

        Args:
            key: the study's key in the lake; `Book.cancel` gives its place in the hour back.

        Returns:
            False where another one was faster: `wait` again.
        """
        per_hour = self._manners.studies_per_hour
        if per_hour is not None and not self._book.reserve(key, self._source, per_hour):
            return False
        if self._breaker.before(_AT_ONCE_S) is None:
            return True
        self._book.cancel(key)
        return False

    def reason(self, condition: Condition | None = None) -> Reason | None:
        """Why work must wait just now, and until when; None where it need not."""
        condition = condition or self._book.condition(self._source)
        now = self._book.now()
        if condition.order == "pause":
            return "E-PULL-PAUSED", None
        if not self._hours.is_open(now):
            return "E-PULL-HOURS", self._hours.opens_at(now)
        if self._breaker.is_open(condition) and condition.retry_at is not None and condition.retry_at > now:
            return "E-PULL-BREAKER", condition.retry_at
        per_hour = self._manners.studies_per_hour
        if per_hour is not None:
            begun = self._book.begun_since(self._source, now - HOUR_S)
            if len(begun) >= per_hour:
                return "E-PULL-RATE", begun[-per_hour] + HOUR_S
        rested = self._rested_at()
        return ("E-PULL-SLOW", rested) if rested > now else None

    def _is_over(self) -> bool:
        return self._stop.is_set() or self._breaker.given_up

    def _rested_at(self) -> float:
        """When the rest after the last study, of whichever process, is over."""
        if self._pace.limit_now >= 1.0:
            return 0.0
        last = self._book.last_ended(self._source)
        if last is None or last.finished_at is None:
            return 0.0
        return last.finished_at + self._pace.rest(last.seconds)

    def _pause_after_a_failure(self, condition: Condition, now: float) -> float:
        """Seconds of the short pause after a failure that has not opened the breaker: no reason to tell anybody."""
        if self._breaker.is_open(condition) or not condition.failures or condition.retry_at is None:
            return 0.0
        return condition.retry_at - now

    def _tell(self, reason: Reason | None, condition: Condition) -> None:
        """Note the reason in the ledger, and tell it, where it is another than before."""
        with self._lock:
            if reason is None and condition.reason_code:  # noted by us, or by a process that was killed while it waited
                self._book.note(self._source, reason_code="", until=None)
            if reason == self._said:
                return
            self._said = reason
            if reason is not None:
                self._book.note(self._source, reason_code=reason[0], until=reason[1])
            if self._on_wait is not None:
                self._on_wait(self._source, *(reason or ("", None)))
