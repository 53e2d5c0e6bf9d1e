"""ROC curves with their bands: of all cases, and of every attribute's levels beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tasks.evaluation.results import Performance, Results, Roc
from tasks.report.drawing import ACCENT, FAINT, INK, LINE, SECOND, SOFT, Drawing, finish, letters, styled
from tasks.report.wording import attribute, elided, estimate, percent

#: Share of the line that the curve of all cases takes.
WIDTH = 0.72
#: How a panel draws its levels: each differs in dash besides colour. A panel has no more levels than these.
_CURVES: tuple[tuple[str, Any], ...] = ((SECOND, "-"), (ACCENT, "--"), (INK, "-."), (SOFT, ":"))
#: Panels of a figure: three beside each other, or two where these fill their rows.
_PANELS = 6
#: Points of a curve in a panel: more could not be told apart there.
_POINTS = 101
_POINT_MARKERS = "sD^vP*X"


def overall(results: Results, mark: str = "") -> Drawing | None:
    """The ROC curve of all cases with its band and the operating points; None where there is no curve."""
    whole = next((curve for curve in results.roc if not curve.attribute), None)
    if whole is None:
        return None
    row = results.overall()
    points = _points(results)
    finding = [f"ROC curve of all cases: area {estimate(row.auc)}"]
    with styled():
        figure = Figure(figsize=(LINE * WIDTH, 3.3 + 0.17 * (2 + len(points))), layout="constrained")
        axes = figure.add_subplot()
        lines, labels = [], []
        band = _band(axes, whole, INK, 0.16)
        lines += axes.plot(whole.fpr, whole.tpr, color=INK, linewidth=2)
        labels.append(f"All cases, AUC {estimate(row.auc).partition(' ')[0]}")
        if band is not None and whole.band is not None:
            lines.append(band)
            labels.append(f"Pointwise {percent(whole.band.confidence)} band of the sensitivity")
        for name, threshold, (fpr, tpr), marker in points:
            lines += axes.plot(fpr, tpr, marker=marker, color=INK, markersize=7, markerfacecolor="white", linestyle="none")
            labels.append(f"{letters(elided(name, 40))}, score ≥ {threshold:.4g}")
            finding.append(f"{name[0].lower()}{name[1:]} of all cases: sensitivity {tpr:.3f} at specificity {1 - fpr:.3f}")
        _ground(axes)
        axes.set(xlabel="1 − specificity", ylabel="Sensitivity")
        figure.legend(lines, labels, loc="outside lower center", frameon=False, fontsize=7.5, handlelength=3)
        return finish(figure, "; ".join(finding) + ".", mark)


def by_attribute(results: Results, mark: str = "") -> list[Drawing]:
    """A panel an attribute, with the curve and band of each level, or of those with the lowest AUCs where there are many."""
    curves = {(curve.attribute, curve.level): curve for curve in results.roc if curve.attribute}
    shown = [row for row in results.performance if row.auc.estimate is not None and (row.attribute, row.level) in curves]
    panels = [(name, sorted(rows, key=_hardest)) for name, rows in groupby(shown, key=lambda row: row.attribute)]
    return [_multiples(panels[start : start + _PANELS], curves, mark) for start in range(0, len(panels), _PANELS)]


def _hardest(row: Performance) -> tuple[float, str]:
    return row.auc.estimate or 0.0, row.level


def _points(results: Results) -> list[tuple[str, float, tuple[float, float], str]]:
    rows = [("Operating point", results.threshold, results.overall(), "o")]
    for marker, point in zip(_POINT_MARKERS, results.operating_points, strict=False):
        whole = next(row for row in point.performance if not row.attribute)
        rows.append((f"Operating point {point.name}", point.threshold, whole, marker))
    return [
        (name, threshold, (row.counts.fp / row.negatives, row.counts.tp / row.positives), marker)
        for name, threshold, row, marker in rows
        if row.positives and row.negatives
    ]


def _multiples(panels: Sequence[tuple[str, list[Performance]]], curves: dict[tuple[str, str], Roc], mark: str) -> Drawing:
    columns = 2 if len(panels) in (1, 2, 4) else 3
    starts = range(0, len(panels), columns)
    most = [max(min(len(levels), len(_CURVES)) for _, levels in panels[start : start + columns]) for start in starts]
    with styled():
        figure = Figure(figsize=(LINE, sum(LINE / columns + 0.2 + 0.155 * (n + 1) for n in most)), layout="constrained")
        grid = figure.subplots(len(starts), columns, squeeze=False).ravel()
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        for axes, (name, levels) in zip(grid, panels, strict=False):
            _panel(axes, name, levels, curves, large=columns == 2)
        return finish(figure, " ".join(_finding(name, levels) for name, levels in panels), mark)


def _panel(axes: Any, name: str, levels: Sequence[Performance], curves: dict[tuple[str, str], Roc], *, large: bool) -> None:
    lines, labels = [], []
    for row, (colour, dash) in zip(levels, _CURVES, strict=False):
        curve = curves[row.attribute, row.level]
        _band(axes, curve, colour, 0.11)
        chosen = np.unique(np.round(np.linspace(0, len(curve.fpr) - 1, _POINTS)).astype(np.int64))
        lines += axes.plot(np.array(curve.fpr)[chosen], np.array(curve.tpr)[chosen], color=colour, linestyle=dash, linewidth=1.4)
        labels.append(f"{letters(elided(row.level, 34 if large else 22))} {estimate(row.auc)}")
    _ground(axes)
    axes.set_title(letters(elided(attribute(name), 34)), fontsize=8, fontweight="bold")
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"], fontsize=7)
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"], fontsize=7)
    title = f"AUC, lowest {len(labels)} of {len(levels)}" if len(levels) > len(labels) else "AUC"
    axes.legend(
        lines, labels, title=title, loc="upper center", bbox_to_anchor=(0.5, -0.07 if large else -0.12), frameon=False,
        fontsize=7 if large else 6.2, title_fontsize=7 if large else 6.2,
        handlelength=2.6, borderpad=0.1, labelspacing=0.25,
    )  # fmt: skip


def _finding(name: str, levels: Sequence[Performance]) -> str:
    low, high = levels[0], levels[-1]
    if len(levels) == 1:
        return f"ROC by {attribute(name)}: only {low.level} has a curve, area {estimate(low.auc)}."
    apart = (high.auc.lower or 0.0) > (low.auc.upper or 1.0)
    said = "the intervals do not meet" if apart else "their intervals overlap"
    return f"ROC by {attribute(name)}: from {low.level} with an area of {estimate(low.auc)} to {high.level} with {estimate(high.auc)}; {said}."


def _band(axes: Any, curve: Roc, colour: str, alpha: float) -> Any:
    if curve.band is None:
        return None
    return axes.fill_between(curve.band.fpr, curve.band.lower, curve.band.upper, color=colour, alpha=alpha, linewidth=0)


def _ground(axes: Any) -> None:
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, linestyle=(0, (1, 2)))
    axes.set(xlim=(-0.015, 1.015), ylim=(-0.015, 1.015), aspect="equal")
    axes.grid(color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
