"""The Bland-Altman plot of many patients: how many lie where, not who; bias and limits as lines with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tasks.evaluation.endpoints.parts import DensityCell, Limits
from tasks.evaluation.estimate import Estimate
from tasks.report.drawing import ACCENT, FAINT, INK, LINE, SECOND, SOFT, Drawing, finish, letters, styled
from tasks.report.wording import estimate

WIDTH = 0.72
#: Numbers are written into the cells where there are no more than these.
_NUMBERED = 80


def bland_altman(what: str, unit: str, limits: Limits, cells: Sequence[DensityCell], mark: str = "") -> Drawing | None:
    """Difference by mean of two measurements; None where no cell has patients enough, or nothing is estimated.

    Args:
        what: the measurement, for the axes and the alternative text.
        unit: of both axes.
        cells: those of enough patients; their grey grows with the number of patients.
    """
    lines = [_line(each) for each in (limits.bias, limits.lower, limits.upper)]
    if not cells or None in lines:
        return None
    most = max(cell.patients for cell in cells)
    with styled():
        figure = Figure(figsize=(LINE * WIDTH, 3.4), layout="constrained")
        axes = figure.add_subplot()
        for cell in cells:
            (x0, x1), (y0, y1) = cell.mean, cell.difference
            axes.add_patch(
                Rectangle((x0, y0), x1 - x0, y1 - y0, facecolor=ACCENT, alpha=0.12 + 0.55 * cell.patients / most, linewidth=0)
            )
            if len(cells) <= _NUMBERED:
                axes.text((x0 + x1) / 2, (y0 + y1) / 2, str(cell.patients), fontsize=6.5, color=INK, ha="center", va="center")
        axes.axhline(0.0, color=SOFT, linewidth=0.8, linestyle=(0, (1, 2)))
        drawn = [each for each in lines if each is not None]
        for (value, lower, upper), colour, dash in zip(drawn, (INK, SECOND, SECOND), ("-", "--", "--"), strict=True):
            axes.axhspan(lower, upper, color=colour, alpha=0.12, linewidth=0)
            axes.axhline(value, color=colour, linewidth=1.3, linestyle=dash)
        edges = [0.0, *(edge for cell in cells for edge in cell.difference), *(edge for each in drawn for edge in each)]
        low, high = min(edges), max(edges)
        axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
        xs = [edge for cell in cells for edge in cell.mean]
        axes.set_xlim(min(xs) - 0.03 * (max(xs) - min(xs)), max(xs) + 0.03 * (max(xs) - min(xs)))
        in_unit = f" ({letters(unit)})" if unit else ""
        axes.set(xlabel=f"Mean of both{in_unit}", ylabel=f"Measured − reference{in_unit}")
        axes.grid(color=FAINT, linewidth=0.5)
        axes.set_axisbelow(True)
        said = (
            f"Bland-Altman plot of {what}{f' in {unit}' if unit else ''}: bias {estimate(limits.bias, signed=True)}, limits of agreement "
            f"{estimate(limits.lower, signed=True)} and {estimate(limits.upper, signed=True)}. Patients are counted in {len(cells)} cells of a grid."
        )
        return finish(figure, said, mark)


def _line(value: Estimate) -> tuple[float, float, float] | None:
    """Estimate, lower and upper bound; None where there is none."""
    if value.estimate is None or value.lower is None or value.upper is None:
        return None
    return value.estimate, value.lower, value.upper
