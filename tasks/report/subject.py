"""What every section of a report is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tasks.evaluation.results import Performance, Results
from tasks.report.numbers import Numbers

MARK = "SYNTHETIC DATA"
FEW = "There are too few cases to estimate anything."


@dataclass(frozen=True, slots=True)
class Subject:
    """One evaluation, printable.

    Args:
        results: what it found.
        numbers: the same by place.
        images: pictures of cases (PNG) by their path in the lake; empty where no lake was given.
    """

    results: Results
    numbers: Numbers
    images: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """What stands on every page and figure; empty for real data."""
        return MARK if self.results.synthetic else ""

    @property
    def whole(self) -> int:
        """The place of all cases among the rows of `performance`."""
        return next(place for place, row in enumerate(self.results.performance) if not row.attribute)


def estimable(row: Performance) -> bool:
    """Whether there is anything to say about a row."""
    return not row.suppressed and row.studies > 0


def missing(report: Subject, otherwise: str) -> str:
    """Why a section has nothing: `otherwise`, unless nothing at all may be shown."""
    return "nothing may be shown of so few patients" if report.results.overall().suppressed else otherwise
