"""Proportions agree with published intervals and with statsmodels, and treat the studies of one patient as one cluster."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats.proportion import proportion_confint

from tasks.evaluation.proportions import clopper_pearson, design_effect, proportion, wilson

# Newcombe 1998 (Statistics in Medicine 17:857-872), table I: successes, n, method 3 (Wilson), method 5 (Clopper-Pearson).
NEWCOMBE = [
    (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
    (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
    (0, 20, (0.0000, 0.1611), (0.0000, 0.1684)),
    (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
]


@pytest.mark.parametrize(("successes", "n", "score", "exact"), NEWCOMBE)
def test_intervals_are_those_that_newcombe_printed(successes, n, score, exact):
    assert wilson(successes, n, 0.95) == pytest.approx(score, abs=5.1e-5)
    assert clopper_pearson(successes, n, 0.95) == pytest.approx(exact, abs=5.1e-5)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("n", [1, 2, 7, 20, 263])
def test_intervals_are_those_of_statsmodels_at_every_count(n, confidence):
    for successes in range(n + 1):
        for ours, name in ((wilson, "wilson"), (clopper_pearson, "beta")):
            theirs = proportion_confint(successes, n, alpha=1 - confidence, method=name)
            assert ours(successes, n, confidence) == pytest.approx(theirs, rel=1e-9, abs=1e-12)


def test_one_study_a_patient_gives_the_plain_interval():
    outcomes = [1] * 81 + [0] * 182
    one_each = proportion(outcomes, np.arange(263))
    assert one_each == proportion(outcomes)
    assert (one_each.lower, one_each.upper) == wilson(81, 263, 0.95)
    assert one_each.method == "Wilson"


def test_fda_specimen_table_gives_its_sensitivity_and_predictive_values():
    # Draft guidance on AI-enabled device software functions, January 2025, appendix F: TP 4200, FP 3400, FN 800, TN 16600.
    for successes, n, printed in ((4200, 5000, 0.84), (16600, 20000, 0.83), (4200, 7600, 0.5526), (16600, 17400, 0.954)):
        found = proportion(np.arange(n) < successes)
        assert found.estimate == pytest.approx(printed, abs=5e-5)
        assert (found.lower, found.upper) == pytest.approx(proportion_confint(successes, n, method="wilson"), rel=1e-9)


def test_design_effect_is_the_cluster_robust_variance_of_statsmodels_over_that_of_independent_cases():
    rng = np.random.default_rng(7)
    patients = rng.integers(0, 40, 200)
    outcomes = (rng.random(200) < 0.2 + 0.6 * (rng.random(40) < 0.5)[patients]).astype(float)
    clustered = sm.OLS(outcomes, np.ones(200)).fit(cov_type="cluster", cov_kwds={"groups": patients}).bse[0] ** 2
    independent = sm.OLS(outcomes, np.ones(200)).fit().bse[0] ** 2
    assert design_effect(outcomes, patients) == pytest.approx(clustered / independent, rel=1e-9)
    assert design_effect(outcomes, patients) > 1.5


def test_repeating_every_patients_study_does_not_narrow_the_interval():
    rng = np.random.default_rng(3)
    once = (rng.random(60) < 0.7).astype(float)
    single = proportion(once)
    fivefold = proportion(np.repeat(once, 5), np.repeat(np.arange(60), 5))
    assert fivefold.estimate == pytest.approx(single.estimate, abs=1e-15)
    assert fivefold.upper - fivefold.lower >= single.upper - single.lower
    assert fivefold.upper - fivefold.lower == pytest.approx(single.upper - single.lower, rel=0.03)


def test_variation_within_patients_only_never_makes_the_interval_narrower_than_independence():
    outcomes, patients = np.tile([0.0, 1.0], 30), np.repeat(np.arange(30), 2)
    assert design_effect(outcomes, patients) == 1.0
    found = proportion(outcomes, patients)
    assert found.upper - found.lower >= np.diff(wilson(30, 60, 0.95))[0]


@pytest.mark.parametrize("method", ["wilson", "clopper_pearson"])
def test_where_all_agree_the_number_of_patients_stands_for_n(method):
    found = proportion([1] * 20, np.repeat(np.arange(8), [1, 2, 3, 4, 4, 3, 2, 1]), method=method)
    exact = {"wilson": wilson, "clopper_pearson": clopper_pearson}[method](8, 8, 0.95)
    assert (found.lower, found.upper) == exact
    assert "n = patients" in found.method


def test_twenty_of_twenty_has_a_lower_bound_below_one():
    found = proportion([1] * 20)
    assert (found.estimate, found.upper) == (1.0, 1.0)
    assert found.lower == pytest.approx(0.838874841947, abs=1e-9)


def test_one_patient_with_one_study_has_a_wide_interval():
    found = proportion([1], ["A"])
    assert found.status == "estimated"
    assert found.lower < 0.21


@pytest.mark.parametrize(
    ("outcomes", "patients", "reason"),
    [
        ([], None, "no cases"),
        ([1, 0, 1], ["A", "A", "A"], "all 3 cases are of one patient"),
        ([1, 0, 2], None, "1 of 3 outcomes are neither 0 nor 1"),
        ([1, np.nan, -1], None, "2 of 3 outcomes are neither 0 nor 1"),
    ],
)
def test_what_has_no_number_says_why(outcomes, patients, reason):
    found = proportion(outcomes, patients)
    assert (found.status, found.reason) == ("not_estimable", reason)
    assert (found.estimate, found.lower, found.upper) == (None, None, None)


def test_order_of_rows_and_names_of_patients_do_not_matter():
    rng = np.random.default_rng(11)
    patients, outcomes = rng.integers(0, 30, 90), rng.integers(0, 2, 90)
    order = rng.permutation(90)
    plain, moved = proportion(outcomes, patients), proportion(outcomes[order], [f"P{9000 - key}" for key in patients[order]])
    assert (moved.estimate, moved.lower, moved.upper) == pytest.approx((plain.estimate, plain.lower, plain.upper), rel=1e-12)


def test_successes_and_failures_mirror_each_other():
    rng = np.random.default_rng(12)
    patients, outcomes = rng.integers(0, 30, 90), rng.integers(0, 2, 90)
    hits, misses = proportion(outcomes, patients), proportion(1 - outcomes, patients)
    assert (1 - misses.upper, 1 - misses.lower) == pytest.approx((hits.lower, hits.upper), rel=1e-12)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.5, 95.0])
def test_a_confidence_that_is_no_confidence_is_refused(confidence):
    with pytest.raises(ValueError, match="confidence"):
        proportion([0, 1], confidence=confidence)


def test_keys_that_do_not_match_the_cases_are_refused():
    with pytest.raises(ValueError, match="2 patient keys for 3 cases"):
        proportion([0, 1, 1], ["A", "B"])
