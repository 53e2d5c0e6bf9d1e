"""A number that does not follow from the published counts is never published."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from statsmodels.stats.proportion import proportion_confint

from tasks.errors import SafelightError
from tasks.evaluation.results import Baseline, Estimate, Results
from tasks.report.checks import check
from tasks.report.render import faces
from tests.tasks.report import made
from tests.tasks.report.made import realistic, tampered
from tests.tasks.report.made_faces import CASES


@pytest.mark.parametrize("case", (*CASES, "many"))
def test_honest_results_pass(case: str) -> None:
    check(getattr(made, case)())


@pytest.mark.parametrize("measure", ["sensitivity", "specificity", "ppv", "npv", "auc"])
def test_an_estimate_that_was_changed_by_hand_is_found(measure: str) -> None:
    for value in (0.9808, getattr(realistic().overall(), measure).estimate + 0.001):
        with pytest.raises(SafelightError, match=rf"E-REPORT-MISMATCH.*({measure}|AUC)"):
            check(tampered(**{measure: value}))


def test_nothing_is_rendered_from_results_that_contradict_themselves() -> None:
    with pytest.raises(SafelightError, match="E-REPORT-MISMATCH"):
        faces(tampered(sensitivity=0.9808))


def row(number: int, **changes: Any) -> Results:
    """The realistic results with one row of the performance table changed."""
    rows = list(realistic().performance)
    rows[number] = rows[number].model_copy(update=changes)
    return realistic().model_copy(update={"performance": tuple(rows)})


def estimate(number: int, measure: str, **changes: Any) -> Results:
    return row(number, **{measure: getattr(realistic().performance[number], measure).model_copy(update=changes)})


def counts(number: int, **changes: int) -> Results:
    table = realistic().performance[number].counts
    return row(number, counts=table.model_copy(update={name: getattr(table, name) + n for name, n in changes.items()}))


def whole(**changes: Any) -> Results:
    return realistic().model_copy(update=changes)


def withheld(**changes: Any) -> Results:
    nothing = made.nothing()
    rows = (nothing.performance[0], nothing.performance[1].model_copy(update=changes), *nothing.performance[2:])
    return nothing.model_copy(update={"performance": rows})


def curve(number: int, **changes: Any) -> Results:
    curves = list(realistic().roc)
    curves[number] = curves[number].model_copy(update=changes)
    return whole(roc=tuple(curves))


def level(**changes: Any) -> tuple[Baseline, ...]:
    first, *others = realistic().baseline
    return (first.model_copy(update=changes), *others)


def accounted(place: int, n: int) -> tuple[Any, ...]:
    rows = list(realistic().accountability)
    rows[place] = rows[place].model_copy(update={"n": n})
    return tuple(rows)


#: Nothing that is of levels, for results that have none.
NO_LEVELS: dict[str, Any] = {"standardized_differences": (), "heterogeneity": (), "predictive": ()}


TAMPERED: dict[str, tuple[Callable[[], Results], str]] = {
    "one more true positive": (lambda: counts(0, tp=1), "all cases: positives"),
    "one case moved between cells": (lambda: counts(1, tp=1, fn=-1), "sex: F: sensitivity"),
    "studies that do not add up": (lambda: row(0, studies=297), "all cases: studies"),
    "more patients than studies": (lambda: row(0, patients=297), "all cases: patients"),
    "no patients": (lambda: row(0, patients=0), "all cases: patients"),
    "an interval beside its estimate": (lambda: estimate(0, "ppv", lower=0.8, upper=0.9), "ppv .outside its interval"),
    "an interval upside down": (lambda: estimate(0, "npv", lower=0.9, upper=0.1), "npv .interval"),
    "an interval beyond one": (lambda: estimate(2, "auc", upper=1.2), "sex: M: auc .interval"),
    "no interval": (lambda: estimate(0, "npv", lower=None, upper=None), "npv .an estimate without an interval"),
    "another confidence": (lambda: estimate(0, "npv", confidence=0.9), "npv .confidence"),
    "an estimate that is not estimable": (lambda: estimate(0, "npv", status="not_estimable", reason="x"), "all cases: npv"),
    "no reason": (
        lambda: row(0, npv=Estimate(status="not_estimable", confidence=0.95)),
        "all cases: npv",
    ),
    "a level twice": (lambda: whole(performance=(*realistic().performance, realistic().performance[1])), "a level stands twice"),
    "no row of all cases": (lambda: whole(performance=realistic().performance[1:]), "there must be one row"),
    "a level left out": (
        lambda: whole(performance=realistic().performance[:1] + realistic().performance[2:]),
        "sex: the levels' tp do not add up",
    ),
    "a level too small": (lambda: whole(minimum_cases=70), "sex: F: a level too small to be shown is shown"),
    "worst case better": (lambda: whole(worst_case=realistic().performance[1]), "worst case: right readings"),
    "more unread than excluded": (lambda: whole(excluded=()), "more studies were not read than were excluded"),
    "another baseline": (lambda: whole(baseline=level(patients=1)), "sex: F: patients of the baseline table"),
    "a baseline of its own": (lambda: whole(baseline=level(level="X")), "sex: X: it is in the baseline table only"),
    "instances made up": (lambda: whole(accountability=accounted(2, 15_019)), "deidentify: more instances than it was given"),
    "a curve that falls": (lambda: curve(0, fpr=(0, 0.5, 0.4, 1), tpr=(0, 0.5, 0.6, 1)), "all cases: it falls"),
    "a curve without its end": (lambda: curve(0, fpr=(0, 0.5), tpr=(0, 0.5)), "its ends"),
    "a curve of unequal lengths": (lambda: curve(0, fpr=(0, 0.5, 1), tpr=(0, 1)), "its ends"),
    "another curve": (lambda: curve(0, fpr=(0, 0.2, 1), tpr=(0, 0.8, 1)), "its area is not the AUC"),
    "a curve of an unknown level": (lambda: curve(1, level="X"), "it has no row that may be shown"),
    "a withheld count": (lambda: withheld(patients=3, studies=3), "the counts of a withheld level are shown"),
    "a withheld estimate": (
        lambda: withheld(auc=realistic().overall().auc),
        "sex: F: auc",
    ),
    "levels of what is withheld": (
        lambda: made.nothing().model_copy(
            update={"performance": (made.nothing().performance[0], *realistic().performance[1:]), "minimum_cases": 5, "baseline": ()}
        ),
        "levels are shown though all cases are withheld",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
def test_results_that_were_tampered_with_are_found(what: str) -> None:
    make, where = TAMPERED[what]
    with pytest.raises(SafelightError, match=f"E-REPORT-MISMATCH.*{where}"):
        check(make())


def test_an_operating_point_beside_the_curve_is_found() -> None:
    # Counts and rates agree with each other and not with the curve: the threshold was moved after the curve was drawn.
    overall = realistic().overall()
    table = overall.counts.model_copy(update={"tp": overall.counts.tp - 20, "fn": overall.counts.fn + 20})
    rates = {
        "sensitivity": (table.tp, table.tp + table.fn), "ppv": (table.tp, table.tp + table.fp), "npv": (table.tn, table.tn + table.fn),
    }  # fmt: skip
    changes: dict[str, Any] = {"counts": table, "lr_positive": None, "lr_negative": None}
    for name, (part, among) in rates.items():
        lower, upper = proportion_confint(part, among, method="wilson")
        made_again = {"estimate": part / among, "lower": lower, "upper": upper, "effective_n": among}
        changes[name] = getattr(overall, name).model_copy(update=made_again)
    moved = overall.model_copy(update=changes)
    results = whole(performance=(moved,), baseline=(), roc=realistic().roc[:1], worst_case=moved, **NO_LEVELS)
    with pytest.raises(SafelightError, match="the operating point is not on it"):
        check(results)


def test_a_curve_of_many_scores_is_thinned_out_and_still_passes() -> None:
    check(made.many())
    assert len(made.many().roc[0].fpr) == 501
