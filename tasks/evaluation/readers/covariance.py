"""Each reader's figure of merit in each modality, and the covariances of these figures over cases.

Sources: DeLong, DeLong and Clarke-Pearson, Biometrics 1988;44:837; Hillis et al., Stat Med 2005;24:1579 (jackknife); Gallas, Pennello
and Meyers, J Opt Soc Am A 2007;24:B70 (unbiased: the one-shot estimate by the moments of the success matrix).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Figure = Literal["auc", "sensitivity", "specificity"]
Method = Literal["jackknife", "delong", "unbiased"]
FIGURES: tuple[Figure, ...] = ("auc", "sensitivity", "specificity")
COVARIANCES: tuple[Method, ...] = ("jackknife", "delong", "unbiased")

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Figures:
    """Figures of merit of a reader study.

    Args:
        values: float64 of shape (modalities, readers).
        covariance: over cases, float64 of shape (modalities · readers, modalities · readers), readers running fastest.
        cases: how many cases there are.
    """

    values: Array
    covariance: Array
    cases: int


def figures(scores: ArrayLike, labels: ArrayLike, *, figure: Figure = "auc", covariance: Method = "jackknife") -> Figures:
    """Figures of merit and their covariances over cases.

    Args:
        scores: finite, shape (modalities, readers, cases); for sensitivity and specificity the calls, 0 or 1.
        labels: 0 or 1, shape (cases,).
        figure: the AUC (a tie counts one half), the sensitivity or the specificity.
        covariance: `jackknife` over all cases, `delong`, or `unbiased`. For sensitivity and specificity, which are means over one
            kind of cases, DeLong's and the unbiased one are the covariance of such means.

    Raises:
        ValueError: shapes that do not fit, scores that are not finite, labels other than 0 and 1, calls other than 0 and 1, or
            fewer than two cases with or without the finding.
    """
    given, truth = _checked(scores, labels, figure)
    flat = given.reshape(-1, truth.size)
    positive, negative = _components(flat, truth, figure)
    values = positive.mean(axis=1) if figure != "specificity" else negative.mean(axis=1)
    if covariance == "jackknife":
        found = _jackknife(values, positive, negative, truth.size, figure)
    elif covariance == "unbiased" and figure == "auc":
        found = _unbiased(flat[:, truth], flat[:, ~truth])
    elif covariance in ("delong", "unbiased"):
        sides = {"auc": (positive, negative), "sensitivity": (positive,), "specificity": (negative,)}[figure]
        found = np.zeros((values.size, values.size))
        for side in sides:
            found += np.atleast_2d(np.cov(side)) / side.shape[1]
    else:
        raise ValueError(f"covariance must be one of {', '.join(COVARIANCES)}")
    return Figures(values.reshape(given.shape[:2]), found, truth.size)


def _checked(scores: ArrayLike, labels: ArrayLike, figure: str) -> tuple[Array, NDArray[np.bool_]]:
    given, truth = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    if figure not in FIGURES:
        raise ValueError(f"figure must be one of {', '.join(FIGURES)}")
    if given.ndim != 3 or truth.ndim != 1 or given.shape[2] != truth.size or not given.size:
        raise ValueError("scores must have the shape (modalities, readers, cases), and labels (cases,)")
    if not np.isfinite(given).all():
        raise ValueError(
            f"{int(np.count_nonzero(~np.isfinite(given)))} scores are not finite: every reader must have read every case"
        )
    if not np.isin(truth, (0.0, 1.0)).all():
        raise ValueError("labels must be 0 or 1")
    if figure != "auc" and not np.isin(given, (0.0, 1.0)).all():
        raise ValueError(f"for {figure} scores must be calls, 0 or 1")
    positive = truth == 1.0
    if min(positive.sum(), (~positive).sum()) < 2:
        raise ValueError("there must be at least two cases with the finding and two without")
    return given, positive


def _components(flat: Array, truth: NDArray[np.bool_], figure: str) -> tuple[Array, Array]:
    """What each case adds to each figure, of shape (figures, positives) and (figures, negatives)."""
    tops, lows = flat[:, truth], flat[:, ~truth]
    if figure != "auc":
        return tops, 1.0 - lows
    ranks = stats.rankdata(flat, axis=1)
    positive = (ranks[:, truth] - stats.rankdata(tops, axis=1)) / lows.shape[1]
    negative = 1.0 - (ranks[:, ~truth] - stats.rankdata(lows, axis=1)) / tops.shape[1]
    return positive, negative


def _jackknife(values: Array, positive: Array, negative: Array, cases: int, figure: str) -> Array:
    """(n - 1) / n · Σ over cases of the deviations of the figures without that case from their mean."""
    m, n = positive.shape[1], negative.shape[1]
    whole = values[:, None]
    without_positive = (m * whole - positive) / (m - 1) if figure != "specificity" else np.repeat(whole, m, axis=1)
    without_negative = (n * whole - negative) / (n - 1) if figure != "sensitivity" else np.repeat(whole, n, axis=1)
    left = np.concatenate([without_positive, without_negative], axis=1)
    left = left - left.mean(axis=1, keepdims=True)
    return np.asarray((cases - 1) / cases * (left @ left.T))


def _unbiased(tops: Array, lows: Array) -> Array:
    """Covariance of AUCs without bias, also for few cases: E[AUC · AUC'] less the same over pairs that share no case."""
    m, n = tops.shape[1], lows.shape[1]
    wins = (tops[:, :, None] > lows[:, None, :]) + 0.5 * (tops[:, :, None] == lows[:, None, :])
    wins = wins.astype(np.float64)
    rows, columns = wins.sum(axis=2), wins.sum(axis=1)
    flat = wins.reshape(wins.shape[0], -1)
    totals = flat.sum(axis=1)
    everything, shared = np.outer(totals, totals), flat @ flat.T
    same_positive, same_negative = rows @ rows.T, columns @ columns.T
    apart = everything - same_positive - same_negative + shared
    return np.asarray(everything / (m * n) ** 2 - apart / (m * (m - 1) * n * (n - 1)))
