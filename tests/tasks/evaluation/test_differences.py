"""Differences against the rest: Newcombe's published intervals, and the truth covered as often as is said."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.evaluation.differences import difference
from tasks.evaluation.intervals import not_estimable
from tasks.evaluation.proportions import proportion


def share(hits: int, n: int):
    return proportion(np.arange(n) < hits)


@pytest.mark.parametrize(
    ("a", "m", "b", "n", "lower", "upper"),
    [
        (56, 70, 48, 80, 0.0524, 0.3339), (9, 10, 3, 10, 0.1705, 0.8090), (6, 7, 2, 7, 0.0582, 0.8062),
        (5, 56, 0, 29, -0.0381, 0.1926), (0, 10, 0, 20, -0.1611, 0.2775), (0, 10, 0, 10, -0.2775, 0.2775),
        (10, 10, 0, 20, 0.6791, 1.0000), (10, 10, 0, 10, 0.6075, 1.0000),
    ],
)  # fmt: skip
def test_intervals_are_those_of_newcombe_1998_table_2_method_10(a, m, b, n, lower, upper):
    found = difference("sensitivity", share(a, m), share(b, n))
    assert found.difference == pytest.approx(a / m - b / n, abs=1e-12)
    assert (found.lower, found.upper) == pytest.approx((lower, upper), abs=6e-5)


def test_what_is_not_estimated_on_both_sides_has_no_difference():
    assert difference("auc", not_estimable("no cases", 0.95), share(3, 10)) is None
    assert difference("auc", share(3, 10), not_estimable("no cases", 0.95)) is None


def test_the_truth_is_covered_as_often_as_is_said():
    rng, covered, rounds = np.random.default_rng(3), 0, 2000
    for _ in range(rounds):
        found = difference("specificity", share(int(rng.binomial(30, 0.6)), 30), share(int(rng.binomial(90, 0.85)), 90))
        covered += found.lower <= -0.25 <= found.upper
    assert 0.93 < covered / rounds < 0.975
