"""`monitoring.json`: a model version in a period of its use, beside a baseline: performance where there is a reference standard, drift everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from tasks.changes import limits as judging
from tasks.changes.alerts import STAGE
from tasks.changes.mix import AttributeDrift, Given, InputDrift, Mix, ScoreDrift, inputs, inside
from tasks.changes.periods import Period, PeriodDifference, differences, years_of
from tasks.changes.plan import ChangePlan, Drift, Limit, Monitoring
from tasks.changes.tables import Tables, ran, threshold_of
from tasks.changes.verdict import Assessed, Judged
from tasks.errors import ConfigurationError
from tasks.evaluation.analysis import analyse
from tasks.evaluation.cases import assemble
from tasks.evaluation.intention import entered
from tasks.evaluation.plan import Plan
from tasks.evaluation.results import Results
from tasks.inference import registry
from tasks.inference.bundle import Bundle
from tasks.lake import Lake
from tasks.stage import Count

SCHEMA: Final = "safelight-monitoring-1"


class Monitored(BaseModel):
    """What was found of one version in a period.

    Args:
        plan_sha256, evaluation_plan_sha256: of the change plan and its evaluation plan.
        period, baseline: what the model was given.
        studies_without_year: the version's studies that belong to no period.
        patients_in_both: with studies in both periods; None where there are some, but too few to show.
        differences: the period's AUC, sensitivity and specificity minus the baseline's.
        limits: of the change plan; each that is not passed is an alert.
        results_sha256, baseline_results_sha256: of `results.json` of either period, kept beside it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    schema_name: Literal["safelight-monitoring-1"] = SCHEMA
    title: str
    synthetic: bool
    safelight_version: str
    plan_name: str
    plan_sha256: str
    evaluation_plan_sha256: str
    model: Assessed
    period: Given
    baseline: Given
    studies_without_year: int = Field(ge=0)
    patients_in_both: int | None
    differences: tuple[PeriodDifference, ...]
    scores: ScoreDrift
    attributes: tuple[AttributeDrift, ...]
    inputs: tuple[InputDrift, ...]
    limits: tuple[Judged, ...]
    results_sha256: str
    baseline_results_sha256: str

    @property
    def alerts(self) -> tuple[Judged, ...]:
        """The limits that were not passed."""
        return tuple(each for each in self.limits if not each.passed)

    def to_json(self) -> bytes:
        """Canonical bytes: the same lake gives the same."""
        return (self.model_dump_json(indent=1) + "\n").encode()


@dataclass(frozen=True, slots=True)
class Watched:
    """What was found, and the evaluations of both periods."""

    found: Monitored
    results: Results
    baseline: Results

    def publish(self, lake: Lake) -> str:
        """Publish as `monitoring/<name>/<version>/<years>_<plan>/`: monitoring.json, results.json, baseline.json. Gives the folder."""
        said = self.found
        named = f"{said.period.years}_{said.baseline.years}_{said.plan_name}"
        folder = f"monitoring/{said.model.name}/{said.model.version}/{named}"
        contents = {
            "monitoring.json": said.to_json(),
            "results.json": _bytes(self.results),
            "baseline.json": _bytes(self.baseline),
        }
        with lake.publication(STAGE, f"{said.model.label}_{named}", sha256(said.to_json()).hexdigest()) as publication:
            for name, content in contents.items():
                publication.write(f"{folder}/{name}", content)
            publication.commit(tally=[Count("alert", "", "limit", len(said.alerts))], passed=int(not said.alerts))
        return folder


