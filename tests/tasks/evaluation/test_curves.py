"""The AUC and its variance agree with scikit-learn, with the definitions written out, and with the jackknife."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from tasks.evaluation.curves import auc, roc, score_interval
from tasks.evaluation.ranking import area, outranked, rank


def cohort(seed: int, patients: int = 60, each: int = 4, *, ties: bool = True):
    """Scores, labels and patients: correlated within a patient, positives and negatives in the same patients."""
    rng = np.random.default_rng(seed)
    keys = np.sort(rng.integers(0, patients, patients * each))
    labels = rng.random(keys.size) < 0.4
    scores = rng.normal(size=patients)[keys] + rng.normal(size=keys.size) + 1.2 * labels
    return (np.round(scores, 1) if ties else scores), labels, keys


def variance(scores, labels, keys):
    """The variance over patients, as the package works it out."""
    return area(rank(scores, labels, np.unique(keys, return_inverse=True)[1])[0]).variance


def brute_force(scores, labels):
    """Structural components by comparing every positive with every negative (DeLong 1988, eq. 2 to 4)."""
    wins = (scores[labels][:, None] > scores[~labels]) + 0.5 * (scores[labels][:, None] == scores[~labels])
    return wins.mean(), wins.mean(axis=1), wins.mean(axis=0)


def obuchowski(scores, labels, keys):
    """Obuchowski 1997, eq. 4, patient by patient."""
    theta, positive, negative = brute_force(scores, labels)
    m, n, units = positive.size, negative.size, np.unique(keys)
    s10 = s01 = s11 = 0.0
    for unit in units:
        x = sum(value - theta for value, key in zip(positive, keys[labels], strict=True) if key == unit)
        y = sum(value - theta for value, key in zip(negative, keys[~labels], strict=True) if key == unit)
        s10, s01, s11 = s10 + x * x, s01 + y * y, s11 + x * y
    i10, i01, i = len(set(keys[labels])), len(set(keys[~labels])), units.size
    s10, s01, s11 = s10 * i10 / ((i10 - 1) * m), s01 * i01 / ((i01 - 1) * n), s11 * i / (i - 1)
    return s10 / m + s01 / n + 2 * s11 / (m * n)


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_auc_is_that_of_scikit_learn(seed, ties):
    scores, labels, keys = cohort(seed, ties=ties)
    assert auc(scores, labels).estimate == pytest.approx(roc_auc_score(labels, scores), abs=1e-13)
    assert auc(scores, labels, keys).estimate == auc(scores, labels).estimate


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_components_by_midranks_are_those_by_comparing_every_pair(seed, ties):
    scores, labels, _ = cohort(seed, ties=ties)
    ranked, order = rank(scores, labels, np.arange(scores.size))
    wins, losses = outranked(ranked)
    theta, _, _ = brute_force(scores, labels)
    _, positive, negative = brute_force(scores[order], labels[order])
    assert area(ranked).auc == pytest.approx(theta, abs=1e-13)
    np.testing.assert_allclose(wins / (2 * negative.size), positive, atol=1e-13)
    np.testing.assert_allclose(losses / (2 * positive.size), negative, atol=1e-13)


@pytest.mark.parametrize("seed", range(5))
def test_delong_variance_is_that_of_the_definition_and_of_the_two_sample_jackknife(seed):
    scores, labels, _ = cohort(seed, patients=25)
    ours = variance(scores, labels, np.arange(scores.size))
    _, positive, negative = brute_force(scores, labels)
    assert ours == pytest.approx(positive.var(ddof=1) / positive.size + negative.var(ddof=1) / negative.size, rel=1e-12)
    jackknife = 0.0
    for side in (labels, ~labels):
        left_out = [roc_auc_score(np.delete(labels, i), np.delete(scores, i)) for i in np.flatnonzero(side)]
        jackknife += (len(left_out) - 1) / len(left_out) * np.sum((left_out - np.mean(left_out)) ** 2)
    assert ours == pytest.approx(jackknife, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_obuchowski_variance_is_that_of_the_definition(seed):
    scores, labels, keys = cohort(seed)
    assert variance(scores, labels, keys) == pytest.approx(obuchowski(scores, labels, keys), rel=1e-10)


def test_obuchowski_variance_is_near_the_jackknife_over_patients():
    scores, labels, keys = cohort(1, patients=150)
    units = np.unique(keys)
    left_out = np.array([roc_auc_score(labels[keys != unit], scores[keys != unit]) for unit in units])
    jackknife = (units.size - 1) / units.size * np.sum((left_out - left_out.mean()) ** 2)
    assert variance(scores, labels, keys) == pytest.approx(jackknife, rel=0.05)


def test_patients_with_one_study_each_give_delong():
    scores, labels, _ = cohort(2)
    one_each = auc(scores, labels, [f"P{i}" for i in range(scores.size)])
    assert one_each.method == "DeLong"
    assert one_each.model_dump() == pytest.approx(auc(scores, labels).model_dump())


def test_repeating_every_study_gives_obuchowski_the_interval_of_the_single_ones():
    scores, labels, _ = cohort(4, patients=40)
    single = auc(scores, labels)
    keys = np.repeat(np.arange(scores.size), 3)
    repeated = auc(np.repeat(scores, 3), np.repeat(labels, 3), keys)
    assert repeated.method == "Obuchowski (patients as clusters)"
    assert (repeated.lower, repeated.upper) == pytest.approx((single.lower, single.upper), rel=1e-10)


def test_plain_interval_is_the_normal_one_and_logit_is_its_transform():
    scores, labels, _ = cohort(5)
    spread = np.sqrt(variance(scores, labels, np.arange(scores.size)))
    plain, logit = auc(scores, labels, transform="none"), auc(scores, labels, transform="logit")
    assert plain.upper - plain.estimate == pytest.approx(stats.norm.ppf(0.975) * spread, rel=1e-12)
    assert plain.estimate - plain.lower == pytest.approx(stats.norm.ppf(0.975) * spread, rel=1e-12)
    shares = np.array([logit.lower, logit.estimate, logit.upper])
    odds = np.log(shares / (1 - shares))
    assert odds[2] - odds[1] == pytest.approx(odds[1] - odds[0], rel=1e-9)
    assert odds[2] - odds[1] == pytest.approx(stats.norm.ppf(0.975) * spread / (logit.estimate * (1 - logit.estimate)), rel=1e-9)


def test_near_one_the_interval_is_on_the_logit_scale_and_stays_below_one():
    rng = np.random.default_rng(6)
    scores = np.concatenate([rng.normal(3.0, 1, 40), rng.normal(0, 1, 40)])
    found = auc(scores, np.repeat([1, 0], 40))
    assert found.estimate > 0.95
    assert found.method == "DeLong, logit"
    assert found.estimate < found.upper < 1.0


def test_rows_may_come_in_any_order():
    scores, labels, keys = cohort(7)
    order = np.random.default_rng(0).permutation(scores.size)
    plain, moved = auc(scores, labels, keys), auc(scores[order], labels[order], keys[order])
    assert (moved.estimate, moved.lower, moved.upper) == pytest.approx((plain.estimate, plain.lower, plain.upper), rel=1e-12)


def test_swapping_the_labels_mirrors_the_auc_and_its_interval():
    scores, labels, keys = cohort(8)
    plain, swapped = auc(scores, labels, keys), auc(scores, ~labels, keys)
    mirrored = (1 - swapped.estimate, 1 - swapped.upper, 1 - swapped.lower)
    assert mirrored == pytest.approx((plain.estimate, plain.lower, plain.upper), rel=1e-12)


def test_only_the_order_of_scores_counts():
    scores, labels, keys = cohort(9)
    assert auc(np.exp(3 * scores) - 7, labels, keys) == auc(scores, labels, keys)


def test_scores_are_compared_in_full_precision():
    # In float32 these are all the same number.
    scores = 1.0 + 1e-12 * np.arange(40)
    found = auc(scores, np.arange(40) >= 20)
    assert found.estimate == 1.0


def test_perfect_separation_has_a_lower_bound_below_one_and_says_how():
    found = auc(np.arange(40), np.arange(40) >= 20)
    assert (found.estimate, found.upper) == (1.0, 1.0)
    assert 0.8 < found.lower < 0.95
    assert found.method == "Newcombe score-type (complete separation)"
    reversed_scores = auc(-np.arange(40), np.arange(40) >= 20)
    assert (reversed_scores.lower, reversed_scores.upper) == pytest.approx((0.0, 1 - found.lower))


def test_perfect_separation_counts_patients_not_studies():
    keys = np.repeat(np.arange(20), 2)
    clustered = auc(np.arange(40), np.arange(40) >= 20, keys)
    assert clustered.lower == pytest.approx(score_interval(1.0, 10, 10, 0.95)[0])
    assert clustered.lower < auc(np.arange(40), np.arange(40) >= 20).lower


@pytest.mark.parametrize("theta", [0.02, 0.4, 0.5, 0.77, 0.999])
@pytest.mark.parametrize(("m", "n"), [(2, 2), (3, 50), (51, 58)])
def test_score_interval_holds_the_aucs_within_z_standard_errors_of_hanley_and_mcneil(theta, m, n):
    # Newcombe 2006 (Statistics in Medicine 25:559-573), method 5: both sample sizes replaced by their mean in Q1 and Q2.
    for bound in score_interval(theta, m, n, 0.95):
        q1, q2, mean = bound / (2 - bound), 2 * bound**2 / (1 + bound), (m + n) / 2
        spread = np.sqrt((bound * (1 - bound) + (mean - 1) * (q1 + q2 - 2 * bound**2)) / (m * n))
        assert abs(theta - bound) == pytest.approx(stats.norm.ppf(0.975) * spread, rel=1e-9)


@pytest.mark.parametrize(
    ("scores", "labels", "patients", "reason"),
    [
        ([], [], None, "no cases"),
        ([0.1, 0.2], [0, 0], None, "no positive cases"),
        ([0.1, 0.2], [1, 1], None, "no negative cases"),
        ([0.5] * 40, [0, 1] * 20, None, "all scores are equal"),
        ([0.1, np.nan, 0.3, np.inf], [0, 1, 0, 1], None, "2 of 4 scores are not finite numbers"),
        ([0.1, 0.2, 0.3], [0, 1, 2], None, "1 of 3 labels are neither 0 nor 1"),
        ([0.1, 0.2, 0.3], [0, 1, np.nan], None, "1 of 3 labels are neither 0 nor 1"),
        ([0.1, 0.2, 0.3], [0, 0, 1], None, "the positive cases are of one patient"),
        ([0.1, 0.2, 0.3], [0, 1, 1], None, "the negative cases are of one patient"),
        ([0.1, 0.2, 0.3, 0.15], [0, 1, 1, 0], ["A", "B", "B", "C"], "the positive cases are of one patient"),
        ([0.1, 0.2, 0.3, 0.15], [0, 1, 1, 0], ["A"] * 4, "the positive cases are of one patient"),
    ],
)
def test_what_has_no_auc_says_why(scores, labels, patients, reason):
    found = auc(scores, labels, patients)
    assert (found.status, found.reason) == ("not_estimable", reason)
    assert (found.estimate, found.lower, found.upper) == (None, None, None)


def test_a_variance_of_zero_is_no_certainty():
    # Within each patient the deviations of the positive and of the negative cancel each other.
    base = np.arange(20) * 10.0
    scores, labels = np.concatenate([base + 1, base]), np.repeat([1, 0], 20)
    found = auc(scores, labels, np.tile(np.arange(20), 2))
    assert (found.status, found.reason) == ("not_estimable", "the estimated variance is zero")


def test_few_patients_get_the_wider_interval():
    scores, labels, _ = cohort(1, patients=5, ties=False)
    found = auc(scores, labels, None)
    assert labels.sum() < 10
    assert found.method == "Newcombe score-type (few patients)"


def test_columns_of_different_length_are_refused():
    with pytest.raises(ValueError, match="same length"):
        auc([0.1, 0.2], [1])


@pytest.mark.parametrize("ties", [True, False])
def test_roc_runs_from_corner_to_corner_and_has_the_area_of_the_auc(ties):
    scores, labels, _ = cohort(3, ties=ties)
    fpr, tpr = roc(scores, labels)
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0.0, 0.0, 1.0, 1.0)
    assert (np.diff(fpr) >= 0).all()
    assert (np.diff(tpr) >= 0).all()
    assert np.trapezoid(tpr, fpr) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_roc_of_equal_scores_is_the_diagonal_and_without_both_classes_there_is_none():
    assert [edge.tolist() for edge in roc([1, 1, 1], [0, 1, 1])] == [[0.0, 1.0], [0.0, 1.0]]
    assert roc([1, 2], [1, 1])[0].size == 0
