"""Cases that a model could not read, and cases whose truth is open: how they enter the main table, and the worst case beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tasks.evaluation.cases import Assembled, Cases
from tasks.evaluation.plan import Plan

#: The reason of a case whose label is null.
INDETERMINATE = "E-EVAL-INDETERMINATE"
_KEPT = frozenset({"E-EVAL-NO-REFERENCE", INDETERMINATE, "E-EVAL-NO-PATIENT"})


@dataclass(frozen=True)
class Entered:
    """What the plan lets into the main table.

    Args:
        main: its cases.
        worst: the analysed cases and all that were not read, each of these as wrong as can be.
        scored: those of `main` with a score of the model's own, which alone can be read as a probability.
        excluded: reason code → studies that are not in `main`.
        failed, indeterminate: how many of either kind are in `main`.
    """

    main: Cases
    worst: Cases
    scored: Cases
    excluded: dict[str, int]
    failed: int
    indeterminate: int


def entered(assembled: Assembled, plan: Plan, threshold: float) -> Entered:
    """Let cases in as the plan says (`failed`, `indeterminate`)."""
    cases, unread, unclear = assembled.analysed, assembled.unread, assembled.indeterminate
    excluded = dict(assembled.excluded)
    settled = _settled(unclear, plan.indeterminate, threshold)
    if settled is not None:
        cases = cases.with_(settled)
        left = excluded.get(INDETERMINATE, 0) - settled.labels.size
        excluded = {code: n for code, n in excluded.items() if code != INDETERMINATE} | ({INDETERMINATE: left} if left else {})
    worst = cases.with_(_read_as(unread, "error", cases, threshold))
    failed, scored = 0, cases
    if plan.failed != "exclude" and unread.labels.size:
        cases = cases.with_(_read_as(unread, plan.failed, cases, threshold))
        excluded = {code: n for code, n in excluded.items() if code in _KEPT}
        failed = int(unread.labels.size)
    return Entered(cases, worst, scored, excluded, failed, 0 if settled is None else int(settled.labels.size))


def _settled(unclear: Cases, rule: str, threshold: float) -> Cases | None:
    """Cases of an open truth with the label that the rule gives them."""
    if rule == "exclude" or not unclear.labels.size:
        return None
    called = unclear.scores >= threshold
    labels = {"positive": np.ones(called.size), "negative": np.zeros(called.size), "error": np.where(called, 0.0, 1.0)}[rule]
    return replace(unclear, labels=labels)


def _read_as(unread: Cases, rule: str, beside: Cases, threshold: float) -> Cases:
    """Unread cases with a score below or above every other: as a reading, or as the wrong one."""
    finite = np.append(beside.scores, threshold)
    # Whole steps beyond the extremes would be lost in rounding beside huge scores; the next float would not.
    lowest, highest = np.nextafter(finite.min(), -np.inf), np.nextafter(finite.max(), np.inf)
    high = {"positive": np.True_, "negative": np.False_, "error": unread.labels != 1.0}[rule]
    return replace(unread, scores=np.where(np.broadcast_to(high, unread.labels.shape), highest, lowest))
