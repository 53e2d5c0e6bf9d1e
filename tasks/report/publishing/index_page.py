"""The page that lists all reports of an archive: self-contained, readable without its script, which only filters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from tasks.errors import catalogue
from tasks.report.publishing import trend
from tasks.report.publishing.entries import ENDPOINTS, Entry, GoalSaid, Index
from tasks.report.publishing.manifest import MANIFEST
from tasks.report.wording import WITHHELD, count, counted, group, percent
from tasks.standalone import data_uri, part, source_hash, template

_PACKAGE = "tasks.report"
_FIRST = {
    "report.html": "HTML",
    "report.pdf": "PDF",
    "report-archive.pdf": "PDF for archives",
    "report.docx": "Word",
    "report.xlsx": "Excel",
}


def verdict(entry: Entry) -> str:
    """How it stands with the plan's goals, in words."""
    return "damaged" if entry.problem else entry.verdict


def _data_of(entry: Entry) -> str:
    return "" if entry.problem else "synthetic" if entry.synthetic else "not synthetic"


#: Name in the data → heading of the filter, and what an entry has of it.
FILTERS: dict[str, tuple[str, Callable[[Entry], str]]] = {
    "model": ("Model", lambda entry: entry.model),
    "plan": ("Plan", lambda entry: entry.plan),
    "finding": ("Finding", lambda entry: entry.finding),
    "verdict": ("Verdict", verdict),
    "year": ("Year", lambda entry: str(entry.year)),
    "data": ("Data", _data_of),
}


@dataclass(frozen=True, slots=True)
class _Link:
    text: str
    href: str


def render(index: Index) -> bytes:
    """The page's bytes; the same index gives the same."""
    style, script = part(_PACKAGE, "index.css"), part(_PACKAGE, "index.js")
    reports = list(reversed(index.reports))
    return (
        template(_PACKAGE, "index.html")
        .render(
            style=Markup(style), style_hash=source_hash(style), script=Markup(script), script_hash=source_hash(script),  # noqa: S704 - our own
            reports=[_row(each) for each in reports], filters=_filters(reports), series=[_series(each) for each in trend.series(index.reports)],
            names=[trend.NAMES[name] for name in ENDPOINTS], count=_counted(index.reports),
        )
        .encode()
    )  # fmt: skip


def _counted(entries: Sequence[Entry]) -> str:
    damaged = sum(bool(each.problem) for each in entries)
    said = f"{count(len(entries))} {'report' if len(entries) == 1 else 'reports'}, the latest first"
    return f"{said}; {damaged} of them damaged, without any number here" if damaged else said


def _filters(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Those that part the reports, with their values."""
    made = []
    for name, (heading, of) in FILTERS.items():
        values = sorted({of(each) for each in entries} - {""})
        if len(values) > 1:
            made.append({"name": name, "heading": heading, "values": values})
    return made


def _data(entry: Entry) -> Markup:
    """What the filters ask for, as attributes of an element."""
    return Markup().join(Markup(' data-{}="{}"').format(name, of(entry)) for name, (_, of) in FILTERS.items())


def _row(entry: Entry) -> dict[str, Any]:
    shown = [f for f in _FIRST if f in entry.files]
    others = [f for f in entry.files if f not in shown]
    return {
        "entry": entry, "data": _data(entry), "verdict": verdict(entry), "goals": [_goal(each) for each in entry.goals],
        "problem": catalogue()[entry.problem] if entry.problem else None,
        "endpoints": [] if entry.problem else [trend.said(entry.endpoints[name]) for name in ENDPOINTS],
        "confidence": percent(entry.confidence) if entry.confidence is not None else "",
        "cases": "" if entry.problem else _cases(entry),
        "links": [_Link(_FIRST[f], _href(entry, f)) for f in shown],
        "others": [_Link(f, _href(entry, f)) for f in (*others, MANIFEST)] if not entry.problem else [],
    }  # fmt: skip


def _cases(entry: Entry) -> str:
    if entry.studies is None or entry.patients is None:
        return WITHHELD
    return f"{counted(entry.studies, 'study')}, {counted(entry.patients, 'patient')}"


def _href(entry: Entry, path: str) -> str:
    return quote(str(PurePosixPath(entry.path) / path))


def _goal(goal: GoalSaid) -> str:
    metric = trend.NAMES.get(goal.metric, goal.metric)
    limit = f"at least {goal.at_least:g}" if goal.at_least is not None else f"not worse than all other cases by {goal.margin:g}"
    return f"{metric} {limit}, {group(goal.attribute, goal.level).replace('All', 'all', 1)}: {'met' if goal.met else 'not met'}"


def _series(one: trend.Series) -> dict[str, Any]:
    drawn = trend.draw(one)
    return {
        "title": one.title,
        "image": data_uri(drawn.svg, "image/svg+xml") if drawn is not None else "", "alternative": drawn.alternative if drawn is not None else "",
        "rows": [
            {
                "entry": each, "data": _data(each), "verdict": verdict(each), "href": _href(each, "report.html"),
                "endpoints": [trend.said(each.endpoints[name]) for name in ENDPOINTS],
            }
            for each in one.entries
        ],
    }  # fmt: skip
