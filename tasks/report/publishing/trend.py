"""How the endpoints went from publication to publication: one series for each plan, finding, model and kind of data; drawn, and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from tasks.report.drawing import ACCENT, FAINT, INK, LINE, SECOND, Drawing, finish, letters, styled
from tasks.report.publishing.entries import ENDPOINTS, Endpoint, Entry
from tasks.report.subject import MARK
from tasks.report.wording import NOTHING, WITHHELD, decimal, elided, versioned

NAMES = {"auc": "AUC", "sensitivity": "Sensitivity", "specificity": "Specificity"}
#: Of a long series, the latest are drawn; the table has all.
_DRAWN = 24


@dataclass(frozen=True, slots=True)
class Series:
    """The reports on one model by one plan, in the order of publication; of the same results the latest alone."""

    plan: str
    finding: str
    model: str
    synthetic: bool
    entries: tuple[Entry, ...]

    @property
    def title(self) -> str:
        """As headings write it."""
        return f"{self.model}, {self.finding}, by the plan {self.plan}{' (synthetic data)' if self.synthetic else ''}"


def series(entries: Sequence[Entry]) -> list[Series]:
    """All series, in the order in which they began."""
    latest = {(each.plan, each.results_sha256): each for each in entries if not each.problem}
    found: dict[tuple[str, str, str, bool], list[Entry]] = {}
    for each in entries:
        if not each.problem:
            of = found.setdefault((each.plan, each.finding, each.model, each.synthetic), [])
            if latest[each.plan, each.results_sha256] == each:
                of.append(each)
    return [Series(*key, tuple(each)) for key, each in found.items()]


def said(value: Endpoint) -> str:
    """`0.930 (0.880–0.960)`, or why there is none."""
    if value.status == "withheld":
        return WITHHELD
    if value.estimate is None or value.lower is None or value.upper is None:
        return "not estimable" if value.status == "not_estimable" else NOTHING
    return f"{decimal(value.estimate)} ({decimal(value.lower)}–{decimal(value.upper)})"


def draw(one: Series) -> Drawing | None:
    """Estimates with their intervals, a panel an endpoint; None for fewer than two reports with a number."""
    shown = one.entries[-_DRAWN:]
    if sum(any(value.estimate is not None for value in each.endpoints.values()) for each in shown) < 2:
        return None
    with styled():
        figure = Figure(figsize=(LINE, 2.6), layout="constrained")
        panels = figure.subplots(1, len(ENDPOINTS), sharey=True)
        for axes, name in zip(panels, ENDPOINTS, strict=True):
            _panel(axes, [each.endpoints[name] for each in shown])
            axes.set_title(NAMES[name], fontsize=8.5, fontweight="bold")
            step = 1 + (len(shown) - 1) // 8
            places = range(0, len(shown), step)
            labels = [letters(f"{shown[place].number} · {elided(shown[place].model_version or '?', 12)}") for place in places]
            axes.set_xticks(list(places), labels, rotation=40, ha="right", fontsize=7)
        return finish(figure, finding(one), MARK if one.synthetic else "")


def _panel(axes: Any, values: Sequence[Endpoint]) -> None:
    known = [(place, value) for place, value in enumerate(values) if value.estimate is not None]
    places = [place for place, _ in known]
    line = [float("nan") if value.estimate is None else value.estimate for value in values]  # broken where there is no number
    axes.plot(range(len(values)), line, color=FAINT, linewidth=1.2, zorder=1)
    axes.vlines(places, [value.lower for _, value in known], [value.upper for _, value in known], color=ACCENT, linewidth=1.4)
    axes.plot(places, [value.estimate for _, value in known], marker="s", color=ACCENT, markersize=4.2, linestyle="none")
    for place, value in enumerate(values):
        if value.estimate is None:
            axes.text(place, 0.5, said(value), rotation=90, fontsize=6.5, color=SECOND, ha="center", va="center")
    axes.set(xlim=(-0.6, len(values) - 0.4), ylim=(-0.02, 1.02))
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.tick_params(colors=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def finding(one: Series) -> str:
    """What the figure shows, in words: the first and the last estimate of each endpoint, and which intervals lie wholly apart."""
    parts = []
    for name in ENDPOINTS:
        known = [(each, each.endpoints[name]) for each in one.entries if each.endpoints[name].estimate is not None]
        if not known:
            parts.append(f"{NAMES[name]}: no number")
            continue
        (first, old), (last, new) = known[0], known[-1]
        if first == last:
            parts.append(f"{NAMES[name]} {said(new)} in report {last.number}")
            continue
        parts.append(f"{NAMES[name]} {said(old)} in report {first.number}, {said(new)} in report {last.number}{_apart(old, new)}")
    versions = ", ".join(dict.fromkeys(versioned(each.model_version) for each in one.entries))
    return f"{one.title}; {versions}. {'; '.join(parts)}."


def _apart(old: Endpoint, new: Endpoint) -> str:
    if None in {old.lower, old.upper, new.lower, new.upper}:
        return ""
    if new.upper < old.lower:  # type: ignore[operator]
        return ", lower beyond both intervals"
    return ", higher beyond both intervals" if new.lower > old.upper else ", within overlapping intervals"  # type: ignore[operator]
