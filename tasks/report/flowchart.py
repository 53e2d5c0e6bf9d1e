"""The way of every case from the archive to the analysis, as a chart: what went on, and what left the line and why."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from tasks.evaluation.results import Results
from tasks.report.drawing import ACCENT, INK, LINE, PALE, SOFT, Drawing, finish, letters, styled
from tasks.report.wording import count, counted

#: Stage → the outcome that goes on, and how the chart says it.
_ONWARD = {
    "find": ("found", "found in the archive"),
    "pull": ("pulled", "pulled"),
    "deidentify": ("released", "de-identified and released"),
    "volumes": ("converted", "converted to volumes or images"),
    "infer": ("read", "read by the model"),
}
_LINE_HEIGHT, _GAP = 0.155, 0.3
_MOST_LINES = 6
#: Letters of a line in a box of the way on.
_LETTERS = 42


@dataclass(frozen=True, slots=True)
class Step:
    """What went on, and what left here: one line each."""

    kept: str
    left: tuple[str, ...]


def steps(results: Results) -> list[Step]:
    """From the archive to the analysis; only the analysis where nothing is known of the night."""
    made = []
    for stage, (onward, word) in _ONWARD.items():
        rows = [row for row in results.accountability if row.stage.partition(":")[0] == stage and row.n]
        if not rows:
            continue
        unit = next((row.unit for row in rows if row.outcome == onward), rows[0].unit)
        kept = sum(row.n for row in rows if row.outcome == onward)
        left = tuple(
            f"{counted(row.n, row.unit)} {row.outcome.replace('_', ' ')}" + (f": {row.reason_code}" if row.reason_code else "")
            for row in rows
            if row.outcome != onward
        )
        made.append(Step(f"{counted(kept, unit)} {word}", left))
    overall = results.overall()
    analysed = "Analysis withheld: few patients" if overall.suppressed else f"{counted(overall.studies, 'study')} analysed"
    if not overall.suppressed:
        analysed += f"\n{count(overall.positives)} with the finding, {count(overall.negatives)} without"
    excluded = tuple(f"{counted(row.studies, 'study')} excluded: {row.reason.partition(':')[0]}" for row in results.excluded)
    made.append(Step(analysed, excluded))
    return made


def flowchart(results: Results, mark: str = "") -> Drawing:
    """The steps as boxes from top to bottom, with what left the line beside them."""
    drawn = steps(results)
    sides = [_lines(step.left) for step in drawn]
    kept = [[line for said in step.kept.split("\n") for line in textwrap.wrap(said, _LETTERS)] for step in drawn]
    boxes = [0.16 + _LINE_HEIGHT * len(lines) for lines in kept]
    heights = [max(box, 0.16 + _LINE_HEIGHT * len(side)) for box, side in zip(boxes, sides, strict=True)]
    total = sum(heights) + _GAP * (len(drawn) - 1) + 0.36
    middles = [total - 0.08 - sum(heights[:place]) - _GAP * place - height / 2 for place, height in enumerate(heights)]
    with styled():
        figure = Figure(figsize=(LINE, total))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, LINE), ylim=(0, total))
        axes.axis("off")
        for place, (lines, side, box, y) in enumerate(zip(kept, sides, boxes, middles, strict=True)):
            last = place == len(drawn) - 1
            _box(axes, 0.05, y, 2.75, box, fill=PALE, edge=ACCENT)
            axes.text(1.425, y, "\n".join(lines), ha="center", va="center", fontsize=8, fontweight="bold" if last else "normal")
            if side:
                _arrow(axes, (2.8, y), (3.22, y))
                _box(axes, 3.24, y, LINE - 3.29, 0.14 + _LINE_HEIGHT * len(side), fill="white", edge=SOFT)
                axes.text(3.33, y, "\n".join(side), ha="left", va="center", fontsize=7.2, linespacing=1.3)
            if not last:
                _arrow(axes, (1.425, y - box / 2), (1.425, middles[place + 1] + boxes[place + 1] / 2))
        said = ". ".join(step.kept.replace("\n", ", ") + (f" ({'; '.join(step.left)})" if step.left else "") for step in drawn)
        return finish(figure, f"Flow from the archive to the analysis: {said}.", mark)


def _lines(left: tuple[str, ...]) -> list[str]:
    """What stands in a side box: each end of its own, wrapped, and no more than fits."""
    shown = [line for said in left for line in textwrap.wrap(letters(said), 58, subsequent_indent="   ")]
    return shown if len(shown) <= _MOST_LINES else [*shown[: _MOST_LINES - 1], "… and more: see the table"]


def _box(axes: Any, x: float, middle: float, width: float, height: float, *, fill: str, edge: str) -> None:
    style = "round,pad=0,rounding_size=0.05"
    axes.add_patch(
        FancyBboxPatch((x, middle - height / 2), width, height, boxstyle=style, facecolor=fill, edgecolor=edge, linewidth=0.9)
    )


def _arrow(axes: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate(
        "", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}
    )
