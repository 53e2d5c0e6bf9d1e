"""An outline encloses the voxels of its label and no others."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from tasks.review.outline import path


def filled(data: str, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """What lies inside of path data by the even-odd rule: from the left, each upright piece turns a row's inside and outside."""
    turns = np.zeros((shape[0], shape[1] + 1), np.int64)
    for column, first, last in re.findall(r"M(\d+) (\d+)V(\d+)", data):
        turns[int(first) : int(last), int(column)] += 1
    return (np.cumsum(turns, axis=1) % 2)[:, :-1].astype(bool)


@given(arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_the_outline_encloses_what_is_inside_and_nothing_else(inside: NDArray[np.bool_]) -> None:
    data = path(inside)
    assert np.array_equal(filled(data, inside.shape), inside)
    sideways = "".join(f"M{row} {first}V{last}" for first, row, last in re.findall(r"M(\d+) (\d+)H(\d+)", data))
    assert np.array_equal(filled(sideways, inside.T.shape), inside.T)


def test_a_square_has_four_pieces() -> None:
    inside = np.zeros((5, 6), np.bool_)
    inside[1:3, 2:5] = True
    assert path(inside) == "M2 1H5M2 3H5M2 1V3M5 1V3"
    assert path(np.zeros((3, 3), np.bool_)) == ""
