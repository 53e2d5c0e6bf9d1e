"""What every section of a report is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from tasks.evaluation.results import Performance, Results
from tasks.report.material import Material
from tasks.report.numbers import Numbers

MARK = "SYNTHETIC DATA"
FEW = "There are too few cases to estimate anything."


@dataclass(frozen=True, slots=True)
class Subject:
    """One evaluation, printable.

    Args:
        results: what it found.
        numbers: the same by place.
        material: what stands beside it; nothing where nothing was given.
    """

    results: Results
    numbers: Numbers
    material: Material = field(default_factory=Material)

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
