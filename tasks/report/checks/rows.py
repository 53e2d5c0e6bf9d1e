"""One row of the subgroup table: its counts, and every rate and interval that follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from tasks.evaluation.results import Counts, Performance, Results
from tasks.report.checks import estimates
from tasks.report.checks.holding import hold, place, single

_NONE = Counts(tp=0, fp=0, fn=0, tn=0)
METRICS = ("sensitivity", "specificity", "ppv", "npv", "prevalence")


def shares(row: Performance) -> dict[str, tuple[int, int]]:
    """Metric → its count and what it is a share of."""
    table = row.counts
    return {
        "sensitivity": (table.tp, table.tp + table.fn), "specificity": (table.tn, table.tn + table.fp),
        "ppv": (table.tp, table.tp + table.fp), "npv": (table.tn, table.tn + table.fn),
        "prevalence": (row.positives, row.studies),
    }  # fmt: skip


def check_row(row: Performance, results: Results, where: str = "") -> None:
    """Counts, rates, likelihood ratios and the AUC's interval."""
    where, table, confidence = where or place(row), row.counts, results.confidence
    if row.suppressed:
        bare = table == _NONE and not (row.patients or row.studies or row.positives or row.negatives)
        hold(bare, where, "the counts of a withheld level are shown")
        hold(not row.against_rest, where, "a difference of a withheld level is shown")
        hold(not row.cells_withheld, where, "a withheld level has cells to withhold")
    else:
        if row.cells_withheld:
            _check_withheld_cells(row, where)
        else:
            hold(table.tp + table.fn == row.positives, where, "positives")
            hold(table.fp + table.tn == row.negatives, where, "negatives")
        hold(row.positives + row.negatives == row.studies, where, "studies")
        hold(row.patients <= row.studies and bool(row.patients) == bool(row.studies), where, "patients")
        hold(row.patients == 0 or row.patients >= results.minimum_cases, where, "a level too small to be shown is shown")
    for name, (part, among) in shares(row).items():
        value = getattr(row, name)
        if value is not None and not (row.cells_withheld and name == "prevalence"):
            estimates.proportion(value, part, among, confidence, where, name, patients=row.patients, singles=single(row))
    positives, negatives = row.positives, row.negatives
    if row.cells_withheld and row.prevalence is not None:
        estimates.proportion(
            row.prevalence, positives, row.studies, confidence, where, "prevalence", patients=row.patients, singles=single(row)
        )
    estimates.area(row.auc, confidence, where, "auc", positives=positives, negatives=negatives, patients=row.patients)
    false, missed = (table.fp, negatives), (table.fn, positives)
    estimates.ratio(
        row.lr_positive, confidence, where, "lr_positive", (table.tp, positives), false, singles=single(row)
    )  # fmt: skip
    estimates.ratio(
        row.lr_negative, confidence, where, "lr_negative", missed, (table.tn, negatives), singles=single(row)
    )  # fmt: skip


def _check_withheld_cells(row: Performance, where: str) -> None:
    """A level that is shown without its cells has nothing that tells them."""
    told = (row.sensitivity, row.specificity, row.ppv, row.npv, row.lr_positive, row.lr_negative)
    hold(row.counts == _NONE, where, "withheld cells are shown")
    hold(all(each is None or each.estimate is None for each in told), where, "withheld cells are shown by a rate")
    hold(all(found.metric == "auc" for found in row.against_rest), where, "withheld cells are shown by a difference")


def check_table(rows: Sequence[Performance], results: Results, prefix: str = "") -> None:
    """A whole subgroup table: one row of all cases, no level twice, and levels that add up."""
    names = [(row.attribute, row.level) for row in rows]
    hold(sum(not attribute for attribute, _ in names) == 1, f"{prefix}all cases", "there must be one row")
    hold(len(set(names)) == len(names), f"{prefix}subgroups", "a level stands twice")
    overall = next(row for row in rows if not row.attribute)
    for row in rows:
        check_row(row, results, prefix + place(row))
    for name, levels in groupby(sorted((row for row in rows if row.attribute), key=_attribute), key=_attribute):
        _check_levels(list(levels), overall, prefix + name)


def _attribute(row: Performance) -> str:
    return row.attribute


def complete(levels: Sequence[Performance], overall: Performance) -> bool:
    """Whether an attribute's levels are all shown with their cells, so that they are all cases."""
    return not any(row.suppressed or row.cells_withheld for row in (overall, *levels))


def _check_levels(levels: list[Performance], overall: Performance, name: str) -> None:
    """An attribute's levels add up to all cases, or to fewer where some are withheld."""
    if overall.suppressed:
        hold(all(not row.studies for row in levels), name, "levels are shown though all cases are withheld")
        return
    if overall.cells_withheld:
        return
    whole = complete(levels, overall)
    for field in ("tp", "fp", "fn", "tn"):
        summed, among = sum(getattr(row.counts, field) for row in levels), getattr(overall.counts, field)
        hold(summed == among if whole else summed <= among, name, f"the levels' {field} do not add up")
    patients = sum(row.patients for row in levels)  # of several studies a patient may be in several levels
    hold(not whole or patients >= overall.patients, name, "the levels' patients do not add up")
    hold(all(row.patients <= overall.patients for row in levels), name, "a level has more patients than there are")
