"""The sums over patients that a row's numbers are made of, kept so that they can be made at another confidence, or tested."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.evaluation.cells import Cells, Share
from tasks.evaluation.ranking import Area


@dataclass(frozen=True, slots=True)
class Sums:
    """One row of the subgroup table.

    Args:
        counts: its cells over patients.
        area: its AUC with the variance; None where it has no positives, no negatives or a single score.
        rest_counts, rest_area: those of all other cases; None where there are none to be shown.
        withheld: why nothing is made of the cells; empty where it is.
    """

    attribute: str
    level: str
    counts: Cells
    area: Area | None
    rest_counts: Cells | None = None
    rest_area: Area | None = None
    withheld: str = ""

    def of(self, metric: str) -> Share | Area | None:
        """What a metric of the row is made from."""
        return self.area if metric == "auc" else self.counts.share(metric)

    def rest_of(self, metric: str) -> Share | Area | None:
        """What the same metric of all other cases is made from."""
        if self.rest_counts is None:
            return None
        return self.rest_area if metric == "auc" else self.rest_counts.share(metric)
