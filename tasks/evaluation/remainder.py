"""The AUC of all cases but a part of them, from what was worked out for all: nothing is sorted or ranked again.

A positive outranks, of the rest, those negatives that it outranks at all less those of the part. So only the part's cases are counted,
between the others, and summed along the order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation import clusters
from tasks.evaluation.ranking import Influence, Ranked, Seen


@dataclass(frozen=True, slots=True)
class Side:
    """The positives, or the negatives, in the order of their scores.

    Args:
        places: where each stands among all cases, int64 of shape (side,).
        patients: the patient's number of each, int64.
        below: how many cases of the other side have a lower score than each, int64.
        upto: how many have a lower or the same one, int64; the same object as `below` where no two sides meet.
    """

    places: NDArray[np.int64]
    patients: clusters.Codes
    below: NDArray[np.int64]
    upto: NDArray[np.int64]


def sides(cases: Ranked) -> tuple[Side, Side]:
    """Positives and negatives."""
    masks = cases.positive, ~cases.positive
    places = tuple(np.flatnonzero(mask) for mask in masks)
    steps = np.flatnonzero(cases.ranks[1:] != cases.ranks[:-1]) + 1
    tied = steps.size < cases.ranks.size - 1
    made = []
    for mine, other in ((0, 1), (1, 0)):
        below = upto = places[mine] - np.arange(places[mine].size)
        if tied:
            edges = np.concatenate(([0], steps, [cases.ranks.size]))
            passed = np.searchsorted(places[other], edges)
            block = np.searchsorted(edges, places[mine], side="right") - 1
            below, upto = passed[block], passed[block + 1]
        made.append(Side(places[mine], cases.patients[places[mine]], below, upto))
    return made[0], made[1]


def influence_without(positives: Side, negatives: Side, inside: NDArray[np.bool_], among: int, seen: Seen) -> Influence | None:
    """What each patient adds to the AUC of the cases outside a part.

    Args:
        inside: whether a case is of the part, in the order of the scores, bool of shape (cases,).
        among: how many patients there are.
        seen: patients of the rest.

    Returns:
        as `tasks.evaluation.ranking.influence` of the rest; None where the rest has no positives or no negatives.
    """
    taken = inside[positives.places], inside[negatives.places]
    m, n = (int(mask.size - np.count_nonzero(mask)) for mask in taken)
    if not m or not n:
        return None
    # Twice the number of the rest's negatives below each positive, and the same of its positives below each negative.
    right = _passed(positives, negatives, taken[1])
    left = _passed(negatives, positives, taken[0])
    right *= ~taken[0]
    auc = int(right.sum()) / (2 * m * n)
    right /= 2.0 * n
    right -= auc
    right *= ~taken[0]
    np.subtract(2.0 * m, left, out=left)
    left /= 2.0 * m
    left -= auc
    left *= ~taken[1]
    return Influence(
        auc, m, n, clusters.sums(positives.patients, right, among), clusters.sums(negatives.patients, left, among), seen
    )


def _passed(mine: Side, other: Side, taken: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Twice the number of cases of the other side below each of mine, but for those that are taken away; an equal score counts one."""
    size = mine.places.size + 1
    # A case of the other side lies below all of mine from its `upto`-th on, and at or below them from its `below`-th on.
    counts = np.bincount(other.upto[taken], minlength=size)
    counts = 2 * counts if other.upto is other.below else counts + np.bincount(other.below[taken], minlength=size)
    gone = np.cumsum(counts[:-1], out=counts[:-1])
    return (mine.below + mine.upto - gone).astype(np.float64)
