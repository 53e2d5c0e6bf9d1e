"""Which window a case's pictures are shown with, by name: the model's own where it has one, else one that shows what is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from tasks.imaging.presets import presets
from tasks.inference.manifest import Input, LinearWindow
from tasks.review.cases import Row
from tasks.review.words import number
from tasks.volumes.preview import LUNG, SOFT_TISSUE, window_for


@dataclass(frozen=True, slots=True)
class Shown:
    """Values that are black and white, and how the window is called."""

    low: float
    high: float
    name: str


def choose(row: Row, how: Input, planes: Sequence[NDArray[Any]]) -> Shown:
    """The window of a case.

    Args:
        row: of `volumes`.
        how: the manifest's input section. A window of it is what the model was shown, so the pictures have it too.
        planes: of values, (rows, columns) each, by which a window is chosen where the model has none of its own.
    """
    unit = row["units"] if row["units"] not in {None, "unspecified"} else ""
    if isinstance(how.window, LinearWindow):
        center, width = how.window.center, how.window.width
        return Shown(
            center - width / 2, center + width / 2, f"the model’s{_preset(center, width, unit)}: {_said(center, width, unit)}"
        )
    low, high = window_for(row["Modality"], row["units"] or "", planes, row["padding_range"])
    center, width = (low + high) / 2, high - low
    if (low, high) in {LUNG, SOFT_TISSUE}:
        return Shown(low, high, f"{_preset(center, width, unit).strip(' ()')}: {_said(center, width, unit)}")
    return Shown(low, high, f"1st to 99th percentile of the middle planes: {_said(center, width, unit)}")


def _said(center: float, width: float, unit: str) -> str:
    return f"level {number(center)}, width {number(width)} {unit}".rstrip()


def _preset(center: float, width: float, unit: str) -> str:
    """The name of these numbers among the presets, in brackets; empty where they have none."""
    names = [
        name.replace("_", " ")
        for name, each in presets().items()
        if (each.center, each.width, each.unit) == (center, width, unit)
    ]
    return f" ({names[0]})" if names else ""
