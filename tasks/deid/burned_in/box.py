"""Rectangles of pixels: what is looked at, found and blanked. Columns run to the right from 0, rows down from 0; ends are half-open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """The pixels of columns `left` to `right` and rows `top` to `bottom`, ends not included."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        """How many pixels it has; none where it is empty."""
        return max(0, self.right - self.left) * max(0, self.bottom - self.top)

    def clipped(self, rows: int, columns: int) -> Box:
        """The part of it inside an image of so many rows and columns; may be empty."""
        return Box(max(0, self.left), max(0, self.top), min(columns, self.right), min(rows, self.bottom))

    def grown(self, by: int) -> Box:
        """The box with a margin of so many pixels on each side."""
        return Box(self.left - by, self.top - by, self.right + by, self.bottom + by)

    def meets(self, other: Box) -> bool:
        """Whether the two share a pixel."""
        return self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom

    def around(self, other: Box) -> Box:
        """The smallest box that has both."""
        return Box(
            min(self.left, other.left), min(self.top, other.top), max(self.right, other.right), max(self.bottom, other.bottom)
        )

    def slices(self) -> tuple[slice, slice]:
        """The rows and columns, to index an array of (rows, columns)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def merged(boxes: Iterable[Box]) -> tuple[Box, ...]:
    """Boxes that cover all of `boxes`, and of which no two share a pixel; in order, without empty ones."""
    done: list[Box] = []
    for box in boxes:
        if not box.area:
            continue
        grown = box
        while meeting := [each for each in done if each.meets(grown)]:
            done = [each for each in done if each not in meeting]
            for each in meeting:
                grown = grown.around(each)
        done.append(grown)
    return tuple(sorted(done))


def outside(regions: Sequence[Box], rows: int, columns: int) -> tuple[Box, ...]:
    """What of an image lies in none of the regions, as boxes of which no two share a pixel.

    Args:
        regions: boxes; may overlap and may reach over the image's edge.
    """
    inside = [region for region in (each.clipped(rows, columns) for each in regions) if region.area]
    edges = sorted({0, rows, *(each.top for each in inside), *(each.bottom for each in inside)})
    left_over: list[Box] = []
    for top, bottom in pairwise(edges):
        at = 0
        for region in sorted(each for each in inside if each.top <= top and bottom <= each.bottom):
            if region.left > at:
                left_over.append(Box(at, top, region.left, bottom))
            at = max(at, region.right)
        if at < columns:
            left_over.append(Box(at, top, columns, bottom))
    return tuple(sorted(left_over))
