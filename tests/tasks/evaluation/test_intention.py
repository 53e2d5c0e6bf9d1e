"""What the plan says of failed and indeterminate cases, goals, further operating points, crossings and the register is what is done."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import confusion_matrix, roc_auc_score
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from tasks.errors import ConfigurationError
from tasks.evaluation.analysis import analyse
from tasks.evaluation.cases import THICK, THIN
from tasks.evaluation.openings import mark, note_in_ledger
from tasks.evaluation.plan import Plan
from tasks.ledger import Ledger
from tests.tasks.evaluation.cohorts import changed, columns, plan, tables

LOST, OPEN = list(range(12)), list(range(20, 29))


def given(lost=LOST, unclear=OPEN):
    predictions, reference, cohort = tables()
    return changed(predictions, "score", dict.fromkeys(lost)), changed(reference, "label", dict.fromkeys(unclear)), cohort


def expected(failed, indeterminate):
    """Labels and scores as the plan means them, by hand."""
    made, threshold = columns(), plan().threshold
    labels, scores = made["label"].astype(float), made["score"].copy()
    kept = np.ones(300, dtype=bool)
    if failed == "exclude":
        kept[LOST] = False
    else:
        high = {"positive": True, "negative": False, "error": labels[LOST] == 0}[failed]
        scores[LOST] = np.where(high, 9.0, -9.0)
    if indeterminate == "exclude":
        kept[OPEN] = False
    else:
        called = scores[OPEN] >= threshold
        labels[OPEN] = {"positive": 1.0, "negative": 0.0, "error": ~called}[indeterminate]
    return labels[kept], scores[kept]


@pytest.mark.parametrize("failed", ["exclude", "positive", "negative", "error"])
@pytest.mark.parametrize("indeterminate", ["exclude", "positive", "negative", "error"])
def test_failed_and_indeterminate_cases_count_as_the_plan_says(failed, indeterminate):
    results = analyse(*given(), plan(failed=failed, indeterminate=indeterminate))
    labels, scores = expected(failed, indeterminate)
    tn, fp, fn, tp = confusion_matrix(labels, scores >= plan().threshold).ravel()
    assert results.overall().counts.model_dump() == {"tp": tp, "fp": fp, "fn": fn, "tn": tn}
    assert results.overall().auc.estimate == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    left = {entry.reason.partition(":")[0]: entry.studies for entry in results.excluded}
    wanted = {"E-EVAL-SCORE": len(LOST)} if failed == "exclude" else {}
    assert left == wanted | ({"E-EVAL-INDETERMINATE": len(OPEN)} if indeterminate == "exclude" else {})
    assert results.overall().studies + sum(left.values()) == 300
    assert results.worst_case.counts.tp <= results.overall().counts.tp
    said = " ".join(results.limitations)
    assert ("that the model did not read are in the table" in said) == (failed != "exclude")


def test_a_performance_goal_is_met_by_its_lower_bound():
    results = analyse(*tables(), plan(goals=[
        {"metric": "sensitivity", "at_least": 0.5, "confidence": 0.9}, {"metric": "sensitivity", "at_least": 0.99},
        {"metric": "auc", "at_least": 0.6, "subgroups": True},
    ]))  # fmt: skip
    low, high, *areas = results.goals
    assert (low.met, high.met) == (True, False)
    assert [(goal.attribute, goal.level) for goal in areas] == [(row.attribute, row.level) for row in results.performance]
    assert all(goal.met == (goal.lower >= 0.6) for goal in areas)
    assert low.lower > results.overall().sensitivity.lower  # 90 % is narrower than 95 %


def test_a_margin_compares_each_level_with_the_rest():
    results = analyse(*tables(), plan(goals=[{"metric": "auc", "margin": 0.1, "subgroups": True}]))
    found = {goal.level: goal for goal in results.goals}
    for row in results.performance[1:]:
        (area,) = [each for each in row.against_rest if each.metric == "auc"]
        assert (found[row.level].estimate, found[row.level].lower) == pytest.approx((area.difference, area.lower), abs=1e-12)
        assert found[row.level].met == (area.lower > -0.1)
    assert not found[THICK].met
    assert found[THIN].met


def test_what_can_not_be_estimated_does_not_meet_a_goal():
    predictions, reference, cohort = tables(60)
    only = changed(reference, "label", dict.fromkeys(range(60), 1))
    (goal,) = analyse(predictions, only, cohort, plan(goals=[{"metric": "specificity", "at_least": 0.01}])).goals
    assert (goal.met, goal.estimate) == (False, None)
    assert goal.reason


def test_p_values_of_the_levels_are_adjusted_metric_by_metric():
    rows = analyse(*tables(), plan()).performance
    for metric in ("auc", "sensitivity", "specificity"):
        found = [each for row in rows for each in row.against_rest if each.metric == metric]
        raw = [each.p for each in found]
        np.testing.assert_allclose([each.p_holm for each in found], multipletests(raw, method="holm")[1], rtol=1e-12)
        np.testing.assert_allclose(
            [each.p_benjamini_hochberg for each in found], multipletests(raw, method="fdr_bh")[1], rtol=1e-12
        )


def test_two_levels_differ_as_much_as_each_from_the_rest():
    results = analyse(*tables(), plan())
    (area,) = [each for each in results.heterogeneity if (each.attribute, each.metric) == ("slice_thickness", "auc")]
    (thin,) = [each for row in results.performance if row.level == THIN for each in row.against_rest if each.metric == "auc"]
    assert area.p == pytest.approx(thin.p, rel=1e-9)
    assert area.statistic == pytest.approx(stats.norm.isf(thin.p / 2) ** 2, rel=1e-9)


def test_a_correction_can_take_a_harder_level_back():
    made = [analyse(*tables(seed=2), plan(multiplicity=how)).limitations for how in ("none", "holm")]
    harder = [sum("does worse" in line for line in said) for said in made]
    assert harder[0] >= harder[1]
    assert any("with Holm's correction" in line for line in made[1]) or not harder[1]


def test_further_operating_points_repeat_the_table():
    results = analyse(*tables(), plan(operating_points=[{"name": "sensitive", "threshold": 0.3}]))
    (point,) = results.operating_points
    alone = analyse(*tables(), plan(threshold=0.3))
    assert point.performance == alone.performance


def test_levels_are_crossed():
    made = columns()
    results = analyse(*tables(), plan(intersections=[("sex", "slice_thickness")], interval="clopper_pearson"))
    crossed = {row.level: row for row in results.performance if row.attribute == "sex × slice_thickness"}
    assert list(crossed) == [f"{sex} × {band}" for sex in "FM" for band in (THIN, THICK)]
    mask = (made["sex"] == "F") & (made["SliceThickness"] > 3)
    row = crossed[f"F × {THICK}"]
    assert row.studies == mask.sum()
    assert row.auc.estimate == pytest.approx(roc_auc_score(made["label"][mask], made["score"][mask]), abs=1e-12)
    assert row.sensitivity.method.startswith("Clopper-Pearson")


def test_a_small_pair_is_hidden_with_others():
    predictions, reference, cohort = tables()
    made = columns()
    few = np.flatnonzero((made["sex"] == "F") & (made["SliceThickness"] > 3))[3:]
    thin = changed(cohort, "SliceThickness", dict.fromkeys(few.tolist(), 1.0))
    results = analyse(predictions, reference, thin, plan(intersections=[("sex", "slice_thickness")]))
    crossed = [row for row in results.performance if "×" in row.attribute]
    assert sum(row.suppressed for row in crossed) == 4
    assert all(row.studies == 0 for row in crossed)


def test_the_plans_prevalences_have_predictive_values_in_every_shown_row():
    results = analyse(*tables(), plan(prevalences=[0.02, 0.1]))
    rows = [(row.attribute, row.level) for row in results.performance]
    assert [(each.attribute, each.level) for each in results.predictive if each.own] == rows
    assert {each.prevalence for each in results.predictive if not each.own} == {0.02, 0.1}
    own = results.predictive[0]
    assert own.ppv == results.overall().ppv
    table = own.per_thousand
    assert table.tp + table.fn + table.fp + table.tn == pytest.approx(1000)


def test_intervals_by_name_are_those_of_statsmodels():
    predictions, reference, cohort = tables(200)
    one_each = changed(predictions, "PatientID", {i: f"SL-{i}" for i in range(200)})
    cohort = changed(cohort, "PatientID", {i: f"SL-{i}" for i in range(200)})
    for name, theirs in (
        ("clopper_pearson", "beta"),
        ("agresti_coull", "agresti_coull"),
        ("jeffreys", "jeffreys"),
        ("wald", "normal"),
    ):
        row = analyse(one_each, reference, cohort, plan(interval=name)).overall()
        bounds = proportion_confint(row.counts.tp, row.positives, method=theirs)
        assert (row.sensitivity.lower, row.sensitivity.upper) == pytest.approx(bounds, rel=1e-9)


def test_the_ledger_keeps_the_first_plan(tmp_path):
    times = iter(range(1, 100))
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}", clock=lambda: float(next(times)))
    first, second = plan(), plan(confidence=0.9)
    assert note_in_ledger(ledger, first, 0.5).changed is False
    assert note_in_ledger(ledger, first, 0.5).openings == (mark(first, 0.5),)
    assert note_in_ledger(ledger, second, 0.5).changed is True
    assert note_in_ledger(ledger, first, 0.4).openings == (mark(first, 0.5), mark(second, 0.5), mark(first, 0.4))
    assert note_in_ledger(ledger, first, 0.5).changed is False
    assert note_in_ledger(ledger, plan(finding="effusion"), 0.5).changed is False


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"goals": [{"metric": "auc"}]}, "either at_least or margin"),
        ({"goals": [{"metric": "auc", "margin": 0.1}]}, "needs `subgroups: true`"),
        ({"goals": [{"metric": "ppv", "margin": 0.1, "subgroups": True}]}, "is about auc"),
        ({"intersections": [["sex", "planet"]]}, "intersections must pair two attributes"),
        ({"intersections": [["sex", "slice_thickness"], ["slice_thickness", "sex"]]}, "name a pair twice"),
        ({"operating_points": [{"name": "main", "threshold": 0.1}]}, "none is called main"),
        ({"prevalences": [0]}, "greater than 0"), ({"strata": [0.5, 0.2]}, "must ascend"),
        ({"partial_auc": {"specificity": [1.0, 0.9]}}, "the lower one first"),
    ],
)  # fmt: skip
def test_a_plan_that_can_not_be_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        Plan.model_validate({**plan().model_dump(), **changes})


def test_a_register_keeps_its_errors_coded(tmp_path):
    from tasks.evaluation.openings import note_in_file

    with pytest.raises(ConfigurationError, match="E-EVAL-REGISTER"):
        note_in_file(tmp_path / "absent" / "register.json", plan(), 0.5)
