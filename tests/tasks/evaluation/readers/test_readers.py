"""Reader studies give what RJafroc and MRMCaov print for Van Dyke's data, and what other definitions give for any data."""

from __future__ import annotations

import subprocess
import sys
from itertools import product

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from tasks.evaluation.readers import compare, figures, one_reader
from tests.tasks.evaluation.readers.van_dyke import LABELS, ratings

#: Printed by RJafroc (`StSignificanceTesting(dataset02, FOM = "Wilcoxon", method = "OR")`, in the RJafroc book, chapter on OR
#: applications) and, to as many digits as it prints, by MRMCaov's `mrmc(empirical_auc(truth, rating), …, data = VanDyke)`.
AUCS = [
    [0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066],
    [0.94782609, 0.90531401, 0.92173913, 0.99935588, 0.92995169],
]


@pytest.fixture(scope="module")
def study():
    return compare(ratings(), LABELS)


def test_figures_and_mean_squares_are_those_of_rjafroc(study):
    np.testing.assert_allclose(study.figures.values, AUCS, atol=5e-9)
    printed = {"T": 0.00479617053, "R": 0.00383619999, "TR": 0.00055103062}
    assert study.mean_squares == pytest.approx(printed, rel=6e-8)


def test_error_variance_and_covariances_are_those_of_rjafroc_and_mrmcaov(study):
    found = (study.variance, study.cov1, study.cov2, study.cov3)
    assert found == pytest.approx((0.00080228827, 0.00034661371, 0.00034407483, 0.00023902837), rel=6e-8)


@pytest.mark.parametrize(
    ("covariance", "printed"),
    [
        ("delong", (0.0007921324531, 0.0003420089577, 0.0003395265310, 0.0002358496532)),
        ("unbiased", (0.0007883925117, 0.0003416705566, 0.0003390649796, 0.0002356148455)),
    ],
)
def test_the_other_covariances_are_those_of_mrmcaovs_functions(covariance, printed):
    """Variance and covariances by `DeLong` and `unbiased_balanced` of MRMCaov's sources, run over these ratings in R 4.2.2."""
    found = compare(ratings(), LABELS, covariance=covariance)
    assert (found.variance, found.cov1, found.cov2, found.cov3) == pytest.approx(printed, rel=1e-9)


def test_random_readers_and_cases(study):
    found = study.random_readers_and_cases
    assert (found.statistic, found.freedom[1], found.p) == pytest.approx((4.4563187, 15.259675, 0.051665686), rel=6e-8)
    (each,) = found.differences
    printed = (-0.043800322, 0.020748618, 15.259675, 0.051665686, -0.087959499, 0.00035885444)
    assert (each.difference, each.error, each.freedom, each.p, each.lower, each.upper) == pytest.approx(printed, rel=6e-8)
    for modality, values in zip(found.modalities, [
        (0.89703704, 0.033173597, 12.744648, 0.82522360, 0.96885048), (0.94083736, 0.021566368, 12.710190, 0.89413783, 0.98753689),
    ], strict=True):  # fmt: skip
        assert (modality.value, modality.error, modality.freedom, modality.lower, modality.upper) == pytest.approx(
            values, rel=6e-8
        )


def test_fixed_readers_and_random_cases(study):
    found = study.random_cases
    assert (found.statistic, found.p) == pytest.approx((5.4759532, 0.019279843), rel=6e-8)
    (each,) = found.differences
    printed = (0.018717483, 0.019279843, -0.080485914, -0.0071147303)
    assert (each.error, each.p, each.lower, each.upper) == pytest.approx(printed, rel=6e-8)
    for modality, values in zip(found.modalities, [
        (0.024289710, 0.84943008, 0.94464399), (0.016776324, 0.90795637, 0.97371835),
    ], strict=True):  # fmt: skip
        assert (modality.error, modality.lower, modality.upper) == pytest.approx(values, rel=6e-8)


def test_random_readers_and_fixed_cases(study):
    found = study.random_readers
    assert (found.statistic, found.freedom, found.p) == (
        pytest.approx(8.704, abs=5e-4), (1.0, 4.0), pytest.approx(0.041958752, rel=6e-8),
    )  # fmt: skip
    (each,) = found.differences
    assert (each.error, each.lower, each.upper) == pytest.approx((0.014846287, -0.085020224, -0.0025804202), rel=6e-8)
    for modality, values in zip(found.modalities, [
        (0.024829936, 0.82809808, 0.96597599), (0.016153030, 0.89598936, 0.98568536),
    ], strict=True):  # fmt: skip
        assert (modality.error, modality.lower, modality.upper) == pytest.approx(values, rel=6e-8)


@pytest.mark.parametrize(
    ("reader", "error", "p"),
    [(0, 0.025512133, 0.269338854), (1, 0.026301827, 0.076831017), (2, 0.031209647, 0.566834139), (3, 0.017291289, 0.129017153),
     (4, 0.044057460, 0.023000993)],
)  # fmt: skip
def test_each_reader_alone_is_that_of_rjafroc(reader, error, p):
    spin_echo, cine = ratings()[:, reader]
    found = one_reader(spin_echo, cine, LABELS, covariance="jackknife")
    assert (found.error, found.p) == pytest.approx((error, p), rel=6e-8)


def small(seed, modalities=2, readers=3, cases=14):
    rng = np.random.default_rng(seed)
    labels = np.arange(cases) % 2
    return np.round(rng.normal(size=(modalities, readers, cases)) + rng.normal(size=cases) + labels), labels


