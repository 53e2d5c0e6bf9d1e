"""Slices that have something that neither neighbour has stand out; what changes from slice to slice along a body does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.deid.burned_in.singling import Odd, Singling, beyond_by

ROWS, COLUMNS = np.indices((96, 96))


def body(count: int, noise: float = 10.0) -> list[NDArray[np.int16]]:
    """A bright disk that grows and moves from slice to slice, with noise."""
    chance = np.random.default_rng(4)
    made = []
    for number in range(count):
        disk = np.hypot(ROWS - 40 - number, COLUMNS - 48) < 20 + number
        made.append((1000 * disk - 1000 + chance.normal(0, noise, disk.shape)).astype(np.int16))
    return made


def found(slices: list[NDArray[Any]]) -> list[Odd]:
    single = Singling()
    for each in slices:
        single.add(each)
    return single.odd()


def marked(count: int, *places: int) -> tuple[list[NDArray[np.int16]], NDArray[np.bool_]]:
    """A body of so many slices, some of which have strokes on them that lie on disk and air."""
    slices = body(count)
    strokes = (ROWS > 30) & (ROWS < 42) & (COLUMNS % 6 < 2)
    for place in places:
        slices[place][strokes] += 300
    return slices, strokes


@pytest.mark.parametrize("place", [0, 1, 5, 10, 11])
def test_a_slice_with_strokes_of_its_own_stands_out_wherever_it_lies(place: int) -> None:
    slices, strokes = marked(12, place)
    [one] = found(slices)
    assert one.place == place
    there = np.abs(one.beyond) > 150
    assert there[strokes].mean() > 0.8
    assert there[~strokes].mean() < 0.03  # an end shows its own edge too


def test_a_body_alone_does_not() -> None:
    assert found(body(16)) == []


def test_what_all_slices_have_is_left_to_the_projection() -> None:
    slices, _ = marked(12, *range(12))
    assert found(slices) == []


def test_of_many_those_with_most_are_held() -> None:
    slices = body(80, noise=3.0)
    for number, place in enumerate(range(1, 79, 3)):
        slices[place][30 : 34 + number, 10:40:2] += 400
    kept = found(slices)
    assert [each.place for each in kept] == list(range(1, 79, 3))[-12:]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_few_slices_have_no_order_to_speak_of(count: int) -> None:
    assert found(marked(count)[0]) == []


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "<i2", "u1"])
def test_differences_do_not_run_over(dtype: str) -> None:
    """Values at both ends of what a pixel can hold, next to each other."""
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    slices = [np.full((40, 40), low, dtype) for _ in range(7)]
    slices[3][5:15, 5:35:3] = high
    [one] = found(slices)
    assert (one.place, one.beyond.max(), one.beyond.min()) == (3, high - low, 0)


@pytest.mark.parametrize("dtype", ["i2", "u2", "u1", "i1"])
@pytest.mark.parametrize("least", [0, 1, 7, 100, 127, 255, 40000, 70000])
def test_counting_in_stored_integers_is_counting_in_wide_ones(dtype: str, least: int) -> None:
    """Values at the ends of their range too, where a sum would leave it."""
    limits = np.iinfo(dtype)
    rng = np.random.default_rng(least)
    ends = np.array([limits.min, limits.min + 1, limits.max - 1, limits.max, 0])
    own, one, other = (
        np.where(rng.random((40, 50)) < 0.4, rng.choice(ends, (40, 50)), rng.integers(limits.min, limits.max, (40, 50))).astype(
            dtype
        )
        for _ in range(3)
    )
    wide = own.astype(np.int64), np.minimum(one, other).astype(np.int64), np.maximum(one, other).astype(np.int64)
    wanted = np.count_nonzero(wide[0] - wide[2] > least) + np.count_nonzero(wide[1] - wide[0] > least)
    assert beyond_by(least, own, one, other) == wanted
