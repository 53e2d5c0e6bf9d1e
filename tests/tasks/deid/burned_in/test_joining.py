"""Pieces of a line are put together, neighbours that are no line are not."""

from __future__ import annotations

import pytest

from tasks.deid.burned_in.box import Box
from tasks.deid.burned_in.joining import joined


def turned(box: Box) -> Box:
    return Box(box.top, box.left, box.bottom, box.right)


@pytest.mark.parametrize("upright", [False, True])
@pytest.mark.parametrize(
    ("boxes", "lines"),
    [
        ([Box(0, 0, 40, 12), Box(50, 1, 90, 14), Box(100, 0, 120, 12)], [[0, 1, 2]]),
        ([Box(100, 0, 120, 12), Box(0, 0, 40, 12), Box(50, 1, 90, 14)], [[1, 2, 0]]),
        ([Box(0, 0, 40, 12), Box(90, 0, 130, 12)], [[0], [1]]),  # too far apart
        ([Box(0, 0, 40, 12), Box(45, 8, 90, 20)], [[0], [1]]),  # another line
        ([Box(0, 0, 40, 12), Box(45, 0, 90, 30)], [[0], [1]]),  # much taller
        ([Box(0, 0, 40, 12), Box(45, 0, 90, 12), Box(0, 40, 40, 52), Box(45, 41, 90, 53)], [[0, 1], [2, 3]]),
        ([Box(0, 0, 12, 60), Box(20, 0, 32, 60)], [[0], [1]]),  # they run across the line, as lines one above the other do
        ([], []),
    ],
)
def test_boxes_in_a_row_are_one_line(boxes: list[Box], lines: list[list[int]], upright: bool) -> None:
    assert joined([turned(box) for box in boxes] if upright else boxes, upright=upright) == lines
