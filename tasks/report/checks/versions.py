"""Two versions of a model on the same cases: differences, verdicts, and what was reclassified."""

from __future__ import annotations

from fractions import Fraction
from math import comb, sqrt

from tasks.evaluation.results import Reclassified, Results, VersionComparison, VersionDifference
from tasks.report.checks import again, estimates
from tasks.report.checks.holding import close, hold, mismatch, named, single

_METRICS = ("auc", "sensitivity", "specificity")


def check_versions(results: Results) -> None:
    """Every difference, and the table of reclassified studies."""
    found = results.comparison
    if found is None:
        return
    where = "comparison of versions"
    if not found.studies:
        hold(not (found.differences or found.reclassified or found.patients), where, "numbers of a comparison that is withheld")
        hold(bool(found.reason), where, "there is neither a comparison nor a reason")
        return
    hold(not results.overall().suppressed, where, "it is shown though all cases are withheld")
    hold(not found.reason, where, "a comparison, and a reason why there is none")
    hold(not single(results.overall()) or found.patients == found.studies, where, "patients")
    hold(0 < found.patients <= found.studies and found.patients >= results.minimum_cases, where, "patients")
    seen = [(row.attribute, row.level, row.metric) for row in found.differences]
    hold(len(set(seen)) == len(seen), where, "a difference stands twice")
    cells = {row.label: row for row in found.reclassified}
    hold(set(cells) == {0, 1} and len(found.reclassified) == 2, where, "the reclassified studies are not of both labels")
    hold(sum(map(_size, found.reclassified)) == found.studies, where, "the reclassified studies do not add up")
    for row in found.differences:
        _check_difference(row, results)
        if not row.attribute and row.metric != "auc":
            _check_whole(row, found, cells[1 if row.metric == "sensitivity" else 0])


def _size(row: Reclassified) -> int:
    return row.both_positive + row.only_new + row.only_old + row.both_negative


def _check_difference(row: VersionDifference, results: Results) -> None:
    where = f"{named(row.attribute, row.level)}: {row.metric} of two versions"
    hold(row.metric in _METRICS, where, "metric")
    levels = {(each.attribute, each.level) for each in results.performance if not each.suppressed}
    hold((row.attribute, row.level) in levels, where, "it has no row that may be shown")
    lower = row.difference.lower
    hold(
        row.non_inferior == (lower is not None and lower > -row.margin),
        where,
        "the verdict does not follow from bound and margin",
    )
    if not estimates.known(row.difference, results.confidence, where, "difference", least=-1.0):
        same = row.metric == "auc" or (row.new is None and row.old is None)
        hold(same, where, "values without a difference")
        return
    if row.new is None or row.old is None or row.difference.estimate is None:
        raise mismatch(where, "a difference without its values")
    hold(0.0 <= row.new <= 1.0 and 0.0 <= row.old <= 1.0, where, "values")
    hold(close(row.difference.estimate, row.new - row.old), where, "difference")
    if row.metric == "auc":
        estimates.bounded(row.difference, again.normal(row.difference), where, "difference", least=-1.0)
        error = float(row.difference.standard_error or 0.0)
        hold(error > 0.0 and row.p is not None and close(row.p, again.two_sided(row.difference.estimate / error)), where, "p")
    else:
        hold(row.p is None or 0.0 <= row.p <= 1.0, where, "p")


def _check_whole(row: VersionDifference, found: VersionComparison, cells: Reclassified) -> None:
    """A share of all cases from the reclassified ones; with one case a patient the interval and p as well."""
    where, n = f"all cases: {row.metric} of two versions", _size(cells)
    # of those with the finding a positive reading is right, of those without a negative one
    right = (cells.both_positive, cells.only_new, cells.only_old, cells.both_negative)
    both, new, old, neither = right if row.metric == "sensitivity" else (right[3], right[2], right[1], right[0])
    if row.new is None or row.old is None:
        hold(not n or found.patients < found.studies, where, "values")
        return
    hold(n > 0 and close(row.new, (both + new) / n) and close(row.old, (both + old) / n), where, "values")
    if found.patients < found.studies:
        return
    (p1, l1, u1), (p2, l2, u2) = (
        (p, *(again.proportion("Wilson", p, n, row.difference.confidence) or (p, p))) for p in (row.new, row.old)
    )  # fmt: skip
    phi = _phi(both, new, old, neither)
    below, above = ((a * a - 2.0 * phi * a * b + b * b) for a, b in ((p1 - l1, u2 - p2), (u1 - p1, p2 - l2)))
    apart = p1 - p2
    bounds = apart - sqrt(max(below, 0.0)), apart + sqrt(max(above, 0.0))
    estimates.bounded(row.difference, bounds, where, "difference", least=-1.0)
    hold(row.p is not None and close(row.p, _exact(new, old)), where, "p")


def _phi(both: int, new: int, old: int, neither: int) -> float:
    """The correlation of two readings with Newcombe's correction for continuity (Stat Med 1998;17:2635, method 10)."""
    margins = (both + new) * (old + neither) * (both + old) * (new + neither)
    product = both * neither - new * old
    if product > 0:
        product = max(2 * product - (both + new + old + neither), 0) / 2  # type: ignore[assignment]
    return product / sqrt(margins) if margins else 0.0


def _exact(one: int, other: int) -> float:
    """McNemar's exact p: twice the smaller tail of the fair binomial distribution, at most 1."""
    n, least = one + other, min(one, other)
    tail = Fraction(sum(comb(n, k) for k in range(least + 1)), 2**n)
    return float(min(Fraction(1), 2 * tail))
