"""Verdicts and monitoring as tables of text, each a header and its rows: for the terminal and for reports."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.changes.verdict import Change, Judged, Verdict

Rows = tuple[tuple[str, ...], list[tuple[str, ...]]]
_ABOUT = {"data": "cases", "performance": "at least", "non_inferiority": "difference above"}


def changes(found: Sequence[Change]) -> Rows:
    """What differs between two versions."""
    header = ("field", "kind", "before", "after", "permitted")
    said = [
        (each.field, each.kind, _short(each.before), _short(each.after), "yes" if each.permitted else f"NO: {each.reason}") for each in found
    ]  # fmt: skip
    return header, said


def limits(found: Sequence[Judged]) -> Rows:
    """Every limit, what was found, and whether it was passed."""
    header = ("limit", "subgroup", "found", "bound", "passed")
    return header, [_limit(each) for each in found]


def _limit(each: Judged) -> tuple[str, ...]:
    words = _ABOUT[each.about]
    name = each.metric if each.about == "data" else f"{each.metric}, {words}"
    subgroup = f"{each.attribute} = {each.level}" if each.attribute else "all cases"
    bound = each.bound[:12] if isinstance(each.bound, str) else f"{each.bound:g}"
    return name, subgroup, _interval(each), bound, "yes" if each.passed else f"NO: {each.reason}"


def counts(verdict: Verdict) -> str:
    """How many changes and limits there were, and how many of them failed."""
    refused, failed = sum(not each.permitted for each in verdict.changes), sum(not each.passed for each in verdict.limits)
    return f"{len(verdict.changes)} changes, {refused} not permitted · {len(verdict.limits)} limits, {failed} failed"


def _interval(each: Judged) -> str:
    if each.value is None:
        return "-"
    if each.lower is None or each.upper is None:
        return f"{each.value:.4g}"
    return f"{each.value:.3f} ({each.lower:.3f} to {each.upper:.3f})"


def _short(value: str | None) -> str:
    return "-" if value is None else value if len(value) <= 24 else f"{value[:12]}…"
