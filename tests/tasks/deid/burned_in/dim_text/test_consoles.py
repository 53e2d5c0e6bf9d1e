"""Drawn consoles: every thing in them leaves ink, they are crisp, they stay still, and no noise lies over them or outside of a fan."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tasks.deid.burned_in.dim_text import consoles, examples
from tasks.deid.burned_in.dim_text.consoles import console
from tasks.deid.burned_in.dim_text.grounds import Ground, ground

SIDE = 96


@pytest.mark.parametrize("maker", ["_ruler", "_grey_bar", "_frames", "_buttons", "_curve", "_marks", "_dashes", "_columns"])
@pytest.mark.parametrize("scale", [1, 2])
def test_everything_that_is_drawn_leaves_ink_in_most_pictures_and_fills_few(maker: str, scale: int) -> None:
    shares = []
    for number in range(60):
        canvas = Image.new("L", (SIDE * scale, SIDE * scale))
        getattr(consoles, maker)(np.random.default_rng([3, number]), ImageDraw.Draw(canvas), SIDE * scale, scale)
        shares.append(float((np.asarray(canvas) > 0).mean()))
    assert np.mean(np.array(shares) > 0) > 0.5
    assert np.median(shares) < 0.5


def test_a_console_is_from_nothing_to_one_and_of_its_numbers_alone() -> None:
    for number in range(200):
        drawn = console(np.random.default_rng([1, number]), SIDE)
        assert drawn.shape == (SIDE, SIDE)
        assert drawn.dtype == np.float32
        assert drawn.min() >= 0
        assert drawn.max() <= 1
    assert (console(np.random.default_rng(1), SIDE) == console(np.random.default_rng(1), SIDE)).all()
    assert (console(np.random.default_rng(1), SIDE) != console(np.random.default_rng(2), SIDE)).any()


def test_no_noise_is_over_what_is_drawn_nor_where_it_is_quiet() -> None:
    quiet = np.zeros((SIDE, SIDE), bool)
    quiet[:20] = True
    drawn = np.zeros((SIDE, SIDE), np.float32)
    drawn[40:44] = 0.5
    shapes = np.full((SIDE, SIDE), 0.25, np.float32)
    seen = Ground(shapes, 0.05, (0, 0), "added", quiet, drawn).seen(np.random.default_rng(0))
    assert (seen[:20] == 0.25).all()
    assert len(np.unique(seen[40:44])) == 1
    assert seen[40, 0] > 0.4
    assert seen[20:40].std() == pytest.approx(0.05, rel=0.1)
    assert seen[44:].std() == pytest.approx(0.05, rel=0.1)


def test_what_is_drawn_stays_where_it_is_when_slices_pass() -> None:
    rng = np.random.default_rng(4)
    drawn = np.zeros((SIDE, SIDE), np.float32)
    drawn[10:14, 10:50] = 1
    behind = Ground(np.zeros((SIDE, SIDE), np.float32), 0.01, (0, 0), "added", None, drawn)
    stacks = [each for each in (examples._stack(rng, behind) for _ in range(12)) if isinstance(each, tuple)]
    assert stacks
    for stack in stacks:
        for frame in stack:
            assert (frame[drawn == 1] >= 1).all()
            assert frame[drawn == 0].max() < 0.1


def test_some_grounds_have_a_console_and_some_a_quiet_part() -> None:
    made = [ground(np.random.default_rng([9, number]), 64) for number in range(120)]
    with_console = sum(each.drawn is not None for each in made)
    with_quiet = sum(each.quiet is not None for each in made)
    assert 10 < with_console < 60
    assert 8 < with_quiet < 60
