"""When each study was really in work. The ledger notes when a study was claimed, and a batch claims all of its studies at once.

Between the claim and the work lies the wait for a worker. But workers take studies in the order of the claims, so the end of each study
says when its worker was free for the next one, and from claims and ends alone the whole night can be replayed.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row of the ledger: a stage had claimed a study at one time and was done with it at another, in seconds since the epoch."""

    stage: str
    claimed: float
    ended: float


@dataclass(frozen=True, slots=True)
class Worked:
    """The same with the time at which a worker took the study up."""

    stage: str
    claimed: float
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """In work."""
        return self.ended - self.began

    @property
    def waited(self) -> float:
        """Claimed, but not yet in work."""
        return self.began - self.claimed


def replay(rows: Iterable[Claimed], workers: int) -> list[Worked]:
    """Replay what so many workers shared, first come first served.

    Exact where the ledger notes an end at once, and as far as it does: a delay between work and note counts as work.
    """
    free = [float("-inf")] * workers
    replayed = []
    for row in sorted(rows, key=lambda row: (row.claimed, row.ended)):
        began = min(max(row.claimed, free[0]), row.ended)
        heapq.heapreplace(free, row.ended)
        replayed.append(Worked(row.stage, row.claimed, began, row.ended))
    return replayed
