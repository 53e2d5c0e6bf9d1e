"""How alike two groups of studies are in their attributes: standardised differences, which do not depend on how many studies there are.

Sources: Austin, Stat Med 2009;28:3083 (a dichotomous attribute; about 0.1 is small); Yang and Dalton, SAS Global Forum 2012, paper 335
(an attribute of several levels).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from tasks.evaluation.cases import Cases
from tasks.evaluation.of_cases import LevelCounts, StandardizedDifference
from tasks.evaluation.plan import Plan
from tasks.evaluation.results import Performance
from tasks.evaluation.suppression import withheld

Comparison = Literal["finding", "excluded"]
_HIDDEN = "a level is withheld"


def standardized_difference(first: Sequence[int], second: Sequence[int]) -> float | None:
    """The standardised difference of two groups in one attribute.

    With shares p and q of the levels but one, and the mean S of the groups' multinomial covariances, the Mahalanobis distance
    sqrt((p - q)' S⁻¹ (p - q)); of two levels |p - q| / sqrt((p(1-p) + q(1-q)) / 2). It does not matter which level is left out, and levels
    that neither group has do not count.

    Args:
        first, second: studies of each level, in the same order.

    Returns:
        None where a group is empty, or where the groups have no level in common: then it has no bound.
    """
    counts = np.array([first, second], dtype=np.float64)
    counts = counts[:, counts.sum(axis=0) > 0]
    if not counts.size or not counts.sum(axis=1).all() or not (counts > 0).all(axis=0).any():
        return None
    p, q = (counts / counts.sum(axis=1, keepdims=True))[:, 1:]
    spread = (np.diag(p) - np.outer(p, p) + np.diag(q) - np.outer(q, q)) / 2.0
    apart = p - q
    return float(np.sqrt(max(float(apart @ np.linalg.solve(spread, apart)), 0.0))) if apart.size else 0.0


def standardized_differences(
    rows: Sequence[Performance], main: Cases, everyone: Cases, plan: Plan
) -> tuple[StandardizedDifference, ...]:
    """Every attribute of the table, between studies with and without the finding, and between analysed and excluded ones.

    There is no number where a level of either group is withheld: with the shown levels it would tell of the hidden one.

    Args:
        rows: the subgroup table, that of all cases first and shown.
        main: the analysed cases.
        everyone: all studies that the tables know, analysed or not.
    """
    there = np.zeros(everyone.places.max(initial=-1) + 1, dtype=np.bool_)
    there[main.places] = True
    left = everyone.where(~there[everyone.places])
    made = []
    for attribute in main.levels:
        levels = [row for row in rows if row.attribute == attribute]
        made.append(
            _compared(attribute, "finding", [(row.level, row.positives, row.negatives) for row in levels], _hidden(levels))
        )
        made.append(_excluded(attribute, levels, left, plan))
    return tuple(made)


def _hidden(levels: Sequence[Performance]) -> str:
    return _HIDDEN if any(row.suppressed for row in levels) else ""


def _excluded(attribute: str, levels: Sequence[Performance], left: Cases, plan: Plan) -> StandardizedDifference:
    sizes = dict(_sizes(left, attribute))
    few = withheld({level: patients for level, (_, patients) in sizes.items()}, plan.minimum_cases, complementary=False)
    reason = _hidden(levels) or ("a level has too few excluded patients to be shown" if few else "")
    shown = {row.level: row.studies for row in levels}
    names = [*shown, *(level for level in sizes if level not in shown)]
    counts = [(level, shown.get(level, 0), sizes.get(level, (0, 0))[0]) for level in names]
    return _compared(attribute, "excluded", counts, reason)


def _sizes(cases: Cases, attribute: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Of each level the studies and the patients."""
    found = cases.levels[attribute]
    for place, level in enumerate(found.names):
        inside = found.codes == place
        yield level, (int(np.count_nonzero(inside)), int(np.unique(cases.patients[inside]).size))


def _compared(
    attribute: str, comparison: Comparison, counts: Sequence[tuple[str, int, int]], reason: str
) -> StandardizedDifference:
    if reason:
        return StandardizedDifference(attribute=attribute, comparison=comparison, reason=reason)
    value = standardized_difference([first for _, first, _ in counts], [second for *_, second in counts])
    levels = tuple(LevelCounts(level=level, first=first, second=second) for level, first, second in counts)
    names = ("with the finding", "without it") if comparison == "finding" else ("analysed", "excluded")
    why = ""
    if value is None:
        sizes = sum(first for _, first, _ in counts), sum(second for *_, second in counts)
        empty = [name for name, size in zip(names, sizes, strict=True) if not size]
        why = f"no study is {empty[0]}" if empty else "the groups have no level in common"
    return StandardizedDifference(attribute=attribute, comparison=comparison, levels=levels, difference=value, reason=why)
