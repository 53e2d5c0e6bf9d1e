"""A circuit breaker: a PACS that cannot be reached is left alone for a while, then tried by one, and given up after long enough.

Its state is in the ledger, so all threads, processes and hosts share it, and it outlives them. Closed: everybody connects, after a
failure with a short pause. After some failures in a row it opens: nobody connects. When its time is over one caller takes the trial
upon itself (half open), while the others wait on; success closes the breaker, failure opens it for twice as long.
"""

from __future__ import annotations

from collections.abc import Callable
from random import SystemRandom
from typing import Any

from tasks.errors import ConfigurationError
from tasks.pacs.book import Book, Condition
from tasks.pacs.manners.backoff import Backoff
from tasks.pacs.settings import MannersSettings

#: An open breaker waits no longer than this, or than `breaker_s` where that is more.
LONGEST_S = 600.0
#: It waits up to so many times as long as it must, at random: hosts that opened together shall not come back together.
_JITTER = 1.25
#: What was read of a PACS so long ago is as good as new, where nothing depends on it but a look.
_FRESH_S = 1.0

_draw = SystemRandom().random


class Breaker:
    """The breaker of one PACS. Safe to use from several threads."""

    def __init__(
        self,
        source: str,
        book: Book,
        manners: MannersSettings,
        *,
        trial_s: float = 120.0,
        random: Callable[[], float] = _draw,
    ) -> None:
        """Take over the state that the ledger has.

        Args:
            source: the PACS's name in the ledger.
            book: what the ledger knows of it; its clock is the breaker's.
            manners: `breaker_failures`, `breaker_s`, `give_up_s`, `backoff_s`.
            trial_s: seconds after which a trial of which nothing was heard counts as dead, and another caller may try.
            random: draws from [0, 1).
        """
        self._source, self._book, self._manners, self._trial_s, self._random = source, book, manners, trial_s, random
        self._backoff = Backoff(manners.backoff_s, manners.retries, random=random)
        self._longest = max(LONGEST_S, manners.breaker_s)
        #: Whether this process has given the PACS up.
        self.given_up = False

    def is_open(self, condition: Condition) -> bool:
        """Whether so many connections in a row failed that only trials are allowed."""
        return condition.failures >= self._manners.breaker_failures

    def before(self, max_age_s: float = 0.0) -> float | None:
        """To be called before a connection is opened.

        Args:
            max_age_s: what was read of a closed breaker so many seconds ago will do.

        Returns:
            None: it may be opened, and where the breaker is half open, this caller alone may. Otherwise until when to wait (seconds
            since the epoch); ask again then.
        """
        now, waits = self._book.now(), list[float]()

        def decide(condition: Condition) -> dict[str, Any] | None:
            waits.clear()
            if condition.failures and condition.retry_at is not None and condition.retry_at > now:
                waits.append(condition.retry_at)
            elif self.is_open(condition):
                since = {"failing_since": now} if self._is_of_another_night(condition, now) else {}
                return {"retry_at": now + self._trial_s, **since}
            return None

        if decide(self._book.condition(self._source, max_age_s)) is not None or waits:  # else it is closed: nothing to be written
            self._book.revise(self._source, decide)
        return waits[0] if waits else None

    def failed(self, code: str) -> None:
        """Note that a connection could not be opened, or was lost.

        Args:
            code: why, for the error.

        Raises:
            ConfigurationError: E-PULL-BREAKER where the PACS has been away for `give_up_s`.
        """
        now = self._book.now()

        def decide(condition: Condition) -> dict[str, Any]:
            fresh = not condition.failures or self._is_of_another_night(condition, now)
            known = Condition(self._source) if fresh else condition
            since = known.failing_since if known.failing_since is not None else now
            failures = known.failures + 1
            return {"failures": failures, "failing_since": since, "retry_at": self._retry_at(now, since, failures)}

        condition = self._book.revise(self._source, decide)
        since = now if condition.failing_since is None else condition.failing_since
        if self.is_open(condition) and now - since >= self._manners.give_up_s:
            self.given_up = True
            place = f"{self._source}: {code}, {condition.failures} times in {round((now - since) / 60)} minutes"
            raise ConfigurationError("E-PULL-BREAKER", place)

    def succeeded(self) -> None:
        """Note that the PACS could be worked with: the breaker closes."""
        if self._book.condition(self._source, _FRESH_S).failures:
            self._book.note(self._source, failures=0, failing_since=None, retry_at=None)

    def _is_of_another_night(self, condition: Condition, now: float) -> bool:
        """Whether nobody has tried for long: the PACS may have been well in between, and its failures are no row."""
        return condition.retry_at is None or now - condition.retry_at > 2 * self._longest

    def _retry_at(self, now: float, since: float, failures: int) -> float:
        if failures < self._manners.breaker_failures:
            return now + self._backoff.delay(failures - 1)
        # As long as it has failed, and once more: that doubles from trial to trial, however many callers failed at the same time.
        delay = min(self._longest, self._manners.breaker_s + now - since) * (1.0 + (_JITTER - 1.0) * self._random())
        last_trial = max(since + self._manners.give_up_s, now + self._manners.breaker_s)
        return min(now + delay, last_trial)