@pytest.mark.parametrize("seed", range(3))
def test_the_jackknife_leaves_every_case_out(seed):
    scores, labels = small(seed)
    found = figures(scores, labels)
    flat, n = scores.reshape(-1, labels.size), labels.size
    left = np.array([[roc_auc_score(np.delete(labels, k), np.delete(row, k)) for k in range(n)] for row in flat])
    np.testing.assert_allclose(found.covariance, np.cov(left) * (n - 1) ** 2 / n, rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(found.values.ravel(), [roc_auc_score(labels, row) for row in flat], rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_unbiased_covariance_is_that_of_pairs_of_pairs(seed):
    """E[θθ'] less the mean over all pairs of (positive, negative) that share no case, by four loops."""
    scores, labels = small(seed, 1, 2, 10)
    tops, lows = scores[0][:, labels == 1], scores[0][:, labels == 0]
    wins = (tops[:, :, None] > lows[:, None]) + 0.5 * (tops[:, :, None] == lows[:, None])
    m, n = tops.shape[1], lows.shape[1]
    for one, other in product(range(2), repeat=2):
        apart = [
            wins[one, a, b] * wins[other, c, d]
            for a, b, c, d in product(range(m), range(n), range(m), range(n))
            if a != c and b != d
        ]
        expected = wins[one].mean() * wins[other].mean() - np.mean(apart)
        assert figures(scores, labels, covariance="unbiased").covariance[one, other] == pytest.approx(expected, abs=1e-13)


def test_the_unbiased_covariance_has_no_bias_and_the_jackknife_has_some():
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1], [6, 5])
    scores = rng.normal(size=(1500, 11)) + labels
    truth = np.var([figures(each[None, None], labels).values[0, 0] for each in scores])
    mean = {
        name: np.mean([figures(each[None, None], labels, covariance=name).covariance[0, 0] for each in scores[:600]])
        for name in ("unbiased", "jackknife")
    }
    assert mean["unbiased"] == pytest.approx(truth, rel=0.1)
    assert mean["jackknife"] > mean["unbiased"]


def test_one_reader_by_delong_is_the_paired_test_of_the_evaluation():
    from tasks.evaluation.ranking import covariance, influence, rank

    spin_echo, cine = ratings()[:, 4]
    found = one_reader(spin_echo, cine, LABELS)
    parts = [influence(rank(each, LABELS == 1, np.arange(114))[0]) for each in (spin_echo, cine)]
    spread = np.sqrt(covariance(parts[0], parts[0]) + covariance(parts[1], parts[1]) - 2 * covariance(*parts))
    assert found.error == pytest.approx(spread, rel=1e-12)
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(found.difference) / spread), rel=1e-10)


@pytest.mark.parametrize("figure", ["sensitivity", "specificity"])
def test_calls_are_compared_by_their_covariance(figure):
    calls = (ratings() >= 3).astype(float)
    found = figures(calls, LABELS, figure=figure, covariance="delong")
    kind = (figure == "sensitivity") == LABELS
    right = calls[:, :, kind] if figure == "sensitivity" else 1 - calls[:, :, kind]
    np.testing.assert_allclose(found.values, right.mean(axis=2))
    np.testing.assert_allclose(found.covariance, np.cov(right.reshape(10, -1)) / kind.sum(), rtol=1e-12)
    assert compare(calls, LABELS, figure=figure).random_readers_and_cases.p > 0


def test_superiority_and_non_inferiority(study):
    (each,) = study.random_readers_and_cases.differences  # spin echo minus cine
    assert not each.superior()
    assert not each.non_inferior(0.05)
    assert each.non_inferior(0.09)
    assert each.p_non_inferior(0.09) == pytest.approx(stats.t.sf((each.difference + 0.09) / each.error, each.freedom), rel=1e-10)
    (other,) = compare(ratings()[::-1], LABELS).random_cases.differences
    assert other.superior()
    for call in (each.non_inferior, each.p_non_inferior):
        with pytest.raises(ValueError, match="margin"):
            call(0.0)


def test_one_modality_has_estimates_and_no_comparison():
    found = compare(ratings()[1:], LABELS)
    assert found.random_readers_and_cases.differences == ()
    assert found.random_readers_and_cases.modalities[0].error == pytest.approx(0.021566368, rel=6e-8)
    assert found.random_cases.p is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s, y: (s[0], y), "shape"), (lambda s, y: (np.where(s == 5, np.nan, s), y), "not finite"),
        (lambda s, y: (s, y + 1), "0 or 1"), (lambda s, y: (s, np.r_[1, np.zeros(113)]), "two cases"), (lambda s, y: (s[:, :, 1:], y), "shape"),
    ],
)  # fmt: skip
def test_what_can_not_be_analysed_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        compare(*change(ratings(), LABELS))
    with pytest.raises(ValueError, match="calls"):
        compare(ratings(), LABELS, figure="sensitivity")


def test_modalities_that_do_not_differ_at_all_are_no_certainty():
    same = np.stack([ratings()[0]] * 2)
    with pytest.raises(ValueError, match="error variance"):
        compare(same, LABELS)


def test_it_is_importable_on_its_own():
    code = (
        "import sys, tasks.evaluation.readers\n"
        "others = [name for name in sys.modules if name.startswith('tasks') and not name.startswith('tasks.evaluation.readers')]\n"
        "assert set(others) <= {'tasks', 'tasks.evaluation'}, others"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