def watch(lake: Lake, plan: ChangePlan, evaluation: Plan, bundle: Bundle, period: Period, baseline: Period) -> Watched:
    """Evaluate a version in both periods, and hold what was found to the plan's `monitoring`.

    Raises:
        ConfigurationError: E-CHANGE-PLAN where the plan has no `monitoring`; E-CHANGE-PERIOD where the periods overlap, or the version was given no
            study of one of them; those of `tasks.changes.limits.fit`, `tasks.changes.tables.ran`, `analyse`.
    """
    judging.fit(plan, evaluation)
    if plan.monitoring is None:
        raise ConfigurationError("E-CHANGE-PLAN", f"{plan.name}: it has no monitoring")
    if period.overlaps(baseline):
        raise ConfigurationError("E-CHANGE-PERIOD", f"{period} and {baseline}")
    tables, years = Tables.of(lake), years_of(lake)
    how, cut = ran(tables, bundle, evaluation.finding), threshold_of(evaluation, bundle)
    tables = Tables(tables.of_version(bundle, evaluation.finding), tables.reference, tables.cohort)
    recent, earlier = period.studies(years), baseline.studies(years)
    wanted = evaluation.model_copy(update={"model": bundle.label, "comparator": None})
    sides = [_some(tables.where(keys), bundle, each) for keys, each in ((recent, period), (earlier, baseline))]
    results, before = (analyse(each.predictions, each.reference, each.cohort, wanted, threshold=cut) for each in sides)
    both = tables.where(pa.concat_arrays([recent, earlier]))
    assembled = assemble(both.predictions, both.reference, both.cohort, wanted)
    cases = entered(assembled, wanted, cut).main
    apart = tuple(differences(results, before, cases, inside(assembled.studies, cases, recent)))
    mix = Mix.of(both, wanted, recent)
    scored = both.predictions.filter(pc.is_valid(both.predictions["score"]))
    dated = years.filter(pc.is_valid(years["study_year"]))["StudyInstanceUID"]
    timeless = tables.predictions["StudyInstanceUID"].unique()
    made = Monitored(
        title=plan.title, synthetic=evaluation.synthetic, safelight_version=version("safelight"), plan_name=plan.name, plan_sha256=plan.sha256,
        evaluation_plan_sha256=evaluation.sha256,
        model=Assessed(
            **registry.identity(bundle).model_dump(), preprocessing_sha256=bundle.preprocessing_sha256, code_sha256=how.code_sha256, threshold=cut
        ),
        period=mix.given(str(period), recent=True), baseline=mix.given(str(baseline), recent=False),
        studies_without_year=len(timeless) - int(pc.sum(pc.is_in(timeless, dated.combine_chunks())).as_py() or 0),
        patients_in_both=mix.in_both(), differences=apart, scores=mix.scores(), attributes=tuple(mix.attributes()),
        inputs=tuple(inputs(scored, recent, wanted.minimum_cases)), limits=(),
        results_sha256=sha256(_bytes(results)).hexdigest(), baseline_results_sha256=sha256(_bytes(before)).hexdigest(),
    )  # fmt: skip
    held = (*_performance(plan.monitoring, evaluation, results, apart), *_drift(plan.monitoring.drift, made))
    return Watched(made.model_copy(update={"limits": held}), results, before)


def _some(tables: Tables, bundle: Bundle, period: Period) -> Tables:
    if not tables.predictions.num_rows:
        raise ConfigurationError("E-CHANGE-PERIOD", f"{bundle.label} was given no study of {period}")
    return tables


def _performance(plan: Monitoring, evaluation: Plan, results: Results, apart: tuple[PeriodDifference, ...]) -> Iterator[Judged]:
    for limit in plan.limits:
        for attribute, level in judging.places(limit, evaluation):
            if limit.at_least is not None:
                yield judging.performance(limit, attribute, level, results)
            else:
                yield _since(limit, attribute, level, apart)


def _since(limit: Limit, attribute: str, level: str, apart: tuple[PeriodDifference, ...]) -> Judged:
    rows = (each for each in apart if (each.attribute, each.level, each.metric) == (attribute, level, limit.metric))
    found = next((each.difference for each in rows), None)
    return judging.held("since_baseline", limit, attribute, level, found, -float(limit.margin or 0), beyond=True)


def _drift(plan: Drift, made: Monitored) -> Iterator[Judged]:
    if plan.score_psi is not None:
        yield _at_most("score PSI", "", "", made.scores.psi, plan.score_psi, made.scores.reason)
    if plan.score_ks is not None:
        yield _at_most("score KS distance", "", "", made.scores.ks, plan.score_ks, made.scores.reason)
    if plan.unread is not None:
        share = made.period.unread / made.period.studies if made.period.studies else None
        yield _at_most("share not read", "", "", share, plan.unread, "too few patients to show")
    for each in made.attributes:
        if plan.attribute_psi is not None:
            yield _at_most("PSI", each.attribute, "all levels", each.psi, plan.attribute_psi, each.reason)
        if plan.standardized_difference is not None:
            for level in each.levels:
                if level.now is not None:  # what is withheld is in the attribute's index alone
                    apart = None if level.standardized_difference is None else abs(level.standardized_difference)
                    yield _at_most(
                        "standardized difference", each.attribute, level.level, apart, plan.standardized_difference, level.reason
                    )
    if plan.standardized_difference is not None:
        for statistic in made.inputs:
            apart = None if statistic.standardized_difference is None else abs(statistic.standardized_difference)
            yield _at_most(
                f"standardized difference of {statistic.statistic}", "", "", apart, plan.standardized_difference, statistic.reason
            )


def _at_most(metric: str, attribute: str, level: str, value: float | None, most: float, unknown: str) -> Judged:
    passed = value is not None and value <= most
    reason = "" if passed else f"not estimable: {unknown}" if value is None else "above the limit"
    return Judged(
        about="drift", metric=metric, attribute=attribute, level=level, value=value, bound=most, passed=passed, reason=reason
    )


def _bytes(results: Results) -> bytes:
    """As `results.json`."""
    return (results.model_dump_json(indent=1) + "\n").encode()
