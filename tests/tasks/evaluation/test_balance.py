"""Standardised differences against R's tableone, against the definition on single studies, and without a word of what is withheld."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.spatial.distance import mahalanobis

from tasks.evaluation.analysis import analyse
from tasks.evaluation.balance import standardized_difference
from tasks.evaluation.of_cases import StandardizedDifference
from tasks.evaluation.results import Results
from tests.tasks.evaluation.cohorts import changed, plan, tables


def test_as_tableone_prints_it() -> None:
    # A table that R's tableone 0.13 made of a matched cohort, 656 in each group, as a user of it shows:
    # https://techqa.club/v/q/standardised-mean-differences-for-categorical-variables-72203772
    ages = ((28, 63, 110, 195, 259, 1), (25, 69, 110, 202, 249, 1))
    assert round(standardized_difference(*ages) or 0, 3) == 0.048
    assert round(standardized_difference((324, 332), (322, 334)) or 0, 3) == 0.006


def test_two_levels_by_austins_formula() -> None:
    p, q = 35 / 185, 220 / 429
    by_hand = abs(p - q) / np.sqrt((p * (1 - p) + q * (1 - q)) / 2)
    assert standardized_difference((35, 150), (220, 209)) == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_several_levels_are_the_mahalanobis_distance_of_the_studies_themselves(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 40, (2, 5))
    groups = [np.repeat(np.eye(5), row, axis=0)[:, 1:] for row in counts]
    mean = np.mean([np.cov(group.T, bias=True) for group in groups], axis=0)
    wanted = mahalanobis(groups[0].mean(axis=0), groups[1].mean(axis=0), np.linalg.inv(mean))
    shuffled = rng.permutation(5)
    assert standardized_difference(*counts) == pytest.approx(wanted, rel=1e-9)
    assert standardized_difference(*counts[:, shuffled]) == pytest.approx(wanted, rel=1e-9)
    assert standardized_difference(*(10 * counts)) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [((5, 0), (0, 5), None), ((0, 0), (3, 2), None), ((), (), None), ((3, 0), (9, 0), 0.0), ((2, 4, 0), (1, 2, 0), 0.0)],
)
def test_groups_with_nothing_in_common_have_none_and_equal_ones_zero(
    first: tuple[int, ...], second: tuple[int, ...], wanted: float
) -> None:
    found = standardized_difference(first, second)
    assert found == (None if wanted is None else pytest.approx(wanted, abs=1e-7))


def of(results: Results, attribute: str, comparison: str) -> StandardizedDifference:
    (row,) = [row for row in results.standardized_differences if (row.attribute, row.comparison) == (attribute, comparison)]
    return row


def test_both_comparisons_count_every_study_once() -> None:
    predictions, reference, cohort = tables()
    predictions = changed(predictions, "score", dict.fromkeys(range(60)), pa.float64())
    results = analyse(predictions, reference, cohort, plan())
    overall = results.overall()
    found, left = of(results, "sex", "finding"), of(results, "sex", "excluded")
    assert [sum(getattr(each, side) for each in found.levels) for side in ("first", "second")] == [
        overall.positives,
        overall.negatives,
    ]
    assert [sum(getattr(each, side) for each in left.levels) for side in ("first", "second")] == [240, 60]
    unread = {level: cohort["sex"].to_pylist()[:60].count(level) for level in ("F", "M")}
    assert {each.level: each.second for each in left.levels} == unread
    assert left.difference == standardized_difference([each.first for each in left.levels], list(unread.values()))


def test_a_withheld_level_leaves_no_number_behind() -> None:
    predictions, reference, cohort = tables()
    few = [("rare" if number < 4 else "common") for number in range(300)]
    asked = plan(subgroups=[{"attribute": "site", "levels": ["rare", "common", "none"]}])
    results = analyse(predictions, reference, cohort.append_column("site", pa.array(few)), asked)
    for comparison in ("finding", "excluded"):
        row = of(results, "site", comparison)
        assert (row.difference, row.levels, row.reason) == (None, (), "a level is withheld")


def test_a_few_excluded_studies_are_not_told_apart() -> None:
    predictions, reference, cohort = tables()
    results = analyse(changed(predictions, "score", {0: None, 1: None}, pa.float64()), reference, cohort, plan())
    row = of(results, "sex", "excluded")
    assert (row.difference, row.levels) == (None, ())
    assert "too few excluded patients" in row.reason
    assert of(results, "sex", "finding").difference is not None


def test_nothing_is_compared_where_all_cases_are_withheld_or_none_is_excluded() -> None:
    assert analyse(*tables(4), plan(minimum_cases=50)).standardized_differences == ()
    assert of(analyse(*tables(), plan()), "sex", "excluded").reason == "no study is excluded"
