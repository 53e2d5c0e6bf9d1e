"""Rectangles of pixels: what is looked at, found and blanked. Columns run to the right from 0, rows down from 0; ends are half-open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

#: Two boxes that meet become one if that has at most so many times the pixels that they have together.
_LOOSE = 1.3


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

    def longer(self, by: float) -> Box:
        """The box, longer at both ends by so many times its shorter side."""
        width, height = self.right - self.left, self.bottom - self.top
        if width >= height:
            return Box(self.left - int(height * by), self.top, self.right + int(height * by), self.bottom)
        return Box(self.left, self.top - int(width * by), self.right, self.bottom + int(width * by))

    def meets(self, other: Box) -> bool:
        """Whether the two share a pixel."""
        return self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom

    def shared(self, other: Box) -> int:
        """How many pixels the two share."""
        return Box(
            max(self.left, other.left), max(self.top, other.top), min(self.right, other.right), min(self.bottom, other.bottom)
        ).area

    def around(self, other: Box) -> Box:
        """The smallest box that has both."""
        return Box(
            min(self.left, other.left), min(self.top, other.top), max(self.right, other.right), max(self.bottom, other.bottom)
        )

    def slices(self) -> tuple[slice, slice]:
        """The rows and columns, to index an array of (rows, columns)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def merged(boxes: Iterable[Box]) -> tuple[Box, ...]:
    """Boxes that cover all of `boxes`, and little more, and of which no two share a pixel; in order, without empty ones.

    Two that meet become the smallest box that has both where that is hardly larger than they are; of others, one gives up what it shares.
    """
    done: list[Box] = []
    for box in boxes:
        grown = box
        while near := [each for each in done if _fit(each, grown)]:
            done = [each for each in done if each not in near]
            for each in near:
                grown = grown.around(each)
        parts = [grown] if grown.area else []
        for other in done:
            parts = [piece for part in parts for piece in _without(part, other)]
        done += parts
    return tuple(sorted(done))


def _fit(one: Box, other: Box) -> bool:
    """Whether two boxes share a pixel, and the smallest that has both is hardly larger than they are together."""
    if not one.meets(other) or not one.area or not other.area:
        return False
    return one.around(other).area <= _LOOSE * (one.area + other.area - one.shared(other))


def _without(box: Box, other: Box) -> list[Box]:
    """What a box has that another has not, as up to four boxes: above and below it, left and right of it."""
    if not box.meets(other):
        return [box]
    top, bottom = max(box.top, other.top), min(box.bottom, other.bottom)
    pieces = (
        Box(box.left, box.top, box.right, top), Box(box.left, bottom, box.right, box.bottom),
        Box(box.left, top, other.left, bottom), Box(other.right, top, box.right, bottom),
    )  # fmt: skip
    return [piece for piece in pieces if piece.area and piece.left < piece.right and piece.top < piece.bottom]


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
