"""Cases in the order of their scores: sorted once, after which every subgroup's AUC and counts are sums along that order.

Sources: DeLong, DeLong and Clarke-Pearson 1988; Sun and Xu 2014 (midranks); Obuchowski 1997, eq. 4 (patients as clusters).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation import clusters

#: A variance below this share of its own terms is what rounding leaves of zero.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Ranked:
    """Cases in ascending order of their scores.

    Args:
        ranks: the score's number among all different scores, from 0, of each case; int32 of shape (cases,), never falling.
        positive: the reference standard, bool of shape (cases,).
        patients: the patient's number of each case, int64 of shape (cases,), from 0 and below `among`.
        among: how many patients may be named.
    """

    ranks: NDArray[np.int32]
    positive: NDArray[np.bool_]
    patients: clusters.Codes
    among: int

    def inside(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Ranked:
        """Those cases for which a mask holds, or whose places are given in ascending order."""
        where = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        return Ranked(self.ranks[where], self.positive[where], self.patients[where], self.among)

    def compacted(self) -> tuple[NDArray[np.int64], Ranked]:
        """The same cases with their patients numbered without gaps, in the same order; and the earlier number of each patient."""
        present = np.zeros(self.among, dtype=np.bool_)
        present[self.patients] = True
        members = np.flatnonzero(present)
        numbers = np.cumsum(present) - 1
        return members, Ranked(self.ranks, self.positive, numbers[self.patients], members.size)


def rank(scores: NDArray[np.float64], positive: NDArray[np.bool_], patients: clusters.Codes) -> tuple[Ranked, NDArray[np.int64]]:
    """Sort the cases by score.

    Args:
        scores: finite, shape (cases,).

    Returns:
        the cases in their order, and the order: int64 of shape (cases,), the place that each had before.
    """
    order = np.argsort(scores)
    ascending = scores[order]
    ranks = np.zeros(scores.size, dtype=np.int32)
    np.cumsum(ascending[1:] != ascending[:-1], out=ranks[1:])
    among = int(patients.max()) + 1 if patients.size else 0
    return Ranked(ranks, positive[order], patients[order], among), order


def outranked(cases: Ranked) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Twice the number of cases of the other kind that each case is on the right side of; an equal score counts one.

    Returns:
        int64 of shape (positives,): of each positive, the negatives below it; and int64 of shape (negatives,): of each negative,
        the positives above it. Both in the order of the scores.
    """
    tops, lows = np.flatnonzero(cases.positive), np.flatnonzero(~cases.positive)
    # At place i of an order without ties, what is not among the positives before it is a negative.
    below, under = 2 * (tops - np.arange(tops.size)), 2 * (lows - np.arange(lows.size))
    steps = np.flatnonzero(cases.ranks[1:] != cases.ranks[:-1]) + 1
    if steps.size != max(cases.positive.size - 1, 0):
        edges = np.concatenate(([0], steps, [cases.positive.size]))
        block = np.repeat(np.arange(edges.size - 1), np.diff(edges))
        before = np.searchsorted(tops, edges)  # positives before each edge
        negatives, positives = edges - before, before
        below = (negatives[1:] + negatives[:-1])[block[tops]]
        under = (positives[1:] + positives[:-1])[block[lows]]
    return below, 2 * tops.size - under


class Seen(NamedTuple):
    """Patients with at least one positive case, with at least one negative, and all."""

    positives: int
    negatives: int
    all: int


@dataclass(frozen=True, slots=True)
class Influence:
    """An AUC and what each patient adds to it, of which its variance and its covariance with another AUC are made.

    Args:
        auc: P(score of a positive > score of a negative) + P(equal) / 2.
        positives, negatives: cases.
        x: float64 of shape (patients,): Σ over the patient's positives of the share of negatives that each outranks, minus the AUC.
        y: float64 of shape (patients,): the same of the patient's negatives, by the share of positives that outrank each.
        seen: patients.
    """

    auc: float
    positives: int
    negatives: int
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    seen: Seen


def influence(cases: Ranked) -> Influence:
    """What each patient adds to the AUC; needs at least one positive and one negative.

    Cases of one patient are added in the order of their scores, so that the order of the rows does not matter.
    """
    right, left = outranked(cases)
    sides = cases.patients[np.flatnonzero(cases.positive)], cases.patients[np.flatnonzero(~cases.positive)]
    m, n, k = sides[0].size, sides[1].size, cases.among
    auc = int(right.sum()) / (2 * m * n)
    x, y = clusters.sums(sides[0], right / (2.0 * n) - auc, k), clusters.sums(sides[1], left / (2.0 * m) - auc, k)
    there = np.zeros((2, k), dtype=np.bool_)
    for row, patients in zip(there, sides, strict=True):
        row[patients] = True
    seen = Seen(*(int(np.count_nonzero(row)) for row in (there[0], there[1], there[0] | there[1])))
    return Influence(auc, m, n, x, y, seen)


def covariance(one: Influence, other: Influence) -> float:
    """Covariance over patients of two AUCs of the same cases (Obuchowski 1997, eq. 4); the variance of one AUC with itself.

    DeLong's where each patient has one case. NaN with fewer than two patients on a side.
    """
    with_positives, with_negatives, patients = one.seen
    if min(with_positives, with_negatives) < 2:
        return float("nan")
    m, n = one.positives, one.negatives
    # np.sum adds in one order; a product by BLAS would depend on its number of threads in the last digits
    s10 = with_positives / (with_positives - 1) * float(np.sum(one.x * other.x)) / m**2
    s01 = with_negatives / (with_negatives - 1) * float(np.sum(one.y * other.y)) / n**2
    s11 = float(np.sum(one.x * other.y))
    if other is not one:
        s11 = (s11 + float(np.sum(one.y * other.x))) / 2.0
    total = s10 + s01 + 2.0 * patients / (patients - 1) * s11 / (m * n)
    return total if abs(total) > _ROUNDING * (abs(s10) + abs(s01)) else 0.0


@dataclass(frozen=True, slots=True)
class Area:
    """An AUC with its variance and its cases.

    Args:
        auc: P(score of a positive > score of a negative) + P(equal) / 2.
        variance: over patients (Obuchowski 1997, eq. 4), which is DeLong's where each patient has one case; zero where the
            components do not vary, NaN with fewer than two patients on a side.
        positives, negatives: cases.
        with_positives, with_negatives, patients: patients with at least one such case, and all.
    """

    auc: float
    variance: float
    positives: int
    negatives: int
    with_positives: int
    with_negatives: int
    patients: int


def area(cases: Ranked) -> Area:
    """The AUC and its variance over patients; needs at least one positive and one negative."""
    return area_of(influence(cases))


def area_of(found: Influence) -> Area:
    """The AUC and its variance from what each patient adds to it."""
    return Area(found.auc, covariance(found, found), found.positives, found.negatives, *found.seen)
