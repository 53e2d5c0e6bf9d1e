"""Paired differences agree with published numbers, with statsmodels, and with leaving patients out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar

from tasks.evaluation.analysis import analyse
from tasks.evaluation.paired import paired_auc, paired_proportions
from tests.tasks.evaluation.cohorts import columns, plan, tables

#: Newcombe 1998 (Stat Med 17:2635), table III, method 10: cases with both, the first alone, the second alone, neither. Several public
#: implementations carry the same 18 rows in their tests. The paper rounds 0.87367 to 0.8736.
NEWCOMBE = [
    ((36, 12, 2, 0), (0.0569, 0.3404)), ((20, 12, 2, 16), (0.0562, 0.3292)), ((18, 12, 2, 18), (0.0562, 0.3290)),
    ((36, 14, 0, 0), (0.1528, 0.4167)), ((35, 14, 0, 1), (0.1461, 0.4175)), ((18, 14, 0, 18), (0.1441, 0.3963)),
    ((2, 97, 1, 0), (0.8721, 0.9854)), ((1, 97, 1, 1), (0.8736, 0.9850)), ((0, 29, 1, 0), (0.6666, 0.9882)),
    ((2, 98, 0, 0), (0.9178, 0.9945)), ((1, 98, 0, 1), (0.9171, 0.9916)), ((0, 30, 0, 0), (0.8395, 1.0)),
    ((54, 0, 0, 0), (-0.0664, 0.0664)), ((53, 0, 0, 1), (-0.0729, 0.0729)), ((30, 0, 0, 24), (-0.0358, 0.0358)),
    ((29, 0, 0, 25), (-0.0354, 0.0354)), ((28, 0, 0, 26), (-0.0352, 0.0352)), ((27, 0, 0, 27), (-0.0351, 0.0351)),
]  # fmt: skip


def outcomes(both, one, other, neither):
    return np.repeat([1, 1, 0, 0], [both, one, other, neither]), np.repeat([1, 0, 1, 0], [both, one, other, neither])


@pytest.mark.parametrize(("cells", "printed"), NEWCOMBE)
def test_paired_intervals_are_those_that_newcombe_printed(cells, printed):
    found = paired_proportions(*outcomes(*cells)).difference
    assert (found.lower, found.upper) == pytest.approx(printed, abs=1e-4 if cells == (1, 97, 1, 1) else 5.1e-5)


@pytest.mark.parametrize("cells", [(36, 12, 2, 0), (20, 12, 2, 16), (54, 0, 0, 0), (53, 1, 0, 0), (5, 3, 3, 9)])
def test_mcnemars_exact_p_is_that_of_statsmodels(cells):
    both, one, other, neither = cells
    found = paired_proportions(*outcomes(*cells))
    expected = mcnemar([[both, one], [other, neither]], exact=True).pvalue if one + other else 1.0
    assert found.p == pytest.approx(expected, rel=1e-10)
    assert found.difference.estimate == pytest.approx((one - other) / sum(cells), abs=1e-15)


def test_over_patients_the_test_of_repeated_cases_is_mcnemars_of_single_ones():
    first, second = outcomes(20, 12, 4, 16)
    thrice = [np.repeat(each, 3) for each in (first, second)]
    found = paired_proportions(*thrice, np.repeat(np.arange(52), 3))
    expected = mcnemar([[20, 12], [4, 16]], exact=False, correction=False).pvalue
    assert found.p == pytest.approx(expected, rel=1e-10)
    assert found.difference.method.endswith("(patients as clusters)")
    rows = paired_proportions(*thrice)
    assert rows.difference.upper - rows.difference.lower < found.difference.upper - found.difference.lower


def test_clustered_intervals_of_paired_proportions_cover():
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(400):
        keys = np.repeat(np.arange(50), 4)
        own = rng.normal(size=50)[keys]
        first = (own + rng.normal(size=200) > -0.5).astype(int)
        second = (own + rng.normal(size=200) > 0.0).astype(int)
        found = paired_proportions(first, second, keys).difference
        truth = 0.638163195 - 0.5  # P(N(0, 2) > -0.5) = Φ(0.5 / √2)
        covered += found.lower <= truth <= found.upper
    assert 0.92 <= covered / 400 <= 0.98


def test_paired_aucs_over_patients_are_near_leaving_patients_out():
    rng = np.random.default_rng(9)
    keys = np.sort(rng.integers(0, 150, 500))
    labels = rng.random(500) < 0.4
    own = rng.normal(size=150)[keys]
    first, second = own + rng.normal(size=500) + 1.5 * labels, own + rng.normal(size=500) + labels
    found = paired_auc(first, second, labels, keys)
    units = np.unique(keys)
    left = np.array([
        roc_auc_score(labels[keys != unit], first[keys != unit]) - roc_auc_score(labels[keys != unit], second[keys != unit]) for unit in units
    ])  # fmt: skip
    spread = np.sqrt((units.size - 1) / units.size * np.sum((left - left.mean()) ** 2))
    assert (found.difference.upper - found.difference.estimate) / 1.959963984540054 == pytest.approx(spread, rel=0.03)
    assert found.difference.method == "Obuchowski, paired (patients as clusters)"


@pytest.mark.parametrize(
    ("first", "labels", "reason"),
    [
        ([1, 2, 3, 4], [0, 0, 1, 1], "variance of the difference is zero"), ([1, 2, np.nan, 4], [0, 0, 1, 1], "not a finite number"),
        ([1, 2, 3, 4], [1, 1, 1, 1], "no negative cases"), ([2, 2, 2, 2], [0, 1, 0, 1], "all scores are equal"),
        ([1, 2, 3, 4], [0, 0, 1, 2], "neither 0 nor 1"),
    ],
)  # fmt: skip
def test_what_has_no_difference_says_why(first, labels, reason):
    found = paired_auc(first, [1, 2, 3, 4], labels)
    assert found.p is None
    assert reason in found.difference.reason


def two_versions(n=300):
    """Predictions of versions 1.0 (noisier) and 2.0."""
    predictions, reference, cohort = tables(n)
    made = columns(n)
    noise = np.random.default_rng(8).normal(size=n)
    worse = 1 / (1 + np.exp(-(np.log(made["score"] / (1 - made["score"])) + 1.5 * noise)))
    earlier = predictions.set_column(predictions.column_names.index("score"), "score", pa.array(worse))
    newer = predictions.set_column(predictions.column_names.index("model_version"), "model_version", pa.array(["2.0"] * n))
    return pa.concat_tables([earlier, newer]), reference, cohort, worse


def test_two_versions_are_compared_in_all_cases_and_every_level():
    predictions, reference, cohort, worse = two_versions()
    scheme = plan(model="m@2.0", comparator={"model": "m@1.0", "margin": 0.05})
    results = analyse(predictions, reference, cohort, scheme)
    made, found = columns(), results.comparison
    assert (found.studies, found.comparator) == (300, "m@1.0")
    rows = {(each.attribute, each.level, each.metric): each for each in found.differences}
    assert len(rows) == 3 * len(results.performance)
    direct = paired_auc(made["score"], worse, made["label"], made["patient"].astype(str))
    overall = rows["", "", "auc"]
    assert (overall.new, overall.old, overall.p) == pytest.approx((direct.first, direct.second, direct.p), rel=1e-12)
    assert overall.difference.lower == pytest.approx(direct.difference.lower, rel=1e-12)
    assert overall.non_inferior == (overall.difference.lower > -0.05)
    mask = made["sex"] == "F"
    assert rows["sex", "F", "auc"].new == pytest.approx(roc_auc_score(made["label"][mask], made["score"][mask]))
    ill, healthy = found.reclassified
    assert ill.both_positive + ill.only_new + ill.only_old + ill.both_negative == made["label"].sum()
    assert ill.both_positive + ill.only_new == results.overall().counts.tp
    assert healthy.both_negative + healthy.only_old == results.overall().counts.tn
    back = analyse(predictions, reference, cohort, plan(model="m@1.0", comparator={"model": "m@2.0"})).comparison
    assert not {each.metric: each for each in back.differences[:3]}["auc"].non_inferior


def test_hidden_levels_are_not_compared():
    predictions, reference, cohort, _ = two_versions()
    results = analyse(predictions, reference, cohort, plan(model="m@2.0", comparator={"model": "m@1.0"}, minimum_cases=60))
    hidden = {(row.attribute, row.level) for row in results.performance if row.suppressed}
    compared = {(each.attribute, each.level) for each in results.comparison.differences}
    assert not hidden & compared


def test_calibration_and_more_are_made_where_the_plan_asks():
    asked = plan(
        calibration={"bins": 5},
        net_benefit=[0.1, 0.5],
        strata=[0.3, 0.7],
        partial_auc={"specificity": [0.8, 1.0], "replicates": 200},
    )
    results = analyse(*tables(), asked)
    assert [(each.attribute, each.level) for each in results.calibration] == [
        (row.attribute, row.level) for row in results.performance
    ]
    assert len(results.net_benefit) == 2
    assert sum(each.studies for each in results.strata) == 300
    assert results.partial_auc.standardized.status == "estimated"
    plain = analyse(*tables(), plan())
    assert (plain.calibration, plain.net_benefit, plain.strata, plain.partial_auc, plain.comparison) == ((), (), (), None, None)


def test_cases_that_were_not_read_have_no_probability():
    predictions, reference, cohort = tables()
    from tests.tasks.evaluation.cohorts import changed

    lost = changed(predictions, "score", dict.fromkeys(range(12)))
    kept = analyse(lost, reference, cohort, plan(calibration={}, failed="positive")).calibration[0]
    assert kept == analyse(lost, reference, cohort, plan(calibration={})).calibration[0]


def test_bins_and_strata_of_few_patients_are_hidden_with_others():
    few = plan(calibration={"bins": 8}, strata=[0.12, 0.5], minimum_cases=45)
    results = analyse(*tables(), few)
    (overall, *_) = results.calibration
    for bins in (overall.curve, results.strata):
        hidden = [each for each in bins if each.suppressed]
        assert len(hidden) != 1
        assert all((each.patients, each.studies, each.observed.estimate) == (0, 0, None) for each in hidden)
        assert all(each.patients >= 45 or each.studies == 0 for each in bins)
    assert any(each.suppressed for each in results.strata)
    assert overall.ece is not None
