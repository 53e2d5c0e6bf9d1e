"""Before anything is published: every rate is derived again from the published counts, and every sum is added up again."""

from __future__ import annotations

from tasks.errors import SafelightError
from tasks.evaluation.results import Estimate, Performance, Results

_TOLERANCE = 1e-9


def check(results: Results) -> None:
    """Hold the results against themselves.

    Raises:
        SafelightError: E-REPORT-MISMATCH with the subgroup and the measure that do not agree with the counts.
    """
    for row in (*results.performance, results.worst_case):
        where = f"{row.attribute or 'all cases'} {row.level}".strip()
        if row.suppressed:
            _hold(
                not any((row.studies, row.patients, row.counts.tp, row.counts.fp, row.counts.fn, row.counts.tn)),
                where,
                "withheld counts",
            )
            continue
        _check_row(row, where)
    for excluded in results.excluded:
        _hold(excluded.studies > 0, "exclusions", "studies")


def _check_row(row: Performance, where: str) -> None:
    table = row.counts
    _hold(table.tp + table.fn == row.positives, where, "positives")
    _hold(table.fp + table.tn == row.negatives, where, "negatives")
    _hold(row.positives + row.negatives == row.studies, where, "studies")
    _hold(row.patients <= row.studies, where, "patients")
    rates = (
        ("sensitivity", row.sensitivity, table.tp, table.tp + table.fn),
        ("specificity", row.specificity, table.tn, table.tn + table.fp),
        ("ppv", row.ppv, table.tp, table.tp + table.fp),
        ("npv", row.npv, table.tn, table.tn + table.fn),
    )
    for name, value, part, whole in rates:
        if value.status == "estimated":
            _hold(whole > 0 and abs((value.estimate or 0.0) - part / whole) < _TOLERANCE, where, name)
        _check_interval(value, where, name)
    _check_interval(row.auc, where, "auc")


def _check_interval(value: Estimate, where: str, name: str) -> None:
    if value.status != "estimated":
        _hold(value.estimate is None and bool(value.reason), where, name)
        return
    known = value.estimate is not None and 0 <= value.estimate <= 1
    _hold(known, where, name)
    if value.lower is not None and value.upper is not None and value.estimate is not None:
        _hold(-_TOLERANCE <= value.lower <= value.estimate + _TOLERANCE, where, name)
        _hold(value.estimate - _TOLERANCE <= value.upper <= 1 + _TOLERANCE, where, name)


def _hold(condition: bool, where: str, what: str) -> None:
    if not condition:
        raise SafelightError("E-REPORT-MISMATCH", f"{where}: {what}")
