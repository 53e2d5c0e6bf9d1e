"""The phantom looks like a chest to arithmetic: tissues have their HU, nodules are where they are said to be, thick slices blur them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.synthetic.phantom import MEDIUM, THICK, THIN, Nodule, Phantom, Protocol, chest

SEEDS = range(3)


def within(phantom: Phantom, nodule: Nodule, radius_mm: float) -> NDArray[np.bool_]:
    """Voxels whose centre is closer to the nodule's than this, computed from the spacing alone."""
    grid = np.indices(phantom.volume.shape, dtype=float)
    squared = sum((grid[axis] * phantom.spacing_mm[axis] - nodule.center_mm[axis]) ** 2 for axis in range(3))
    return np.asarray(squared < radius_mm**2)


def solid(seed: int, protocol: Protocol) -> Phantom:
    """A phantom whose first nodule is solid and at least 8 mm: the seeds below were chosen for it; this checks it."""
    phantom = chest(seed, protocol=protocol, nodules=1)
    assert phantom.nodules[0].hu > -100
    assert phantom.nodules[0].diameter_mm > 8
    return phantom


SOLID = [0, 2, 4, 5]


@pytest.mark.parametrize(
    ("protocol", "slices"), [(THIN, 64), (MEDIUM, 32), (THICK, 16), (Protocol(slice_thickness_mm=1.25, matrix=64), 128)]
)
def test_the_shape_follows_from_the_protocol(protocol: Protocol, slices: int) -> None:
    phantom = chest(0, protocol=protocol)
    assert phantom.volume.shape == (slices, protocol.matrix, protocol.matrix)
    assert phantom.volume.dtype == np.int16
    assert phantom.spacing_mm == (protocol.slice_thickness_mm, 2.5, 2.5)


@pytest.mark.parametrize(("thickness", "extent"), [(3.0, 160.0), (2.5, 161.0)])
def test_a_thickness_that_does_not_divide_is_refused(thickness: float, extent: float) -> None:
    with pytest.raises(ValueError, match=r"multiple of 1\.25"):
        Protocol(slice_thickness_mm=thickness, extent_mm=extent)


