"""The plan's goals, and whether each is met."""

from __future__ import annotations

from tasks.evaluation.results import GoalResult
from tasks.report.blocks import Block, Items, LeftOut, Paragraph, Section, Table
from tasks.report.numbers import Said, Text, joined, text
from tasks.report.subject import Subject, missing
from tasks.report.wording import NOTHING, group, metric

_TITLE = "Acceptance: what had to be shown"
PASS, FAIL, OPEN = "✓ pass", "✗ fail", "? not estimable"
_RULE = (
    "A goal is met where the limit of the interval says so, and not by the estimate: the lower bound of a performance must not lie below what is "
    "asked for, and the lower bound of a difference from all other cases must lie above minus the margin. What cannot be estimated is not met."
)


def section(report: Subject) -> Section | LeftOut:
    """Every goal with the bound and the limit that it is held against, and the levels that fail, by name."""
    goals = report.results.goals
    if not goals:
        return LeftOut("acceptance", _TITLE, missing(report, "the plan sets no goals"))
    failed = [(place, goal) for place, goal in enumerate(goals) if not goal.met]
    blocks: list[Block] = [Paragraph(_RULE), Paragraph(verdict_in_short(report), emphasis=True)]
    if failed:
        named = tuple(
            text(f"{verdict(goal)}: {group(goal.attribute, goal.level)}, ", _asked(report, place)) for place, goal in failed
        )
        blocks.append(Items(named))
    header = ("Subgroup", "Goal", "Estimate", "Interval at", "Bound against limit", "Verdict")
    rows = tuple(_row(report, place) for place in range(len(goals)))
    blocks.append(
        Table("Goals of the plan", header, rows, (False, False, True, True, True, False), (1.7, 1.9, 1.7, 0.8, 1.5, 1.1))
    )
    return Section("acceptance", _TITLE, tuple(blocks))


def verdict(goal: GoalResult) -> str:
    """In words and a sign, so that no colour is needed."""
    if goal.met:
        return PASS
    return OPEN if goal.estimate is None else FAIL


def verdict_in_short(report: Subject) -> Text:
    """All goals in one sentence."""
    goals, of = report.results.goals, report.numbers
    met = [("goals", place, "met") for place in range(len(goals))]
    kinds = [verdict(goal) for goal in goals]
    parts: list[Said] = []
    for kind, word in ((FAIL, " fail"), (OPEN, " cannot be estimated")):
        places = [place for place, found in zip(met, kinds, strict=True) if found == kind]
        if places:
            parts.append(text(of.of("how many", *places), word))
    passed = text(of.count(*met), " of ", of.of("how many", *met), " pass")
    return text(
        "Acceptance criteria: ",
        joined(", ", [passed, *parts]),
        ". ",
        "All are met." if all(goal.met for goal in goals) else "Not all are met.",
    )


def _asked(report: Subject, place: int) -> Text:
    goal, of = report.results.goals[place], report.numbers
    if goal.at_least is not None:
        return text(f"{metric(goal.metric)} at least ", of.of("decimal", ("goals", place, "at_least")))
    return text(f"{metric(goal.metric)} not worse than in all other cases by ", of.of("decimal", ("goals", place, "margin")))


def _row(report: Subject, place: int) -> tuple[Said, ...]:
    goal, of, here = report.results.goals[place], report.numbers, ("goals", place)
    name, asked = group(goal.attribute, goal.level), _asked(report, place)
    percent = of.of("percent", (*here, "confidence"))
    if goal.estimate is None:
        return name, asked, f"not estimable: {goal.reason}", percent, NOTHING, OPEN
    form = "bounds" if goal.margin is None else "signed bounds"
    estimate = of.of(form, *((*here, field) for field in ("estimate", "lower", "upper")))
    return name, asked, estimate, percent, _bound(report, place), verdict(goal)


def _bound(report: Subject, place: int) -> Said:
    goal, of, here = report.results.goals[place], report.numbers, ("goals", place)
    if goal.lower is None:
        return NOTHING
    lower = (*here, "lower")
    if goal.margin is None:
        limit = (*here, "at_least")
        return text(of.of("beside", lower, limit), " ≥ " if goal.met else " < ", of.of("beside", limit, lower))
    limit = (*here, "margin")
    return text(of.of("beside the margin", lower, limit), " > " if goal.met else " ≤ ", of.of("the margin beside", limit, lower))
