"""The decision curve: what acting on the model gains over acting on everybody or nobody."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from tasks.evaluation.results import NetBenefit
from tasks.report.drawing import ACCENT, FAINT, INK, LINE, SECOND, Drawing, finish, styled
from tasks.report.wording import percent, prevalence

WIDTH = 0.8


def decision(found: Sequence[NetBenefit], mark: str = "") -> Drawing | None:
    """Net benefit by threshold probability; None where fewer than two points have one."""
    known = sorted((each for each in found if each.model.estimate is not None), key=lambda each: each.threshold_probability)
    if len(known) < 2:
        return None
    at = [each.threshold_probability for each in known]
    values = [each.model.estimate or 0.0 for each in known]
    low, high = [each.model.lower or 0.0 for each in known], [each.model.upper or 0.0 for each in known]
    with styled():
        figure = Figure(figsize=(LINE * WIDTH, 3.6), layout="constrained")
        axes = figure.add_subplot()
        axes.fill_between(at, low, high, color=ACCENT, alpha=0.13, linewidth=0)
        axes.vlines(at, low, high, color=ACCENT, linewidth=0.9)
        model = axes.plot(at, values, color=ACCENT, marker="o", markersize=4, linewidth=1.6)[0]
        treat = axes.plot(at, [each.treat_all for each in known], color=SECOND, linestyle="--", linewidth=1.4)[0]
        none = axes.axhline(0.0, color=INK, linestyle=":", linewidth=1.2)
        spread = max([*high, known[0].treat_all]) - min([*low, 0.0])
        axes.set_ylim(min([*low, 0.0]) - 0.06 * spread, max([*high, known[0].treat_all]) + 0.06 * spread)
        axes.set(xlabel="Threshold probability", ylabel="Net benefit (true positives a case)")
        axes.grid(color=FAINT, linewidth=0.5)
        labels = [
            f"Acting on the model, {percent(known[0].model.confidence)} intervals",
            "Acting on every case",
            "Acting on no case",
        ]
        figure.legend([model, treat, none], labels, loc="outside upper center", ncols=3, frameon=False, fontsize=7.5)
        return finish(figure, _finding(known), mark)


def _finding(known: Sequence[NetBenefit]) -> str:
    better = [each for each in known if (each.model.lower or 0.0) > max(each.treat_all, each.treat_none)]
    least = [each for each in known if (each.model.estimate or 0.0) < max(each.treat_all, each.treat_none)]
    said = f"Decision curve at {len(known)} threshold probabilities. "
    if better:
        names = ", ".join(prevalence(each.threshold_probability) for each in better)
        said += f"Acting on the model is better than acting on every case and on none, by its interval, at {names}."
    else:
        said += "At none of them is acting on the model better, by its interval, than acting on every case and on none."
    if least:
        said += (
            f" Its net benefit is below one of these at {', '.join(prevalence(each.threshold_probability) for each in least)}."
        )
    return said
