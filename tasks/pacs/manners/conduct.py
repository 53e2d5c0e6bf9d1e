"""How we conduct ourselves towards one PACS: what a worker calls before, during and after each study.

conduct = Conduct.of(pacs, settings.timezone, ledger, on_wait, stop)
with conduct.slot():                                   # in each worker's thread
    while there is a study:
        if not conduct.admit(study_key, requestor.close):
            break                                      # drained, stopped or given up: what is due stays due
        conduct.echo(requestor.echo)                   # ConfigurationError: conduct.failed(code), and admit again
        …                                              # the study, noted by conduct.book.begin and .end
        conduct.succeeded()
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from tasks.errors import SafelightError
from tasks.executor import OnWait
from tasks.ledger import Ledger
from tasks.pacs.book import Book
from tasks.pacs.manners.backoff import Backoff
from tasks.pacs.manners.breaker import Breaker
from tasks.pacs.manners.gate import Gate
from tasks.pacs.manners.pace import Pace
from tasks.pacs.settings import PacsSettings


@dataclass
class _Place:
    """What one worker's thread holds: a slot, without which it opens no association, and the study it was admitted with."""

    held: ExitStack = field(default_factory=ExitStack)
    number: int | None = None
    key: str | None = None
    #: Whether the next C-ECHO may have to open an association first.
    unconnected: bool = True


class Conduct:
    """Everything that is to be observed towards one PACS. Its workers are threads, which share it. Make one with `of`."""

    def __init__(
        self,
        pacs: PacsSettings,
        ledger: Ledger,
        *,
        book: Book,
        pace: Pace,
        breaker: Breaker,
        gate: Gate,
        stop: threading.Event,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self.book, self.pace, self.breaker, self.gate = book, pace, breaker, gate
        self.backoff = Backoff(pacs.manners.backoff_s, pacs.manners.retries)
        self._pacs, self._ledger, self._stop, self._clock = pacs, ledger, stop, clock
        self._sleep = sleep or stop.wait
        self._workers = threading.local()

    @classmethod
    def of(
        cls,
        pacs: PacsSettings,
        zone: str,
        ledger: Ledger,
        on_wait: OnWait | None = None,
        stop: threading.Event | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> Conduct:
        """As the configuration has it.

        Args:
            pacs: the PACS, with its manners.
            zone: the site's time zone, an IANA name.
            ledger: what all processes share.
            on_wait: called once for each change of why work waits.
            stop: set, it ends all waiting, and nobody is admitted any more.
            clock: seconds of any beginning, by which answers are timed.
            sleep: waits some seconds; on `stop` unless another is given.
        """
        stop = stop or threading.Event()
        book = Book(ledger)
        pace = Pace(pacs.manners.associations, pacs.manners.slow_factor, clock)
        # A trial is an association and a C-ECHO, twice; a study that follows may take longer, and then others try as well.
        trial_s = 2 * (pacs.acse_timeout_s + pacs.dimse_timeout_s) + 10
        breaker = Breaker(pacs.source, book, pacs.manners, trial_s=trial_s)
        gate = Gate(pacs, book, ZoneInfo(zone), pace=pace, breaker=breaker, stop=stop, sleep=sleep, on_wait=on_wait)
        return cls(pacs, ledger, book=book, pace=pace, breaker=breaker, gate=gate, stop=stop, clock=clock, sleep=sleep)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Around all that a worker's thread does. What it holds (from `admit` on) is given back at the end."""
        self._workers.place = place = _Place()
        try:
            yield
        finally:
            self._withdraw(place)
            place.held.close()
            del self._workers.place

    def admit(self, key: str, leave: Callable[[], None] = lambda: None) -> bool:
        """Block until this worker may begin a study: nothing stands against it, and it has one of the PACS's slots.

        There are as many slots as `associations`, over all processes; while the PACS is slow fewer are handed out. A worker that
        must wait closes its association and gives its slot back.

        Args:
            key: the study's key in the lake.
            leave: closes the worker's association; called before it waits.

        Returns:
            False where no study shall be begun any more: the PACS is drained or given up, or the process is to stop.
        """
        place = self._place()
        self._withdraw(place)

        def go() -> None:
            leave()
            place.held.close()
            place.number, place.unconnected = None, True

        if place.number is not None and place.number >= math.ceil(self.pace.limit_now):
            go()
        while self.gate.wait(go):
            if place.number is None:
                place.number = place.held.enter_context(self._slots())
                if place.number is None:
                    return False
                continue  # something may have come up while it waited for the slot
            if self.gate.begin(key):
                place.key = key
                return True
        return False

    def echo(self, echo: Callable[[], None]) -> None:
        """Send a C-ECHO and take its time as a sign of how the PACS is; raises what `echo` raises.

        On an association that is new it is sent twice: only the second tells nothing of how long it took to connect.
        """
        place = self._place()
        try:
            if place.unconnected:
                echo()
                place.unconnected = False
            began = self._clock()
            echo()
        except SafelightError:
            place.unconnected = True
            self._withdraw(place)
            raise
        self.pace.observe("echo", self._clock() - began)

    def paused(self, seconds: float) -> None:
        """Take the time between two instances of a study as a sign of how the PACS is."""
        self.pace.observe("pause", seconds)

    def failed(self, code: str) -> None:
        """Note that a connection could not be opened, or was lost.

        Raises:
            ConfigurationError: E-PULL-BREAKER where the PACS has been away for too long.
        """
        place = self._place()
        place.unconnected = True
        self._withdraw(place)
        self.breaker.failed(code)

    def succeeded(self) -> None:
        """Note that the PACS could be worked with."""
        self.breaker.succeeded()

    def _slots(self) -> AbstractContextManager[int | None]:
        return self._ledger.slots(
            f"pacs-{self._pacs.source}",
            self._pacs.manners.associations,
            limit=lambda: self.pace.limit_now,
            sleep=self._sleep,
            stopped=lambda: self._stop.is_set() or self.breaker.given_up,
        )

    def _place(self) -> _Place:
        place = getattr(self._workers, "place", None)
        if not isinstance(place, _Place):
            raise RuntimeError("a worker's thread must be in `slot`")
        return place

    def _withdraw(self, place: _Place) -> None:
        """Give back the place in the hour of a study that was admitted and has not begun."""
        if place.key is not None:
            self.book.cancel(place.key)
            place.key = None
