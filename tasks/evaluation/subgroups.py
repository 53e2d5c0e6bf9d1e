"""The subgroup table: all cases, then every level of every attribute, each held against all other cases.

The cases are sorted by their scores once; a level is a part of that order, and what is left of it the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation import cells, curves, ranking, small_cells
from tasks.evaluation.cases import Cases
from tasks.evaluation.cells import Cells
from tasks.evaluation.differences import COMPARED, aucs_error, difference, proportions_error
from tasks.evaluation.intervals import not_estimable
from tasks.evaluation.levels import CROSS, Levels
from tasks.evaluation.likelihood import likelihood_ratio
from tasks.evaluation.plan import Plan
from tasks.evaluation.proportions import interval
from tasks.evaluation.ranking import Area, Ranked, Seen
from tasks.evaluation.remainder import Side, influence_without, sides
from tasks.evaluation.results import Counts, Difference, Estimate, Performance
from tasks.evaluation.sums import Sums
from tasks.evaluation.visible import Visible

_METRICS = ("sensitivity", "specificity", "ppv", "npv", "auc")
_EMPTY = {
    "sensitivity": "no positive cases", "specificity": "no negative cases", "ppv": "no case was read as positive",
    "npv": "no case was read as negative", "prevalence": "no cases",
}  # fmt: skip


@dataclass(frozen=True)
class Level:
    """One row of the table, with the cases it was made from in the order of their scores."""

    row: Performance
    ranked: Ranked
    sums: Sums


@dataclass(frozen=True)
class Table:
    """Cases in the order of their scores, with their attributes.

    Args:
        ranked: the cases.
        order: the place that each had in `attributes`, int64 of shape (cases,).
        cut: the lowest rank that is a positive reading.
        attributes: each attribute's levels.
    """

    ranked: Ranked
    order: NDArray[np.int64]
    cut: int
    attributes: dict[str, Levels]
    plan: Plan
    _counts: dict[str, dict[str, Cells]] = field(default_factory=dict)
    _withheld: dict[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, cases: Cases, threshold: float, plan: Plan) -> Table:
        """Sort the cases; a score at or above `threshold` is a positive reading."""
        ranked, order = ranking.rank(cases.scores, cases.labels == 1.0, cases.patients)
        below = int(np.count_nonzero(cases.scores < threshold))
        # The first positive reading has the rank of the place where the negative ones end.
        cut = int(ranked.ranks[below]) if below < ranked.ranks.size else int(ranked.ranks[-1]) + 1 if below else 0
        return cls(ranked, order, cut, cases.levels, plan)

    @cached_property
    def _by_patient(self) -> NDArray[np.float64]:
        return cells.by_patient(self.ranked, self.cut)

    @cached_property
    def _sides(self) -> tuple[Side, Side]:
        return sides(self.ranked)

    @cached_property
    def counts(self) -> Cells:
        """Of all cases, by reference standard and reading."""
        return cells.summed(self._by_patient)

    def overall(self, hidden: str = "") -> Performance:
        """The row of all cases; `hidden` is a reason not to show it."""
        patients = self.counts.patients()
        if 0 < patients < self.plan.minimum_cases:
            hidden = f"fewer than {self.plan.minimum_cases} patients"
        if hidden:
            return withheld_row("", "", hidden, self.plan)
        return _row("", "", self.ranked, self.counts, self.sums.area, self.plan)

    @cached_property
    def sums(self) -> Sums:
        """What the row of all cases is made of."""
        return Sums("", "", self.counts, _area(self.ranked))

    def levels(self, attribute: str, *, rest: bool = True) -> Iterator[Level]:
        """Every level of one attribute; each held against all other cases, unless `rest` says that it is not."""
        found, plan = self.attributes[attribute], self.plan
        parts = [self._part(places) for places in found.places(self.order)]
        self._counts[attribute] = {name: part.counts for name, part in zip(found.names, parts, strict=True)}
        hidden, withheld = self.hidden(attribute), self.withheld(attribute)
        for level, part in zip(found.names, parts, strict=True):
            if level in hidden:
                sums = Sums(attribute, level, part.counts, None)
                yield Level(withheld_row(attribute, level, hidden[level], plan), part.ranked, sums)
                continue
            area = _area(part.ranked)
            row = _row(attribute, level, part.ranked, part.counts, area, plan)
            why = small_cells.reason(plan.minimum_cell) if level in withheld else ""
            sums = Sums(attribute, level, part.counts, area, *(self._rest(part) if rest else (None, None)), withheld=why)
            row = row.model_copy(update={"against_rest": _differences(row, sums, plan)})
            yield Level(_without_cells(row, why) if why else row, part.ranked, sums)

    def hidden(self, attribute: str) -> dict[str, str]:
        """Which levels of an attribute are not shown, and why."""
        self._count(attribute)
        return self._visible.hidden(attribute)

    def withheld(self, attribute: str) -> frozenset[str]:
        """Which levels that are shown are shown without their cells."""
        plan = self.plan
        if not plan.minimum_cell:
            return frozenset()
        if attribute not in self._withheld:
            hidden, counts = frozenset(self.hidden(attribute)), self._counts[attribute]
            if CROSS not in attribute:
                made = small_cells.withheld_cells(counts, hidden, plan.minimum_cell, complementary=plan.complementary_suppression)
            else:
                pair = attribute.split(CROSS)
                one, other = (frozenset(self.hidden(name)) | self.withheld(name) for name in pair)
                names = self._visible.names(attribute)
                found = small_cells.withheld_crossed(
                    {key: counts[name] for key, name in names.items()},
                    {name: each for name, each in counts.items() if name not in names.values()},
                    {key for key, name in names.items() if name in hidden} | (hidden - set(names.values())),
                    plan.minimum_cell, margins=(one, other), complementary=plan.complementary_suppression,
                )  # fmt: skip
                made = frozenset(entry if isinstance(entry, str) else names[entry] for entry in found)
            self._withheld[attribute] = made
        return self._withheld[attribute]

    @cached_property
    def _visible(self) -> Visible:
        for attribute in self.attributes:
            self._count(attribute)
        sizes = {name: {level: each.patients() for level, each in found.items()} for name, found in self._counts.items()}
        least = self.plan.minimum_cell
        few = {
            name: {level for level, each in found.items() if least and small_cells.one_sided(each, least)}
            for name, found in self._counts.items()
        }  # fmt: skip
        return Visible(sizes, self.plan, few, small_cells.reason(least))

    def _count(self, attribute: str) -> None:
        if attribute not in self._counts:
            found = self.attributes[attribute]
            places = found.places(self.order)
            self._counts[attribute] = {name: self._part(each).counts for name, each in zip(found.names, places, strict=True)}

    def _part(self, places: NDArray[np.int64]) -> _Part:
        # Numbers of patients stay those of all cases here, so that a level's patients can be taken from the whole.
        ranked = Ranked(self.ranked.ranks[places], self.ranked.positive[places], self.ranked.patients[places], self.ranked.among)
        members, compact = ranked.compacted()
        inside = cells.by_patient(compact, self.cut)
        return _Part(places, compact, members, inside, cells.summed(inside))

    def _rest(self, part: _Part) -> tuple[Cells | None, Area | None]:
        """All cases outside a part; None where there are none, or too few patients to be shown."""
        if not part.places.size or part.places.size == self.order.size:
            return None, None
        counts = self.counts.without(part.counts, self._by_patient[:, part.members], part.inside)
        if counts.patients() < self.plan.minimum_cases:
            return None, None
        inside = np.zeros(self.order.size, dtype=np.bool_)
        inside[part.places] = True
        seen = Seen(counts.patients(cells.FN, cells.TP), counts.patients(cells.TN, cells.FP), counts.patients())
        found = influence_without(*self._sides, inside, self.ranked.among, seen)
        return counts, None if found is None else ranking.area_of(found)


def _differences(row: Performance, sums: Sums, plan: Plan) -> tuple[Difference, ...]:
    """A level held against all other cases."""
    if sums.rest_counts is None:
        return ()
    found = []
    for metric in COMPARED:
        if metric == "auc":
            error = aucs_error(sums.area, sums.rest_area) if sums.area and sums.rest_area else None
            rest = curves.of_area(sums.rest_area, confidence=plan.confidence)
        else:
            here, there = sums.counts.share(metric), sums.rest_counts.share(metric)
            error = proportions_error(here, there)
            rest = interval(there, plan.confidence, method=plan.interval)
        found.append(difference(metric, getattr(row, metric), rest, error))
    return tuple(each for each in found if each is not None)


@dataclass(frozen=True)
class _Part:
    places: NDArray[np.int64]
    ranked: Ranked
    members: NDArray[np.int64]
    inside: NDArray[np.float64]
    counts: Cells


def _share(counts: Cells, metric: str, plan: Plan) -> Estimate:
    return interval(counts.share(metric), plan.confidence, method=plan.interval, empty=_EMPTY[metric])


def withheld_row(attribute: str, level: str, reason: str, plan: Plan) -> Performance:
    """A row of which nothing is shown but that it is there."""
    return Performance(
        attribute=attribute, level=level, patients=0, studies=0, positives=0, negatives=0, suppressed=True,
        counts=Counts(tp=0, fp=0, fn=0, tn=0), **dict.fromkeys(_METRICS, not_estimable(reason, plan.confidence)),
    )  # fmt: skip


#: What follows from a level's cells.
_OF_CELLS = ("sensitivity", "specificity", "ppv", "npv", "lr_positive", "lr_negative")


def _without_cells(row: Performance, reason: str) -> Performance:
    """A row with its numbers of patients, studies and positives, and its AUC, but without what tells its cells."""
    none = not_estimable(reason, row.auc.confidence)
    kept = tuple(each for each in row.against_rest if each.metric == "auc")
    return row.model_copy(update={
        "counts": Counts(tp=0, fp=0, fn=0, tn=0), **dict.fromkeys(_OF_CELLS, none), "against_rest": kept, "cells_withheld": True,
    })  # fmt: skip


def _area(cases: Ranked) -> Area | None:
    """The AUC; None where `curves.unfit` says why there is none."""
    return None if curves.unfit(cases) else ranking.area(cases)


def _row(attribute: str, level: str, ranked: Ranked, counts: Cells, area: Area | None, plan: Plan) -> Performance:
    tn, fp, fn, tp = counts.totals
    unfit = curves.unfit(ranked)
    return Performance(
        attribute=attribute, level=level, patients=counts.patients(), studies=tn + fp + fn + tp, positives=tp + fn, negatives=tn + fp,
        counts=Counts(tp=tp, fp=fp, fn=fn, tn=tn),
        **{metric: _share(counts, metric, plan) for metric in ("sensitivity", "specificity", "ppv", "npv", "prevalence")},
        auc=not_estimable(unfit, plan.confidence) if unfit else curves.of_area(area, confidence=plan.confidence),
        lr_positive=likelihood_ratio(counts, "positive", confidence=plan.confidence),
        lr_negative=likelihood_ratio(counts, "negative", confidence=plan.confidence),
    )  # fmt: skip
