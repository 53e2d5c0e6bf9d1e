"""How long to wait before a request is sent again: longer each time, and never all at the same moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import SystemRandom


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential delays with full jitter: each is drawn evenly between nothing and a bound that doubles from one to the next.

    Without the jitter, workers that failed together would come back together, time after time.

    Args:
        first_s: the bound of the first delay, in seconds.
        retries: how many delays there are.
        longest_s: what no bound exceeds, in seconds.
        random: draws from [0, 1).
    """

    first_s: float
    retries: int
    longest_s: float = 60.0
    random: Callable[[], float] = SystemRandom().random

    def bound(self, n: int) -> float:
        """The longest that the n-th delay (from 0) may be, in seconds."""
        return min(self.longest_s, self.first_s * 2.0 ** min(n, 64))

    def delay(self, n: int) -> float:
        """The n-th delay (from 0), in seconds; drawn anew each time."""
        return self.random() * self.bound(n)

    def delays(self) -> Iterator[float]:
        """A delay, in seconds, for each retry that is allowed."""
        return (self.delay(n) for n in range(self.retries))
