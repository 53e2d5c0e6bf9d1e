"""Steps of a shade are no ink, letters are, in pictures of many levels and of few."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.deid.burned_in.box import Box
from tasks.deid.burned_in.ink import is_ink
from tests.tasks.deid.burned_in.images import SHAPE, ink

ROWS, COLUMNS = np.indices(SHAPE)
SHADE = 40 + 0.31 * ROWS + 0.23 * COLUMNS
WHOLE = Box(0, 0, SHAPE[1], SHAPE[0])
_rows, _columns = (np.flatnonzero((ink() > 0.35).any(axis)) for axis in (1, 0))
LETTERED = Box(int(_columns[0]), int(_rows[0]), int(_columns[-1]) + 1, int(_rows[-1]) + 1)
#: As a box is found: longer than its line.
FOUND = LETTERED.longer(1.0).clipped(*SHAPE)


def test_a_shade_in_whole_numbers_has_steps_and_no_ink() -> None:
    for dtype in ("u1", "i2", "u2"):
        assert not is_ink(np.rint(SHADE).astype(dtype), WHOLE)


@pytest.mark.parametrize("rise", [4, 60, -4])
def test_letters_of_a_few_steps_are_ink(rise: float) -> None:
    assert is_ink(np.rint(SHADE + rise * ink()).astype("u1"), FOUND)


def test_letters_of_one_colour_alone_are_ink() -> None:
    shades = np.stack([SHADE, SHADE, SHADE + 40 * ink()], -1)
    assert is_ink(np.rint(shades).astype("u1"), FOUND)
    assert not is_ink(np.rint(np.stack([SHADE] * 3, -1)).astype("u1"), FOUND)


def test_a_picture_of_two_levels_has_ink_of_one_step() -> None:
    assert is_ink((ink() > 0.35).astype("u1"), FOUND)


def test_fractions_have_no_steps() -> None:
    assert is_ink((SHADE / 1000).astype("f4"), WHOLE)


def test_only_the_box_is_asked() -> None:
    picture = np.rint(SHADE + 60 * ink()).astype("u1")
    assert is_ink(picture, LETTERED)
    assert not is_ink(picture, Box(0, LETTERED.bottom + 4, SHAPE[1], LETTERED.bottom + 24))
