"""Verdicts and monitoring as tables of text, each a header and its rows: for the terminal and for reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tasks.changes.verdict import Change, Judged, Verdict

if TYPE_CHECKING:  # at run time it would bring the evaluation along
    from tasks.changes.monitoring import Monitored
    from tasks.changes.periods import PeriodDifference

Rows = tuple[tuple[str, ...], list[tuple[str, ...]]]
_ABOUT = {
    "data": "cases",
    "performance": "at least",
    "non_inferiority": "difference above",
    "since_baseline": "change above",
    "drift": "at most",
}


def changes(found: Sequence[Change]) -> Rows:
    """What differs between two versions."""
    header = ("field", "kind", "before", "after", "permitted")
    said: list[tuple[str, ...]] = [
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
    subgroup = _subgroup(each.attribute, each.level)
    bound = each.bound[:12] if isinstance(each.bound, str) else f"{each.bound:g}"
    return name, subgroup, _interval(each), bound, "yes" if each.passed else f"NO: {each.reason}"


def named(each: Judged) -> str:
    """A limit in words."""
    return f"{each.metric} of {_subgroup(each.attribute, each.level)}" + (f" ({each.reason})" if each.reason else "")


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


def monitoring(found: Monitored) -> dict[str, Rows]:
    """The tables of a monitoring report, by title."""
    return {
        "What the model was given": _given(found),
        "Change since the baseline": _since(found.differences),
        "Drift of scores and input": _drifted(found),
        "Limits": limits(found.limits),
    }


def _given(found: Monitored) -> Rows:
    lines: list[tuple[str, ...]] = []
    for name, each in (("period", found.period), ("baseline", found.baseline)):
        numbers = (each.patients, each.studies, each.unread)
        lines.append((name, each.years, *(("withheld",) * 3 if each.suppressed else tuple(str(number) for number in numbers))))
    return ("", "years", "patients", "studies", "not read"), lines


def _since(found: Sequence[PeriodDifference]) -> Rows:
    lines: list[tuple[str, ...]] = []
    for each in found:
        apart = each.difference
        said = f"not estimable: {apart.reason}"
        if apart.estimate is not None:
            said = f"{apart.estimate:+.3f} ({apart.lower:+.3f} to {apart.upper:+.3f})"
        lines.append((each.metric, _subgroup(each.attribute, each.level), _number(each.now), _number(each.before), said))
    return ("metric", "subgroup", "period", "baseline", "difference"), lines


def _drifted(found: Monitored) -> Rows:
    scores = found.scores
    lines: list[tuple[str, ...]] = [
        ("scores, PSI", "", "", _number(scores.psi, scores.reason), _number(scores.expected_psi)),
        ("scores, KS distance", "", "", _number(scores.ks, scores.reason), ""),
    ]
    for each in found.attributes:
        lines.append((f"{each.attribute}, PSI", "", "", _number(each.psi, each.reason), _number(each.expected_psi)))
        lines += [
            (
                f"{each.attribute} = {level.level}",
                _number(level.now, "withheld"),
                _number(level.before, "withheld"),
                _number(level.standardized_difference, level.reason),
                "",
            )
            for level in each.levels
        ]
    lines += [
        (each.statistic, _number(each.now), _number(each.before), _number(each.standardized_difference, each.reason), "")
        for each in found.inputs
    ]
    return ("what", "period", "baseline", "distance", "without change near"), lines


def _number(value: float | None, otherwise: str = "") -> str:
    return otherwise or "-" if value is None else f"{value:.3f}"


def _subgroup(attribute: str, level: str) -> str:
    return f"{attribute} = {level}" if attribute else "all cases"
