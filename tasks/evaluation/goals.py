"""The plan's goals against what was found: a goal is met where the interval's lower bound says so, and not where nothing can be said."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.evaluation import curves, proportions
from tasks.evaluation.cells import Share
from tasks.evaluation.differences import square_and_add
from tasks.evaluation.intervals import not_estimable
from tasks.evaluation.plan import Goal, Plan
from tasks.evaluation.ranking import Area
from tasks.evaluation.results import Estimate, GoalResult
from tasks.evaluation.sums import Sums


def judged(plan: Plan, all_cases: Sums, levels: Sequence[Sums]) -> tuple[GoalResult, ...]:
    """Every goal, overall and in each level where it says so.

    Args:
        all_cases, levels: sums of the rows that are shown, from which intervals of any confidence are made.
    """
    made = []
    for goal in plan.goals:
        confidence = goal.confidence or plan.confidence
        if goal.at_least is not None:
            made += [_performance(goal, row, plan, confidence) for row in (all_cases, *(levels if goal.subgroups else ()))]
        else:
            made += [_margin(goal, row, plan, confidence) for row in levels]
    return tuple(made)


def estimate(found: Share | Area | None, plan: Plan, confidence: float) -> Estimate:
    """One metric's estimate at any confidence, from its sums."""
    if isinstance(found, Share):
        return proportions.interval(found, confidence, method=plan.interval)
    return curves.of_area(found, confidence=confidence)


def _withheld(row: Sums, goal: Goal, confidence: float) -> Estimate | None:
    """No number, and why, where the goal is about cells that are withheld."""
    return not_estimable(row.withheld, confidence) if row.withheld and goal.metric != "auc" else None


def _performance(goal: Goal, row: Sums, plan: Plan, confidence: float) -> GoalResult:
    value = _withheld(row, goal, confidence) or estimate(row.of(goal.metric), plan, confidence)
    met = value.lower is not None and value.lower >= float(goal.at_least or 0)
    return GoalResult(
        attribute=row.attribute, level=row.level, metric=goal.metric, at_least=goal.at_least, confidence=confidence,
        estimate=value.estimate, lower=value.lower, upper=value.upper, met=met, reason=value.reason,
    )  # fmt: skip


def _margin(goal: Goal, row: Sums, plan: Plan, confidence: float) -> GoalResult:
    here = _withheld(row, goal, confidence) or estimate(row.of(goal.metric), plan, confidence)
    there = estimate(row.rest_of(goal.metric), plan, confidence)
    found = square_and_add(here, there)
    apart, lower, upper = found if found is not None else (None, None, None)
    return GoalResult(
        attribute=row.attribute, level=row.level, metric=goal.metric, margin=goal.margin, confidence=confidence,
        estimate=apart, lower=lower, upper=upper, met=lower is not None and lower > -float(goal.margin or 0),
        reason=here.reason or there.reason,
    )  # fmt: skip
