"""Drawn heads are of this world: finite, alike on both sides, of several greys, and another one for another number."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.deid.burned_in.dim_text import brains
from tasks.deid.burned_in.dim_text.brains import Plane, brain

SIDE = 96


def drawn(number: int) -> Plane:
    return brain(np.random.default_rng([7, number]), np.full((SIDE, SIDE), 0.1, np.float32))


def test_every_head_is_finite_and_of_several_greys() -> None:
    for number in range(60):
        head = drawn(number)
        assert head.shape == (SIDE, SIDE)
        assert head.dtype == np.float32
        assert np.isfinite(head).all()
        assert 2 <= len(np.unique(head)) < 12


def test_the_same_numbers_give_the_same_head_and_others_another() -> None:
    assert (drawn(1) == drawn(1)).all()
    assert (drawn(1) != drawn(2)).any()


def test_what_is_drawn_on_stays_outside_of_the_head() -> None:
    """Somewhere in most pictures: heads may fill one."""
    assert sum(bool((drawn(number) == np.float32(0.1)).any()) for number in range(40)) > 20


def test_nuclei_horns_and_what_lies_on_the_midline_are_alike_on_both_sides() -> None:
    down, across = np.meshgrid(np.linspace(-1, 1, 65), np.linspace(-1, 1, 65), indexing="ij")
    found = 0
    for number in range(20):
        rng = np.random.default_rng(number)
        for _value, part in brains._middle(rng, down.astype("f4"), across.astype("f4"), (0.1, 0.5)):
            assert (part == part[:, ::-1]).all()
            found += bool(part.any())
    assert found > 20


@pytest.mark.parametrize("wide", [30.0, 90.0])
def test_folds_are_as_wide_as_the_head_asks_and_of_one_spread(wide: float) -> None:
    rows, columns = np.indices((SIDE, SIDE), np.float32)
    down, across = (rows - 48) * 2 / np.float32(wide), (columns - 48) * 2 / np.float32(wide)
    folds = brains._folds(np.random.default_rng(3), SIDE, wide, down, across)
    assert folds.std() == pytest.approx(1, abs=0.01)
    assert folds.mean() == pytest.approx(0, abs=0.1)
