"""What the reader of the measurement can read, and what it can't."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.burned_in_pictures import SHAPES, clean, line, stored, written
from benchmarks.legibility import cut, is_legible, read, similarity


@pytest.mark.parametrize("kind", ["CT", "SC"])
def test_a_bright_line_is_legible_and_none_is_where_nothing_was_written(kind: str) -> None:
    ground = clean(kind, 3)
    for seed in range(3):
        text = line(ground.shape[:2], 16, seed)
        assert is_legible(stored(kind, written(kind, ground, text, 0.5)), text)
        assert not is_legible(stored(kind, ground), text)


def test_what_is_read_is_what_was_written() -> None:
    text = line(SHAPES["CT"], 24, 1)
    picture = np.zeros(SHAPES["CT"]) + 100 * text.ink
    assert similarity(read(picture, text), text.text) > 0.9


def test_a_line_far_below_the_noise_is_not_legible() -> None:
    text = line((256, 256), 12, 2)
    noise = np.random.default_rng(0).normal(0, 10, (256, 256))
    assert is_legible(noise + 100 * text.ink, text)
    assert not is_legible(noise + 2 * text.ink, text)


def test_the_reader_is_shown_the_line_and_little_around_it() -> None:
    text = line((256, 256), 12, 2)
    rows, columns = (np.flatnonzero(text.read.any(axis)) for axis in (1, 0))
    shown = cut(100 * text.ink, text)
    assert shown.dtype == np.uint8
    assert shown.shape[2] == 3
    assert 0 <= shown.shape[0] - (rows[-1] - rows[0] + 1) <= 8
    assert 0 <= shown.shape[1] - (columns[-1] - columns[0] + 1) <= 8


@pytest.mark.parametrize(
    ("seen", "said", "alike"),
    [("abc", "abc", 1), ("A B\tC", "abc", 1), ("", "abc", 0), ("kitten", "sitting", 4 / 7), ("abcdef", "abc", 0), ("", "", 1)],
)
def test_similarity_is_one_minus_levenshteins_distance_by_length(seen: str, said: str, alike: float) -> None:
    """The distance of kitten and sitting is 3, as in every textbook."""
    assert similarity(seen, said) == pytest.approx(alike)
