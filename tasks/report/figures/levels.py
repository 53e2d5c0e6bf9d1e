"""Subgroups below each other, under the names of their attributes, on as many plots as they take."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from tasks.report.drawing import LINE, letters
from tasks.report.wording import attribute, elided

#: Heights in lines: what fits one page, and what an attribute's heading takes.
_PAGE, _HEADING, _ROW_INCHES = 43.0, 1.15, 0.19


class Line(NamedTuple):
    """One level; `note` stands behind its name."""

    attribute: str
    level: str
    note: str = ""


def pages(lines: Sequence[Line]) -> list[list[int]]:
    """The places of the lines that fit one plot each; an attribute is parted only where it would not fit a plot of its own."""
    made: list[list[int]] = [[]]
    free = _PAGE
    for _, grouped in groupby(range(len(lines)), key=lambda place: lines[place].attribute):
        places = list(grouped)
        needed = _HEADING + sum(_height(lines[place]) for place in places)
        if made[-1] and needed > free and (needed <= _PAGE or free < _PAGE / 3):
            made.append([])
            free = _PAGE
        free -= _HEADING
        for place in places:
            if free < _height(lines[place]) and made[-1]:
                made.append([])
                free = _PAGE - _HEADING
            made[-1].append(place)
            free -= _height(lines[place])
    return [page for page in made if page]


def ground(lines: Sequence[Line], titles: Sequence[str]) -> tuple[Figure, Sequence[Any], list[float]]:
    """A figure with a panel a title, the lines' names at its left side, and the height of each line in it."""
    heights, headings, y = [], [], 0.0
    for name, grouped in groupby(lines, key=lambda line: line.attribute):
        headings.append((y, letters(attribute(name))))
        y += 0.5
        for line in grouped:
            heights.append(y + _height(line) / 2)
            y += _height(line)
        y += _HEADING - 0.5
    figure = Figure(figsize=(LINE, 0.75 + _ROW_INCHES * y), layout="constrained")
    panels = figure.subplots(1, len(titles), sharey=True, squeeze=False)[0]
    ticks = [*heights, *(place for place, _ in headings)]
    labels = ["\n".join(_label(line)) for line in lines]
    panels[0].set_yticks(ticks, [*labels, *(elided(name, 40) for _, name in headings)], fontsize=7.2, linespacing=1.1)
    for text in panels[0].get_yticklabels()[len(labels) :]:
        text.set_fontweight("bold")
    panels[0].set_ylim(y - 0.6, -0.7)
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title, fontsize=8.5, fontweight="bold")
        axes.tick_params(axis="y", length=0)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
    return figure, panels, heights


def _label(line: Line) -> list[str]:
    name = letters(elided(line.level, 58))
    return textwrap.wrap(f"{name} ({line.note})" if line.note else name, 36)[:3]


def _height(line: Line) -> float:
    return 0.6 + 0.4 * len(_label(line))
