"""Distances of distributions agree with scipy, statsmodels and values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import rel_entr

from tasks.changes import drift


def test_the_index_is_the_symmetric_divergence_of_scipy() -> None:
    now, before = [12, 30, 0, 58], [25, 25, 25, 25]
    p, q = ((np.array(each) + 0.5) / (np.sum(each) + 2.0) for each in (now, before))
    assert drift.psi(now, before) == pytest.approx(float(np.sum(rel_entr(p, q) + rel_entr(q, p))), rel=1e-12)
    assert drift.psi(now, before) == pytest.approx(drift.psi(before, now), rel=1e-12)
    assert drift.psi([5, 5], [5, 5]) == 0.0


def test_two_bins_by_hand() -> None:
    """20 % and 50 %: (0.2 - 0.5) ln(0.2 / 0.5) + (0.8 - 0.5) ln(0.8 / 0.5) = 0.41589, the added half case aside."""
    assert drift.psi([200_000, 800_000], [500_000, 500_000]) == pytest.approx(0.3 * np.log(2.5) + 0.3 * np.log(1.6), rel=1e-4)


def test_without_change_the_index_is_near_its_expectation() -> None:
    rng = np.random.default_rng(3)
    found = [drift.psi(rng.multinomial(400, [0.1] * 10).tolist(), rng.multinomial(600, [0.1] * 10).tolist()) for _ in range(400)]
    assert np.mean(found) == pytest.approx(drift.expected_psi(10, 400, 600), rel=0.06)


@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_the_distance_is_that_of_scipy_also_with_ties(shift: float) -> None:
    rng = np.random.default_rng(4)
    one, other = np.round(rng.normal(shift, size=173), 1), np.round(rng.normal(size=211), 1)
    assert drift.ks(one, other) == pytest.approx(stats.ks_2samp(one, other).statistic, rel=1e-12)


def test_bins_hold_equal_shares_of_the_baseline() -> None:
    before = np.random.default_rng(1).normal(size=1000)
    assert drift.counts(before, drift.edges(before)).tolist() == pytest.approx([100] * 10, abs=1)
    assert drift.counts(np.array([2.0]), np.array([1.0, 2.0])).tolist() == [0, 0, 1]
    assert drift.edges(np.ones(50)).tolist() == [1.0]


def test_standardized_differences_by_hand() -> None:
    assert drift.standardized_share(0.3, 0.2) == pytest.approx(0.1 / np.sqrt((0.21 + 0.16) / 2))
    assert (drift.standardized_share(0.0, 0.0), drift.standardized_share(1.0, 0.0)) == (0.0, None)
    one, other = np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0])
    assert drift.standardized_mean(one, other) == pytest.approx(-2.0 / np.sqrt((1 + 4) / 2))
    assert drift.standardized_mean(np.ones(3), np.ones(3)) == 0.0
    assert drift.standardized_mean(np.ones(3), np.zeros(3)) is None
    assert drift.standardized_mean(np.ones(1), np.zeros(3)) is None
    with pytest.raises(ValueError, match="same bins"):
        drift.psi([1], [1, 2])