@pytest.mark.parametrize("seed", SEEDS)
def test_air_lung_and_bone_have_their_hounsfield_units(seed: int) -> None:
    phantom = chest(seed, protocol=replace(MEDIUM, noise_hu=10), nodules=0)
    volume = phantom.volume
    assert volume.min() >= -1024
    assert volume.max() <= 3071
    assert abs(float(volume[:, :6, :6].mean()) + 1000) < 10, "air outside"
    lung = volume[(volume > -930) & (volume < -750)]
    assert lung.size > 0.06 * volume.size
    assert -880 < float(np.median(lung)) < -820
    assert (volume > 400).sum() > 500, "bone"
    middle = volume[len(volume) // 2]
    assert abs(float(np.median(middle[60:70, 60:68])) - 50) < 30, "mediastinum"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_lungs_lie_left_and_right_of_the_spine(seed: int) -> None:
    aerated = np.abs(chest(seed, protocol=MEDIUM, nodules=0).volume[16].astype(int) + 855) < 100
    columns = aerated[40:90].sum(axis=0)
    assert columns[25:50].min() > 5
    assert columns[78:103].min() > 5
    assert columns[62:66].max() < 8


@pytest.mark.parametrize("seed", SOLID)
def test_a_nodule_is_seen_where_it_is_stated(seed: int) -> None:
    phantom = solid(seed, replace(THIN, noise_hu=5))
    nodule = phantom.nodules[0]
    without = chest(seed, protocol=replace(THIN, noise_hu=5), nodules=0)
    inside = within(phantom, nodule, nodule.diameter_mm / 2 - 2)
    assert float(phantom.volume[inside].mean()) > -250
    assert float(without.volume[inside].mean()) < -600, "lung was there before"
    changed = np.abs(phantom.volume.astype(int) - without.volume) > 60
    assert changed.any()
    assert not (changed & ~within(phantom, nodule, nodule.diameter_mm / 2 * 1.25 + 4)).any(), "nothing else changed"
    place = (np.argwhere(changed) * phantom.spacing_mm).mean(axis=0)
    assert np.allclose(place, nodule.center_mm, atol=1.5), "the centroid is the stated centre"


@pytest.mark.parametrize("seed", SOLID)
def test_thick_slices_lower_the_contrast_of_the_same_nodule(seed: int) -> None:
    means = []
    for protocol in (THIN, MEDIUM, THICK):
        quiet = replace(protocol, noise_hu=0.0, kernel="smooth")
        phantom = chest(seed, protocol=quiet, nodules=1)
        change = phantom.volume.astype(int) - chest(seed, protocol=quiet, nodules=0).volume
        # The mean rise over the slices that the nodule touches, in a column around its centre.
        nodule = phantom.nodules[0]
        _, y, x = np.indices(change.shape) * 2.5
        column = np.hypot(y - nodule.center_mm[1], x - nodule.center_mm[2]) < 4
        touched = np.flatnonzero((np.where(column, change, 0) > 15).any(axis=(1, 2)))
        means.append(float(change[touched][column[touched]].mean()))
    assert means[0] + 1 > means[1] > means[2]
    assert means[2] < 0.8 * means[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_thick_slices_are_the_averages_of_thin_ones(seed: int) -> None:
    thin = chest(seed, protocol=replace(THIN, noise_hu=0.0), nodules=2).volume
    thick = chest(seed, protocol=replace(THICK, kernel="sharp", noise_hu=0.0), nodules=2).volume
    assert np.abs(thin.reshape(16, 4, 128, 128).mean(axis=1) - thick).max() <= 1


@pytest.mark.parametrize("kernel", ["smooth", "sharp"])
def test_the_noise_has_the_stated_deviation_and_only_the_smooth_kernel_correlates_it(kernel: str) -> None:
    quiet = replace(THIN, kernel=kernel, noise_hu=0.0)
    noise = chest(1, protocol=replace(quiet, noise_hu=20.0)).volume.astype(float) - chest(1, protocol=quiet).volume
    body = noise[:, 50:80, 20:100]
    assert abs(body.std() - 20) < 0.5
    neighbours = float(np.corrcoef(body[:, :, 1:].ravel(), body[:, :, :-1].ravel())[0, 1])
    # The taps (1, 2, 1) overlap by (2 + 2) / 6.
    assert abs(neighbours - (2 / 3 if kernel == "smooth" else 0)) < 0.02
    slices = float(np.corrcoef(body[1:].ravel(), body[:-1].ravel())[0, 1])
    assert abs(slices) < 0.02


def test_the_same_seed_gives_the_same_chest_and_another_scan_only_other_noise() -> None:
    first, again = chest(5, protocol=MEDIUM, nodules=1), chest(5, protocol=MEDIUM, nodules=1)
    assert np.array_equal(first.volume, again.volume)
    assert first.nodules == again.nodules
    other = chest(5, protocol=MEDIUM, nodules=1, scan=1)
    assert other.nodules == first.nodules
    assert 0 < np.abs(other.volume.astype(int) - first.volume).max() < 12 * MEDIUM.noise_hu
    assert not np.array_equal(chest(6, protocol=MEDIUM).volume, first.volume)


def test_about_45_of_100_drawn_phantoms_have_a_nodule() -> None:
    small = Protocol(slice_thickness_mm=20, matrix=128)
    positive = sum(bool(chest(seed, protocol=small).nodules) for seed in range(40))
    assert 10 <= positive <= 26


def test_nodules_keep_apart_and_away_from_the_ends() -> None:
    for seed in range(8):
        nodules = chest(seed, protocol=THICK, nodules=3).nodules
        for nodule in nodules:
            assert 6 <= nodule.diameter_mm <= 16
            assert 0 < nodule.center_mm[0] < 150
        for first, second in pairwise(nodules):
            assert np.linalg.norm(np.subtract(first.center_mm, second.center_mm)) > 16
