"""What the network is shown does not depend on units or brightness, keeps dim strokes on bright rims, and shows noise as noise."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.deid.burned_in.dim_text.planes import CHANNELS, NARROW, planes
from tests.tasks.deid.burned_in.images import SHAPE, ink

LETTERS = ink() > 0.35


def drawn(seed: int = 0) -> np.ndarray:
    """Noise of 10 around 1000, with letters four times as strong."""
    return np.random.default_rng(seed).normal(1000, 10, SHAPE) + 40 * ink()


def test_a_grey_picture_is_shown_three_times() -> None:
    shown = planes(drawn())
    assert shown.shape == (CHANNELS, *SHAPE)
    assert shown.dtype == np.int8
    assert (shown[:2] == shown[2:4]).all()
    assert (shown[:2] == shown[4:]).all()


def test_each_plane_of_colours_is_shown_as_a_grey_picture_of_its_own() -> None:
    greys = [drawn(seed) * (seed + 1) for seed in range(3)]
    shown = planes(np.stack(greys, -1))
    for number, grey in enumerate(greys):
        assert (shown[2 * number : 2 * number + 2] == planes(grey)[:2]).all()


def test_units_do_not_matter() -> None:
    shown, other = planes(drawn()).astype(int), planes(drawn() * 7.0 - 3000).astype(int)
    assert np.abs(shown - other).max() <= 1


def test_the_narrow_plane_is_the_distance_from_the_mean_of_7_by_7_in_noises() -> None:
    """By the definition, pixel by pixel, at places away from the edge."""
    values = drawn().astype(np.float32)
    low, high = np.percentile(values, (0.1, 99.9))
    values = values.clip(low, high)
    half = NARROW // 2
    apart = {
        (row, column): values[row, column] - values[row - half : row + half + 1, column - half : column + half + 1].mean()
        for row in range(4, SHAPE[0] - 4)
        for column in range(4, SHAPE[1] - 4)
    }
    noise = 1.4826 * np.median(np.abs(list(apart.values())))
    shown = planes(drawn())[1]
    for place in ((10, 10), (40, 60), (70, 200)):
        assert shown[place] == pytest.approx(np.arcsinh(apart[place] / (3 * noise)) * 127 / np.arcsinh(20), abs=2.5)


def test_strokes_on_a_bright_rim_stay_as_strong_as_elsewhere() -> None:
    """A rim of a hundred noises that letters cross: the wide plane loses them, the narrow one does not."""
    rim = np.zeros(SHAPE)
    rim[:, 120:140] = 3000
    shown = planes(drawn() + rim + 60 * ink()).astype(float)
    on_rim = np.zeros(SHAPE, bool)
    on_rim[:, 124:136] = True
    wide, narrow = (
        np.median(shown[channel][LETTERS & on_rim]) - np.median(shown[channel][~LETTERS & on_rim]) for channel in (0, 1)
    )
    away = np.median(shown[1][LETTERS & ~on_rim]) - np.median(shown[1][~LETTERS & ~on_rim])
    assert wide < 3
    assert narrow > 0.5 * away > 10


@pytest.mark.parametrize("value", [0.0, 7.0, np.nan, np.inf])
def test_an_even_picture_shows_nothing(value: float) -> None:
    assert (planes(np.full(SHAPE, value)) == 0).all()


def test_steps_of_a_smooth_shade_in_8_bits_are_weaker_than_letters() -> None:
    slope = np.tile(np.linspace(20, 90, SHAPE[1]), (SHAPE[0], 1))
    slope[:20] = 255
    steps = planes(np.rint(slope))[1].astype(int)[30:]
    letters = planes(np.rint(slope + 100 * ink()))[1].astype(int)[30:]
    assert np.abs(steps).max() < 0.25 * letters.max()
