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
