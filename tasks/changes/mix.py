"""Scores and input of two periods side by side, without a reference standard: how far they have moved, with small groups hidden."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from tasks.changes import drift
from tasks.changes.tables import Tables
from tasks.evaluation.cases import Cases, assemble
from tasks.evaluation.levels import Levels
from tasks.evaluation.plan import Plan
from tasks.evaluation.suppression import withheld

Mask = NDArray[np.bool_]
#: Statistics of the model's input that are compared.
INPUTS = ("input_mean", "input_std", "input_p50", "input_content_share")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ScoreBin(_Part):
    """Shares of the scores from `lower` (included) to `upper` (not), unbounded where None; None where too few patients are in it."""

    lower: float | None
    upper: float | None
    now: float | None
    before: float | None


class ScoreDrift(_Part):
    """Scores of all studies that were read. Bins hold equal shares of the baseline.

    Args:
        psi: population stability index over the bins; `expected_psi` is what it is near where nothing changed, were all studies independent.
        ks: Kolmogorov-Smirnov distance.
        reason: why there are no numbers.
    """

    psi: float | None = None
    expected_psi: float | None = None
    ks: float | None = None
    bins: tuple[ScoreBin, ...] = ()
    reason: str = ""


class LevelDrift(_Part):
    """One level's share of the studies that the model was given, and its standardized difference; None where the level is withheld."""

    level: str
    now: float | None
    before: float | None
    standardized_difference: float | None
    reason: str = ""


class AttributeDrift(_Part):
    """One attribute; the index is over its levels, those that are withheld taken together."""

    attribute: str
    psi: float | None
    expected_psi: float | None
    levels: tuple[LevelDrift, ...]
    reason: str = ""


class InputDrift(_Part):
    """One statistic of the model's input (its mean over studies) and the standardized difference."""

    statistic: str
    now: float | None
    before: float | None
    standardized_difference: float | None
    reason: str = ""


class Given(_Part):
    """What the model was given in a period; zero throughout where there were too few patients to show."""

    years: str
    patients: int = Field(ge=0)
    studies: int = Field(ge=0)
    unread: int = Field(ge=0)
    suppressed: bool = False


@dataclass(frozen=True, slots=True)
class Mix:
    """All studies that a model was given in two periods.

    Args:
        cases: read or not (a NaN score), with patients and levels; labels mean nothing.
        recent: which are of the period, bool of shape (cases,); the others are of the baseline.
        minimum, complementary: how small groups are hidden, as the evaluation plan says.
    """

    cases: Cases
    recent: Mask
    minimum: int
    complementary: bool

    @classmethod
    def of(cls, tables: Tables, plan: Plan, recent: pa.Array) -> Mix:
        """Args: tables of both periods; a plan that names the version; the keys of the period's studies."""
        keys = tables.predictions["StudyInstanceUID"].unique()
        everything = pa.table({"StudyInstanceUID": keys, "finding": [plan.finding] * len(keys), "label": [0] * len(keys)})
        found = assemble(tables.predictions, everything, tables.cohort, plan)
        cases = found.analysed.with_(found.unread)
        return cls(cases, inside(found.studies, cases, recent), plan.minimum_cases, plan.complementary_suppression)

    def given(self, years: str, *, recent: bool) -> Given:
        """How many studies of one period."""
        mask = self.recent == recent
        patients = _patients(self.cases, mask)
        if 0 < patients < self.minimum:
            return Given(years=years, patients=0, studies=0, unread=0, suppressed=True)
        unread = int(np.count_nonzero(np.isnan(self.cases.scores[mask])))
        return Given(years=years, patients=patients, studies=int(mask.sum()), unread=unread)

    def in_both(self) -> int | None:
        """Patients with studies in both periods; None where there are some, but too few to show."""
        n = np.intersect1d(self.cases.patients[self.recent], self.cases.patients[~self.recent]).size
        return None if 0 < n < self.minimum else int(n)

    def scores(self) -> ScoreDrift:
        """How the scores moved."""
        sides = [side & ~np.isnan(self.cases.scores) for side in (self.recent, ~self.recent)]
        if min(_patients(self.cases, side) for side in sides) < self.minimum:
            return ScoreDrift(reason=self._few())
        now, before = (self.cases.scores[side] for side in sides)
        inner = drift.edges(before)
        counted = [drift.counts(each, inner) for each in (now, before)]
        bounds = [None, *inner.tolist(), None]
        bins = tuple(self._bin(place, bounds, inner, sides) for place in range(inner.size + 1))
        return ScoreDrift(
            psi=drift.psi(*(each.tolist() for each in counted)), expected_psi=drift.expected_psi(inner.size + 1, now.size, before.size),
            ks=drift.ks(now, before), bins=bins,
        )  # fmt: skip

    def _bin(self, place: int, bounds: list[float | None], inner: NDArray[np.float64], sides: list[Mask]) -> ScoreBin:
        there = np.searchsorted(inner, self.cases.scores, side="right") == place
        few = any(0 < _patients(self.cases, side & there) < self.minimum for side in sides)
        now, before = (None if few else float(np.count_nonzero(side & there) / np.count_nonzero(side)) for side in sides)
        return ScoreBin(lower=bounds[place], upper=bounds[place + 1], now=now, before=before)

    def attributes(self) -> Iterator[AttributeDrift]:
        """How the mix of each of the plan's attributes moved."""
        sides = [self.recent, ~self.recent]
        for attribute, levels in self.cases.levels.items():
            if min(_patients(self.cases, side) for side in sides) < self.minimum:
                yield AttributeDrift(attribute=attribute, psi=None, expected_psi=None, levels=(), reason=self._few())
                continue
            hidden: dict[str, str] = {}
            for side in sides:
                seen = {name: _patients(self.cases, side & (levels.codes == place)) for place, name in enumerate(levels.names)}
                hidden |= withheld(seen, self.minimum, complementary=self.complementary)
            yield _attribute(attribute, levels, sides, hidden)

    def _few(self) -> str:
        return f"fewer than {self.minimum} patients in a period"


