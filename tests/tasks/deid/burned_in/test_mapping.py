"""How a network's map is taken apart, and how sure a part of it is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from tasks.deid.burned_in import mapping


def test_parts_are_those_that_touch_and_their_means_are_scipys() -> None:
    chances = np.random.default_rng(0).random((60, 70)).astype(np.float32)
    chances[chances < 0.8] = 0
    labels, count = ndimage.label(chances > 0.3, np.ones((3, 3)))
    wanted = ndimage.mean(chances, labels, np.arange(1, count + 1))
    found = list(mapping.parts(chances, 0.3))
    assert len(found) == count > 50
    for number, (where, inside) in enumerate(found, 1):
        assert inside.shape == tuple(each.stop - each.start for each in where)
        assert ((inside > 0) == (labels[where] == number)).all()
        assert mapping.mean(inside) == pytest.approx(wanted[number - 1])


def test_a_line_is_as_sure_as_its_surest_stretch_whatever_the_rest_of_it() -> None:
    line = np.full((2, 40), 0.4, np.float32)
    line[:, 10:20] = 0.9
    assert mapping.surest(line, 2.5, 4) == pytest.approx(0.9)
    assert mapping.surest(line, 2.5, 20) == pytest.approx((10 * 0.9 + 10 * 0.4) / 20)
    assert mapping.surest(line, 20, 4) == pytest.approx((10 * 0.9 + 30 * 0.4) / 40)
    assert mapping.surest(line.T, 2.5, 4) == pytest.approx(0.9)


def test_one_sure_pixel_makes_no_line_sure() -> None:
    line = np.full((4, 40), 0.4, np.float32)
    line[1, 20] = 1
    assert mapping.surest(line, 2.5, 4) == pytest.approx((9 * 0.4 + 1) / 10)


def test_a_part_shorter_than_a_stretch_counts_as_a_whole() -> None:
    assert mapping.surest(np.full((5, 5), 0.7, np.float32), 2.5, 4) == pytest.approx(0.7)
    assert mapping.surest(np.array([[0.5, 0.7]], np.float32), 2.5, 4) == pytest.approx(0.6)
