"""Levels held against the rest and against each other: differences, p values and their adjustment, heterogeneity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from tasks.evaluation.results import Difference, Heterogeneity, Performance, Results
from tasks.report.checks import again
from tasks.report.checks.holding import close, hold, mismatch, place, single
from tasks.report.checks.rows import complete, shares

METRICS = ("auc", "sensitivity", "specificity")


def check_comparisons(results: Results) -> None:
    """The main table's differences, those of further operating points, and the tests over an attribute's levels."""
    check_differences(results.performance, results)
    for point in results.operating_points:
        check_differences(point.performance, results, f"operating point {point.name}: ")
    seen = [(row.attribute, row.metric) for row in results.heterogeneity]
    hold(len(set(seen)) == len(seen), "heterogeneity", "a test stands twice")
    for row in results.heterogeneity:
        _check_heterogeneity(row, results)
    for metric, rows in groupby(sorted(results.heterogeneity, key=lambda row: row.metric), key=lambda row: row.metric):
        _check_adjusted(list(rows), f"heterogeneity of {metric}")


def check_differences(rows: Sequence[Performance], results: Results, prefix: str = "") -> None:
    """Of every level: the rest by its counts, the interval by square-and-add, p by its standard error, and the adjusted ones."""
    overall = next(row for row in rows if not row.attribute)
    for row in rows:
        hold(
            len({found.metric for found in row.against_rest}) == len(row.against_rest),
            prefix + place(row),
            "a difference stands twice",
        )
        for found in row.against_rest:
            _check_difference(found, row, overall, results, prefix + place(row))
    for name, grouped in groupby(
        sorted((row for row in rows if row.attribute), key=lambda row: row.attribute), key=lambda row: row.attribute
    ):
        _check_two(list(grouped), overall, prefix + name)
    for metric in METRICS:
        tests = [found for row in rows for found in row.against_rest if found.metric == metric]
        _check_adjusted(tests, f"{prefix}{metric} against the rest")


def _check_difference(found: Difference, row: Performance, overall: Performance, results: Results, where: str) -> None:
    what, value = f"{found.metric} against the rest", getattr(row, found.metric)
    hold(found.confidence == results.confidence, where, f"{what} (confidence)")
    hold(found.method.startswith("square-and-add"), where, f"{what} (method)")
    if value.estimate is None:
        raise mismatch(where, f"{what}: the level has no estimate")
    hold(close(value.estimate - found.rest, found.difference), where, what)
    if found.rest_lower is None or found.rest_upper is None:
        raise mismatch(where, f"{what} (what its interval was made of is not said)")
    hold(found.rest_lower <= found.rest <= found.rest_upper, where, f"{what} (interval of the rest)")
    made = again.square_and_add(value, found.rest, found.rest_lower, found.rest_upper)
    bounds = None if made is None else (max(made[1], -1.0), min(made[2], 1.0))
    hold(bounds is not None and close(found.lower, bounds[0]) and close(found.upper, bounds[1]), where, f"{what} (interval)")
    if found.metric != "auc" and not overall.cells_withheld:
        (part, among), (all_parts, all_among) = (shares(each)[found.metric] for each in (row, overall))
        rest = (all_parts - part, all_among - among)
        hold(
            rest[1] > 0 and close(found.rest, rest[0] / max(rest[1], 1)),
            where,
            f"{what} (the rest does not follow from the counts)",
        )
        if single(overall):
            there = again.proportion(value.method, rest[0] / rest[1], rest[1], found.confidence)
            same = there is not None and close(found.rest_lower, there[0]) and close(found.rest_upper, there[1])
            hold(same, where, f"{what} (interval of the rest)")
            pooled, sizes = all_parts / all_among, 1.0 / among + 1.0 / rest[1]
            hold(close(found.standard_error or 0.0, (pooled * (1.0 - pooled) * sizes) ** 0.5), where, f"{what} (standard error)")
    hold((found.p is None) == (found.standard_error is None), where, f"{what} (p)")
    if found.p is not None and found.standard_error is not None:
        hold(close(found.p, again.two_sided(found.difference / found.standard_error)), where, f"{what} (p)")


def _check_two(levels: list[Performance], overall: Performance, where: str) -> None:
    """Where two levels are all cases, the rest of one is the other."""
    filled = [row for row in levels if row.studies]
    if not complete(levels, overall) or len(filled) != 2:
        return
    for row, other in (filled, filled[::-1]):
        for found in row.against_rest:
            there = getattr(other, found.metric)
            same = (
                close(found.rest, there.estimate)
                and close(found.rest_lower, there.lower)
                and close(found.rest_upper, there.upper)
            )
            hold(same, where, f"{row.level}: {found.metric} against the rest (the rest is {other.level})")
            if found.metric == "auc" and found.standard_error is not None:
                variances = [_variance(each) for each in (row, other)]
                if None not in variances:
                    error = sum(float(each or 0.0) for each in variances) ** 0.5
                    hold(close(found.standard_error, error), where, f"{row.level}: auc against the rest (standard error)")


def _check_adjusted(tests: Sequence[Any], where: str) -> None:
    """Holm and Benjamini-Hochberg over those tests that have a p value."""
    tested = [test for test in tests if test.p is not None]
    for test in tests:
        hold(test.p is not None or (test.p_holm, test.p_benjamini_hochberg) == (None, None), where, "an adjusted p without a p")
    p = [float(test.p) for test in tested]
    methods: tuple[tuple[str, Callable[[list[float]], list[float]]], ...] = (
        ("p_holm", again.holm), ("p_benjamini_hochberg", again.benjamini_hochberg),
    )  # fmt: skip
    for name, adjust in methods:
        hold(all(close(getattr(test, name), value) for test, value in zip(tested, adjust(p), strict=True)), where, name)


def _check_heterogeneity(row: Heterogeneity, results: Results) -> None:
    where = f"{row.attribute}: heterogeneity of {row.metric}"
    levels = [level for level in results.performance if level.attribute == row.attribute and not level.suppressed]
    hold(row.metric in METRICS, where, "metric")
    method = "Cochran's Q" if row.metric == "auc" else "Rao-Scott chi-squared"
    hold(row.method == (method if row.p is not None else ""), where, "method")
    if row.statistic is None or row.freedom is None or row.p is None:
        hold(
            (row.statistic, row.freedom, row.p) == (None, None, None) and bool(row.reason),
            where,
            "there is neither a test nor a reason",
        )
        return
    hold(not row.reason, where, "a test, and a reason why there is none")
    hold(0 < row.freedom < len(levels), where, "degrees of freedom")
    hold(
        close(row.p, again.chi_squared_p(row.statistic, row.freedom)),
        where,
        "p does not follow from the statistic",
    )
    statistic, among = _statistic(row.metric, levels)
    if statistic is not None:
        hold(among == row.freedom + 1 and close(row.statistic, statistic, 1e-8), where, "statistic")
    hold(row.statistic >= 0.0, where, "statistic")


def _statistic(metric: str, levels: Sequence[Performance]) -> tuple[float | None, int]:
    """The statistic and over how many levels, where it follows from what is published."""
    if metric == "auc":
        found = [(level.auc.estimate, _variance(level)) for level in levels if level.auc.estimate is not None]
        if any(variance is None for _, variance in found):  # a score-type interval does not tell of a variance
            return None, 0
        weights = [1.0 / float(variance or 1.0) for _, variance in found]
        mean = sum(w * float(a or 0.0) for w, (a, _) in zip(weights, found, strict=True)) / sum(weights)
        return sum(w * (float(a or 0.0) - mean) ** 2 for w, (a, _) in zip(weights, found, strict=True)), len(found)
    if not all(single(level) for level in levels):
        return None, 0
    counts = [shares(level)[metric] for level in levels if shares(level)[metric][1]]
    hits, among = sum(part for part, _ in counts), sum(n for _, n in counts)
    expected = [(n * hits / among, n * (among - hits) / among) for _, n in counts]
    observed = [(part, n - part) for part, n in counts]
    chi = sum((o - e) ** 2 / e for row, want in zip(observed, expected, strict=True) for o, e in zip(row, want, strict=True) if e)
    return chi, len(counts)


def _variance(row: Performance) -> float | None:
    """The variance of a level's AUC, from the standard error on whichever scale."""
    value = row.auc
    if value.estimate is None or value.standard_error is None:
        return None
    slope = value.estimate * (1.0 - value.estimate) if value.scale == "logit" else 1.0
    return (value.standard_error * slope) ** 2
