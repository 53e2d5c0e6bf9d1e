"""Calibration, decision curves and strata agree with statsmodels, scikit-learn and their definitions, over patients."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import special, stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, roc_auc_score

from tasks.evaluation.calibrate import calibration
from tasks.evaluation.decision import net_benefit, strata
from tasks.evaluation.partial import partial_auc


def cohort(seed=0, patients=60, each=4):
    rng = np.random.default_rng(seed)
    keys = np.sort(rng.integers(0, patients, patients * each))
    true = rng.normal(size=patients)[keys] + rng.normal(size=keys.size)
    return special.expit(1.6 * true - 0.4), (rng.random(keys.size) < special.expit(true)).astype(float), keys


def robust(design, offset, labels, keys):
    """statsmodels' logistic model with the sandwich variance over clusters, scaled by k / (k - 1)."""
    fit = sm.GLM(labels, design, family=sm.families.Binomial(), offset=offset).fit(
        tol=1e-14, cov_type="cluster", cov_kwds={"groups": keys, "use_correction": False}
    )
    k = len(set(keys))
    return fit.params, np.sqrt(np.diag(fit.cov_params()) * k / (k - 1))


@pytest.mark.parametrize("seed", range(3))
def test_slope_and_intercept_are_those_of_statsmodels(seed):
    scores, labels, keys = cohort(seed)
    found, logit, z = calibration(scores, labels, keys), special.logit(scores), stats.norm.ppf(0.975)
    for estimate, (params, errors), place in (
        (found.intercept, robust(np.ones((labels.size, 1)), logit, labels, keys), 0),
        (found.slope, robust(sm.add_constant(logit), None, labels, keys), 1),
    ):
        assert estimate.estimate == pytest.approx(params[place], rel=1e-9, abs=1e-10)
        assert estimate.upper - estimate.estimate == pytest.approx(z * errors[place], rel=1e-8)
        assert estimate.estimate - estimate.lower == pytest.approx(z * errors[place], rel=1e-8)


def test_brier_score_is_that_of_scikit_learn_and_its_error_that_of_a_clustered_mean():
    scores, labels, keys = cohort()
    found = calibration(scores, labels, keys).brier
    assert found.estimate == pytest.approx(brier_score_loss(labels, scores), rel=1e-12)
    fit = sm.OLS((scores - labels) ** 2, np.ones(labels.size)).fit(
        cov_type="cluster", cov_kwds={"groups": keys, "use_correction": False}
    )
    k = len(set(keys))
    assert found.upper - found.estimate == pytest.approx(stats.norm.ppf(0.975) * fit.bse[0] * np.sqrt(k / (k - 1)), rel=1e-9)


@pytest.mark.parametrize("binning", ["uniform", "quantile"])
def test_the_curve_is_that_of_scikit_learn_and_the_ece_its_mean_gap(binning):
    scores, labels, keys = cohort()
    found = calibration(scores, labels, keys, bins=8, binning=binning)
    observed, mean = calibration_curve(labels, scores, n_bins=8, strategy=binning)
    np.testing.assert_allclose([each.observed.estimate for each in found.curve], observed, rtol=1e-12)
    np.testing.assert_allclose([each.mean_score for each in found.curve], mean, rtol=1e-12)
    sizes = np.array([each.studies for each in found.curve])
    assert sizes.sum() == labels.size
    assert found.ece == pytest.approx(np.sum(sizes * abs(observed - mean)) / labels.size, rel=1e-12)
    assert all(each.observed.lower <= each.observed.estimate <= each.observed.upper for each in found.curve)


def test_observed_to_expected_is_a_ratio_over_patients():
    scores, labels, keys = cohort()
    found = calibration(scores, labels, keys).observed_to_expected
    assert found.estimate == pytest.approx(labels.sum() / scores.sum(), rel=1e-12)
    k, ratio = len(set(keys)), labels.sum() / scores.sum()
    left = [labels[keys != key].sum() / scores[keys != key].sum() for key in set(keys)]
    jackknife = np.sqrt((k - 1) / k * np.sum((np.array(left) - np.mean(left)) ** 2)) / ratio
    assert np.log(found.upper / found.estimate) / stats.norm.ppf(0.975) == pytest.approx(jackknife, rel=0.2)


def test_scores_that_are_right_have_slope_one_and_intercept_zero_within_their_intervals():
    rng = np.random.default_rng(6)
    covered = np.zeros(2)
    for _ in range(150):
        keys = np.repeat(np.arange(80), 4)
        scores = special.expit(rng.normal(size=80)[keys])
        labels = (rng.random(320) < scores).astype(float)
        found = calibration(scores, labels, keys)
        covered += [found.intercept.lower <= 0 <= found.intercept.upper, found.slope.lower <= 1 <= found.slope.upper]
    assert (covered / 150 >= 0.9).all(), covered


