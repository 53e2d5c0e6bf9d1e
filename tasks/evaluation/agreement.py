"""Measurements against a reference measurement: errors, Bland-Altman limits, Deming regression; intervals over patients.

Sources: Bland and Altman, Lancet 1986;327:307 and J Biopharm Stat 2007;17:571 (several measurements a patient); Linnet, Stat Med
1990;9:1463 (Deming regression with the jackknife).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tasks.evaluation import clusters
from tasks.evaluation.calibrate import mean_estimate
from tasks.evaluation.intervals import estimated, not_estimable, student_quantile
from tasks.evaluation.results import Estimate

Array = NDArray[np.float64]
_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class BlandAltman:
    """Differences, measured minus reference: their mean, their SD, and the limits within which 95 % of them lie."""

    bias: Estimate
    sd: float | None
    lower_limit: Estimate
    upper_limit: Estimate


@dataclass(frozen=True)
class Deming:
    """A line through two measurements that both have errors: measured = intercept + slope · reference."""

    slope: Estimate
    intercept: Estimate


def errors(
    measured: ArrayLike, reference: ArrayLike, patients: ArrayLike | None = None, *, confidence: float = 0.95
) -> tuple[Estimate, Estimate]:
    """Mean absolute error and root mean square error, with normal intervals over patients (the latter's by that of its square).

    Args:
        measured, reference: finite, shape (cases,), in the same unit; so are the errors.
        patients: one key a case; None where every case is a patient of its own.
    """
    x, y, codes, reason = _given(measured, reference, patients)
    if reason:
        return not_estimable(reason, confidence), not_estimable(reason, confidence)
    absolute = mean_estimate(np.abs(x - y), codes, confidence, "mean over patients", least=0.0)
    square = mean_estimate((x - y) ** 2, codes, confidence, "square root of a mean over patients", least=0.0)
    if square.estimate is None or square.lower is None or square.upper is None:
        return absolute, square
    root, low, high = (float(np.sqrt(value)) for value in (square.estimate, square.lower, square.upper))
    return absolute, estimated(
        root, low, high, confidence, square.method, most=np.inf, standard_error=square.standard_error, scale="square"
    )


def bland_altman(
    measured: ArrayLike, reference: ArrayLike, patients: ArrayLike | None = None, *, confidence: float = 0.95
) -> BlandAltman:
    """Bias and limits of agreement, bias ± 1.96 SD.

    Where patients have several cases, the SD is made of the variances within and between patients (Bland and Altman 2007), so that the
    limits are those of one measurement of a new patient. Intervals: Student's t over patients for the bias; for the limits the
    approximation of Bland and Altman 1986 where each patient has one case, and the jackknife over patients elsewhere.

    Args:
        measured, reference: finite, shape (cases,), in the same unit.
        patients: one key a case; None where every case is a patient of its own.
    """
    x, y, codes, reason = _given(measured, reference, patients)
    reason = reason or ("fewer than three patients" if clusters.count(codes) < 3 else "")
    if reason:
        none = not_estimable(reason, confidence)
        return BlandAltman(none, None, none, none)
    apart, k = x - y, clusters.count(codes)
    mean, sd = float(apart.mean()), _sd(apart, codes)
    residuals = clusters.sums(codes, apart - mean, int(codes.max()) + 1)
    error = float(np.sqrt(k / (k - 1) * np.sum(residuals**2))) / apart.size
    bias = _open(mean, error, confidence, k - 1, "Student's t over patients")
    limits = [mean + sign * _NORMAL_95 * sd for sign in (-1.0, 1.0)]
    if k == apart.size:
        spreads = [sd * float(np.sqrt(1.0 / k + _NORMAL_95**2 / (2.0 * (k - 1))))] * 2
        how = "Bland and Altman 1986"
    else:
        found = jackknife(lambda inside: np.array([
            apart[inside].mean() + sign * _NORMAL_95 * _sd(apart[inside], codes[inside]) for sign in (-1.0, 1.0)
        ]), codes)  # fmt: skip
        spreads, how = [float(each) for each in found], "jackknife over patients"
    lower, upper = (_open(limit, spread, confidence, k - 1, how) for limit, spread in zip(limits, spreads, strict=True))
    return BlandAltman(bias, sd, lower, upper)


def deming(
    measured: ArrayLike, reference: ArrayLike, patients: ArrayLike | None = None, *, ratio: float = 1.0, confidence: float = 0.95
) -> Deming:
    """Deming regression, with the jackknife over patients.

    Args:
        measured, reference: finite, shape (cases,).
        patients: one key a case; None where every case is a patient of its own.
        ratio: variance of the measured values' errors over that of the reference's; 1 is orthogonal regression.
    """
    if not ratio > 0.0:
        raise ValueError("the ratio of variances must be above zero")
    x, y, codes, reason = _given(measured, reference, patients)
    reason = reason or ("fewer than three patients" if clusters.count(codes) < 3 else "")
    reason = reason or ("the measurements do not vary together" if not float(np.sum((x - x.mean()) * (y - y.mean()))) else "")
    if reason:
        return Deming(not_estimable(reason, confidence), not_estimable(reason, confidence))
    whole = _line(x, y, ratio)
    freedom = clusters.count(codes) - 1
    found = jackknife(lambda inside: _line(x[inside], y[inside], ratio), codes)
    slope, intercept = (
        _open(float(value), float(error), confidence, freedom, "jackknife over patients")
        for value, error in zip(whole, found, strict=True)
    )
    return Deming(slope, intercept)


def jackknife(statistic: Callable[[NDArray[np.bool_]], Array], codes: clusters.Codes) -> Array:
    """Standard errors of statistics by leaving each patient out once; `statistic` gets a mask of the cases that stay."""
    units = np.unique(codes)
    left = np.stack([statistic(codes != unit) for unit in units])
    return np.asarray(np.sqrt((units.size - 1) / units.size * np.sum((left - left.mean(axis=0)) ** 2, axis=0)))


def _given(measured: ArrayLike, reference: ArrayLike, patients: ArrayLike | None) -> tuple[Array, Array, clusters.Codes, str]:
    x, y = np.asarray(measured, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError("both measurements must be one-dimensional and of the same length")
    codes = clusters.encode(None if patients is None else np.asarray(patients), x.size)
    bad = int(np.count_nonzero(~np.isfinite(x) | ~np.isfinite(y)))
    reason = (
        "no cases" if not x.size else f"{bad} of {x.size} cases have a measurement that is not a finite number" if bad else ""
    )
    return x, y, codes, reason


def _open(value: float, error: float, confidence: float, freedom: float, method: str) -> Estimate:
    reach = student_quantile(confidence, freedom) * error
    return estimated(
        value, value - reach, value + reach, confidence, method, least=-np.inf, most=np.inf, standard_error=error, scale="identity",
        freedom=freedom,
    )  # fmt: skip


def _sd(values: Array, codes: clusters.Codes) -> float:
    """The SD of one value of a new patient: variance within patients plus variance between them (one-way analysis of variance)."""
    numbers = clusters.encode(codes, codes.size)
    sizes = np.bincount(numbers)
    k, n = sizes.size, values.size
    means = clusters.sums(numbers, values, k) / sizes
    between = float(np.sum(sizes * (means - values.mean()) ** 2)) / (k - 1)
    if k == n:
        return float(np.sqrt(between))
    within = float(np.sum((values - means[numbers]) ** 2)) / (n - k)
    typical = (n - float(np.sum(sizes.astype(np.float64) ** 2)) / n) / (k - 1)
    return float(np.sqrt(within + max(between - within, 0.0) / typical))


def _line(x: Array, y: Array, ratio: float) -> Array:
    """Slope and intercept of measured (x) on reference (y)."""
    u, v = y - y.mean(), x - x.mean()
    uu, vv, uv = float(np.sum(u * u)), float(np.sum(v * v)), float(np.sum(u * v))
    slope = (vv - ratio * uu + np.sqrt((vv - ratio * uu) ** 2 + 4.0 * ratio * uv**2)) / (2.0 * uv)
    return np.array([slope, x.mean() - slope * y.mean()])
