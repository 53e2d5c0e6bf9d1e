"""Tests over levels are those of scipy and statsmodels where each patient has one case, and weaker where patients have several."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from tasks.evaluation.cells import Share
from tasks.evaluation.differences import aucs_p, proportions_p
from tasks.evaluation.heterogeneity import of_aucs, of_proportions
from tasks.evaluation.proportions import share_of
from tasks.evaluation.ranking import Area, area, rank
from tests.tasks.evaluation.test_curves import cohort


def share(y, n):
    return share_of((np.arange(n) < y).astype(float), np.arange(n))


def test_proportions_of_single_cases_are_tested_by_pearsons_chi_squared():
    counts = [(30, 40), (12, 25), (50, 61), (3, 9)]
    expected = stats.chi2_contingency([[y, n - y] for y, n in counts], correction=False)
    found = of_proportions("site", "sensitivity", [share(y, n) for y, n in counts])
    assert (found.statistic, found.p, found.freedom) == pytest.approx((expected.statistic, expected.pvalue, 3), rel=1e-10)


def test_two_proportions_of_single_cases_are_tested_by_pearsons_chi_squared():
    expected = stats.chi2_contingency([[30, 10], [12, 13]], correction=False)
    assert proportions_p(share(30, 40), share(12, 25)) == pytest.approx(expected.pvalue, rel=1e-10)


def test_repeating_each_case_does_not_make_the_test_stronger():
    single = [share(30, 40), share(12, 25)]
    repeated = [
        share_of(np.repeat((np.arange(n) < y).astype(float), 5), np.repeat(np.arange(n), 5)) for y, n in ((30, 40), (12, 25))
    ]
    assert of_proportions("a", "m", repeated).p == pytest.approx(of_proportions("a", "m", single).p, rel=0.1)
    assert proportions_p(*repeated) == pytest.approx(proportions_p(*single), rel=0.1)


def test_aucs_are_tested_by_cochrans_q_of_statsmodels():
    areas = [area(rank(*cohort(seed)[:2], cohort(seed)[2])[0]) for seed in range(4)]
    expected = combine_effects(np.array([each.auc for each in areas]), np.array([each.variance for each in areas]))
    found = of_aucs("site", areas)
    assert found.statistic == pytest.approx(expected.q, rel=1e-10)
    assert found.p == pytest.approx(stats.chi2.sf(expected.q, 3), rel=1e-10)


def test_two_aucs_are_tested_by_the_normal_deviate():
    one, other = (area(rank(*cohort(seed)[:2], cohort(seed)[2])[0]) for seed in (1, 2))
    z = (one.auc - other.auc) / np.sqrt(one.variance + other.variance)
    assert aucs_p(one, other) == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-12)
    perfect = Area(1.0, 0.0, 5, 5, 5, 5, 10)
    assert aucs_p(one, perfect) is None


@pytest.mark.parametrize(
    ("shares", "reason"),
    [
        ([], "fewer than two levels with cases"), ([share(3, 9), Share(0, 0, 0, 0.0)], "fewer than two levels with cases"),
        ([share(4, 4), share(9, 9)], "all outcomes agree"), ([share(3, 9), Share(2, 5, 1, 0.0)], "fewer than two levels with cases"),
    ],
)  # fmt: skip
def test_what_can_not_be_tested_says_why(shares, reason):
    found = of_proportions("a", "m", shares)
    assert (found.p, found.reason) == (None, reason)
    assert of_aucs("a", []).reason == "fewer than two levels with a variance"
