"""Variances over patients are those of R's survey package, whose linearized variance is an implementation of its own.

Printed by R 4.2.2 with survey 4.1.1 (options(digits = 12)), patients as primary sampling units, all weights 1:

    d <- data.frame(patient, y, s, l = qlogis(s), b = (s - y)^2)
    des <- svydesign(id = ~patient, data = d, weights = ~1)
    m <- svymean(~y, des, deff = "replace"); SE(m); deff(m)
    attr(svyciprop(~y, des, method = "beta"), "ci")
    SE(svymean(~b, des)); svyratio(~y, ~s, des)
    svyglm(y ~ l, design = des, family = quasibinomial())
    svyglm(y ~ 1 + offset(l), design = des, family = quasibinomial())
"""

from __future__ import annotations

import numpy as np
import pytest

from tasks.evaluation.calibrate import calibration
from tasks.evaluation.proportions import clopper_pearson, effect, effective, share_of

PATIENTS = np.array([1, 1, 1, 2, 3, 3, 4, 5, 5, 5, 5, 6, 7, 7, 8, 9, 10, 10, 11, 12, 12, 12, 13, 14, 15, 15, 16, 17, 18, 18]) - 1
Y = np.array([1, 1, 1, 0, 1, 1, 1, 0, 1, 0, 1, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 0], dtype=float)
S = (
    np.array(
        [90, 80, 70, 30, 60, 95, 85, 40, 55, 65, 75, 88, 92, 50, 20, 78, 66, 35, 81, 91, 45, 72, 87, 62, 58, 96, 77, 68, 25, 48]
    )
    / 100
)


def test_the_design_effect_of_a_proportion():
    share, n = share_of(Y, PATIENTS), Y.size
    p = share.successes / n
    assert effect(share) == pytest.approx(1.30577540107, rel=1e-11)
    assert np.sqrt(effect(share) * p * (1 - p) / (n - 1)) == pytest.approx(0.0938361804325, rel=1e-11)


def test_the_interval_of_korn_and_graubard():
    """survey sets the variance against p(1-p)/n, we against p(1-p)/(n-1), so that one case a patient gives n itself."""
    share, n = share_of(Y, PATIENTS), Y.size
    size = effective(share, 0.95)[0] * (n - 1) / n
    assert clopper_pearson(share.successes / n * size, size, 0.95) == pytest.approx((0.497182543668, 0.900164040461), rel=1e-9)


def test_brier_score_ratio_slope_and_intercept():
    found = calibration(S, Y, PATIENTS)
    assert (found.brier.estimate, found.brier.standard_error) == pytest.approx((0.110413333333, 0.0198669280625), rel=1e-9)
    ratio = found.observed_to_expected
    assert (ratio.estimate, ratio.standard_error * ratio.estimate) == pytest.approx((1.10887096774, 0.0856325109), rel=1e-9)
    assert (found.slope.estimate, found.slope.standard_error) == pytest.approx(
        (2.9690108295522, 0.686846208686), rel=1e-6
    )  # R stops at 1e-8
    assert (found.intercept.estimate, found.intercept.standard_error) == pytest.approx((0.425755241797, 0.398726308326), rel=1e-6)
