"""Morphology by shifted arrays, beside SciPy's; and the cavities of a CT, beside a search level by level."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from tasks.deid.faces import judge, morphology
from tasks.deid.faces.grid import Grid

SHAPES = [(1, 1, 1), (2, 3, 1), (5, 9, 8), (12, 40, 33)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.7, 0.9])
def test_scipy_gives_the_same(shape: tuple[int, int, int], share: float) -> None:
    mask = np.random.default_rng(hash((shape, share)) % 2**32).random(shape) < share
    flat = np.zeros((3, 3, 3), bool)
    flat[1] = ndimage.generate_binary_structure(2, 1)
    np.testing.assert_array_equal(morphology.dilated(mask), ndimage.binary_dilation(mask))
    np.testing.assert_array_equal(morphology.eroded(mask), ndimage.binary_erosion(mask))
    np.testing.assert_array_equal(morphology.opened(mask), ndimage.binary_opening(mask))
    np.testing.assert_array_equal(morphology.closed(mask), ndimage.binary_closing(mask, flat))
    np.testing.assert_array_equal(morphology.filled(mask), [ndimage.binary_fill_holes(section) for section in mask])


@pytest.mark.parametrize("seed", range(6))
def test_the_cavity_of_a_level_is_its_largest_enclosed_part_and_dense(seed: int) -> None:
    chance = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(chance.normal(size=(10, 60, 50)), (0, 2.5, 2.5))
    values = np.where(np.abs(smooth) < 0.03, 800, chance.choice([35, 35, 35, 35, -800], size=10)[:, None, None]).astype(
        np.float32
    )
    values[:, chance.random((60, 50)) < 0.05] = -500
    grid = Grid(values, chance.random(values.shape) < 0.995, (0.0, 0.0, 0.0), 3.0)
    found = judge.cavities(grid)
    assert found.any()
    for level, seen, cavity in zip(values, grid.seen, found, strict=True):
        bone = np.pad((level > 250) & seen, 2)
        whole = ndimage.binary_closing(bone)
        labels, n = ndimage.label((ndimage.binary_fill_holes(whole) & ~whole)[2:-2, 2:-2])
        expected = np.zeros_like(cavity)
        if n:
            largest = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
            inside = level[largest]
            if ((inside > -20) & (inside < 120)).mean() >= 0.9:
                expected = largest
        np.testing.assert_array_equal(cavity, expected)
