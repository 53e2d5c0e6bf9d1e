"""The ROC band is made of the intervals of proportions over patients, covers a known curve, and is as wide as a bootstrap says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tasks.evaluation.analysis import analyse
from tasks.evaluation.bands import _height, _sums, _vertices, band_of
from tasks.evaluation.proportions import effective, proportion, share_of
from tasks.evaluation.ranking import rank
from tests.tasks.evaluation.cohorts import plan, tables

SHIFT = 1.5


def cohort(rng, patients=60, each=4, *, crossed=True, ties=False):
    """Scores, labels and patients; `crossed`: patients have cases of both kinds."""
    keys = np.repeat(np.arange(2 * patients), each)
    labels = np.arange(keys.size) % 2 == 0 if crossed else keys < patients
    scores = (rng.normal(size=2 * patients)[keys] + rng.normal(size=keys.size)) / np.sqrt(2) + SHIFT * labels
    return (np.round(scores, 1) if ties else scores), labels, keys


@pytest.mark.parametrize("ties", [True, False])
def test_the_sums_are_those_of_every_patient_written_out(ties):
    scores, labels, keys = cohort(np.random.default_rng(1), 12, 5, ties=ties)
    found = _vertices(rank(scores, labels, keys)[0])
    at = np.arange(found.fpr.size)[::3]
    sums = _sums(found, at)
    thresholds = np.concatenate(([np.inf], np.unique(scores)[::-1]))
    for place, vertex in enumerate(at):
        called = scores >= thresholds[vertex]
        p, q = called[labels].mean(), called[~labels].mean()
        assert (found.tpr[vertex], found.fpr[vertex]) == (p, q)
        of = [(keys == key) for key in np.unique(keys)]
        x = np.array([(called & labels & own).sum() - p * (labels & own).sum() for own in of])
        y = np.array([(called & ~labels & own).sum() - q * (~labels & own).sum() for own in of])
        assert (sums.yy[place], sums.vv[place], sums.yv[place]) == pytest.approx((x @ x, y @ y, x @ y), abs=1e-9)


@pytest.mark.parametrize("crossed", [True, False])
def test_the_bounds_are_made_of_the_intervals_of_proportions(crossed):
    scores, labels, keys = cohort(np.random.default_rng(2), 40, 3, crossed=crossed)
    ranked = rank(scores, labels, keys)[0]
    band, found = band_of(ranked, 0.9), _vertices(ranked)
    z = stats.norm.ppf(0.95)
    for point in (10, 30, 60):
        t = band.fpr[point]
        cut = np.sort(scores[~labels])[::-1][int(np.floor(t * (~labels).sum() + 1e-9)) - 1]
        # The curve's top at this false positive rate: the lowest score above the next negative.
        following = scores[~labels][scores[~labels] < cut].max()
        called = scores > following
        hit = proportion(called[labels], keys[labels], confidence=0.9)
        size, _ = effective(share_of((called[~labels]).astype(float), keys[~labels]), 0.9)
        shift = z * np.sqrt(t * (1 - t) / size)
        before, after = _height(found, np.array([t - shift, t + shift]))
        x = [(called & labels & (keys == key)).sum() - hit.estimate * (labels & (keys == key)).sum() for key in np.unique(keys)]
        q = called[~labels].mean()
        y = [(called & ~labels & (keys == key)).sum() - q * (~labels & (keys == key)).sum() for key in np.unique(keys)]
        r = np.corrcoef(x, y)[0, 1] if crossed else 0.0
        for bound, one, other, room in (
            (hit.estimate - band.lower[point], hit.estimate - hit.lower, hit.estimate - before, hit.estimate),
            (band.upper[point] - hit.estimate, hit.upper - hit.estimate, after - hit.estimate, 1 - hit.estimate),
        ):
            assert bound == pytest.approx(min(np.sqrt(one**2 + other**2 - 2 * r * one * other), room), abs=1e-9)


@pytest.mark.parametrize(("patients", "each", "crossed"), [(60, 1, False), (60, 5, False), (60, 4, True)])
def test_it_covers_a_known_curve(patients, each, crossed):
    rng, turns, at = np.random.default_rng(20_261_126), 300, np.array([2, 5, 10, 20, 40])
    truth = stats.norm.sf(stats.norm.isf(at / 100) - SHIFT)
    covered = np.zeros(at.size)
    for _ in range(turns):
        scores, labels, keys = cohort(rng, patients, each, crossed=crossed)
        band = band_of(rank(scores, labels, keys)[0], 0.95)
        covered += (np.array(band.lower)[at] <= truth) & (truth <= np.array(band.upper)[at])
    assert (covered / turns).min() >= 0.92, covered / turns
    assert (covered / turns).mean() <= 0.985, covered / turns


def test_it_is_as_wide_as_a_bootstrap_over_patients():
    rng = np.random.default_rng(5)
    scores, labels, keys = cohort(rng, 100, 4)
    band, at = band_of(rank(scores, labels, keys)[0], 0.95), np.array([20, 30, 50])
    owned = [np.flatnonzero(keys == key) for key in np.unique(keys)]
    drawn = []
    for _ in range(400):
        chosen = np.concatenate([owned[key] for key in rng.integers(0, len(owned), len(owned))])
        found = _vertices(rank(scores[chosen], labels[chosen], keys[chosen])[0])
        drawn.append(_height(found, at / 100))
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    width = np.array(band.upper)[at] - np.array(band.lower)[at]
    assert width == pytest.approx(high - low, rel=0.35)
    assert np.array(band.lower)[at] == pytest.approx(low, abs=0.05)


def test_the_curve_lies_in_its_band_and_the_ends_are_what_they_must_be():
    scores, labels, keys = cohort(np.random.default_rng(3), 20, 2, ties=True)
    ranked = rank(scores, labels, keys)[0]
    band = band_of(ranked, 0.95)
    here = _height(_vertices(ranked), np.array(band.fpr))
    assert (np.array(band.lower) <= here + 1e-12).all()
    assert (here <= np.array(band.upper) + 1e-12).all()
    assert (band.fpr[0], band.lower[0], band.fpr[-1], band.lower[-1], band.upper[-1]) == (0, 0, 1, 1, 1)
    assert band.method.endswith("square-and-add over patients")


def test_a_single_patient_on_a_side_has_no_band():
    scores, labels, keys = cohort(np.random.default_rng(3), 20, 2, crossed=False)
    keys[labels] = 0
    assert band_of(rank(scores, labels, keys)[0], 0.95) is None


def test_every_curve_of_an_evaluation_has_one_at_the_plans_confidence():
    results = analyse(*tables(), plan(confidence=0.9))
    assert [curve.band.confidence for curve in results.roc] == [0.9] * 5
    assert all(len(curve.band.lower) == 101 for curve in results.roc)
