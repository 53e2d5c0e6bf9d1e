"""A number that does not follow from the published counts is never published."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from tasks.errors import SafelightError
from tasks.evaluation.results import Baseline, Counts, Estimate, Results
from tasks.report import checks
from tasks.report.checks import again, check
from tasks.report.render import faces
from tests.tasks.report import made
from tests.tasks.report.made import realistic, tampered
from tests.tasks.report.made_faces import CASES


@pytest.mark.parametrize("case", [*CASES, "many"])
def test_honest_results_pass(case: str) -> None:
    check(getattr(made, case)())


@pytest.mark.parametrize("case", ["full", "measured"])
def test_rows_in_another_order_give_the_same_results_to_the_last_digit(case: str) -> None:
    make = getattr(made, case)
    for order in (1, 2, 3):
        assert make(order).model_dump_json() == make().model_dump_json()


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


def asked(field: str, place: int, **changes: Any) -> Results:
    """The results of a plan that asks for everything, with one entry of a list changed."""
    entries = list(getattr(made.full(), field))
    entries[place] = entries[place].model_copy(update=changes)
    return made.full().model_copy(update={field: tuple(entries)})


def inside(field: str, place: int, part: str, **changes: Any) -> Results:
    """The same with one part of the entry changed: a model, or the first of a list of models."""
    found = getattr(getattr(made.full(), field)[place], part)
    if isinstance(found, tuple):
        return asked(field, place, **{part: (found[0].model_copy(update=changes), *found[1:])})
    return asked(field, place, **{part: found.model_copy(update=changes)})


def version(place: int, **changes: Any) -> Results:
    comparison = made.full().comparison
    assert comparison is not None
    rows = list(comparison.differences)
    rows[place] = rows[place].model_copy(update=changes)
    return made.full().model_copy(update={"comparison": comparison.model_copy(update={"differences": tuple(rows)})})


def reclassified(**changes: int) -> Results:
    comparison = made.full().comparison
    assert comparison is not None
    first, other = comparison.reclassified
    rows = (first.model_copy(update=changes), other)
    return made.full().model_copy(update={"comparison": comparison.model_copy(update={"reclassified": rows})})


def moved_point() -> Results:
    """The table of an operating point under the threshold of another: rates and counts agree with each other."""
    _, second = made.full().operating_points
    return asked("operating_points", 0, performance=second.performance)


#: Of the analyses that a plan asks for. The first goal is met and the second is not; the seventh level is withheld.
ASKED: dict[str, tuple[Callable[[], Results], str]] = {
    "a goal called met": (lambda: asked("goals", 1, met=True), "all cases: goal of sensitivity: the verdict does not follow from bound and limit"),
    "a goal called missed": (lambda: asked("goals", 0, met=False), "all cases: goal of auc: the verdict does not follow from bound and limit"),
    "a goal's limit moved": (lambda: asked("goals", 0, at_least=0.9), "all cases: goal of auc: the verdict does not follow from bound and limit"),
    "a goal of another number": (lambda: asked("goals", 0, estimate=0.9, upper=0.95), "all cases: goal of auc: estimate"),
    "a goal's interval beside it": (lambda: asked("goals", 0, upper=0.8), "all cases: goal of auc: estimate outside its interval"),
    "a goal of a withheld level": (
        lambda: asked("goals", 3, attribute="site", level="Tiny hospital"), "site: Tiny hospital: goals: there is no such row that may be shown",
    ),
    "a difference of another number": (lambda: asked("goals", -1, estimate=-0.2, upper=0.0),
        "sex × slice_thickness: M × thick (> 3 mm): goal of auc: estimate"),
    "another prevalence": (lambda: asked("predictive", 0, prevalence=0.3), "all cases: prevalence 0.3: it is not that of the data"),
    "another PPV": (lambda: inside("predictive", 0, "ppv", estimate=0.7), "all cases: prevalence 0.390519: ppv"),
    "another PPV at a stated prevalence": (lambda: inside("predictive", 1, "ppv", estimate=0.08),
        "all cases: prevalence 0.02: ppv (its interval does not follow from its counts)"),
    "a thousand and one": (lambda: inside("predictive", 1, "per_thousand", negatives=981.0),
        "all cases: prevalence 0.02: per 1,000 cases: negatives"),
    "one more found": (lambda: inside("predictive", 1, "per_thousand", tp=14.0), "all cases: prevalence 0.02: per 1,000 cases: tp"),
    "a better model of a thousand": (
        lambda: inside("predictive", 1, "per_thousand", tp=19.0, fn=1.0), "all cases: prevalence 0.02: per 1,000 cases: tp",
    ),
    "predictive values of a withheld level": (
        lambda: asked("predictive", 3, attribute="site", level="Tiny hospital"),
        "site: Tiny hospital: predictive values: there is no such row that may be shown",
    ),
    "another table at a point": (moved_point, "operating point high-sensitivity: all cases: tp: the readings do not follow the threshold 0.5"),
    "a level of a point left out": (
        lambda: asked("operating_points", 0, performance=made.full().operating_points[0].performance[:-1]),
        "operating point high-sensitivity: sex × slice_thickness: the levels' tp do not add up",
    ),
    "a band upside down": (
        lambda: inside("roc", 0, "band", lower=(1.0,) * 101, upper=(0.0,) * 101), "ROC curve of all cases: band: the curve leaves it",
    ),
    "a band of another confidence": (lambda: inside("roc", 0, "band", confidence=0.9), "ROC curve of all cases: band: confidence and method"),
    "a band cut off": (lambda: inside("roc", 0, "band", lower=(0.0, 0.1)), "ROC curve of all cases: band: its lengths"),
    "a bin of parts of studies": (
        lambda: inside("calibration", 0, "curve", studies=made.full().calibration[0].curve[0].studies + 1), "all cases: calibration: bin 1: observed",
    ),
    "a bin's mean outside": (lambda: inside("calibration", 0, "curve", mean_score=0.9),
        "all cases: calibration: bin 1: the mean score is outside of the bin"),
    "a withheld bin": (lambda: inside("calibration", 0, "curve", suppressed=True),
        "all cases: calibration: bin 1: the numbers of a withheld bin are shown"),
    "calibration of a withheld level": (
        lambda: asked("calibration", 1, attribute="site", level="Tiny hospital"), "site: Tiny hospital: calibration: it has no row that may be shown",
    ),
    "another stratum": (lambda: asked("strata", 1, positives=24), "strata: they hold more than there is"),
    "a withheld stratum": (lambda: asked("strata", 1, suppressed=True), "stratum 2: the numbers of a withheld stratum are shown"),
    "strata with a gap": (lambda: asked("strata", 1, lower=0.2), "strata: they do not follow each other"),
    "a version called as good": (lambda: version(4, non_inferior=True),
        "sex: F: sensitivity of two versions: the verdict does not follow from bound and margin"),
    "a wider margin": (lambda: version(4, margin=0.2), "sex: F: sensitivity of two versions: the verdict does not follow from bound and margin"),
    "another new version": (lambda: version(0, new=0.9), "all cases: auc of two versions: difference"),
    "studies read differently": (lambda: reclassified(only_new=26), "comparison of versions: the reclassified studies do not add up"),
    "too many false positives": (lambda: inside("detection", 0, "at", reached=0.5),
        "all cases: detection: at 0.125 false positives a case: more false positives than allowed"),
    "detection of a withheld level": (
        lambda: asked("detection", 1, attribute="site", level="Tiny hospital"), "site: Tiny hospital: detection: it has no row that may be shown",
    ),
    "another lesion sensitivity": (
        lambda: inside("detection", 0, "at", sensitivity=made.full().detection[0].at[-1].sensitivity),
        "all cases: detection: from 0.125 to 0.25 false positives a case: fewer lesions are found",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ASKED)
def test_contradictions_of_what_a_plan_may_ask_for_are_found(what: str) -> None:
    make, where = ASKED[what]
    with pytest.raises(SafelightError, match=rf"E-REPORT-MISMATCH.*{re.escape(where)}"):
        check(make())


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


def test_the_printed_abstract_is_found() -> None:
    # A published abstract prints a sensitivity of 98.08 % for 399 of 411; it is 97.08 %.
    lower, upper = proportion_confint(399, 411, method="wilson")
    table = {"tp": 399, "fn": 12, "fp": 150, "tn": 850}
    results = single_row(table, Estimate(
        status="estimated", estimate=0.9708, lower=lower, upper=upper, confidence=0.95, method="Wilson", effective_n=411
    ))  # fmt: skip
    with pytest.raises(SafelightError, match=r"E-REPORT-MISMATCH.*all cases: sensitivity"):
        check(results)  # nor is a rounded number the number
    exact = results.overall().sensitivity.model_copy(update={"estimate": 399 / 411})
    check(single_row(table, exact))
    with pytest.raises(SafelightError, match=r"E-REPORT-MISMATCH.*all cases: sensitivity"):
        check(single_row(table, exact.model_copy(update={"estimate": 0.9808})))
    with pytest.raises(SafelightError, match=r"sensitivity .its interval does not follow from its counts"):
        check(single_row(table, exact.model_copy(update={"lower": lower + 0.01})))
    with pytest.raises(SafelightError, match=r"sensitivity .its effective sample size is beyond the cases"):
        check(single_row(table, exact.model_copy(update={"effective_n": 4110.0})))


def single_row(table: dict[str, int], sensitivity: Estimate) -> Results:
    """Results of one row, each patient with one case."""
    none = Estimate(status="not_estimable", confidence=0.95, reason="no scores")
    made_again: dict[str, Any] = {"sensitivity": sensitivity}
    for name, part, among in (("specificity", "tn", ("tn", "fp")), ("ppv", "tp", ("tp", "fp")), ("npv", "tn", ("tn", "fn"))):
        n = sum(table[cell] for cell in among)
        lower, upper = proportion_confint(table[part], n, method="wilson")
        made_again[name] = Estimate(
            status="estimated", estimate=table[part] / n, lower=lower, upper=upper, confidence=0.95, method="Wilson", effective_n=n
        )  # fmt: skip
    n = sum(table.values())
    row = realistic().overall().model_copy(update={
        "patients": n, "studies": n, "positives": table["tp"] + table["fn"], "negatives": table["fp"] + table["tn"], "auc": none,
        "counts": Counts(**table), "prevalence": None, "lr_positive": None, "lr_negative": None, **made_again,
    })  # fmt: skip
    return whole(performance=(row,), worst_case=row, baseline=(), roc=(), excluded=(), **NO_LEVELS)


# ---- the checks' own formulas against other libraries -----------------------------------------------------------------------

NAMES = {
    "Wilson": "wilson",
    "Clopper-Pearson": "beta",
    "Agresti-Coull": "agresti_coull",
    "Jeffreys": "jeffreys",
    "Wald": "normal",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("successes", "n"), [(0, 10), (1, 10), (10, 10), (399, 411), (5, 1_000_000), (33.3, 71.9)])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_proportions_are_those_of_statsmodels(name: str, successes: float, n: float, confidence: float) -> None:
    bounds = again.proportion(f"{name}, effective sample size", successes / n, n, confidence)
    wanted = [min(1, max(0, each)) for each in proportion_confint(successes, n, 1 - confidence, NAMES[name])]
    if name == "Jeffreys":  # statsmodels does not move the bounds at 0 and n to the ends
        wanted = [0.0 if successes == 0 else wanted[0], 1.0 if successes == n else wanted[1]]
    assert bounds == pytest.approx(wanted, abs=1e-9)
    assert again.proportion("Another", 0.5, n, confidence) is None


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize(("auc", "positives", "negatives"), [(1.0, 9, 12), (0.0, 3, 8), (0.73, 5, 40), (0.5, 2, 2)])
def test_the_score_type_interval_solves_newcombes_equation(auc: float, positives: int, negatives: int, confidence: float) -> None:
    for bound in again.score_type(auc, positives, negatives, confidence):
        extra = (positives + negatives) / 2 - 1
        spread = 1 + extra * ((1 - bound) / (2 - bound) + bound / (1 + bound))
        variance = bound * (1 - bound) * spread / (positives * negatives)
        assert (auc - bound) ** 2 == pytest.approx(stats.norm.ppf((1 + confidence) / 2) ** 2 * variance, abs=1e-9)
    lower, upper = again.score_type(auc, positives, negatives, confidence)
    assert lower < auc or auc == 0.0
    assert auc < upper or auc == 1.0


@pytest.mark.parametrize("seed", range(4))
def test_adjusted_p_values_are_those_of_statsmodels(seed: int) -> None:
    p = np.round(np.random.default_rng(seed).uniform(0, 0.2, 9), 2).tolist()  # with ties
    assert again.holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    assert again.benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])
    assert again.holm([]) == again.benjamini_hochberg([]) == []
    assert again.two_sided(1.3) == pytest.approx(2 * stats.norm.sf(1.3))


def test_no_check_calls_what_made_the_numbers() -> None:
    shapes = {f"tasks.evaluation.{name}" for name in ("results", "estimate", "of_cases", "endpoints.parts")}
    allowed = shapes | {"tasks.evaluation.analysis"}  # the shape, and how many points a curve has
    for path in (Path(checks.__file__).parent).glob("*.py"):
        used = {
            node.module
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.ImportFrom) and node.module
        }
        assert {name for name in used if name.startswith("tasks.evaluation")} <= allowed, path
