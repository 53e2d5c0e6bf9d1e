"""Lesion sensitivity against false positives a case: the points of the FROC curve that the plan asks for."""

from __future__ import annotations

from matplotlib.figure import Figure

from tasks.evaluation.results import Detection
from tasks.report.drawing import ACCENT, FAINT, LINE, Drawing, finish, styled
from tasks.report.wording import estimate, percent

WIDTH = 0.72
#: A line through fewer points would not say how the curve runs.
_LEAST = 3


def froc(found: Detection, mark: str = "") -> Drawing | None:
    """The points with their intervals, over false positives a case on a logarithmic scale; None with fewer than three."""
    known = [each for each in found.at if each.sensitivity.estimate is not None]
    if len(known) < _LEAST:
        return None
    known.sort(key=lambda each: each.false_positives)
    at = [each.false_positives for each in known]
    low, high = [each.sensitivity.lower or 0.0 for each in known], [each.sensitivity.upper or 0.0 for each in known]
    with styled():
        figure = Figure(figsize=(LINE * WIDTH, 3.4), layout="constrained")
        axes = figure.add_subplot()
        axes.fill_between(
            at, low, high, color=ACCENT, alpha=0.13, linewidth=0, label=f"{percent(known[0].sensitivity.confidence)} intervals"
        )
        axes.vlines(at, low, high, color=ACCENT, linewidth=1)
        axes.plot(
            at,
            [each.sensitivity.estimate or 0.0 for each in known],
            color=ACCENT,
            marker="o",
            markersize=4.5,
            linewidth=1.4,
            label="All cases",
        )
        axes.set_xscale("log", base=2)
        axes.set_xticks(at, [f"{each:g}" for each in at], fontsize=7.5)
        axes.minorticks_off()
        axes.set(ylim=(-0.015, 1.015), xlabel="False positives a case, at most", ylabel="Lesion sensitivity")
        axes.grid(color=FAINT, linewidth=0.5)
        axes.legend(loc="lower right", frameon=False, fontsize=7.5)
        first, last = known[0], known[-1]
        said = (
            f"FROC points of all cases: lesion sensitivity rises from {estimate(first.sensitivity)} at {first.false_positives:g} false positives "
            f"a case to {estimate(last.sensitivity)} at {last.false_positives:g}; area under the weighted AFROC curve {estimate(found.wafroc)}."
        )
        return finish(figure, said, mark)
