"""Predictive values at a prevalence, the table of 1,000 cases, number needed to predict, and the plan's goals."""

from __future__ import annotations

from math import inf, sqrt

from tasks.evaluation.results import Estimate, GoalResult, Performance, PerThousand, Predictive, Results
from tasks.report.checks import again, estimates
from tasks.report.checks.holding import TOLERANCE, close, hold, mismatch, named, single
from tasks.report.checks.rows import shares


def check_predictive(results: Results) -> None:
    """Every row at every prevalence, and every goal."""
    rows = {(row.attribute, row.level): row for row in results.performance}
    seen = [(value.attribute, value.level, value.prevalence, value.own) for value in results.predictive]
    hold(len(set(seen)) == len(seen), "predictive values", "a row stands twice")
    for value in results.predictive:
        _check_value(value, _row(rows, value.attribute, value.level, "predictive values"), results)
    for goal in results.goals:
        _check_goal(goal, _row(rows, goal.attribute, goal.level, "goals"), results)


def _row(rows: dict[tuple[str, str], Performance], attribute: str, level: str, what: str) -> Performance:
    row = rows.get((attribute, level))
    if row is None or row.suppressed:
        raise mismatch(f"{named(attribute, level)}: {what}", "there is no such row that may be shown")
    return row


def _check_value(value: Predictive, row: Performance, results: Results) -> None:
    where = f"{named(value.attribute, value.level)}: prevalence {value.prevalence:g}"
    if value.own:
        hold(close(value.prevalence, row.positives / max(row.studies, 1)), where, "it is not that of the data")
        for name in ("ppv", "npv"):
            estimates.known(getattr(value, name), results.confidence, where, name)
            hold(getattr(value, name).estimate == getattr(row, name).estimate, where, name)
            bounds = [(each.lower, each.upper, each.effective_n) for each in (getattr(value, name), getattr(row, name))]
            hold(bounds[0] == bounds[1], where, f"{name} (interval)")
            part, among = shares(row)[name]
            estimates.proportion(
                getattr(value, name), part, among, results.confidence, where, name, patients=row.patients, singles=single(row)
            )
    else:
        _check_bayes(value, row, results, where)
    _check_number_needed(value, results, where)
    _check_thousand(value.per_thousand, value.prevalence, row, where)


def _check_bayes(value: Predictive, row: Performance, results: Results, where: str) -> None:
    """Bayes' theorem from the counts; the interval by the standard error of the likelihood ratio, on the logit."""
    for name, found, ratio in (("ppv", value.ppv, row.lr_positive), ("npv", value.npv, row.lr_negative)):
        if not estimates.normal(found, results.confidence, where, name, least=0.0, most=1.0):
            continue
        table, prevalence = row.counts, value.prevalence
        ill, well = prevalence / row.positives, (1.0 - prevalence) / row.negatives
        right, wrong = (table.tp * ill, table.fp * well) if name == "ppv" else (table.tn * well, table.fn * ill)
        hold(close(found.estimate, right / (right + wrong)), where, name)
        hold(
            found.scale == "logit" and ratio is not None and close(found.standard_error, ratio.standard_error),
            where,
            f"{name} (interval)",
        )


def _check_number_needed(value: Predictive, results: Results, where: str) -> None:
    found, ppv, npv, name = value.number_needed_to_predict, value.ppv, value.npv, "number needed to predict"
    hold(found.confidence == results.confidence, where, f"{name} (confidence)")
    if found.estimate is None:
        hold((found.lower, found.upper) == (None, None) and bool(found.reason) and found.status == "not_estimable", where, name)
        return
    hold(found.status == "estimated" and found.method.startswith("square-and-add"), where, f"{name} (method)")
    bounds = (ppv.estimate, ppv.lower, ppv.upper, npv.estimate, npv.lower, npv.upper)
    if any(each is None for each in bounds):
        raise mismatch(where, f"{name}: there are no predictive values")
    p, p_low, p_high, q, q_low, q_high = (float(each or 0.0) for each in bounds)
    gain = p + q - 1.0
    hold(gain > 0.0 and close(found.estimate, 1.0 / gain), where, name)
    low = gain - sqrt((p - p_low) ** 2 + (q - q_low) ** 2)
    high = min(1.0, gain + sqrt((p_high - p) ** 2 + (q_high - q) ** 2))
    upper = 1.0 / low if low > 0.0 else None
    hold(close(found.lower, 1.0 / high) and close(found.upper, upper), where, f"{name} (interval)")
    hold(bool(found.reason) == (upper is None), where, f"{name} (reason)")


