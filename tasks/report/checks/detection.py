"""Marks against lesions: rates at so many false positives a case, and the area under the weighted AFROC curve."""

from __future__ import annotations

from itertools import pairwise

from tasks.evaluation.results import Detection, Results
from tasks.report.checks import again, estimates
from tasks.report.checks.holding import TOLERANCE, hold, mismatch, named, whole


def check_detection(results: Results) -> None:
    """Every row, and the levels against all cases."""
    rows = {(row.attribute, row.level): row for row in results.performance if not row.suppressed}
    seen = [(found.attribute, found.level) for found in results.detection]
    hold(len(set(seen)) == len(seen), "detection", "a row stands twice")
    overall = next((found for found in results.detection if not found.attribute), None)
    hold(overall is not None or not results.detection, "detection", "there is no row of all cases")
    for found in results.detection:
        where, row = f"{named(found.attribute, found.level)}: detection", rows.get((found.attribute, found.level))
        if row is None or overall is None:
            raise mismatch(where, "it has no row that may be shown")
        hold(found.cases <= row.studies, where, "more cases than studies")
        for name in ("cases", "lesions", "false_positives"):
            hold(getattr(found, name) <= getattr(overall, name), where, f"{name}: more than of all cases")
        _check_row(found, results, where)


def _check_row(found: Detection, results: Results, where: str) -> None:
    hold(bool(found.cases) or not (found.lesions or found.false_positives), where, "marks and lesions of no case")
    if estimates.known(found.wafroc, results.confidence, where, "wafroc"):
        value = found.wafroc
        names = ("Newcombe",) if value.groups is not None else ("DeLong", "Obuchowski")
        hold(value.method.startswith(names), where, "wafroc (method)")
        if value.groups is None:
            estimates.bounded(value, again.normal(value), where, "wafroc")
        else:
            hold(sum(value.groups) <= 2 * found.cases and min(value.groups) > 0, where, "wafroc (patients of its interval)")
            estimates.bounded(
                value, again.score_type(float(value.estimate or 0.0), *value.groups, value.confidence), where, "wafroc"
            )
    hits = []
    for each in found.at:
        there = f"{where}: at {each.false_positives:g} false positives a case"
        hold(each.false_positives > 0.0, there, "rate")
        hit = estimates.from_share(each.sensitivity, found.lesions, results.confidence, there, "sensitivity")
        if each.reached is not None:
            hold(0.0 <= each.reached <= each.false_positives + TOLERANCE, there, "more false positives than allowed")
            marks = each.reached * found.cases
            hold(whole(marks) and round(marks) <= found.false_positives, there, "its rate is not one of its marks")
        hold(each.threshold is None or each.reached is not None, there, "a threshold without a rate")
        hold(each.threshold is not None or not hit, there, "lesions were found, but at no threshold")
        hits.append((each.false_positives, each.threshold, each.reached, hit))
    for (rate, cut, reached, hit), (next_rate, next_cut, next_reached, next_hit) in pairwise(
        sorted(hits, key=lambda each: each[0])
    ):
        there = f"{where}: from {rate:g} to {next_rate:g} false positives a case"
        hold(hit is None or next_hit is None or hit <= next_hit, there, "fewer lesions are found")
        hold(cut is None or (next_cut is not None and next_cut <= cut), there, "the threshold rises")
        hold(reached is None or next_reached is None or reached <= next_reached, there, "the rate falls")
