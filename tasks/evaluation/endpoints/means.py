"""Estimates over those cases of a row that have a value, of patients enough."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation import clusters
from tasks.evaluation.agreement import BlandAltman, bland_altman
from tasks.evaluation.calibrate import mean_estimate
from tasks.evaluation.endpoints.parts import Limits
from tasks.evaluation.estimate import Estimate
from tasks.evaluation.intervals import not_estimable
from tasks.evaluation.plan import Plan

Array = NDArray[np.float64]


def lacking(patients: NDArray[np.int64], plan: Plan) -> str:
    """Why nothing is estimated of these cases; empty where enough patients have one."""
    if not patients.size:
        return "no case has a value"
    return f"fewer than {plan.minimum_cases} patients have a value" if np.unique(patients).size < plan.minimum_cases else ""


def mean(values: Array, patients: NDArray[np.int64], plan: Plan, *, most: float = np.inf) -> Estimate:
    """The mean of values from zero to `most`, over the cases that have one, with its interval over patients."""
    there = np.isfinite(values)
    reason = lacking(patients[there], plan)
    if reason:
        return not_estimable(reason, plan.confidence)
    codes = clusters.encode(patients[there], int(there.sum()))
    return mean_estimate(values[there], codes, plan.confidence, "mean over patients", least=0.0, most=most)


def limits(measured: Array, reference: Array, patients: NDArray[np.int64], plan: Plan) -> Limits:
    """Bias and limits of agreement over the cases that have both values."""
    there = np.isfinite(measured) & np.isfinite(reference)
    reason = lacking(patients[there], plan)
    if reason:
        return no_limits(reason, plan)
    return _part(bland_altman(measured[there], reference[there], patients[there], confidence=plan.confidence))


def no_limits(reason: str, plan: Plan) -> Limits:
    """No bias and no limits, and why."""
    none = not_estimable(reason, plan.confidence)
    return Limits(bias=none, sd=None, lower=none, upper=none)


def _part(found: BlandAltman) -> Limits:
    return Limits(bias=found.bias, sd=found.sd, lower=found.lower_limit, upper=found.upper_limit)