def _check_thousand(found: PerThousand | None, prevalence: float, row: Performance, where: str) -> None:
    if found is None:
        hold(not (row.positives and row.negatives), where, "the table of 1,000 cases is missing")
        return
    if not row.positives or not row.negatives:
        raise mismatch(where, "1,000 cases of one kind alone")
    table, ill = row.counts, 1000.0 * prevalence
    wanted = {
        "prevalence": prevalence, "positives": ill, "negatives": 1000.0 - ill, "tp": ill * table.tp / row.positives,
        "fn": ill * table.fn / row.positives, "fp": (1000.0 - ill) * table.fp / row.negatives, "tn": (1000.0 - ill) * table.tn / row.negatives,
    }  # fmt: skip
    for name, number in wanted.items():
        hold(close(getattr(found, name), number), where, f"per 1,000 cases: {name}")


# ---- goals ----------------------------------------------------------------------------------------------------------------


def _check_goal(goal: GoalResult, row: Performance, results: Results) -> None:
    where = f"{named(goal.attribute, goal.level)}: goal of {goal.metric}"
    hold(goal.metric in ("auc", *shares(row)), where, "metric")
    hold((goal.at_least is None) != (goal.margin is None), where, "it is neither a performance goal nor a margin, or both")
    limit = -float(goal.margin) if goal.margin is not None else float(goal.at_least or 0.0)
    above = goal.lower is not None and (goal.lower > limit if goal.margin is not None else goal.lower >= limit)
    hold(goal.met == above, where, "the verdict does not follow from bound and limit")
    if goal.estimate is None or goal.lower is None or goal.upper is None:
        hold(
            (goal.estimate, goal.lower, goal.upper) == (None, None, None) and bool(goal.reason),
            where,
            "there is neither a number nor a reason",
        )
        return
    hold(not goal.reason, where, "a number, and a reason why there is none")
    hold(goal.lower - TOLERANCE <= goal.estimate <= goal.upper + TOLERANCE, where, "estimate outside its interval")
    if goal.margin is None:
        _check_performance_goal(goal, row, results, where)
        return
    found = next((each for each in row.against_rest if each.metric == goal.metric), None)
    if found is None:
        raise mismatch(where, "there is no difference from the rest")
    hold(close(goal.estimate, found.difference), where, "estimate")
    if goal.confidence == results.confidence:
        same = close(max(goal.lower, -1.0), found.lower) and close(min(goal.upper, 1.0), found.upper)
        hold(same, where, "interval")
    else:
        _nested((goal.lower, goal.upper, goal.confidence), (found.lower, found.upper, results.confidence), where)


def _check_performance_goal(goal: GoalResult, row: Performance, results: Results, where: str) -> None:
    value: Estimate = getattr(row, goal.metric)
    lower, upper = float(goal.lower or 0.0), float(goal.upper or 0.0)
    hold(close(goal.estimate, value.estimate), where, "estimate")
    if goal.confidence == results.confidence:
        hold(close(goal.lower, value.lower) and close(goal.upper, value.upper), where, "interval")
        return
    made = _at(value, row, goal)
    if made:
        fits = any(close(goal.lower, max(0.0, low)) and close(goal.upper, min(1.0, high)) for low, high in made)
        hold(fits, where, "interval")
    else:
        _nested((lower, upper, goal.confidence), (value.lower, value.upper, results.confidence), where)


def _at(value: Estimate, row: Performance, goal: GoalResult) -> list[again.Bounds]:
    """What the interval may be at another confidence; nothing where that depends on more than is published."""
    if goal.metric != "auc":
        part, among = shares(row)[goal.metric]
        settled = single(row) or part in (0, among)
        made = (
            again.proportion(value.method, part / among, float(value.effective_n or among), goal.confidence) if settled else None
        )
        return [] if made is None else [made]
    if value.groups is not None:
        return [again.score_type(float(value.estimate or 0.0), *value.groups, goal.confidence)]
    slope = float(value.estimate or 0.0) * (1.0 - float(value.estimate or 0.0))
    plain = value.standard_error if value.scale == "identity" else float(value.standard_error or 0.0) * slope
    scales = (
        value.model_copy(update={"scale": "identity", "standard_error": plain}),
        value.model_copy(update={"scale": "logit", "standard_error": float(plain or 0.0) / slope}),
    )  # fmt: skip
    return [made for made in (again.normal(each, goal.confidence) for each in scales) if made is not None]


def _nested(one: tuple[float, float, float], other: tuple[float | None, float | None, float], where: str) -> None:
    """The interval at the higher confidence holds the other."""
    lower, upper = (-inf if other[0] is None else other[0]), (inf if other[1] is None else other[1])
    inside, around = ((one[0], one[1]), (lower, upper)) if one[2] < other[2] else ((lower, upper), (one[0], one[1]))
    # a bound beyond a range that the other one was held to is not a contradiction
    hold(around[0] <= inside[0] + TOLERANCE and inside[1] <= around[1] + TOLERANCE, where, "interval at another confidence")
