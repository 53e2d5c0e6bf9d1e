"""Local contrast shows dim letters as it shows bright ones, and noise as noise."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.deid.burned_in import contrast, frames
from tasks.deid.burned_in.contrast import local, noise
from tasks.deid.burned_in.frames import pictures
from tasks.deid.burned_in.letters import lines
from tests.tasks.deid.burned_in.images import SHAPE, ink

LETTERS = ink() > 0.35


def ground(seed: int = 0) -> np.ndarray:
    """Noise of 10 around 1000, and a bright bar that takes the whole window."""
    values = np.random.default_rng(seed).normal(1000, 10, SHAPE)
    values[90:110] = 30000
    return values


def test_noise_is_measured_as_it_was_drawn() -> None:
    """The mean of 25 takes away a 25th of the variance of white noise."""
    drawn = np.random.default_rng(1).normal(0, 7.0, (400, 400)).astype(np.float32)
    assert noise(drawn) == pytest.approx(7.0 * np.sqrt(24 / 25), rel=0.03)
    assert noise(np.zeros((50, 50), np.float32)) == 0


def test_a_picture_does_not_depend_on_the_units_of_its_values() -> None:
    values = ground()
    for other, shown in zip(pictures(values * 3.0 - 500), pictures(values), strict=True):
        assert np.abs(other.astype(int) - shown).max() <= 1


def test_an_even_frame_is_grey_and_shows_nothing() -> None:
    assert (pictures(np.full(SHAPE, 7, "i2"))[1] == 128).all()


def test_letters_as_dim_as_a_hundredth_of_the_window_are_found_and_without_local_contrast_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = ground() + ink() * 300
    mask = np.zeros(SHAPE, bool)
    for found in lines(values, 0.5):
        mask[found.box.slices()] = True
    assert mask[LETTERS].mean() > 0.95
    monkeypatch.setattr(
        frames.contrast, "local", lambda values, low, high: ((values.clip(low, high) - low) / (high - low) * 255).astype("u1")
    )
    assert lines(values, 0.5) == ()


def test_noise_stays_darker_than_letters() -> None:
    values = np.random.default_rng(2).normal(1000, 10, SHAPE) + ink() * 100
    shown = local(values, values.min(), values.max()).astype(int) - 128
    away = np.ones(SHAPE, bool)
    away[15:75] = False
    assert np.median(np.abs(shown[LETTERS])) > 5 * np.median(np.abs(shown[away]))
    assert contrast._NOISES > contrast._REACH
