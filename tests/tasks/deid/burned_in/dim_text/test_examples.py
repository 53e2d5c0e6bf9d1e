"""Training pictures come from numbers alone, say where lines are, and use no font that the measurement draws with."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from benchmarks.burned_in_pictures import FONTS
from tasks.deid.burned_in.dim_text import examples, printing
from tasks.deid.burned_in.dim_text.examples import Picture, example
from tasks.deid.burned_in.dim_text.grounds import Ground, Plane, ground
from tasks.deid.burned_in.dim_text.planes import planes

TTF = Path(mpl.get_data_path()) / "fonts" / "ttf"
SIDE = 128


def test_the_same_number_gives_the_same_picture_and_another_another() -> None:
    one, again, other = (example(3, number, SIDE, TTF) for number in (5, 5, 6))
    assert (one.shown == again.shown).all()
    assert (one.wanted == again.wanted).all()
    assert (one.shown != other.shown).any()
    assert one.shown.shape == (6, SIDE, SIDE)
    assert one.wanted.shape == (SIDE // 2, SIDE // 2)


def test_some_pictures_have_lines_and_some_have_none() -> None:
    lines = [bool((example(4, number, SIDE, TTF).wanted == 1).any()) for number in range(40)]
    assert 15 < sum(lines) < 37


def test_where_a_line_is_said_to_be_the_picture_was_changed_and_nowhere_else() -> None:
    rng = np.random.default_rng(1)
    for _ in range(30):
        before: Plane = np.asarray(rng.normal(100, 3, (SIDE, SIDE)), np.float32)
        wanted = np.zeros((SIDE, SIDE), np.uint8)
        after: Picture = examples._printed(rng, before, wanted, TTF)
        assert isinstance(after, np.ndarray)
        changed = np.asarray(after != before)
        assert not changed[wanted == 0].any()
        if (wanted == 1).any():
            rows, columns = (np.flatnonzero((wanted == 1).any(axis)) for axis in (1, 0))
            box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            assert (wanted[box] == 1).all(), "a line is a rectangle"
            assert changed[box].any(1).mean() > 0.7


def test_a_line_that_no_one_could_read_may_be_found_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "_READABLE", 1e9)
    assert all((example(4, number, SIDE, TTF).wanted != 1).all() for number in range(10))


def test_fonts_of_the_measurement_are_not_trained_on() -> None:
    used = {path.name for path in printing.fonts(TTF)}
    assert used
    assert not used & set(FONTS)
    assert {name for name in FONTS if (TTF / name).exists()}, "they are in the folder, and left out"
    assert not any("DejaVu" in name for name in used)


def test_noise_is_as_strong_as_it_is_told() -> None:
    even = np.full((200, 200), 0.5, np.float32)
    rng = np.random.default_rng(2)
    assert Ground(even, 0.05, (0.9, 0.9), "added").seen(rng).std() == pytest.approx(0.05, rel=0.05)
    assert Ground(even, 0.05, (0, 0), "counted").seen(rng).std() == pytest.approx(0.05 * np.sqrt(0.6), rel=0.05)
    nothing = Ground(np.zeros_like(even), 0.05, (0, 0), "magnitude").seen(rng)
    assert nothing.min() >= 0
    assert nothing.mean() == pytest.approx(0.05 * np.sqrt(np.pi / 2), rel=0.03), "Rayleigh's mean"
    assert Ground(even, 0.0, (0, 0), "added").seen(rng) is even


def test_all_kinds_of_ground_are_drawn_and_none_is_broken() -> None:
    made = [ground(np.random.default_rng([9, number]), 96) for number in range(80)]
    assert {each.kind for each in made} == {"added", "magnitude", "speckle", "counted"}
    for number, each in enumerate(made):
        seen = each.seen(np.random.default_rng(number))
        assert seen.shape == (96, 96)
        assert np.isfinite(seen).all()
        assert planes(seen).shape == (6, 96, 96)


def test_a_rim_across_a_line_is_not_its_noise() -> None:
    """What is dim beside a bright rim can be read all the same: the noise is told by the median, not by the spread."""
    rng = np.random.default_rng(0)
    ground: Plane = np.asarray(rng.normal(0, 10, (16, 120)), np.float32)
    even = examples._noise(ground)
    assert even == pytest.approx(10, rel=0.15)
    ground[7:9] += 1000
    assert examples._noise(ground) < 2.5 * even
    assert ground.std() > 20 * even


def test_lines_lie_anywhere_along_the_edges_and_across_what_is_behind() -> None:
    rng = np.random.default_rng(1)
    ground: Plane = np.zeros((SIDE, SIDE), np.float32)
    ground[60:64, 60:64] = 1
    places = [examples._place(rng, ground, 10, 40) for _ in range(600)]
    assert all(0 <= top <= SIDE - 10 and 0 <= left <= SIDE - 40 for top, left in places)
    across = np.mean([bool(ground[top : top + 10, left : left + 40].any()) for top, left in places])
    by_chance = 13 * 43 / (SIDE - 9) / (SIDE - 39)
    assert across > 1.4 * by_chance
    assert np.mean([top < 12 or top > SIDE - 10 - 12 for top, _ in places]) > 0.3
    assert examples._place(rng, ground[:10, :10], 10, 10) == (0, 0)
