"""Paired differences of two versions against the margin, in all cases and in every level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tasks.evaluation.results import VersionComparison, VersionDifference
from tasks.report.drawing import ACCENT, FAINT, INK, SECOND, SOFT, Drawing, finish, styled
from tasks.report.figures.levels import Line, ground, pages
from tasks.report.wording import MEASURES, decimal, estimate, group, metric

_METRICS = ("auc", "sensitivity", "specificity")


def versions(found: VersionComparison, mark: str = "") -> list[Drawing]:
    """A row a level, a panel a metric, on as many plots as it takes; none without an estimate."""
    if not any(each.difference.estimate is not None for each in found.differences):
        return []
    keys = list(dict.fromkeys((each.attribute, each.level) for each in found.differences))
    lines = [Line(name, level) if name else Line("", "All cases") for name, level in keys]
    by_key = {(each.attribute, each.level, each.metric): each for each in found.differences}
    reach = max(
        abs(bound)
        for each in found.differences
        for bound in (each.difference.lower, each.difference.upper, each.margin)
        if bound is not None
    )
    drawn = []
    for page in pages(lines):
        rows = [[by_key.get((*keys[place], name)) for name in _METRICS] for place in page]
        drawn.append(_page([lines[place] for place in page], rows, min(1.0, reach) * 1.08, mark))
    return drawn


def _page(lines: Sequence[Line], rows: Sequence[Sequence[VersionDifference | None]], reach: float, mark: str) -> Drawing:
    titles = [next(name for name, field in MEASURES if field == each) for each in _METRICS]
    with styled():
        figure, panels, heights = ground(lines, titles)
        for number, axes in enumerate(panels):
            known = [(height, row[number]) for height, row in zip(heights, rows, strict=True)]
            _panel(axes, [(height, each) for height, each in known if each is not None], reach)
        return finish(figure, _finding([each for row in rows for each in row if each is not None]), mark)


def _panel(axes: Any, rows: Sequence[tuple[float, VersionDifference]], reach: float) -> None:
    axes.axvline(0.0, color=SOFT, linewidth=0.9)
    for margin in {each.margin for _, each in rows}:
        axes.axvline(-margin, color=INK, linewidth=1.1, linestyle="--")
    for height, each in rows:
        value = each.difference
        if value.estimate is None or value.lower is None or value.upper is None:
            axes.text(0.0, height, "not estimable", fontsize=6.5, color=SOFT, ha="center", va="center", backgroundcolor="white")
            continue
        colour, marker, face = (ACCENT, "s", ACCENT) if each.non_inferior else (SECOND, "D", "white")
        axes.hlines([height], [value.lower], [value.upper], color=colour, linewidth=1.4)
        axes.plot([value.estimate], [height], marker=marker, color=colour, markerfacecolor=face, markersize=4.4, linestyle="none")
    axes.set_xlim(-reach, reach)
    axes.locator_params(axis="x", nbins=5)
    axes.tick_params(axis="x", labelsize=7)
    axes.grid(axis="x", color=FAINT, linewidth=0.6)


def _finding(rows: Sequence[VersionDifference]) -> str:
    shown = sum(each.non_inferior for each in rows)
    said = f"New version minus earlier one, against a margin of {decimal(rows[0].margin)}: non-inferior in {shown} of {len(rows)} comparisons."
    failed = [
        f"{metric(each.metric)} in {group(each.attribute, each.level)} {estimate(each.difference, signed=True)}"
        for each in rows
        if not each.non_inferior
    ]
    return f"{said} Not shown for {'; '.join(failed)}." if failed else said
