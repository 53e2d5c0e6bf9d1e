"""What a published interval was made of makes it again, by other libraries: statsmodels for proportions, scipy for all quantiles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from pydantic import BaseModel
from scipy import special, stats
from statsmodels.stats.proportion import proportion_confint

from tasks.evaluation import bland_altman, deming, errors, paired_auc, repeatability
from tasks.evaluation.analysis import analyse
from tasks.evaluation.results import Difference, Estimate, Results
from tests.tasks.evaluation.cohorts import plan, tables

NAMES = {"Wilson": "wilson", "Clopper-Pearson": "beta", "Agresti-Coull": "agresti_coull", "Jeffreys": "jeffreys"}
TO = {"identity": float, "log": np.log, "logit": special.logit, "square": np.square}
BACK = {"identity": float, "log": np.exp, "logit": special.expit, "square": lambda value: np.sqrt(max(value, 0.0))}


def again(found: Estimate) -> tuple[float, float] | None:
    """The interval of an estimate, from its published fields alone; None where nothing is said of what it was made of."""
    if found.status != "estimated":
        return None
    if found.effective_n is not None:
        name = NAMES[found.method.partition(",")[0]]
        return proportion_confint(found.estimate * found.effective_n, found.effective_n, 1 - found.confidence, name)
    if found.standard_error is not None:
        tail = (1 + found.confidence) / 2
        quantile = stats.norm.ppf(tail) if found.freedom is None else stats.t.ppf(tail, found.freedom)
        centre, reach = TO[found.scale](found.estimate), quantile * found.standard_error
        return BACK[found.scale](centre - reach), BACK[found.scale](centre + reach)
    if found.freedom is not None:
        tail = (1 - found.confidence) / 2
        ends = [np.sqrt(found.freedom / stats.chi2.isf(each, found.freedom)) for each in (tail, 1 - tail)]
        return found.estimate * ends[0], found.estimate * ends[1]
    return None


def estimates(part: object) -> Iterator[Estimate]:
    if isinstance(part, Estimate):
        yield part
    elif isinstance(part, BaseModel):
        for name in type(part).model_fields:
            yield from estimates(getattr(part, name))
    elif isinstance(part, tuple):
        for each in part:
            yield from estimates(each)


def evaluated(**changes: object) -> Results:
    return analyse(*tables(), plan(prevalences=[0.01], calibration={}, net_benefit=[0.3], **changes))


@pytest.mark.parametrize("name", ["wilson", "clopper_pearson", "agresti_coull"])
def test_every_interval_of_an_evaluation_is_made_again(name: str) -> None:
    made = 0
    for found in estimates(evaluated(interval=name, confidence=0.9)):
        bounds = again(found)
        if bounds is None:
            assert found.status == "not_estimable" or found.groups or "square-and-add" in found.method, found.method
            continue
        made += 1
        assert (found.lower, found.upper) == pytest.approx(
            (max(bounds[0], 0.0) if found.lower == 0 else bounds[0], bounds[1]), rel=1e-9
        )
    assert made > 60


def test_another_sample_size_or_error_gives_another_interval() -> None:
    overall = evaluated().overall()
    for found, field in ((overall.sensitivity, "effective_n"), (overall.auc, "standard_error")):
        wrong = found.model_copy(update={field: getattr(found, field) * 1.01})
        assert again(found) == pytest.approx((found.lower, found.upper), rel=1e-9)
        assert again(wrong) != pytest.approx((found.lower, found.upper), rel=1e-4)


def test_the_sample_size_is_that_of_the_cases_or_less() -> None:
    overall = evaluated().overall()
    assert 0 < overall.sensitivity.effective_n < overall.positives
    assert "effective" in overall.sensitivity.method


def test_differences_are_made_again_from_both_intervals_and_their_p_from_the_error() -> None:
    results, seen = evaluated(), 0
    for row in results.performance:
        for found in row.against_rest:
            assert isinstance(found, Difference)
            part, seen = getattr(row, found.metric), seen + 1
            below, above = np.hypot(part.estimate - part.lower, found.rest_upper - found.rest), np.hypot(
                part.upper - part.estimate, found.rest - found.rest_lower
            )  # fmt: skip
            assert found.difference == pytest.approx(part.estimate - found.rest)
            assert (found.lower, found.upper) == pytest.approx((found.difference - below, found.difference + above))
            assert found.p == pytest.approx(2 * stats.norm.sf(abs(found.difference) / found.standard_error))
    assert seen == 12


def test_measurements_and_paired_areas_say_what_they_are_made_of() -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(50, 10, 60)
    measured, patients = truth + rng.normal(1, 2, 60), np.repeat(np.arange(30), 2)
    labels = (truth > 50).astype(int)
    line, limits, twice = (
        deming(measured, truth, patients),
        bland_altman(measured, truth, patients),
        repeatability(measured, patients),
    )
    found = [
        *errors(measured, truth, patients), line.slope, line.intercept, limits.bias, limits.lower_limit, limits.upper_limit,
        twice.wsd, twice.coefficient, twice.cv_percent, paired_auc(measured, rng.normal(size=60), labels, patients).difference,
    ]  # fmt: skip
    for each in found:
        assert again(each) == pytest.approx((each.lower, each.upper), rel=1e-9)
