"""Marks of a detection device against lesions: FROC, lesion sensitivity at so many false positives a case, and wAFROC.

Sources: Bunch et al., Proc SPIE 1977;127:124 (FROC); Chakraborty and Zhai, Med Phys 2016;43:2548 (wAFROC); Obuchowski, Biometrics
1997;53:567 (variance over patients).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist

from tasks.evaluation import clusters, curves
from tasks.evaluation.intervals import not_estimable
from tasks.evaluation.proportions import proportion
from tasks.evaluation.ranking import Influence, Seen, area_of
from tasks.evaluation.results import Detection, Estimate, LesionSensitivity

Array = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Marks:
    """What a device marked in a set of cases.

    Args:
        lesion_case: the case of each lesion, int64 of shape (lesions,).
        lesion_score: the highest score of a mark on it, float64 of shape (lesions,); -inf where there is none.
        false_case: the case of each mark that is on no lesion, int64 of shape (false positives,).
        false_score: its score, float64 of shape (false positives,).
        cases: how many cases there are, with or without lesions and marks.
    """

    lesion_case: Places
    lesion_score: Array
    false_case: Places
    false_score: Array
    cases: int


def match(marks: ArrayLike, scores: ArrayLike, lesions: ArrayLike, radius: float) -> tuple[Array, Places]:
    """Assign the marks of one case to its lesions.

    A mark belongs to the nearest lesion whose centre is no farther than `radius`. A lesion's score is that of its best mark; its other
    marks count neither as hits nor as false positives.

    Args:
        marks, lesions: centres in mm, shape (marks, 3) and (lesions, 3), in the same frame.
        scores: finite, shape (marks,).
        radius: in mm, above zero.

    Returns:
        each lesion's score, -inf where it has no mark; and the places of the marks that are false positives.
    """
    where, centres = np.asarray(marks, dtype=np.float64).reshape(-1, 3), np.asarray(lesions, dtype=np.float64).reshape(-1, 3)
    values = np.asarray(scores, dtype=np.float64)
    if values.shape != (where.shape[0],) or not np.isfinite(values).all() or not radius > 0.0:
        raise ValueError("there must be a finite score for each mark, and the radius must be above zero")
    found = np.full(centres.shape[0], -np.inf)
    if not centres.size or not where.size:
        return found, np.arange(where.shape[0])
    distances = cdist(where, centres)
    nearest = distances.argmin(axis=1)
    hits = distances[np.arange(where.shape[0]), nearest] <= radius
    np.maximum.at(found, nearest[hits], values[hits])
    return found, np.flatnonzero(~hits)


def froc(found: Marks) -> tuple[Array, Array, Array]:
    """The FROC curve: false positives a case, lesion sensitivity, and the threshold of each point, from the highest score down.

    The first point is (0, 0) at an infinite threshold. Empty arrays without cases or lesions.
    """
    if not found.cases or not found.lesion_case.size:
        return np.empty(0), np.empty(0), np.empty(0)
    given = np.concatenate([found.lesion_score[np.isfinite(found.lesion_score)], found.false_score])
    thresholds = np.unique(given)[::-1]
    hits, alarms = np.sort(found.lesion_score), np.sort(found.false_score)
    right = hits.size - np.searchsorted(hits, thresholds)
    wrong = alarms.size - np.searchsorted(alarms, thresholds)
    return (
        np.concatenate(([0.0], wrong / found.cases)), np.concatenate(([0.0], right / hits.size)), np.concatenate(([np.inf], thresholds)),
    )  # fmt: skip


def lesion_sensitivity(
    found: Marks, patients: ArrayLike | None = None, *, at: Sequence[float], confidence: float = 0.95
) -> tuple[LesionSensitivity, ...]:
    """The share of lesions marked at the lowest threshold that has no more than so many false positives a case.

    Lesions of one patient are a cluster. The interval is that of the share at the threshold found; that the threshold was found in
    the same data is not in it.

    Args:
        patients: one key a case, shape (cases,); None where every case is a patient of its own.
        at: false positives a case, above zero.
    """
    codes = clusters.encode(None if patients is None else np.asarray(patients), found.cases)
    rates, _, thresholds = froc(found)
    made = []
    for allowed in at:
        if not allowed > 0.0:
            raise ValueError("false positives a case must be above zero")
        if not rates.size:
            value, cut, rate = not_estimable("no lesions" if found.cases else "no cases", confidence), None, None
        else:
            place = int(np.searchsorted(rates, allowed, side="right")) - 1
            hits = found.lesion_score >= thresholds[place]
            value = proportion(hits, codes[found.lesion_case], confidence=confidence, empty="no lesions")
            cut, rate = (float(thresholds[place]) if np.isfinite(thresholds[place]) else None), float(rates[place])
        made.append(LesionSensitivity(false_positives=allowed, threshold=cut, reached=rate, sensitivity=value))
    return tuple(made)


def wafroc(
    found: Marks, patients: ArrayLike | None = None, *, weights: ArrayLike | None = None, confidence: float = 0.95
) -> Estimate:
    """The area under the weighted AFROC curve: the chance that a lesion outranks the highest false positive of a case without lesions.

    Cases count alike, and a case's lesions by their weights (alike where there are none). A lesion or a case without a mark ranks below
    every mark; two such count one half. The variance is over patients (Obuchowski 1997, with each case's weighted share of wins).

    Args:
        patients: one key a case, shape (cases,).
        weights: of each lesion, above zero; made to add up to 1 in each case.
    """
    codes = clusters.encode(None if patients is None else np.asarray(patients), found.cases)
    given = np.ones(found.lesion_case.size) if weights is None else np.asarray(weights, dtype=np.float64)
    if given.shape != found.lesion_case.shape or not (given > 0.0).all():
        raise ValueError("there must be a weight above zero for each lesion")
    ill = np.bincount(found.lesion_case, minlength=found.cases) > 0
    if not ill.any() or ill.all():
        return not_estimable("no cases with lesions" if not ill.any() else "no cases without lesions", confidence)
    share = given / np.bincount(found.lesion_case, weights=given, minlength=found.cases)[found.lesion_case]
    highest = np.full(found.cases, -np.inf)
    np.maximum.at(highest, found.false_case, found.false_score)
    alarms = np.sort(highest[~ill])
    wins = (np.searchsorted(alarms, found.lesion_score) + np.searchsorted(alarms, found.lesion_score, side="right")) / (
        2.0 * alarms.size
    )
    per_case = clusters.sums(found.lesion_case, share * wins, found.cases)
    order = np.lexsort((share, found.lesion_score))
    above = np.concatenate(([0.0], np.cumsum(share[order])))
    ranked = found.lesion_score[order]
    lost = (above[np.searchsorted(ranked, highest)] + above[np.searchsorted(ranked, highest, side="right")]) / 2.0
    m, n, k = int(ill.sum()), int((~ill).sum()), int(codes.max()) + 1
    theta = float(per_case[ill].mean())
    x = clusters.sums(codes[ill], per_case[ill] - theta, k)
    y = clusters.sums(codes[~ill], 1.0 - lost[~ill] / m - theta, k)
    seen = Seen(clusters.count(codes[ill]), clusters.count(codes[~ill]), clusters.count(codes))
    return curves.interval(area_of(Influence(theta, m, n, x, y, seen)), confidence=confidence)


def detection(
    found: Marks,
    patients: ArrayLike | None = None,
    *,
    at: Sequence[float],
    confidence: float = 0.95,
    attribute: str = "",
    level: str = "",
) -> Detection:
    """All of a row: lesions, cases, false positives, sensitivity at each rate, wAFROC."""
    return Detection(
        attribute=attribute, level=level, cases=found.cases, lesions=int(found.lesion_case.size), false_positives=int(found.false_case.size),
        at=lesion_sensitivity(found, patients, at=at, confidence=confidence), wafroc=wafroc(found, patients, confidence=confidence),
    )  # fmt: skip
