"""The pointwise band of an ROC curve: an interval of the sensitivity at each false positive rate, over patients.

Sources: Hsieh and Turnbull, Ann Stat 1996;24:25 (two sources of variance: the sensitivity at a threshold, and the threshold itself);
Wilson 1927 (both as score intervals); Zou and Donner, Stat Med 2008;27:1693 (their sum); Rao and Scott 1992 (patients as clusters).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.intervals import normal_quantile, student_quantile
from tasks.evaluation.ranking import Ranked
from tasks.evaluation.results import RocBand

Array = NDArray[np.float64]
Places = NDArray[np.int64]
#: False positive rates at which the band is given: 0, 0.01, ..., 1.
BAND_POINTS = 101


def band_of(cases: Ranked, confidence: float) -> RocBand | None:
    """The band of the empirical ROC curve of cases in the order of their scores.

    At a false positive rate t the sensitivity is uncertain as a share of the positives (Wilson's interval), and since the threshold of
    t is known from the negatives alone: it may as well be that of t ± z·sqrt(t(1 - t)/n), the score interval at t. The bounds are the
    square root of the sum of both squares away, less what the two have in common where patients have cases of both kinds; the
    counts are effective sample sizes. No density is estimated. Below t = z²/(n + z²), where that threshold may lie above every
    negative, the lower bound is near 0.

    Returns:
        None where either kind of cases is of fewer than two patients.
    """
    z = normal_quantile(confidence)
    found = _vertices(cases)
    if found is None:
        return None
    t = np.linspace(0.0, 1.0, BAND_POINTS)
    at = np.searchsorted(found.fpr, t + 1e-12, side="right") - 1
    inside = _sums(found, at)
    hits, size = found.tpr[at], _effective(found.positives, found.tp[at], inside.yy, confidence)
    alarms = _effective(found.negatives, found.fp[at], inside.vv, confidence)
    here = _height(found, t)
    shift = z * np.sqrt(t * (1.0 - t) / alarms)
    low, high = _wilson(here, size, z)
    common = np.sqrt(inside.yy * inside.vv)
    r = np.divide(inside.yv, common, out=np.zeros_like(common), where=(common > 0.0) & (hits > 0.0) & (hits < 1.0))
    r = np.clip(r, -1.0, 1.0)
    before = np.where(t - shift > 0.0, _height(found, np.maximum(t - shift, 0.0)), 0.0)
    after = _height(found, np.minimum(t + shift, 1.0))
    lower = np.clip(here - _added(here - low, here - before, r), 0.0, 1.0)
    upper = np.clip(here + _added(high - here, after - here, r), 0.0, 1.0)
    lower[-1] = upper[-1] = 1.0  # everything is called positive
    method = "score intervals of sensitivity and threshold, square-and-add" + ("" if _single(found) else " over patients")
    return RocBand(
        fpr=tuple(t.tolist()), lower=tuple(lower.tolist()), upper=tuple(upper.tolist()), confidence=confidence, method=method
    )


class _Side(NamedTuple):
    """The positives or negatives, from the highest score down: their patients, how many of a patient's there are, and both numbers."""

    patients: Places
    owned: Places
    cases: int
    among: int


class _Vertices(NamedTuple):
    """The curve's vertices, from (0, 0) to (1, 1): counts and fractions of what is called positive."""

    tp: Places
    fp: Places
    tpr: Array
    fpr: Array
    positives: _Side
    negatives: _Side


class _Sums(NamedTuple):
    """Σ over patients of the products of their residuals: (y - p·n)², (v - q·w)² and (y - p·n)(v - q·w), of shape (points,)."""

    yy: Array
    vv: Array
    yv: Array


def _vertices(cases: Ranked) -> _Vertices | None:
    positive, patients = np.ascontiguousarray(cases.positive[::-1]), np.ascontiguousarray(cases.patients[::-1])
    ranks = np.ascontiguousarray(cases.ranks[::-1])
    sides = []
    for kind in (positive, ~positive):
        here = patients[kind]
        owned = np.bincount(here, minlength=cases.among)
        sides.append(_Side(here, owned, here.size, int(np.count_nonzero(owned))))
    if min(side.among for side in sides) < 2:
        return None
    ends = np.flatnonzero(np.append(ranks[1:] != ranks[:-1], np.True_))
    tp = np.concatenate(([0], np.cumsum(positive)[ends]))
    fp = np.concatenate(([0], ends + 1)) - tp
    return _Vertices(tp, fp, tp / tp[-1], fp / fp[-1], *sides)


def _single(found: _Vertices) -> bool:
    """Whether each patient has one case."""
    return not np.any(found.positives.owned + found.negatives.owned > 1)


def _height(found: _Vertices, t: Array) -> Array:
    """The curve's height: at the top of a vertical run, along the line through tied scores."""
    last = found.fpr.size - 1
    at = np.searchsorted(found.fpr, t + 1e-12, side="right") - 1
    following = np.minimum(at + 1, last)
    width = found.fpr[following] - found.fpr[at]
    part = np.divide(t - found.fpr[at], width, out=np.zeros_like(t), where=width > 0.0)
    return np.asarray(found.tpr[at] + np.clip(part, 0.0, 1.0) * (found.tpr[following] - found.tpr[at]))


def _sums(found: _Vertices, at: Places) -> _Sums:
    """The residual sums at some of the vertices, ascending."""
    first, second = found.positives, found.negatives
    if _single(found):
        return _Sums(*(np.zeros(at.size) for _ in range(3)))
    y, v = np.zeros(first.owned.size, dtype=np.int64), np.zeros(first.owned.size, dtype=np.int64)
    totals = np.zeros((at.size, 3), dtype=np.int64)
    total = np.add.reduce  # what `sum` calls in the end; there are many short ones
    yy = vv = yv = done = failed = 0
    for point, (right, wrong) in enumerate(zip(found.tp[at].tolist(), found.fp[at].tolist(), strict=True)):
        # What a patient's square grows by is the sum of its counts before and after, over the cases that came.
        if right > done:
            hits = first.patients[done:right]
            yy, yv = yy + total(y[hits]), yv + total(v[hits])
            np.add.at(y, hits, 1)
            yy += total(y[hits])
        if wrong > failed:
            alarms = second.patients[failed:wrong]
            vv, yv = vv + total(v[alarms]), yv + total(y[alarms])
            np.add.at(v, alarms, 1)
            vv += total(v[alarms])
        totals[point] = yy, vv, yv
        done, failed = right, wrong
    p, q = found.tpr[at], found.fpr[at]
    n, w = first.owned, second.owned
    return _Sums(
        totals[:, 0] - 2.0 * p * _weighed(n, first, found.tp[at]) + p * p * float(np.sum(n * n)),
        totals[:, 1] - 2.0 * q * _weighed(w, second, found.fp[at]) + q * q * float(np.sum(w * w)),
        totals[:, 2]
        - p * _weighed(n, second, found.fp[at])
        - q * _weighed(w, first, found.tp[at])
        + p * q * float(np.sum(n * w)),
    )


def _weighed(owned: Places, side: _Side, stops: Places) -> Array:
    """Σ over a side's cases, from the highest score down to each stop, of how many cases their patients own."""
    return np.concatenate(([0], np.cumsum(owned[side.patients])))[stops].astype(np.float64)


def _effective(side: _Side, hits: Places, squares: Array, confidence: float) -> Array:
    """`tasks.evaluation.proportions.effective` of many shares of the same cases."""
    n, k = side.cases, side.among
    if k == n:
        return np.full(hits.size, float(n))
    p = hits / n
    mixed = (hits > 0) & (hits < n)
    variance = k / (k - 1) * squares / n**2
    effect = np.maximum(1.0, np.divide(variance * (n - 1), p * (1.0 - p), out=np.ones_like(p), where=mixed))
    freedom = (student_quantile(confidence, n - 1) / student_quantile(confidence, k - 1)) ** 2
    return np.where(mixed, np.minimum(float(n), n / effect * freedom), float(k))


def _wilson(p: Array, n: Array, z: float) -> tuple[Array, Array]:
    """`tasks.evaluation.proportions.wilson` of many shares."""
    centre, scale = p + z * z / (2.0 * n), 1.0 + z * z / n
    half = z * np.sqrt(p * (1.0 - p) / n + z * z / (4.0 * n * n))
    return np.where(p > 0.0, (centre - half) / scale, 0.0), np.where(p < 1.0, (centre + half) / scale, 1.0)


def _added(one: Array, other: Array, r: Array) -> Array:
    """The root of the sum of two squares, less twice their product where they go together."""
    return np.sqrt(np.maximum(one * one + other * other - 2.0 * r * one * other, 0.0))
