"""The calibration curve of all cases over the histogram of their scores."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from tasks.evaluation.results import CalibrationBin, CalibrationResult
from tasks.report.drawing import ACCENT, FAINT, INK, LINE, PALE, SECOND, SOFT, Drawing, finish, styled
from tasks.report.wording import decimal, estimate, percent

WIDTH = 0.72


def calibration(found: CalibrationResult, mark: str = "") -> Drawing | None:
    """Observed shares by mean score with their intervals; None where no bin may be shown."""
    shown = [each for each in found.curve if _known(each)]
    if not shown:
        return None
    with styled():
        figure = Figure(figsize=(LINE * WIDTH, 5.6), layout="constrained")
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle="--", label="Score = share with the finding")
        means = [each.mean_score or 0.0 for each in shown]
        low, high = (
            [bound or 0.0 for bound in bounds]
            for bounds in zip(*((e.observed.lower, e.observed.upper) for e in shown), strict=True)
        )
        said = f"{percent(shown[0].observed.confidence)} band through the intervals of the bins"
        axes.fill_between(means, low, high, color=ACCENT, alpha=0.13, linewidth=0, label=said)
        axes.plot(means, [each.observed.estimate or 0.0 for each in shown], color=ACCENT, linewidth=1.2)
        for apart, colour, marker, label in (
            (False, ACCENT, "o", "Bin with its interval"),
            (True, SECOND, "D", "Bin whose interval leaves its mean score out"),
        ):
            drawn = [each for each in shown if (_off(each) != 0) == apart]
            if drawn:
                places = [each.mean_score for each in drawn]
                axes.vlines(
                    places, [e.observed.lower for e in drawn], [e.observed.upper for e in drawn], color=colour, linewidth=1.2
                )
                axes.plot(
                    places,
                    [e.observed.estimate for e in drawn],
                    color=colour,
                    marker=marker,
                    linestyle="none",
                    markersize=5,
                    label=label,
                )
        axes.set(xlim=(-0.015, 1.015), ylim=(-0.015, 1.015), ylabel="Share with the finding")
        axes.legend(loc="upper left", frameon=False, fontsize=7)
        axes.grid(color=FAINT, linewidth=0.5)
        for each in shown:
            width = each.upper_score - each.lower_score
            height = each.studies / width if width > 0 else 0.0
            below.bar(each.lower_score, height, width, align="edge", facecolor=PALE, edgecolor=INK, linewidth=0.6)
        below.set(xlabel="Score", ylabel="Studies")
        below.set_yticks([])
        for side in ("top", "right", "left"):
            below.spines[side].set_visible(False)
        return finish(figure, _finding(found, shown), mark)


def _known(each: CalibrationBin) -> bool:
    return not each.suppressed and each.mean_score is not None and each.observed.estimate is not None


def _off(each: CalibrationBin) -> int:
    """1 where scores are too high by the interval of what is observed, -1 where they are too low, 0 where neither is shown."""
    mean, observed = each.mean_score or 0.0, each.observed
    return int(mean > (observed.upper if observed.upper is not None else 1.0)) - int(mean < (observed.lower or 0.0))


def _finding(found: CalibrationResult, shown: Sequence[CalibrationBin]) -> str:
    said = f"Calibration: slope {estimate(found.slope)}, intercept {estimate(found.intercept, signed=True)}"
    wrong = []
    for sign, word in ((1, "too high"), (-1, "too low")):
        bins = [each for each in shown if _off(each) == sign]
        if bins:
            ranges = ", ".join(f"{each.lower_score:.2f}–{each.upper_score:.2f}" for each in bins)
            worst = max(bins, key=lambda each: abs((each.mean_score or 0.0) - (each.observed.estimate or 0.0)))
            wrong.append(
                f"scores of {ranges} are {word}, most where their mean is {decimal(worst.mean_score or 0.0)} "
                f"and {decimal(worst.observed.estimate or 0.0)} have the finding"
            )
    return f"{said}; {'; '.join(wrong) or 'no bin of scores is too high or too low by its interval'}."
