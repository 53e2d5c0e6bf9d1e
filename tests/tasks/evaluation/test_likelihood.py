"""Likelihood ratios, predictive values at a prevalence and the table of 1,000 cases agree with others and with FDA's specimen."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from tasks.evaluation.cells import counts
from tasks.evaluation.likelihood import likelihood_ratio, number_needed_to_predict, per_thousand, predictive_value
from tasks.evaluation.proportions import proportion


def cells(tp, fp, fn, tn, patients=None):
    """Counts of so many cases; a case a patient unless it is said which."""
    return counts(np.repeat([1, 0, 1, 0], [tp, fp, fn, tn]), np.repeat([1, 1, 0, 0], [tp, fp, fn, tn]), patients)


#: FDA, draft guidance on AI-enabled device software functions, January 2025, appendix F.
SPECIMEN = cells(4200, 3400, 800, 16600)


@pytest.mark.parametrize(("tp", "fp", "fn", "tn"), [(4200, 3400, 800, 16600), (17, 4, 9, 60), (3, 1, 1, 2)])
def test_ratios_are_those_of_two_independent_proportions_in_statsmodels(tp, fp, fn, tn):
    made = cells(tp, fp, fn, tn)
    for sign, top, bottom in (("positive", tp, fp), ("negative", fn, tn)):
        found = likelihood_ratio(made, sign)
        bounds = confint_proportions_2indep(top, tp + fn, bottom, fp + tn, compare="ratio", method="log")
        assert (found.lower, found.upper) == pytest.approx(bounds, rel=1e-9)
        assert found.estimate == pytest.approx((top / (tp + fn)) / (bottom / (fp + tn)), rel=1e-12)
        assert found.method == "Simel (log)"


def test_over_patients_the_variance_is_that_of_the_delta_method_on_cluster_robust_proportions():
    rng = np.random.default_rng(4)
    patients = np.sort(rng.integers(0, 60, 300))
    own = rng.normal(size=60)[patients]
    labels = rng.random(300) < 0.5
    scores = (own + rng.normal(size=300) + labels > 0.6).astype(float)
    found = likelihood_ratio(counts(labels, scores, patients), "positive")
    # Two group means in one regression without intercept, with cluster-robust covariance: sensitivity and false positive rate.
    design = np.stack([labels, ~labels], axis=1).astype(float)
    fit = sm.OLS(scores, design).fit(cov_type="cluster", cov_kwds={"groups": patients, "use_correction": False})
    positives, negatives = len(set(patients[labels])), len(set(patients[~labels]))
    k = len(set(patients))
    covariance = fit.cov_params() * np.array([
        [positives / (positives - 1) * (labels.sum() - 1) / labels.sum(), k / (k - 1)],
        [k / (k - 1), negatives / (negatives - 1) * ((~labels).sum() - 1) / (~labels).sum()],
    ])  # fmt: skip
    gradient = np.array([1 / fit.params[0], -1 / fit.params[1]])
    spread = np.sqrt(gradient @ covariance @ gradient)
    assert np.log(found.upper / found.estimate) == pytest.approx(stats.norm.ppf(0.975) * spread, rel=1e-9)


def test_predictive_values_at_the_datas_own_prevalence_are_the_plain_ones():
    own = 5000 / 25000
    assert predictive_value(SPECIMEN, "positive", own).estimate == pytest.approx(4200 / 7600, rel=1e-12)
    assert predictive_value(SPECIMEN, "negative", own).estimate == pytest.approx(16600 / 17400, rel=1e-12)


def test_predictive_values_follow_bayes_and_their_intervals_the_logit_variance():
    # Mercaldo 2007: var logit PPV = (1-se)/se/n1 + sp/(1-sp)/n0; var logit NPV = se/(1-se)/n1 + (1-sp)/sp/n0.
    se, sp, n1, n0, prevalence = 0.84, 0.83, 5000, 20000, 0.02
    z = stats.norm.ppf(0.975)
    ppv = se * prevalence / (se * prevalence + (1 - sp) * (1 - prevalence))
    npv = sp * (1 - prevalence) / (sp * (1 - prevalence) + (1 - se) * prevalence)
    for sign, value, variance in (
        ("positive", ppv, (1 - se) / se / n1 + sp / (1 - sp) / n0),
        ("negative", npv, se / (1 - se) / n1 + (1 - sp) / sp / n0),
    ):
        found = predictive_value(SPECIMEN, sign, prevalence)
        centre = np.log(value / (1 - value))
        expected = [1 / (1 + np.exp(-edge)) for edge in (centre - z * np.sqrt(variance), centre, centre + z * np.sqrt(variance))]
        assert (found.lower, found.estimate, found.upper) == pytest.approx(expected, rel=1e-9)


def test_fdas_specimen_of_1000_patients():
    table = per_thousand(SPECIMEN)
    assert (table.positives, table.negatives) == pytest.approx((200, 800))
    assert (table.tp, table.fn, table.tn, table.fp) == pytest.approx((168, 32, 664, 136))
    rare = per_thousand(SPECIMEN, 0.01)
    assert (rare.tp, rare.fn, rare.tn, rare.fp) == pytest.approx((8.4, 1.6, 821.7, 168.3))
    assert per_thousand(cells(3, 0, 1, 0)) is None


def test_number_needed_to_predict():
    ppv, npv = (proportion(np.arange(n) < k) for k, n in ((4200, 7600), (16600, 17400)))
    found = number_needed_to_predict(ppv, npv)
    assert found.estimate == pytest.approx(1 / (4200 / 7600 + 16600 / 17400 - 1), rel=1e-12)
    assert found.lower < found.estimate < found.upper
    chance = number_needed_to_predict(proportion([1, 0, 1, 0, 1]), proportion([1, 0, 1]))
    assert chance.upper is None
    assert "no upper bound" in chance.reason
    assert number_needed_to_predict(proportion([0, 0, 1]), proportion([1, 0])).status == "not_estimable"


@pytest.mark.parametrize(
    ("made", "sign", "reason"),
    [
        (cells(5, 0, 2, 9), "positive", "no false positives"), (cells(0, 3, 2, 9), "positive", "no true positives"),
        (cells(5, 3, 0, 9), "negative", "no false negatives"), (cells(5, 3, 2, 0), "negative", "no true negatives"),
        (cells(0, 3, 0, 9), "positive", "no positive cases"), (cells(3, 0, 1, 0), "negative", "no negative cases"),
        (cells(2, 2, 1, 2, [0, 0, 1, 2, 0, 3, 4]), "positive", "the positive cases are of one patient"),
    ],
)  # fmt: skip
def test_a_ratio_that_is_none_says_why(made, sign, reason):
    assert likelihood_ratio(made, sign).reason == reason
    assert predictive_value(made, sign, 0.1).reason == reason


@pytest.mark.parametrize("prevalence", [0.0, 1.0, -0.1, 20.0])
def test_a_prevalence_that_is_none_is_refused(prevalence):
    with pytest.raises(ValueError, match="prevalence"):
        predictive_value(SPECIMEN, "positive", prevalence)
