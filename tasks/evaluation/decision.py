"""What acting on the model gains: decision curves and risk strata.

Sources: Vickers and Elkin, Med Decis Making 2006;26:565 (net benefit); Simel et al. 1991 (likelihood ratios of strata).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tasks.evaluation import clusters
from tasks.evaluation.calibrate import mean_estimate
from tasks.evaluation.cells import counts
from tasks.evaluation.intervals import not_estimable
from tasks.evaluation.likelihood import likelihood_ratio
from tasks.evaluation.proportions import proportion
from tasks.evaluation.results import NetBenefit, Stratum

Array = NDArray[np.float64]


def net_benefit(
    scores: ArrayLike,
    labels: ArrayLike,
    patients: ArrayLike | None = None,
    *,
    at: Sequence[float],
    confidence: float = 0.95,
) -> tuple[NetBenefit, ...]:
    """Points of the decision curve: TP/n - FP/n · p/(1-p), where scores at or above the threshold probability p are acted on.

    Args:
        scores: probabilities, shape (cases,).
        labels: 0 or 1, shape (cases,).
        patients: one key a case; None where every case is a patient of its own.
        at: threshold probabilities, between 0 and 1.

    Returns:
        one point each, with an interval over patients; `not_estimable` where scores are no probabilities, or all of one patient.
    """
    values, (truth, wrong) = np.asarray(scores, dtype=np.float64), clusters.binary(labels)
    codes = clusters.encode(None if patients is None else np.asarray(patients), values.size)
    outside = int(np.count_nonzero(~((values >= 0.0) & (values <= 1.0))))
    reason = "no cases" if not values.size else ""
    reason = reason or (f"{wrong} of {values.size} labels are neither 0 nor 1" if wrong else "")
    reason = reason or (f"{outside} of {values.size} scores are not probabilities" if outside else "")
    made = []
    for p in at:
        if not 0.0 < p < 1.0:
            raise ValueError("a threshold probability must lie between 0 and 1")
        harm = p / (1.0 - p)
        worth = np.where(truth == 1.0, 1.0, -harm)
        model = (
            not_estimable(reason, confidence) if reason
            else mean_estimate(np.where(values >= p, worth, 0.0), codes, confidence, "mean over patients")
        )  # fmt: skip
        made.append(NetBenefit(threshold_probability=p, model=model, treat_all=float(worth.mean()) if values.size else 0.0))
    return tuple(made)


def strata(
    scores: ArrayLike,
    labels: ArrayLike,
    patients: ArrayLike | None = None,
    *,
    bounds: Sequence[float],
    confidence: float = 0.95,
) -> tuple[Stratum, ...]:
    """Cases by ascending bounds of their scores: how many, how many of them have the finding, and the stratum's likelihood ratio.

    A score that equals a bound is in the upper stratum. The likelihood ratio is P(in the stratum | finding) / P(in it | none).
    """
    values, (truth, wrong) = np.asarray(scores, dtype=np.float64), clusters.binary(labels)
    if wrong:
        raise ValueError("labels must be 0 or 1")
    codes = clusters.encode(None if patients is None else np.asarray(patients), values.size)
    edges = [-np.inf, *bounds, np.inf]
    made = []
    for low, high in pairwise(edges):
        inside = (values >= low) & (values < high)
        made.append(Stratum(
            lower=None if np.isinf(low) else float(low), upper=None if np.isinf(high) else float(high),
            patients=clusters.count(codes[inside]), studies=int(inside.sum()),
            positives=int(truth[inside].sum()), observed=proportion(truth[inside], codes[inside], confidence=confidence),
            likelihood_ratio=likelihood_ratio(counts(truth, inside, codes), "positive", confidence=confidence),
        ))  # fmt: skip
    return tuple(made)
