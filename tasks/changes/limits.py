"""Acceptance limits against what an evaluation found: a limit without an estimate is failed, with the reason."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from tasks.changes.plan import ChangePlan, Limit, Monitoring
from tasks.changes.verdict import Judged
from tasks.errors import ConfigurationError
from tasks.evaluation.intervals import estimated
from tasks.evaluation.plan import Plan
from tasks.evaluation.results import Estimate, Performance, Results, VersionComparison


def judged(
    plan: ChangePlan,
    evaluation: Plan,
    results: Results,
    *,
    findings: Collection[str],
    lost: int,
    before: int,
    alike: bool = False,
) -> tuple[Judged, ...]:
    """Every limit of the plan, in its order: the cases first, then what was found on them.

    Args:
        results: of the candidate, with the comparison with the running version.
        findings: that the candidate gives a score for.
        lost: cases that the running version read and the candidate did not.
        before: cases that the running version read.
        alike: whether both versions put all cases that both read into the same order: then their AUCs do not differ, and there is no variance.
    """
    return (
        *_cases(plan, results, lost, before),
        *_findings(plan, evaluation, findings),
        *(
            _compared(limit, *place, results.comparison, alike)
            if limit.margin is not None
            else performance(limit, *place, results)
            for limit in plan.modification_protocol.performance_evaluation.limits
            for place in places(limit, evaluation)
        ),
    )


def places(limit: Limit, evaluation: Plan) -> Iterator[tuple[str, str]]:
    """The rows of the evaluation that a limit is about: (attribute, level); ("", "") for all cases."""
    if limit.attribute is None:
        yield "", ""
        return
    declared = {group.attribute: group.levels for group in evaluation.subgroups}
    for level in limit.levels or declared[limit.attribute]:
        yield limit.attribute, level


def fit(plan: ChangePlan, evaluation: Plan) -> None:
    """Hold a change plan to its evaluation plan.

    Raises:
        ConfigurationError: E-CHANGE-PLAN where it names subgroups that the evaluation plan does not declare, where that plan is about another
            model, names a version, or is not the one whose hash the change plan states.
    """
    data = plan.modification_protocol.data_management
    if evaluation.model != plan.model:
        raise ConfigurationError(
            "E-CHANGE-PLAN", f"{plan.name}: the evaluation plan must be about {plan.model}, without a version"
        )
    if data.evaluation_sha256 not in (None, evaluation.sha256):
        raise ConfigurationError("E-CHANGE-PLAN", f"{plan.name}: evaluation_sha256 is not that of the evaluation plan")
    levels = {(group.attribute, level) for group in evaluation.subgroups for level in group.levels}
    watched = plan.monitoring or Monitoring(description="none")
    named = {(each.attribute, each.level) for each in data.minimum_patients_in}
    for limit in (*plan.modification_protocol.performance_evaluation.limits, *watched.limits):
        if limit.attribute is not None and limit.attribute not in evaluation.attributes:
            raise ConfigurationError("E-CHANGE-PLAN", f"{plan.name}: the evaluation plan has no subgroups by {limit.attribute}")
        named |= {(limit.attribute or "", level) for level in limit.levels}
    if named - levels:
        missing = ", ".join(f"{attribute} = {level}" for attribute, level in sorted(named - levels))
        raise ConfigurationError("E-CHANGE-PLAN", f"{plan.name}: the evaluation plan does not declare {missing}")


def row_of(results: Results, attribute: str, level: str) -> Performance | None:
    """One row of the subgroup table, or None."""
    return next((row for row in results.performance if (row.attribute, row.level) == (attribute, level)), None)


def performance(limit: Limit, attribute: str, level: str, results: Results) -> Judged:
    """One metric of one row against `at_least`."""
    row, bound = row_of(results, attribute, level), float(limit.at_least or 0)
    found: Estimate | None = None if row is None else getattr(row, limit.metric)
    return held("performance", limit, attribute, level, found, bound)


def held(
    about: str, limit: Limit, attribute: str, level: str, found: Estimate | None, bound: float, *, beyond: bool = False
) -> Judged:
    """An estimate's lower bound against a bound, which it must reach, or lie above (`beyond`)."""
    lower = None if found is None else found.lower
    passed = lower is not None and (lower > bound if beyond else lower >= bound)
    reason = ""
    if not passed:
        reason = "the lower bound lies below the limit" if lower is not None else _unknown(found)
    return Judged.model_validate({
        "about": about, "metric": limit.metric, "attribute": attribute, "level": level, "bound": bound, "passed": passed, "reason": reason,
        "value": None if found is None else found.estimate, "lower": lower, "upper": None if found is None else found.upper,
    })  # fmt: skip


def _unknown(found: Estimate | None) -> str:
    return f"not estimable: {found.reason}" if found is not None and found.reason else "not estimable: no such cases are shown"


def _compared(limit: Limit, attribute: str, level: str, comparison: VersionComparison | None, alike: bool) -> Judged:
    margin, row = float(limit.margin or 0), None
    if comparison is not None:
        rows = (
            each
            for each in comparison.differences
            if (each.attribute, each.level, each.metric) == (attribute, level, limit.metric)
        )
        row = next(rows, None)
    found = None if row is None else row.difference
    if row is not None and row.new is not None and row.new == row.old and alike and limit.metric == "auc":
        found = estimated(0.0, 0.0, 0.0, row.difference.confidence, "both versions put all cases into the same order", least=-1.0)
    return held("non_inferiority", limit, attribute, level, found, -margin, beyond=True)


def _cases(plan: ChangePlan, results: Results, lost: int, before: int) -> Iterator[Judged]:
    data = plan.modification_protocol.data_management
    overall, comparison = results.overall(), results.comparison
    yield _enough("patients", "", "", overall.patients, data.minimum_patients)
    yield _enough("patients compared", "", "", comparison.patients if comparison is not None else 0, data.minimum_patients)
    for wanted in data.minimum_patients_in:
        row = row_of(results, wanted.attribute, wanted.level)
        yield _enough("patients", wanted.attribute, wanted.level, row.patients if row is not None else 0, wanted.patients)
    share = lost / before if before else None
    kept = share is not None and share <= data.maximum_lost
    few = f"the candidate did not read {lost} of the {before} cases that the running version read"
    yield Judged(
        about="data", metric="share lost", value=share, bound=data.maximum_lost, passed=kept, reason="" if kept else few if before else "no cases",
    )  # fmt: skip
    if data.reference_sha256 is not None:
        same = results.provenance.reference_sha256 == data.reference_sha256
        yield Judged(
            about="data", metric="reference standard", value=None, bound=data.reference_sha256, passed=same,
            reason="" if same else "it is another than the plan names",
        )  # fmt: skip


def _findings(plan: ChangePlan, evaluation: Plan, findings: Collection[str]) -> Iterator[Judged]:
    """Whether a version would come into use of which some findings were never looked at; nothing where it has but one."""
    others = sorted(set(findings) - {evaluation.finding, *plan.modification_protocol.data_management.not_evaluated})
    if len(findings) > 1:
        yield Judged(
            about="data", metric="findings not evaluated", value=float(len(others)), bound=0.0, passed=not others,
            reason=f"the plan says nothing about {', '.join(others)}" if others else "",
        )  # fmt: skip


def _enough(metric: str, attribute: str, level: str, patients: int, least: int) -> Judged:
    enough = patients >= least
    return Judged(
        about="data", metric=metric, attribute=attribute, level=level, value=float(patients), bound=float(least), passed=enough,
        reason="" if enough else "too few patients, or too few to be shown",
    )  # fmt: skip
