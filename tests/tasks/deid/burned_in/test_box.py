"""Boxes cover what they should, by comparison with masks of pixels."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.deid.burned_in.box import Box, merged, outside

ROWS, COLUMNS = 23, 31


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    left, top = draw(st.integers(-5, 35)), draw(st.integers(-5, 28))
    return Box(left, top, left + draw(st.integers(-2, 20)), top + draw(st.integers(-2, 15)))


def mask(some: list[Box] | tuple[Box, ...]) -> np.ndarray:
    covered = np.zeros((ROWS, COLUMNS), int)
    for box in some:
        clipped = box.clipped(ROWS, COLUMNS)
        if clipped.area:
            covered[clipped.slices()] += 1
    return covered


@given(st.lists(boxes(), max_size=6))
def test_what_is_outside_of_regions_is_all_the_rest_once(regions: list[Box]) -> None:
    assert np.array_equal(mask(outside(regions, ROWS, COLUMNS)), (mask(regions) == 0).astype(int))


@given(st.lists(boxes(), max_size=6))
def test_merged_boxes_cover_all_and_share_no_pixel(some: list[Box]) -> None:
    joined = mask(merged(some))
    assert joined.max(initial=0) <= 1
    assert (joined >= (mask(some) > 0)).all()


@given(st.lists(boxes(), max_size=6))
def test_merged_boxes_cover_little_more(some: list[Box]) -> None:
    """Each step covers at most 1.3 times what it joins; five steps make 1.3 to the fifth of it at worst."""
    kept = [box.clipped(ROWS, COLUMNS) for box in some]
    assert mask(merged(kept)).sum() <= 1.3**5 * (mask(kept) > 0).sum()


def test_lines_at_two_edges_of_a_picture_do_not_take_what_lies_between() -> None:
    """A column at the right and a row at the bottom that share a corner: the smallest box that has both would be the picture."""
    column, row = Box(287, 0, 320, 240), Box(18, 223, 304, 240)
    joined = merged([column, row])
    assert sum(box.area for box in joined) == column.area + row.area - 17 * 17
    assert merged([Box(0, 0, 42, 16), Box(0, 8, 51, 27)]) == (Box(0, 0, 51, 27),), "lines close together become one box"


def test_a_line_grows_at_its_ends_whether_it_lies_or_stands() -> None:
    assert Box(10, 20, 50, 30).longer(0.5) == Box(5, 20, 55, 30)
    assert Box(20, 10, 30, 50).longer(1.0) == Box(20, 0, 30, 60)