@pytest.mark.parametrize(
    ("scores", "labels", "field", "reason"),
    [
        ([], [], "brier", "no cases"), ([0.1, 1.2], [0, 1], "brier", "1 of 2 scores are not probabilities"),
        ([0.1, np.nan], [0, 1], "brier", "1 of 2 scores are not probabilities"), ([0.1, 0.2], [0, 2], "slope", "1 of 2 labels"),
        ([0.1, 0.2, 0.3], [1, 1, 1], "slope", "no negative cases"), ([0.1, 0.2, 0.3], [0, 0, 0], "observed_to_expected", "no positive cases"),
        ([0.0, 0.2, 1.0, 0.4], [0, 1, 1, 0], "slope", "2 scores of exactly 0 or 1"),
        ([0.3] * 4, [0, 1, 1, 0], "slope", "all scores are equal"),
        ([0.1, 0.2, 0.6, 0.9], [0, 0, 1, 1], "slope", "separate the labels"),
    ],
)  # fmt: skip
def test_what_can_not_be_estimated_says_why(scores, labels, field, reason):
    found = getattr(calibration(scores, labels), field)
    assert found.status == "not_estimable"
    assert reason in found.reason


def test_net_benefit_is_that_of_its_definition():
    scores, labels, keys = cohort()
    for point in net_benefit(scores, labels, keys, at=[0.05, 0.3, 0.8]):
        p = point.threshold_probability
        tp, fp = np.mean((scores >= p) & (labels == 1)), np.mean((scores >= p) & (labels == 0))
        assert point.model.estimate == pytest.approx(tp - fp * p / (1 - p), rel=1e-12, abs=1e-15)
        assert point.treat_all == pytest.approx(labels.mean() - (1 - labels.mean()) * p / (1 - p), rel=1e-12)
        worth = np.where(scores >= p, np.where(labels == 1, 1.0, -p / (1 - p)), 0.0)
        fit = sm.OLS(worth, np.ones(labels.size)).fit(cov_type="cluster", cov_kwds={"groups": keys, "use_correction": False})
        k = len(set(keys))
        spread = stats.norm.ppf(0.975) * fit.bse[0] * np.sqrt(k / (k - 1))
        assert (point.model.lower, point.model.upper) == pytest.approx(
            (point.model.estimate - spread, point.model.estimate + spread)
        )
    assert net_benefit([2.0], [1], at=[0.5])[0].model.reason == "1 of 1 scores are not probabilities"
    with pytest.raises(ValueError, match="threshold probability"):
        net_benefit(scores, labels, at=[1.0])


def test_strata_hold_every_case_once():
    scores, labels, keys = cohort()
    found = strata(scores, labels, keys, bounds=[0.2, 0.6])
    assert [(each.lower, each.upper) for each in found] == [(None, 0.2), (0.2, 0.6), (0.6, None)]
    assert sum(each.studies for each in found) == labels.size
    assert sum(each.positives for each in found) == labels.sum()
    for each, inside in zip(found, (scores < 0.2, (scores >= 0.2) & (scores < 0.6), scores >= 0.6), strict=True):
        assert each.observed.estimate == pytest.approx(labels[inside].mean())
        ratio = inside[labels == 1].mean() / inside[labels == 0].mean()
        assert each.likelihood_ratio.estimate == pytest.approx(ratio, rel=1e-12)
    assert strata([0.5, 0.5], [0, 1], bounds=[0.5])[0].studies == 0


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("low", [0.5, 0.8, 0.9])
def test_partial_auc_is_that_of_scikit_learn(low, ties):
    scores, labels, keys = cohort(3)
    scores = np.round(scores, 1) if ties else scores
    found = partial_auc(scores, labels, keys, specificity=(low, 1.0), replicates=200)
    assert found.standardized.estimate == pytest.approx(roc_auc_score(labels, scores, max_fpr=1 - low), rel=1e-10)
    assert found.standardized.lower < found.standardized.estimate < found.standardized.upper


def test_partial_areas_add_up_and_the_whole_one_is_the_auc():
    scores, labels, _ = cohort(4)
    parts = [
        partial_auc(scores, labels, specificity=bounds, replicates=200).area for bounds in ((0.0, 0.35), (0.35, 0.8), (0.8, 1.0))
    ]
    assert sum(parts) == pytest.approx(roc_auc_score(labels, scores), rel=1e-12)
    whole = partial_auc(scores, labels, specificity=(0.0, 1.0), replicates=400, seed=1)
    assert whole.standardized.estimate == pytest.approx(roc_auc_score(labels, scores), rel=1e-12)


def test_the_bootstrap_of_the_whole_area_is_as_wide_as_obuchowskis_interval():
    from tasks.evaluation.curves import auc

    scores, labels, keys = cohort(6, patients=120)
    resampled, closed = (
        partial_auc(scores, labels, keys, specificity=(0.0, 1.0), replicates=2000).standardized,
        auc(scores, labels, keys),
    )
    assert resampled.upper - resampled.lower == pytest.approx(closed.upper - closed.lower, rel=0.1)
    again = partial_auc(scores, labels, keys, specificity=(0.0, 1.0), replicates=2000).standardized
    assert again == resampled  # the seed is the plan's


def test_too_few_patients_are_not_resampled():
    assert (
        "fewer than 10 patients" in partial_auc(np.linspace(0, 1, 20), np.arange(20) % 2, np.arange(20) // 4).standardized.reason
    )
    with pytest.raises(ValueError, match="ascend"):
        partial_auc([0.1, 0.2], [0, 1], specificity=(1.0, 0.9))
