"""Periods of whole years, and what changed from one to another: a patient with studies in both makes them dependent, and is counted so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from data_contracts.studies import CONTRACT as STUDIES
from tasks.errors import ConfigurationError
from tasks.evaluation import clusters, ranking
from tasks.evaluation.cases import Cases
from tasks.evaluation.differences import COMPARED, square_and_add
from tasks.evaluation.intervals import estimated, not_estimable
from tasks.evaluation.results import Estimate, Performance, Results
from tasks.lake import Lake

Floats = NDArray[np.float64]
_METHOD = "square-and-add of the two intervals"


@dataclass(frozen=True, slots=True)
class Period:
    """Years, both ends included: the lake knows nothing finer of a study's date."""

    first: int
    last: int

    @classmethod
    def parse(cls, said: str) -> Period:
        """`2024` or `2023-2025`; raise ConfigurationError E-CHANGE-PERIOD for anything else."""
        found = re.fullmatch(r"((?:19|20)\d\d)(?:-((?:19|20)\d\d))?", said)
        period = cls(int(found[1]), int(found[2] or found[1])) if found else None
        if period is None or period.last < period.first:
            raise ConfigurationError("E-CHANGE-PERIOD", said)
        return period

    def __str__(self) -> str:
        """As `parse` reads it."""
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    def overlaps(self, other: Period) -> bool:
        """Whether a year is in both."""
        return self.first <= other.last and other.first <= self.last

    def studies(self, years: pa.Table) -> pa.Array:
        """The keys of the studies of this period, of a table with StudyInstanceUID and study_year."""
        inside = pc.and_(pc.greater_equal(years["study_year"], self.first), pc.less_equal(years["study_year"], self.last))
        return years.filter(pc.fill_null(inside, False))["StudyInstanceUID"].combine_chunks()


def years_of(lake: Lake) -> pa.Table:
    """StudyInstanceUID and study_year (null where de-identification kept none) of every study of the lake."""
    return lake.table(STUDIES, ["StudyInstanceUID", "study_year"])


class PeriodDifference(BaseModel):
    """A metric of the period minus that of the baseline, in all cases or one level; None and a reason where there is no number."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    attribute: str
    level: str
    metric: str
    now: float | None
    before: float | None
    difference: Estimate


def differences(now: Results, before: Results, cases: Cases, recent: NDArray[np.bool_]) -> Iterator[PeriodDifference]:
    """AUC, sensitivity and specificity of each row that both evaluations show.

    The interval is square-and-add of the two intervals (Zou and Donner 2008), less the correlation of the two estimates (Zou 2007), which is
    that of what each patient adds to either: zero where nobody has studies in both periods.

    Args:
        now, before: evaluations of the two periods by one plan.
        cases: the main cases of both, with patients numbered alike.
        recent: which of them are of the period, bool of shape (cases,); the others are of the baseline.
    """
    earlier = {(row.attribute, row.level): row for row in before.performance}
    for row in now.performance:
        old = earlier.get((row.attribute, row.level))
        if old is None:
            continue
        mask = np.ones(recent.size, dtype=np.bool_)
        if row.attribute:
            levels = cases.levels[row.attribute]
            mask = (
                levels.codes == levels.names.index(row.level)
                if row.level in levels.names
                else np.zeros(recent.size, dtype=np.bool_)
            )
        sides = cases.where(mask & recent), cases.where(mask & ~recent)
        for metric in COMPARED:
            yield _difference(metric, row, old, sides, (now.threshold, before.threshold))


def _difference(
    metric: str, row: Performance, old: Performance, sides: tuple[Cases, Cases], cuts: tuple[float, float]
) -> PeriodDifference:
    one, other = getattr(row, metric), getattr(old, metric)
    about = {"attribute": row.attribute, "level": row.level, "metric": metric, "now": one.estimate, "before": other.estimate}
    if one.estimate is None or other.estimate is None:
        reason = one.reason or f"baseline: {other.reason}"
        return PeriodDifference(**about, difference=not_estimable(reason, one.confidence))
    added = [_added(metric, side, cut) for side, cut in zip(sides, cuts, strict=True)]
    size = max(each.size for each in added)
    first, second = (np.pad(each, (0, size - each.size)) for each in added)
    shared, spread = float(np.sum(first * second)), float(np.sum(first**2) * np.sum(second**2))
    correlation = shared / spread**0.5 if spread > 0.0 else 0.0
    found = square_and_add(one, other, correlation)
    if found is None:
        return PeriodDifference(**about, difference=not_estimable(one.reason or other.reason or "no interval", one.confidence))
    method = _METHOD if correlation == 0.0 else f"{_METHOD}, less the correlation over patients of both periods"
    return PeriodDifference(**about, difference=estimated(*found, one.confidence, method, least=-1.0))


def _added(metric: str, cases: Cases, cut: float) -> Floats:
    """What each patient adds to an estimate, to first order: float64 of shape (patients,), by their numbers."""
    size, ill, called = int(cases.patients.max(initial=-1)) + 1, cases.labels == 1.0, cases.scores >= cut
    if metric == "auc":
        found = ranking.influence(ranking.rank(cases.scores, ill, cases.patients)[0])
        return np.asarray(found.x / found.positives + found.y / found.negatives, dtype=np.float64)
    among, hits = (ill, called) if metric == "sensitivity" else (~ill, ~called)
    right: Floats = hits[among].astype(np.float64)
    return clusters.sums(cases.patients[among], right - right.mean(), size) / right.size
