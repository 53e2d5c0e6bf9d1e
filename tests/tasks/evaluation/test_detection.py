"""Detection agrees with scikit-learn where each case has one lesion, with comparing every pair elsewhere, and refuses what does not fit."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from tasks.errors import ConfigurationError, SafelightError
from tasks.evaluation.analysis import analyse
from tasks.evaluation.curves import auc
from tasks.evaluation.lesions import Marks, froc, lesion_sensitivity, match, wafroc
from tests.tasks.evaluation.cohorts import columns, plan, tables


def made(seed=0, cases=80):
    """Cases of two patients' images each; the first half has one to three lesions, some without a mark."""
    rng = np.random.default_rng(seed)
    lesion_case = np.repeat(np.arange(cases // 2), rng.integers(1, 4, cases // 2))
    lesion_score = np.where(rng.random(lesion_case.size) < 0.2, -np.inf, np.round(rng.normal(1.2, 1, lesion_case.size), 1))
    false_case = np.sort(rng.integers(0, cases, int(1.3 * cases)))
    return Marks(lesion_case, lesion_score, false_case, np.round(rng.normal(size=false_case.size), 1), cases)


def pairs(found, weights=None):
    """wAFROC by its definition: every lesion against the highest false positive of every case without lesions."""
    healthy = sorted(set(range(found.cases)) - set(found.lesion_case.tolist()))
    highest = [
        max([s for c, s in zip(found.false_case, found.false_score, strict=True) if c == k], default=-np.inf) for k in healthy
    ]
    given = np.ones(found.lesion_case.size) if weights is None else weights
    total = 0.0
    for case in set(found.lesion_case.tolist()):
        mine = found.lesion_case == case
        for score, weight in zip(found.lesion_score[mine], given[mine] / given[mine].sum(), strict=True):
            total += weight * np.mean([(score > h) + 0.5 * (score == h) for h in highest])
    return total / len(set(found.lesion_case.tolist()))


@pytest.mark.parametrize("seed", range(4))
def test_wafroc_compares_every_lesion_with_every_case_without(seed):
    found = made(seed)
    assert wafroc(found).estimate == pytest.approx(pairs(found), abs=1e-12)
    weights = np.random.default_rng(seed).random(found.lesion_case.size) + 0.1
    assert wafroc(found, weights=weights).estimate == pytest.approx(pairs(found, weights), abs=1e-12)


def test_with_one_lesion_a_case_it_is_the_auc_with_its_interval():
    rng = np.random.default_rng(5)
    scores, labels = np.round(rng.normal(size=90) + (np.arange(90) < 40), 1), np.arange(90) < 40
    found = Marks(np.arange(40), scores[:40], np.arange(40, 90), scores[40:], 90)
    keys = np.arange(90) // 2
    here, there = wafroc(found, keys), auc(scores, labels, keys)
    assert here.estimate == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert (here.lower, here.upper) == pytest.approx((there.lower, there.upper), rel=1e-10)


def test_the_interval_is_near_leaving_patients_out():
    found, keys = made(7, 200), np.arange(200) // 2
    left = []
    for key in np.unique(keys):
        stay = keys != key
        number = np.cumsum(stay) - 1
        lesions, alarms = stay[found.lesion_case], stay[found.false_case]
        rest = Marks(
            number[found.lesion_case[lesions]], found.lesion_score[lesions], number[found.false_case[alarms]], found.false_score[alarms],
            int(stay.sum()),
        )  # fmt: skip
        left.append(wafroc(rest).estimate)
    k, whole = len(left), wafroc(found, keys)
    spread = np.sqrt((k - 1) / k * np.sum((np.array(left) - np.mean(left)) ** 2))
    assert (whole.upper - whole.lower) / (2 * 1.959964) == pytest.approx(spread, rel=0.05)


def test_the_froc_curve_counts_at_every_threshold():
    found = made(1)
    rates, shares, thresholds = froc(found)
    assert (rates[0], shares[0], thresholds[0]) == (0, 0, np.inf)
    for rate, share, cut in zip(rates[1:], shares[1:], thresholds[1:], strict=True):
        assert rate == np.sum(found.false_score >= cut) / 80
        assert share == np.mean(found.lesion_score >= cut)


def test_lesion_sensitivity_is_at_the_last_threshold_that_is_allowed():
    found, keys = made(2), np.arange(80) // 2
    for each in lesion_sensitivity(found, keys, at=[0.01, 0.25, 1.0, 100.0]):
        if each.threshold is None:
            assert (each.reached, each.sensitivity.estimate) == (0, 0)
            continue
        assert each.reached == np.sum(found.false_score >= each.threshold) / 80 <= each.false_positives
        assert each.sensitivity.estimate == np.mean(found.lesion_score >= each.threshold)
        lower = np.concatenate([found.lesion_score, found.false_score])
        following = lower[np.isfinite(lower) & (lower < each.threshold)]
        if following.size:
            assert np.sum(found.false_score >= following.max()) / 80 > each.false_positives
    with pytest.raises(ValueError, match="above zero"):
        lesion_sensitivity(found, at=[0.0])


def test_marks_are_assigned_to_the_nearest_lesion_within_reach():
    scores, false = match(
        [[0, 0, 1], [0, 0, 2], [9, 0, 0], [50, 0, 0]], [0.3, 0.8, 0.5, 0.9], [[0, 0, 0], [10, 0, 0], [30, 0, 0]], 3.0
    )
    assert scores.tolist() == [0.8, 0.5, -np.inf]
    assert false.tolist() == [3]
    assert match(np.empty((0, 3)), [], [[0, 0, 0]], 1.0)[0].tolist() == [-np.inf]
    assert match([[0, 0, 0]], [0.5], np.empty((0, 3)), 1.0)[1].tolist() == [0]
    with pytest.raises(ValueError, match="finite score"):
        match([[0, 0, 0]], [np.nan], [[0, 0, 0]], 1.0)


def test_what_can_not_be_estimated_says_why():
    none = Marks(np.empty(0, int), np.empty(0), np.array([0]), np.array([0.5]), 3)
    assert wafroc(none).reason == "no cases with lesions"
    assert lesion_sensitivity(none, at=[1.0])[0].sensitivity.reason == "no lesions"
    everything = Marks(np.array([0, 1]), np.array([0.5, 0.6]), np.empty(0, int), np.empty(0), 2)
    assert wafroc(everything).reason == "no cases without lesions"
    with pytest.raises(ValueError, match="weight"):
        wafroc(everything, weights=[1.0, 0.0])


def detected(lesions=None, marks=None):
    """Lesions where the label is 1; a mark with the study's own score on each, and false positives elsewhere."""
    found = columns()
    ill = np.flatnonzero(found["label"] == 1)
    truth = pa.table({"StudyInstanceUID": found["study"][ill], "lesion": ["a"] * ill.size})
    seen = pa.table({
        "StudyInstanceUID": found["study"], "score": found["score"], "lesion": pa.array(["a" if each else None for each in found["label"]]),
    })  # fmt: skip
    return (marks or (lambda table: table))(seen), (lesions or (lambda table: table))(truth)


def test_tables_of_marks_give_a_row_for_every_level_that_is_shown():
    marks, lesions = detected()
    results = analyse(*tables(), plan(detection={"false_positives": [0.1, 1.0]}), marks=marks, lesions=lesions)
    assert [(row.attribute, row.level) for row in results.detection] == [
        (row.attribute, row.level) for row in results.performance
    ]
    for row, case_level in zip(results.detection, results.performance, strict=True):
        assert row.wafroc.estimate == pytest.approx(case_level.auc.estimate, abs=1e-12)  # one mark a case: it is the AUC
        assert row.lesions == case_level.positives
    assert "no marks and lesions" not in " ".join(results.limitations)
    assert "no marks and lesions were given" in " ".join(analyse(*tables(), plan(detection={})).limitations)


@pytest.mark.parametrize(
    ("lesions", "marks", "said"),
    [
        (lambda t: pa.concat_tables([t, t.slice(0, 2)]), None, "2 rows beyond the first of their lesion"),
        (
            lambda t: t.slice(1),
            lambda t: t.filter(pa.compute.is_null(t["lesion"])),
            "1 cases have lesions and a label of 0, or none",
        ),
        (lambda t: t.slice(1), None, "1 marks are on lesions"),
        (None, lambda t: t.set_column(1, "score", pa.array([np.nan] + [0.5] * 299)), "1 of 300 marks have no finite score"),
    ],
)
def test_marks_that_do_not_fit_are_refused(lesions, marks, said):
    seen, truth = detected(lesions, marks)
    with pytest.raises(SafelightError, match=said):
        analyse(*tables(), plan(detection={}), marks=seen, lesions=truth)


def test_marks_without_lesions_or_a_plan_for_them_are_refused():
    marks, lesions = detected()
    for scheme, pair in ((plan(), (marks, lesions)), (plan(detection={}), (marks, None)), (plan(detection={}), (None, lesions))):
        with pytest.raises(ConfigurationError, match="E-EVAL-MARKS"):
            analyse(*tables(), scheme, marks=pair[0], lesions=pair[1])