def inputs(read: pa.Table, recent: pa.Array, minimum: int) -> Iterator[InputDrift]:
    """How the statistics of the model's input moved, of those that its reader states.

    Args:
        read: a version's rows of `predictions` for one finding, of both periods, one a study.
        recent: the keys of the period's studies.
    """
    keys, patients = (np.asarray(read[name].to_pylist(), dtype=object) for name in ("StudyInstanceUID", "PatientID"))
    newer = np.isin(keys.astype(str), np.asarray(recent.to_pylist(), dtype=str))
    for statistic in INPUTS:
        values = np.asarray(read[statistic].to_pylist(), dtype=np.float64)
        if np.isnan(values).all():
            continue
        sides = [side & ~np.isnan(values) for side in (newer, ~newer)]
        if min(len(set(patients[side])) for side in sides) < minimum:
            reason = f"fewer than {minimum} patients in a period"
            yield InputDrift(statistic=statistic, now=None, before=None, standardized_difference=None, reason=reason)
            continue
        now, before = (values[side] for side in sides)
        apart = drift.standardized_mean(now, before)
        yield InputDrift(
            statistic=statistic, now=float(now.mean()), before=float(before.mean()), standardized_difference=apart,
            reason="" if apart is not None else "the values differ and do not vary within a period",
        )  # fmt: skip


def inside(studies: pa.Array, cases: Cases, wanted: pa.Array) -> Mask:
    """Which cases are of the wanted studies; `studies` are the keys by the cases' places."""
    keys = np.asarray(studies.take(pa.array(cases.places)).to_pylist(), dtype=str)
    return np.isin(keys, np.asarray(wanted.to_pylist(), dtype=str))


def _attribute(attribute: str, levels: Levels, sides: list[Mask], hidden: dict[str, str]) -> AttributeDrift:
    counted = [np.bincount(levels.codes[side], minlength=len(levels.names)) for side in sides]
    sizes = [int(each.sum()) for each in counted]
    shown = [place for place, name in enumerate(levels.names) if name not in hidden]
    together = [int(each.sum() - each[shown].sum()) for each in counted]
    bins = [[*each[shown].tolist(), *([rest] if hidden else [])] for each, rest in zip(counted, together, strict=True)]
    made = []
    for place, name in enumerate(levels.names):
        if name in hidden:
            made.append(LevelDrift(level=name, now=None, before=None, standardized_difference=None, reason=hidden[name]))
            continue
        now, before = (float(each[place] / size) for each, size in zip(counted, sizes, strict=True))
        apart = drift.standardized_share(now, before)
        why = "" if apart is not None else "all studies of a period have this level, and none of the other's"
        made.append(LevelDrift(level=name, now=now, before=before, standardized_difference=apart, reason=why))
    return AttributeDrift(
        attribute=attribute, psi=drift.psi(*bins), expected_psi=drift.expected_psi(len(bins[0]), *sizes), levels=tuple(made)
    )  # fmt: skip


def _patients(cases: Cases, mask: Mask) -> int:
    return int(np.unique(cases.patients[mask]).size)
