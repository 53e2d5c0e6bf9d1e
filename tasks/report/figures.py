"""Figures, drawn once as SVG: legible in grey and to the colour-blind, the same bytes for the same results."""

from __future__ import annotations

import io
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tasks.evaluation.results import Performance, Results, Roc
from tasks.report.wording import count, estimate, group

_INK, _SOFT, _ACCENT, _SECOND = "#1c2733", "#8795a3", "#0b5cad", "#b3540e"
_STYLE = {
    "font.family": "DejaVu Sans", "font.size": 9, "svg.hashsalt": "safelight", "svg.fonttype": "path", "axes.edgecolor": _SOFT,
    "axes.labelcolor": _INK, "xtick.color": _INK, "ytick.color": _INK, "text.color": _INK,
}  # fmt: skip
#: More would not fit a page; the tables have them all.
MOST_ROWS = 36


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure as vectors and, for faces that take none, as pixels; and the sentence that stands for it."""

    svg: bytes
    png: bytes
    alternative: str


def roc(results: Results) -> Drawing | None:
    """The ROC curve of all cases, with those of the attribute whose levels differ most; None where there is no curve."""
    overall = next((curve for curve in results.roc if not curve.attribute), None)
    if overall is None:
        return None
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(4.6, 4.4), layout="constrained")
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color=_SOFT, linewidth=0.8, linestyle=":")
        axes.plot(overall.fpr, overall.tpr, color=_INK, linewidth=2, label="All cases")
        styles = ((_ACCENT, "--"), (_SECOND, "-."), (_SOFT, (0, (1, 1))), (_ACCENT, ":"))
        for curve, (colour, dash) in zip(_most_different(results), styles, strict=False):
            axes.plot(
                curve.fpr, curve.tpr, color=colour, linestyle=dash, linewidth=1.5, label=group(curve.attribute, curve.level)
            )
        counts = results.overall().counts
        if counts.fp + counts.tn and counts.tp + counts.fn:
            point = (counts.fp / (counts.fp + counts.tn), counts.tp / (counts.tp + counts.fn))
            axes.plot(
                *point, marker="o", color=_INK, markersize=7, markerfacecolor="white", linestyle="none", label="Operating point"
            )
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel="1 − specificity", ylabel="Sensitivity", aspect="equal")
        axes.legend(loc="lower right", frameon=False, fontsize=8)
        return _finish(figure, f"ROC curve of all cases: area {estimate(results.overall().auc)}.")


def forest(results: Results) -> Drawing | None:
    """AUC, sensitivity and specificity of every subgroup with intervals; None where no subgroup has one."""
    rows = [row for row in results.performance if row.attribute and not row.suppressed and row.studies][:MOST_ROWS]
    if not rows:
        return None
    measures = (("AUC", "auc"), ("Sensitivity", "sensitivity"), ("Specificity", "specificity"))
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.2, 0.9 + 0.24 * len(rows)), layout="constrained")
        panels = figure.subplots(1, len(measures), sharey=True)
        for axes, (name, field) in zip(panels, measures, strict=True):
            whole = getattr(results.overall(), field)
            if whole.estimate is not None:
                axes.axvline(whole.estimate, color=_SOFT, linewidth=1, linestyle="--")
            for place, row in enumerate(rows):
                value = getattr(row, field)
                if value.estimate is None or value.lower is None or value.upper is None:
                    axes.text(0.5, place, "not estimable", fontsize=7, color=_SOFT, ha="center", va="center")
                    continue
                colour = _SECOND if whole.estimate is not None and value.upper < whole.estimate else _ACCENT
                axes.plot([value.lower, value.upper], [place, place], color=colour, linewidth=1.4)
                axes.plot(value.estimate, place, marker="s" if colour == _ACCENT else "D", color=colour, markersize=4.5)
            axes.set(xlim=(-0.03, 1.03), title=name)
            axes.title.set_fontsize(9)
            axes.grid(axis="x", color="#e3e8ed", linewidth=0.6)
            axes.tick_params(axis="y", length=0)
            for side in ("top", "right", "left"):
                axes.spines[side].set_visible(False)
        labels = [_cut(f"{group(row.attribute, row.level)} (n = {count(row.studies)})") for row in rows]
        panels[0].set_yticks(range(len(rows)), labels, fontsize=8)
        panels[0].set_ylim(len(rows) - 0.4, -0.6)
        return _finish(figure, _forest_finding(results, rows))


def flow(results: Results) -> Drawing:
    """Boxes from the archive to the analysis, with what left the line at each stage."""
    steps = _steps(results)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.4, 0.74 * len(steps) + 0.2))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, 10), ylim=(-0.1, len(steps) + 0.05))
        axes.axis("off")
        for place, (kept, left) in enumerate(steps):
            y = len(steps) - place - 0.62
            axes.text(2.3, y, kept, ha="center", va="center", fontsize=9, bbox=_box("#eaf3fb", _ACCENT))
            if left:
                axes.annotate("", xy=(5.6, y), xytext=(4.75, y), arrowprops={"arrowstyle": "->", "color": _SOFT})
                axes.text(5.75, y, left, ha="left", va="center", fontsize=8)
            if place:
                axes.annotate("", xy=(2.3, y + 0.27), xytext=(2.3, y + 0.73), arrowprops={"arrowstyle": "->", "color": _SOFT})
        said = ". ".join(kept.replace("\n", " ") + (f" ({left})" if left else "") for kept, left in steps)
        return _finish(figure, f"From the archive to the analysis: {said}.")


def _steps(results: Results) -> list[tuple[str, str]]:
    kept_words = {
        "found": "found",
        "pulled": "pulled",
        "released": "de-identified and released",
        "converted": "converted",
        "read": "read by the model",
    }
    order = ("find", "pull", "deidentify", "volumes", "infer")
    steps = []
    for stage in order:
        rows = [row for row in results.accountability if row.stage.partition(":")[0] == stage and row.n]
        if not rows:
            continue
        unit = "studies" if stage == "infer" else "instances"
        kept = sum(row.n for row in rows if row.outcome in kept_words)
        word = next((kept_words[row.outcome] for row in rows if row.outcome in kept_words), "none went on")
        gone: dict[str, int] = {}
        for row in rows:
            if row.outcome not in kept_words:
                gone[row.outcome.replace("_", " ")] = gone.get(row.outcome.replace("_", " "), 0) + row.n
        steps.append((f"{count(kept)} {unit} {word}", ", ".join(f"{count(n)} {outcome}" for outcome, n in sorted(gone.items()))))
    left = sum(row.studies for row in results.excluded)
    overall = results.overall()
    analysed = "withheld" if overall.suppressed else f"{count(overall.studies)} studies analysed"
    steps.append((analysed, f"{count(left)} studies excluded" if left else ""))
    return steps


def _most_different(results: Results) -> list[Roc]:
    """The curves of the attribute whose levels' AUCs lie furthest apart, its hardest level first; at most four."""
    by_attribute: dict[str, list[Performance]] = {}
    for row in results.performance:
        if row.attribute and row.auc.estimate is not None and not row.suppressed:
            by_attribute.setdefault(row.attribute, []).append(row)
    spread = {
        attribute: max(row.auc.estimate or 0 for row in rows) - min(row.auc.estimate or 0 for row in rows)
        for attribute, rows in by_attribute.items()
        if len(rows) > 1
    }
    if not spread:
        return []
    chosen = max(sorted(spread), key=lambda attribute: spread[attribute])
    levels = [row.level for row in sorted(by_attribute[chosen], key=lambda row: row.auc.estimate or 0)]
    curves = {curve.level: curve for curve in results.roc if curve.attribute == chosen}
    return [curves[level] for level in levels if level in curves][:4]


