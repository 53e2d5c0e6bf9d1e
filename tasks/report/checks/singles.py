"""Time to result, and the studies that were read wrongly."""

from __future__ import annotations

import re
from math import ceil
from operator import itemgetter

from tasks.evaluation.of_cases import TimeToResult
from tasks.evaluation.results import Results
from tasks.report.checks import estimates
from tasks.report.checks.holding import close, hold

_STATES = ("reached", "missed", "overdue", "pending", "not_read", "backfill")
#: The table's minutes are rounded to so much.
_ROUNDED = 0.0501


def check_times(results: Results) -> None:
    """Counts of each service level add up; the share, and on which side of the target the quantiles lie, follow from them."""
    seen = [row.target for row in results.time_to_result]
    hold(len(set(seen)) == len(seen), "time to result", "a service level stands twice")
    for row in results.time_to_result:
        where = f"time to result: {row.target}"
        counts = [getattr(row, state) for state in _STATES]
        if row.suppressed:
            bare = not any((row.patients, row.studies, *counts)) and row.median_minutes is None and row.p90_minutes is None
            hold(bare and row.share.estimate is None, where, "the numbers of a withheld service level are shown")
        else:
            hold(sum(counts) == row.studies, where, "studies")
            hold(results.minimum_cases <= row.patients <= row.studies, where, "patients")
        owed = row.reached + row.missed + row.overdue
        singles = row.patients == row.studies
        estimates.proportion(
            row.share, row.reached, owed, results.confidence, where, "share", patients=row.patients, singles=singles
        )
        stated = re.fullmatch(r"([0-9]+) min", row.target)
        hold(row.target_minutes == (float(stated[1]) if stated else None), where, "target_minutes")
        _check_quantiles(row, owed, where)


def _check_quantiles(row: TimeToResult, owed: int, where: str) -> None:
    """The k-th of the sorted times is in time where k is at most the number in time, and unknown where it is beyond those that came."""
    hold(
        row.p90_minutes is None or (row.median_minutes is not None and row.median_minutes <= row.p90_minutes), where, "quantiles"
    )
    for name, share in (("median_minutes", 0.5), ("p90_minutes", 0.9)):
        value, rank = getattr(row, name), ceil(share * owed - 1e-9)
        hold((value is not None) == (0 < rank <= row.reached + row.missed), where, f"{name}: whether it is known")
        if value is not None and row.target_minutes is not None:
            in_time = value <= row.target_minutes + _ROUNDED if rank <= row.reached else value >= row.target_minutes - _ROUNDED
            hold(in_time, where, f"{name}: on the other side of the target")


def check_failures(results: Results) -> None:
    """Every listed study lies on the wrong side of the threshold by the stated distance, the farthest first."""
    if not results.failures:
        return
    overall = results.overall()
    hold(not overall.suppressed, "failures", "studies are listed though all cases are withheld")
    keys = [row.study for row in results.failures]
    hold(len(set(keys)) == len(keys), "failures", "a study stands twice")
    for kind, whole in (("false_negative", overall.counts.fn), ("false_positive", overall.counts.fp)):
        rows = [row for row in results.failures if row.kind == kind]
        hold(len(rows) <= whole, "failures", f"more studies of the kind {kind} than there are")
        for number, row in enumerate(rows, start=1):
            where = f"failures: {kind} {number}"
            wrong = row.score < results.threshold if kind == "false_negative" else row.score >= results.threshold
            hold(wrong, where, "its score is on the right side of the threshold")
            hold(close(row.distance, abs(row.score - results.threshold)), where, "distance")
            hold(bool(row.image) != bool(row.no_image) and bool(row.image) == bool(row.alternative), where, "image")
        order = [(-row.distance, row.study) for row in rows]
        hold(order == sorted(order, key=itemgetter(0, 1)), "failures", f"{kind}: not in order")
