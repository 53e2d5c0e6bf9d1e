"""The forest plot of every subgroup: AUC, sensitivity and specificity with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tasks.evaluation.results import Performance, Results
from tasks.report.drawing import ACCENT, FAINT, SECOND, SOFT, Drawing, finish, styled
from tasks.report.figures.levels import Line, ground, pages
from tasks.report.wording import count, estimate, group

_COMPARED = (("AUC", "auc"), ("Sensitivity", "sensitivity"), ("Specificity", "specificity"))


def forests(results: Results, mark: str = "") -> list[Drawing]:
    """AUC, sensitivity and specificity of every subgroup with intervals, on as many plots as it takes; none without estimates."""
    overall, levels = results.overall(), [row for row in results.performance if row.attribute]
    if not any(getattr(row, field).estimate is not None for row in levels for _, field in _COMPARED):
        return []
    return [_forest([levels[place] for place in page], overall, mark) for page in pages(list(map(_line, levels)))]


def _line(row: Performance) -> Line:
    cases = "withheld" if row.suppressed else f"n\u00a0=\u00a0{count(row.studies)}" if row.studies else "no\u00a0cases"
    return Line(row.attribute, row.level, cases)


def _forest(rows: Sequence[Performance], overall: Performance, mark: str) -> Drawing:
    with styled():
        figure, panels, places = ground(list(map(_line, rows)), [title for title, _ in _COMPARED])
        for axes, (_, field) in zip(panels, _COMPARED, strict=True):
            _panel(axes, list(zip(places, rows, strict=True)), overall, field)
        return finish(figure, _finding(rows), mark)


def _panel(axes: Any, rows: Sequence[tuple[float, Performance]], overall: Performance, field: str) -> None:
    whole = getattr(overall, field).estimate
    if whole is not None:
        axes.axvline(whole, color=SOFT, linewidth=1, linestyle="--")
    for place, row in rows:
        if getattr(row, field).estimate is None:
            said = "withheld" if row.suppressed or (row.cells_withheld and field != "auc") else "not estimable"
            axes.text(0.5, place, said, fontsize=6.5, color=SOFT, ha="center", va="center", backgroundcolor="white")
    for below, colour, marker in ((False, ACCENT, "s"), (True, SECOND, "D")):
        drawn = [(place, getattr(row, field)) for place, row in rows if row.harder(field) == below]
        known = [(place, value) for place, value in drawn if value.estimate is not None]
        places = [place for place, _ in known]
        axes.hlines(places, [value.lower for _, value in known], [value.upper for _, value in known], color=colour, linewidth=1.4)
        axes.plot([value.estimate for _, value in known], places, marker=marker, color=colour, markersize=4.2, linestyle="none")
    axes.set_xlim(-0.03, 1.03)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"], fontsize=7.5)
    axes.grid(axis="x", color=FAINT, linewidth=0.6)


def _finding(rows: Sequence[Performance]) -> str:
    low = [
        f"{name.replace('S', 's')} for {group(row.attribute, row.level)} {estimate(getattr(row, field))}"
        for name, field in _COMPARED
        for row in rows
        if row.harder(field)
    ]
    drawn = f"Forest plot of {len(rows)} subgroups with intervals."
    if low:
        return f"{drawn} Worse than in all other cases: {'; '.join(low)}."
    return f"{drawn} None is worse than all other cases by the interval of the difference."
