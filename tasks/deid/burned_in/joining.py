"""Puts the pieces of a line together: where letters cross the edge of an organ, or a bright rim, the network finds a line in pieces."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.deid.burned_in.box import Box

#: Pieces of one line share so much of the lower one's height, are at most so many times as high as one another, and lie so many heights apart.
_SHARED, _TALLER, _APART = 0.6, 1.8, 2.0
#: A piece runs along its line: it is at least so many times as long as high. Lines one above the other are no column of letters.
_ALONG = 0.7


def joined(boxes: Sequence[Box], *, upright: bool = False) -> list[list[int]]:
    """Which boxes make up a line each, as places in the list, along the line; each box is in one line.

    Args:
        upright: lines run down the picture, not across it.
    """
    spans = [_turned(box) if upright else box for box in boxes]
    order = sorted(range(len(spans)), key=lambda number: spans[number])
    lines: list[list[int]] = []
    for number in order:
        for line in lines:
            if any(_in_line(spans[other], spans[number]) for other in line):
                line.append(number)
                break
        else:
            lines.append([number])
    return lines


def _turned(box: Box) -> Box:
    return Box(box.top, box.left, box.bottom, box.right)


def _in_line(one: Box, other: Box) -> bool:
    """Whether two boxes look like neighbours in a line that runs across the picture."""
    if any(each.right - each.left < _ALONG * (each.bottom - each.top) for each in (one, other)):
        return False
    low, high = sorted((one.bottom - one.top, other.bottom - other.top))
    if high > _TALLER * low or min(one.bottom, other.bottom) - max(one.top, other.top) < _SHARED * low:
        return False
    return max(one.left, other.left) - min(one.right, other.right) <= _APART * high
