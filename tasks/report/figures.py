"""The ROC curve, and the forest plot of every subgroup: legible in grey and to the colour-blind."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from matplotlib.figure import Figure

from tasks.evaluation.results import Performance, Results, Roc
from tasks.report.drawing import ACCENT, FAINT, INK, LINE, SECOND, SOFT, Drawing, finish, letters, styled
from tasks.report.wording import attribute, count, elided, estimate, group

#: Heights in a forest plot, in lines: what fits one page, and what an attribute's heading takes.
_PAGE, _HEADING, _ROW_INCHES = 43.0, 1.15, 0.19
#: Share of the line that the ROC curve takes.
ROC_WIDTH = 0.72
_COMPARED = (("AUC", "auc"), ("Sensitivity", "sensitivity"), ("Specificity", "specificity"))
_CURVES = ((ACCENT, "--"), (SECOND, "-."), (ACCENT, ":"), (SECOND, (0, (6, 2))))


# ---- ROC ----------------------------------------------------------------------------------------------------------------


def roc(results: Results, mark: str = "") -> Drawing | None:
    """The ROC curve of all cases, with those of the attribute whose levels differ most; None where there is no curve."""
    whole = next((curve for curve in results.roc if not curve.attribute), None)
    if whole is None:
        return None
    overall, others = results.overall(), most_different(results)
    rows = {(row.attribute, row.level): row for row in results.performance}
    finding = [f"ROC curves. All cases: area {estimate(overall.auc)}"]
    with styled():
        figure = Figure(figsize=(LINE * ROC_WIDTH, 3.2 + 0.17 * (2 + len(others))), layout="constrained")
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, linestyle=(0, (1, 2)))
        lines = [axes.plot(whole.fpr, whole.tpr, color=INK, linewidth=2)[0]]
        labels = [f"All cases, AUC {estimate(overall.auc).partition(' ')[0]}"]
        for curve, (colour, dash) in zip(others, _CURVES, strict=False):
            area = estimate(rows[curve.attribute, curve.level].auc)
            lines += axes.plot(curve.fpr, curve.tpr, color=colour, linestyle=dash, linewidth=1.5)
            labels.append(f"{letters(elided(group(curve.attribute, curve.level), 60))}, AUC {area.partition(' ')[0]}")
            finding.append(f"{group(curve.attribute, curve.level)}: area {area}")
        if overall.positives and overall.negatives:
            point = (overall.counts.fp / overall.negatives, overall.counts.tp / overall.positives)
            lines += axes.plot(*point, marker="o", color=INK, markersize=7, markerfacecolor="white", linestyle="none")
            labels.append(f"Operating point, score ≥ {results.threshold:.4g}")
            finding.append(f"operating point of all cases: sensitivity {point[1]:.3f} at specificity {1 - point[0]:.3f}")
        axes.set(xlim=(-0.015, 1.015), ylim=(-0.015, 1.015), xlabel="1 − specificity", ylabel="Sensitivity", aspect="equal")
        axes.grid(color=FAINT, linewidth=0.5)
        axes.set_axisbelow(True)
        figure.legend(lines, labels, loc="outside lower center", frameon=False, fontsize=7.5, handlelength=3)
        return finish(figure, "; ".join(finding) + ".", mark)


def most_different(results: Results) -> list[Roc]:
    """The curves of the attribute whose levels' AUCs lie furthest apart, beyond their intervals; the hardest levels, at most four."""
    by_attribute: dict[str, list[Performance]] = {}
    for row in results.performance:
        if row.attribute and row.auc.estimate is not None:
            by_attribute.setdefault(row.attribute, []).append(row)
    apart = {
        name: max(row.auc.lower or 0.0 for row in rows) - min(row.auc.upper or 1.0 for row in rows)
        for name, rows in by_attribute.items()
        if len(rows) > 1
    }
    if not apart:
        return []
    chosen = max(sorted(apart), key=lambda name: apart[name])
    curves = {curve.level: curve for curve in results.roc if curve.attribute == chosen}
    hardest = sorted(by_attribute[chosen], key=lambda row: (row.auc.estimate, row.level))
    return [curves[row.level] for row in hardest if row.level in curves][: len(_CURVES)]


# ---- forest plot --------------------------------------------------------------------------------------------------------


def forests(results: Results, mark: str = "") -> list[Drawing]:
    """AUC, sensitivity and specificity of every subgroup with intervals, on as many plots as it takes; none without estimates."""
    overall, levels = results.overall(), [row for row in results.performance if row.attribute]
    if not any(getattr(row, field).estimate is not None for row in levels for _, field in _COMPARED):
        return []
    return [_forest(rows, overall, mark) for rows in _pages(levels)]


def _pages(rows: Iterable[Performance]) -> list[list[Performance]]:
    """Rows that fit one plot each; an attribute is parted only where it would not fit a plot of its own."""
    pages: list[list[Performance]] = [[]]
    free = _PAGE
    for _, grouped in groupby(rows, key=lambda row: row.attribute):
        levels = list(grouped)
        needed = _HEADING + sum(map(_height, levels))
        if pages[-1] and needed > free and (needed <= _PAGE or free < _PAGE / 3):
            pages.append([])
            free = _PAGE
        free -= _HEADING
        for row in levels:
            if free < _height(row) and pages[-1]:
                pages.append([])
                free = _PAGE - _HEADING
            pages[-1].append(row)
            free -= _height(row)
    return [page for page in pages if page]


def _forest(rows: Sequence[Performance], overall: Performance, mark: str) -> Drawing:
    places, headings, y = [], [], 0.0
    for name, levels in groupby(rows, key=lambda row: row.attribute):
        headings.append((y, letters(attribute(name))))
        y += 0.5
        for row in levels:
            places.append(y + _height(row) / 2)
            y += _height(row)
        y += _HEADING - 0.5
    with styled():
        figure = Figure(figsize=(LINE, 0.75 + _ROW_INCHES * y), layout="constrained")
        panels = figure.subplots(1, 3, sharey=True)
        for axes, (title, field) in zip(panels, _COMPARED, strict=True):
            _panel(axes, list(zip(places, rows, strict=True)), overall, field)
            axes.set_title(title, fontsize=8.5, fontweight="bold")
        ticks = [*places, *(place for place, _ in headings)]
        labels = ["\n".join(_label(row)) for row in rows]
        panels[0].set_yticks(ticks, [*labels, *(elided(name, 40) for _, name in headings)], fontsize=7.2, linespacing=1.1)
        for text in panels[0].get_yticklabels()[len(labels) :]:
            text.set_fontweight("bold")
        panels[0].set_ylim(y - 0.6, -0.7)
        return finish(figure, _finding(rows), mark)


def _label(row: Performance) -> list[str]:
    cases = "withheld" if row.suppressed else f"n\u00a0=\u00a0{count(row.studies)}" if row.studies else "no\u00a0cases"
    return textwrap.wrap(f"{letters(elided(row.level, 58))} ({cases})", 36)[:3]


def _height(row: Performance) -> float:
    return 0.6 + 0.4 * len(_label(row))


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
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


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