def _forest_finding(results: Results, rows: list[Performance]) -> str:
    worse = []
    for name, field in (("AUC", "auc"), ("sensitivity", "sensitivity"), ("specificity", "specificity")):
        whole = getattr(results.overall(), field).estimate
        for row in rows:
            upper = getattr(row, field).upper
            if whole is not None and upper is not None and upper < whole:
                worse.append(f"{name} for {group(row.attribute, row.level)}")
    if worse:
        return f"Subgroup estimates with intervals. Wholly below the overall estimate: {'; '.join(worse)}."
    return "Subgroup estimates with intervals. No interval lies wholly below the overall estimate."


def _cut(text: str, length: int = 46) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _box(colour: str, edge: str) -> dict[str, object]:
    return {"boxstyle": "round,pad=0.45", "facecolor": colour, "edgecolor": edge, "linewidth": 1}


def _finish(figure: Figure, alternative: str) -> Drawing:
    FigureCanvasAgg(figure)
    vectors, pixels = io.BytesIO(), io.BytesIO()
    figure.savefig(vectors, format="svg", metadata={"Date": None, "Creator": None})
    figure.savefig(pixels, format="png", dpi=200, metadata={"Software": None})
    return Drawing(vectors.getvalue(), pixels.getvalue(), alternative)
