"""A fixed small part of `benchmarks/burned_in.py`: what is easy is always found, and the drawn bodies are left alone."""

from __future__ import annotations

import pytest

from benchmarks.burned_in import recall, touched
from benchmarks.burned_in_pictures import SHAPES, clean, line, stored, written
from tasks.deid.burned_in.searching import lines


@pytest.mark.parametrize("size", [7, 16])
def test_bright_lines_are_found(size: int) -> None:
    [seen] = recall("PT", size, 0.5, 1)
    assert seen.found == seen.lines >= 3
    assert seen.legible_found == seen.legible == seen.lines


def test_lines_as_dim_as_the_noise_are_not_found_and_the_measurement_says_so() -> None:
    [seen] = recall("MR", 7, 0.03, 1)
    assert seen.found < seen.lines
    assert seen.legible < seen.lines


@pytest.mark.parametrize(("kind", "count"), [("MR", 1), ("PT", 2)])
def test_drawn_bodies_are_not_touched(kind: str, count: int) -> None:
    assert touched(kind, 0, count) == 0


def test_blanked_lines_are_found_by_no_second_look() -> None:
    text = line(SHAPES["MR"], 12, 1)
    shown = stored("MR", written("MR", clean("MR", 1), text, 0.5))
    boxes = lines(shown, 0.5)
    assert text.share_covered(boxes) > 0.95
    after = shown.copy()
    for box in boxes:
        after[box.slices()] = 0
    assert lines(after, 0.5) == ()
