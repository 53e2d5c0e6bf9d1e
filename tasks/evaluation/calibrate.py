"""Whether a score of 0.2 means a share of 0.2: slope, intercept, curve, Brier score, expected calibration error and O:E, over patients.

Sources: Cox, Biometrika 1958;45:562 (slope and intercept); Van Calster et al., J Clin Epidemiol 2016;74:167 (levels of calibration);
Brier, Mon Weather Rev 1950;78:1; Liang and Zeger, Biometrika 1986;73:13 (variance over clusters).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from tasks.evaluation import clusters
from tasks.evaluation.intervals import estimated, normal_quantile, not_estimable
from tasks.evaluation.proportions import proportion
from tasks.evaluation.results import CalibrationBin, CalibrationResult, Estimate

Binning = Literal["quantile", "uniform"]
Array = NDArray[np.float64]
_STEPS, _TOLERANCE = 50, 1e-12


def calibration(
    scores: ArrayLike,
    labels: ArrayLike,
    patients: ArrayLike | None = None,
    *,
    bins: int = 10,
    binning: Binning = "quantile",
    confidence: float = 0.95,
    attribute: str = "",
    level: str = "",
) -> CalibrationResult:
    """All of calibration.

    Args:
        scores: probabilities, shape (cases,).
        labels: 0 or 1, shape (cases,).
        patients: one key a case; None where every case is a patient of its own.
        bins: of the curve and the ECE: of equal numbers of cases (`quantile`; equal scores stay together) or of equal width (`uniform`).

    Returns:
        every number, each `not_estimable` with its reason where it can't be made: scores that are no probabilities, one kind of cases
        alone, scores of exactly 0 or 1 or all equal (slope and intercept), or scores that separate the labels (slope).
    """
    values, (truth, wrong) = np.asarray(scores, dtype=np.float64), clusters.binary(labels)
    if values.ndim != 1 or values.shape != truth.shape:
        raise ValueError("scores and labels must be one-dimensional and of the same length")
    codes = clusters.encode(None if patients is None else np.asarray(patients), values.size)
    reason = _unfit(values, wrong)
    if reason:
        none = not_estimable(reason, confidence)
        return CalibrationResult(
            attribute=attribute, level=level, intercept=none, slope=none, brier=none, observed_to_expected=none, ece=None, binning=binning,
            curve=(),
        )  # fmt: skip
    curve = _curve(values, truth, codes, bins, binning, confidence)
    gaps = [
        abs(float(each.mean_score or 0) - float(each.observed.estimate or 0)) * each.studies
        for each in curve
        if each.observed.estimate is not None
    ]
    whole = sum(each.studies for each in curve if each.observed.estimate is not None)
    intercept, slope = _recalibration(values, truth, codes, confidence)
    return CalibrationResult(
        attribute=attribute, level=level, intercept=intercept, slope=slope,
        brier=mean_estimate((values - truth) ** 2, codes, confidence, "mean over patients", least=0.0, most=1.0),
        observed_to_expected=_observed_to_expected(values, truth, codes, confidence),
        ece=sum(gaps) / whole if whole == values.size else None, binning=f"{bins} bins, {binning}", curve=curve,
    )  # fmt: skip


def _unfit(values: Array, wrong: int) -> str:
    if not values.size:
        return "no cases"
    if wrong:
        return f"{wrong} of {values.size} labels are neither 0 nor 1"
    outside = int(np.count_nonzero(~((values >= 0.0) & (values <= 1.0))))
    return f"{outside} of {values.size} scores are not probabilities" if outside else ""


def mean_estimate(
    values: Array, codes: clusters.Codes, confidence: float, method: str, *, least: float = -np.inf, most: float = np.inf
) -> Estimate:
    """A mean over cases with its normal interval over patients: the ratio estimator's variance, k/(k-1)·Σ(patient's residuals)²/n²."""
    k, n, mean = clusters.count(codes), values.size, float(values.mean())
    if k < 2:
        return not_estimable("all cases are of one patient", confidence)
    sums = clusters.sums(codes, values - mean, int(codes.max()) + 1)
    spread = float(np.sqrt(k / (k - 1) * np.sum(sums * sums))) / n
    reach = normal_quantile(confidence) * spread
    return estimated(
        mean, mean - reach, mean + reach, confidence, method, least=least, most=most, standard_error=spread, scale="identity"
    )


def _curve(
    values: Array, truth: Array, codes: clusters.Codes, bins: int, binning: Binning, confidence: float
) -> tuple[CalibrationBin, ...]:
    steps = np.linspace(0.0, 1.0, bins + 1)
    edges = steps if binning == "uniform" else np.unique(np.quantile(values, steps))
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, max(edges.size - 2, 0))
    made = []
    for number in range(max(edges.size - 1, 1)):
        inside = place == number
        if not inside.any():
            continue
        observed = proportion(truth[inside], codes[inside], confidence=confidence)
        high = edges[number + 1] if edges.size > 1 else edges[0]
        made.append(CalibrationBin(
            lower_score=float(edges[number]), upper_score=float(high), patients=clusters.count(codes[inside]), studies=int(inside.sum()),
            mean_score=float(values[inside].mean()),
            observed=observed,
        ))  # fmt: skip
    return tuple(made)


def _observed_to_expected(values: Array, truth: Array, codes: clusters.Codes, confidence: float) -> Estimate:
    """Positives over the sum of scores; log interval, the scores taken as given (Debray et al., BMJ 2017;356:i6460)."""
    expected, observed = float(values.sum()), float(truth.sum())
    if not observed or not expected:
        return not_estimable("no positive cases" if not observed else "all scores are zero", confidence)
    k = clusters.count(codes)
    if k < 2:
        return not_estimable("all cases are of one patient", confidence)
    ratio = observed / expected
    sums = clusters.sums(codes, truth - ratio * values, int(codes.max()) + 1)
    spread = float(np.sqrt(k / (k - 1) * np.sum(sums * sums))) / observed
    reach = normal_quantile(confidence) * spread
    return estimated(
        ratio, ratio * float(np.exp(-reach)), ratio * float(np.exp(reach)), confidence, "ratio over patients, log", most=np.inf,
        standard_error=spread, scale="log",
    )  # fmt: skip


def _recalibration(values: Array, truth: Array, codes: clusters.Codes, confidence: float) -> tuple[Estimate, Estimate]:
    """Calibration in the large and calibration slope: logistic models on the logit of the scores, sandwich variance over patients."""
    reason = ""
    if truth.all() or not truth.any():
        reason = "no negative cases" if truth.all() else "no positive cases"
    elif ((values == 0.0) | (values == 1.0)).any():
        reason = f"{int(np.count_nonzero((values == 0.0) | (values == 1.0)))} scores of exactly 0 or 1 have no logit"
    elif clusters.count(codes) < 2:
        reason = "all cases are of one patient"
    if reason:
        return not_estimable(reason, confidence), not_estimable(reason, confidence)
    logit = special.logit(values)
    method = "logistic recalibration, variance over patients"
    large = _logistic(np.ones((values.size, 1)), logit, truth, codes)
    intercept = _wald(large, 0, confidence, method, "the model of the intercept does not converge")
    if values.min() == values.max():
        return intercept, not_estimable("all scores are equal", confidence)
    whole = _logistic(np.stack([np.ones_like(logit), logit], axis=1), np.zeros_like(logit), truth, codes)
    return intercept, _wald(whole, 1, confidence, method, "the scores separate the labels: the slope has no bound")


def _wald(fit: tuple[Array, Array] | None, place: int, confidence: float, method: str, reason: str) -> Estimate:
    if fit is None:
        return not_estimable(reason, confidence)
    value, spread = float(fit[0][place]), float(np.sqrt(fit[1][place, place]))
    reach = normal_quantile(confidence) * spread
    return estimated(
        value,
        value - reach,
        value + reach,
        confidence,
        method,
        least=-np.inf,
        most=np.inf,
        standard_error=spread,
        scale="identity",
    )


def _logistic(design: Array, offset: Array, truth: Array, codes: clusters.Codes) -> tuple[Array, Array] | None:
    """Coefficients and their covariance over patients (k / (k - 1) · A⁻¹BA⁻¹); None where Newton's method finds no end."""
    beta = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        fitted = special.expit(design @ beta + offset)
        information = _product(design, design, fitted * (1.0 - fitted))
        gradient = _product(design, (truth - fitted)[:, None])[:, 0]
        try:
            step = np.linalg.solve(information, gradient)
        except np.linalg.LinAlgError:
            return None
        beta = beta + step
        if not np.isfinite(beta).all() or np.abs(beta).max() > 1e3:
            return None
        if np.abs(step).max() <= _TOLERANCE * max(1.0, float(np.abs(beta).max())):
            break
    else:
        return None
    fitted = special.expit(design @ beta + offset)
    bread = np.linalg.inv(_product(design, design, fitted * (1.0 - fitted)))
    k, size = clusters.count(codes), int(codes.max()) + 1
    scores = np.stack([clusters.sums(codes, column * (truth - fitted), size) for column in design.T], axis=1)
    return beta, np.asarray(k / (k - 1) * bread @ _product(scores, scores) @ bread)


def _product(one: Array, other: Array, weights: Array | None = None) -> Array:
    """Σ over rows of the (weighted) products of columns, added in one order: a product by BLAS depends on its threads in the last digits."""
    weighted = one if weights is None else one * weights[:, None]
    return np.array([[np.sum(left * right) for right in other.T] for left in weighted.T])
