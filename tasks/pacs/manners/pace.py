"""How much a PACS can take just now, judged by how long it takes to answer: less when it is slow, more again when it recovers."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

Kind = Literal["echo", "pause"]

#: Fewer associations than this it never goes down to: one association that rests three quarters of the time.
LEAST = 0.25
#: The usual time is the lower quartile of so many observations: most of them may be slow before that becomes the usual.
_REMEMBERED, _QUANTILE = 400, 0.25
#: So many observations are needed before the first verdict, and so many new ones for each.
_ENOUGH, _FOR_A_VERDICT = 5, 3
#: Of a burst of observations one in so many seconds counts: otherwise one study of a thousand images would be all that is remembered.
_SPACING_S = 5.0
#: A kind that was slow and is not observed any more is forgotten after so many observations of the other.
_FORGOTTEN_AFTER = 12
_LONGEST_REST_S = 900.0


@dataclass(slots=True)
class _Record:
    """What was observed of one kind: what is remembered, what is new since the last verdict, and that verdict."""

    remembered: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    fresh: list[float] = field(default_factory=list)
    counted_at: float = -math.inf
    counted_as: int = 0
    slow: bool = False


class Pace:
    """How many associations may work at a PACS. Safe to use from several threads.

    A kind of observation is judged by itself, by the median of its last three that count, so that one late answer is no verdict.
    It is slow above `slow_factor` times its usual time, calm below the square root of that; in between all stays as it is. Slow:
    the limit is halved. Calm, and no other kind slow: one association more, or below one, twice as much. What is slow for more
    than three quarters of all that is remembered has become the usual.
    """

    def __init__(
        self, limit: int, slow_factor: float, clock: Callable[[], float] = time.monotonic, *, floor_s: float = 0.05
    ) -> None:
        """Start at the limit.

        Args:
            limit: the greatest number of associations.
            slow_factor: times the usual time that make a PACS slow; more than 1.
            clock: seconds, of any beginning.
            floor_s: seconds under which nothing is slow.
        """
        self._limit, self._factor, self._floor, self._clock = limit, slow_factor, floor_s, clock
        self._now = float(limit)
        self._n = 0
        self._records: dict[Kind, _Record] = {}
        self._lock = threading.Lock()

    @property
    def limit_now(self) -> float:
        """How many associations may work: from 0.25 to the limit. Below 1, one may, with rests between its studies."""
        return self._now

    def observe(self, kind: Kind, seconds: float) -> None:
        """Take in how long the PACS took: to answer a C-ECHO (`echo`), or between two instances (`pause`)."""
        with self._lock:
            now, record = self._clock(), self._records.setdefault(kind, _Record())
            if now - record.counted_at < _SPACING_S:
                return
            self._n += 1
            record.counted_at, record.counted_as = now, self._n
            record.remembered.append(seconds)
            record.fresh.append(seconds)
            if len(record.remembered) >= _ENOUGH and len(record.fresh) >= _FOR_A_VERDICT:
                self._judge(record)

    def rest(self, seconds_of_last_study: float) -> float:
        """Seconds to rest after a study that took so many seconds: half an association works half of the time."""
        if self._now >= 1.0:
            return 0.0
        return min(_LONGEST_REST_S, max(0.0, seconds_of_last_study) * (1.0 / self._now - 1.0))

    def _judge(self, record: _Record) -> None:
        took = median(record.fresh[-_FOR_A_VERDICT:])
        record.fresh.clear()
        usual = sorted(record.remembered)[int(_QUANTILE * (len(record.remembered) - 1))]
        if took > max(self._floor, self._factor * usual):
            record.slow = True
            self._now = max(LEAST, self._now / 2.0)
        elif took <= max(self._floor, math.sqrt(self._factor) * usual):
            record.slow = False
            if not any(other.slow and self._n - other.counted_as <= _FORGOTTEN_AFTER for other in self._records.values()):
                self._now = min(float(self._limit), self._now * 2.0 if self._now < 1.0 else self._now + 1.0)
