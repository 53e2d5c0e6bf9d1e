"""Resampling agrees with scipy and nibabel, puts every voxel where it says it is, and comes back."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import nibabel.processing
import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from scipy import ndimage

from tasks.errors import SafelightError
from tasks.imaging import resampling
from tasks.imaging.blocks import divide
from tasks.imaging.grids import Grid, isotropic, orthogonal, to_spacing
from tasks.imaging.resampling import MEMORY, Interpolation, resample, respace, round_trip
from tests.tasks.imaging.made import affine, grids, indices, stating, within

BRAIN = Grid((14, 12, 9), affine((1.1, 0.9, 2.5), (5.0, 12.0, -20.0)))
TILTED = Grid((14, 16, 9), affine((1.0, 0.9, 2.0), (0.0, 3.0, 0.0), 18.0))
OBLIQUE = Grid((15, 13, 17), affine((1.3, 1.2, 1.1), (-30.0, 40.0, 10.0), 5.0, (-15.0, 8.0, 3.0)))


def noise(grid: Grid, dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(4).normal(0, 300, grid.shape).astype(dtype)


@settings(max_examples=60, deadline=None)
@given(source=grids(), target=grids())
def test_linear_is_scipys_with_any_two_grids(source: Grid, target: Grid) -> None:
    voxels = noise(source)
    expected = ndimage.map_coordinates(voxels.astype(np.float64), indices(source, target), order=1, mode="nearest")
    np.testing.assert_allclose(resample(voxels, source, target, outside="edge"), expected, atol=1e-3)


@settings(max_examples=60, deadline=None)
@given(source=grids(), target=grids())
def test_beyond_the_outer_edges_is_outside_and_before_them_the_edge(source: Grid, target: Grid) -> None:
    voxels = noise(source)
    made = resample(voxels, source, target, outside=-5000.0)
    inner, outer = within(source, target, -0.5 + 1e-6), within(source, target, -0.5 - 1e-6)
    np.testing.assert_array_equal(made[~outer], -5000)
    np.testing.assert_allclose(made[inner], resample(voxels, source, target, outside="edge")[inner], atol=1e-3)


def test_nibabel_resamples_to_the_same() -> None:
    voxels = noise(BRAIN)
    image = nibabel.Nifti1Image(voxels, BRAIN.affine_ras)
    theirs = nibabel.processing.resample_from_to(image, (OBLIQUE.shape, OBLIQUE.affine_ras), order=1, mode="nearest")
    np.testing.assert_allclose(resample(voxels, BRAIN, OBLIQUE, outside="edge"), theirs.get_fdata(), atol=2e-3)


@settings(max_examples=40, deadline=None)
@given(source=grids(), target=grids())
def test_nearest_gives_the_nearest_voxels_own_value(source: Grid, target: Grid) -> None:
    labels = np.arange(np.prod(source.shape), dtype=np.int32).reshape(source.shape) * 1000 + 7
    at = indices(source, target)
    made = resample(labels, source, target, "nearest", -1)
    plain = np.abs(at - np.floor(at) - 0.5).min(axis=0) > 1e-6  # where rounding does not decide
    near = np.stack([np.clip(np.rint(each), 0, n - 1) for each, n in zip(at, source.shape, strict=True)]).astype(int)
    inside = within(source, target, -0.5)
    np.testing.assert_array_equal(made[plain & inside], labels[tuple(near)][plain & inside])
    np.testing.assert_array_equal(made[plain & ~inside], -1)
    assert made.dtype == np.int32


def test_a_spline_is_scipys_inside() -> None:
    voxels = noise(BRAIN)
    made = resample(voxels, BRAIN, OBLIQUE, "bspline")
    inside = within(BRAIN, OBLIQUE, 0.0)
    expected = ndimage.map_coordinates(voxels.astype(np.float64), indices(BRAIN, OBLIQUE), order=3, mode="mirror")
    assert inside.sum() > 150
    np.testing.assert_allclose(made[inside], expected[inside], atol=5e-3)


@settings(max_examples=40, deadline=None)
@given(source=grids(), target=grids())
def test_voxels_that_state_their_place_state_it_on_any_grid(source: Grid, target: Grid) -> None:
    made = resample(stating(source), source, target)
    inside = within(source, target, 1e-6)
    np.testing.assert_allclose(made[inside], stating(target)[inside], atol=1e-3)


@pytest.mark.parametrize("interpolation", ["linear", "bspline"])
@pytest.mark.parametrize("tilt", [-25.0, 4.0, 18.0])
def test_a_sheared_stack_becomes_orthogonal_and_every_voxel_states_its_place(interpolation: Interpolation, tilt: float) -> None:
    grid = Grid((14, 24, 20), affine((0.9, 0.8, 1.5), (0.0, 3.0, -8.0), tilt))
    target = orthogonal(grid)
    made = resample(stating(grid), grid, target, interpolation, outside=-1e5)
    inside = within(grid, target, 1e-6 if interpolation == "linear" else 6.0)
    assert inside.sum() > (2000 if interpolation == "linear" else 20)
    np.testing.assert_allclose(made[inside], stating(target)[inside], atol=1e-3 if interpolation == "linear" else 0.2)
    assert (made[~within(grid, target, -0.5 - 1e-6)] == -1e5).all()


def test_the_first_slice_of_a_tilted_stack_is_not_interpolated() -> None:
    target = orthogonal(TILTED)
    voxels = noise(TILTED, np.int16)
    made = resample(voxels, TILTED, target, outside=-1024, rounded=True)
    start = np.rint(np.linalg.solve(target.affine_ras, TILTED.affine_ras)[:3, 3]).astype(int)
    np.testing.assert_array_equal(made[:, start[1] : start[1] + 16, 0], voxels[:, :, 0])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64, bool, np.dtype(">i2")])
@pytest.mark.parametrize("interpolation", ["nearest", "linear", "bspline"])
def test_the_same_grid_gives_the_same_bytes(interpolation: Interpolation, dtype: Any) -> None:
    voxels = (np.abs(noise(BRAIN)) % 200).astype(dtype)
    made = resample(voxels, BRAIN, Grid(BRAIN.shape, BRAIN.affine_ras), interpolation, rounded=True)
    assert made.tobytes() == voxels.tobytes()
    assert made.dtype == voxels.dtype
    assert not np.shares_memory(made, voxels)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, bool])
def test_rounded_is_of_the_voxels_type_and_cut_at_its_ends(dtype: Any) -> None:
    voxels = np.zeros(BRAIN.shape, dtype)
    voxels[5:8, 4:8, 3:6] = 1 if dtype is bool else np.iinfo(dtype).max
    made = resample(voxels, BRAIN, OBLIQUE, "bspline", rounded=True)
    exact = resample(voxels.astype(np.float64), BRAIN, OBLIQUE, "bspline")
    top = 1 if dtype is bool else np.iinfo(dtype).max
    assert exact.max() > top  # a spline overshoots
    assert made.max() <= top
    assert made.dtype == dtype
    low = 0 if dtype is bool else np.iinfo(dtype).min
    np.testing.assert_allclose(made.astype(np.float64), np.rint(np.clip(exact, low, top)), atol=max(1.0, top * 1e-7))


def test_four_axes_are_as_many_volumes() -> None:
    voxels = np.stack([noise(BRAIN), noise(BRAIN)[::-1], stating(BRAIN)], axis=3)
    made = resample(voxels, BRAIN, OBLIQUE)
    assert made.shape == (*OBLIQUE.shape, 3)
    for t in range(3):
        np.testing.assert_array_equal(made[..., t], resample(voxels[..., t], BRAIN, OBLIQUE))
    assert made.flags.f_contiguous


@pytest.mark.parametrize("layout", ["C", "F"])
def test_the_layout_in_memory_does_not_matter(layout: Any) -> None:
    voxels = noise(BRAIN, np.int16)
    np.testing.assert_array_equal(
        resample(np.asarray(voxels, order=layout), BRAIN, TILTED), resample(voxels[::-1][::-1], BRAIN, TILTED)
    )


@pytest.mark.parametrize("interpolation", ["nearest", "linear", "bspline"])
@pytest.mark.parametrize("outside", [-7.0, "edge"])
@pytest.mark.parametrize("antialias", [False, True])
def test_parts_give_what_the_whole_gives(
    monkeypatch: pytest.MonkeyPatch, interpolation: Interpolation, outside: Any, antialias: bool
) -> None:
    if interpolation == "nearest" and antialias:
        with pytest.raises(SafelightError, match="E-IMAGING-VOXELS"):
            resample(noise(BRAIN), BRAIN, OBLIQUE, interpolation, antialias=True)
        return
    coarse = Grid((15, 16, 20), affine((2.1, 1.9, 3.3), (-30.0, 40.0, 10.0), 5.0))
    whole = resample(noise(BRAIN), BRAIN, coarse, interpolation, outside, antialias=antialias)
    counted: list[int] = []
    limits = {("bspline", "edge"): 200_000, ("linear", "edge"): 2500}

    def smaller(*shapes: Any, limit: int, **others: Any) -> Any:
        blocks = list(divide(*shapes, limit=limits.get((interpolation, outside), 1600), **others))
        counted.append(len(blocks))
        return blocks

    monkeypatch.setattr(resampling, "divide", smaller)
    parts = resample(noise(BRAIN), BRAIN, coarse, interpolation, outside, antialias=antialias)
    assert counted[0] > 3
    np.testing.assert_allclose(parts, whole, atol=1e-4)


def test_a_spline_in_parts_forgets_what_is_far(monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = Grid((90, 8, 7), affine(degrees=(0.0, 0.0, 2.0))), Grid((80, 7, 6), affine((0.9, 0.8, 2.7), tilt=5.0))
    whole = resample(noise(source), source, target, "bspline")
    monkeypatch.setattr(resampling, "LIMIT", 2 * 2700)
    indices_ = source.indices_from(target)
    blocks = [*divide(target.shape, source.shape, indices_, (16, 16, 16), beyond=False, limit=2700)]
    assert min(block.inside(source.shape).box_stop[0] for block in blocks) < 60  # type: ignore[union-attr]
    np.testing.assert_allclose(resample(noise(source), source, target, "bspline"), whole, atol=1e-4)


def test_blocks_cover_a_target_once_and_are_small() -> None:
    target, source = Grid((60, 50, 70), OBLIQUE.affine_ras), Grid((80, 70, 60), BRAIN.affine_ras)
    seen = np.zeros(target.shape, int)
    for block in divide(target.shape, source.shape, source.indices_from(target), (1, 1, 1), beyond=False, limit=5000):
        seen[tuple(slice(a, b) for a, b in zip(block.start, block.stop, strict=True))] += 1
        cut = block.inside(source.shape)
        assert cut is None or cut.voxels <= 5000
    assert (seen == 1).all()


@pytest.mark.parametrize("interpolation", ["nearest", "linear", "bspline"])
def test_any_number_of_threads_gives_the_same_bytes(interpolation: Interpolation) -> None:
    process: Any = SimpleITK.ProcessObject
    before = process.GetGlobalDefaultNumberOfThreads()
    source, target = Grid((60, 50, 40), BRAIN.affine_ras), Grid((55, 45, 65), OBLIQUE.affine_ras)
    made = []
    try:
        for threads in (1, 2, 5):
            process.SetGlobalDefaultNumberOfThreads(threads)
            made.append(
                (resample(noise(source), source, target, interpolation), respace(noise(source), (1, 2, 3), (1.3, 1.1, 2.2)))
            )
    finally:
        process.SetGlobalDefaultNumberOfThreads(before)
    for other in made[1:]:
        assert [one.tobytes() for one in other] == [one.tobytes() for one in made[0]]


def test_to_a_spacing_both_ways_agree() -> None:
    grid = Grid((13, 11, 9), np.diag([1.7, 2.2, 5.0, 1.0]))
    voxels = noise(grid)
    by_grid = resample(voxels, grid, to_spacing(grid, (2.0, 2.5, 2.5)), outside="edge")
    by_spacing = respace(np.ascontiguousarray(voxels.transpose(2, 1, 0)), (5.0, 2.2, 1.7), (2.5, 2.5, 2.0))
    np.testing.assert_allclose(by_spacing.transpose(2, 1, 0), by_grid, atol=1e-3)


def test_what_the_target_cannot_hold_is_blurred_away_and_what_it_can_is_kept() -> None:
    grid = Grid((64, 64, 32), np.diag([1.0, 1.0, 1.0, 1.0]))
    coarse = to_spacing(grid, (4.0, 4.0, 4.0))
    checks = (np.indices(grid.shape).sum(axis=0) % 2 * 200.0 - 100).astype(np.float32)
    shifted = Grid(
        coarse.shape, coarse.affine_ras @ np.array([[1, 0, 0, 0.125], [0, 1, 0, 0.125], [0, 0, 1, 0.125], [0, 0, 0, 1.0]])
    )
    inner = (slice(2, -2),) * 3
    assert np.abs(resample(checks, grid, shifted)[inner]).max() == pytest.approx(100)  # aliased: the corners are hit
    assert np.abs(resample(checks, grid, shifted, antialias=True)[inner]).max() < 0.1
    ramp = stating(grid)
    np.testing.assert_allclose(resample(ramp, grid, coarse, antialias=True)[inner], stating(coarse)[inner], atol=2e-3)
    flat = np.full(grid.shape, 37, np.float32)
    np.testing.assert_allclose(resample(flat, grid, coarse, antialias=True), 37, atol=1e-4)


def test_the_blur_makes_a_point_as_wide_as_the_targets_voxel() -> None:
    """A point of one source voxel's width (as a Gaussian) becomes one of the target's width, as the paper asks."""
    grid = Grid((81, 81, 81), np.eye(4))
    middle = (np.indices(grid.shape) - 40.0) ** 2
    sigma = 1 / 2.3548  # full width at half maximum of one voxel
    point = np.exp(-middle.sum(axis=0) / (2 * sigma**2)).astype(np.float32)
    ratio = 5.0
    target = Grid((17, 17, 17), np.diag([ratio, ratio, ratio, 1.0]))
    made = resample(point, grid, target, antialias=True).astype(np.float64)
    profile = made[:, 8, 8]
    sigma_found = np.sqrt(ratio**2 / (2 * np.log(profile[8] / profile[9])))  # of a sampled Gaussian
    assert sigma_found * 2.3548 == pytest.approx(ratio, rel=0.02)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_only_the_axis_that_becomes_coarser_is_blurred_however_the_axes_are_turned(axis: int) -> None:
    """Stripes across one axis of the source; the target's first axis is the source's third, four times as coarse."""
    grid = Grid((40, 40, 40), np.eye(4))
    stripes = (np.indices(grid.shape)[axis] % 2 * 2 - 1).astype(np.float32)
    turned = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [4, 0, 0, 0], [0, 0, 0, 1.0]])
    made = resample(stripes, grid, Grid((10, 40, 40), turned), antialias=True)
    assert np.abs(made[2:-2, 2:-2, 2:-2]).max() == pytest.approx(0 if axis == 2 else 1, abs=1e-3)


def test_a_finer_grid_is_not_blurred() -> None:
    fine = to_spacing(BRAIN, (0.5, 0.5, 0.5))
    np.testing.assert_array_equal(resample(noise(BRAIN), BRAIN, fine, antialias=True), resample(noise(BRAIN), BRAIN, fine))


def test_back_from_a_finer_grid_a_field_is_what_it_was() -> None:
    grid = Grid((20, 24, 18), affine((1.0, 0.9, 2.0), (0.0, 3.0, 0.0), 18.0))
    fine = isotropic(orthogonal(grid), 0.5)
    found = round_trip(stating(grid), grid, fine)
    assert found.covered > 0.99
    inner = resample(resample(stating(grid), grid, fine, outside="edge"), fine, grid, outside="edge")[2:-2, 2:-2, 2:-2]
    np.testing.assert_allclose(inner, stating(grid)[2:-2, 2:-2, 2:-2], atol=2e-3)


def test_a_round_trip_says_what_counting_gives() -> None:
    voxels = noise(BRAIN)
    there = resample(voxels, BRAIN, OBLIQUE, outside="edge")
    back = resample(there, OBLIQUE, BRAIN, outside="edge")
    inside = within(OBLIQUE, BRAIN, -0.5)
    off = np.abs(back.astype(np.float64) - voxels)[inside]
    found = round_trip(voxels, BRAIN, OBLIQUE)
    assert found.n == inside.sum()
    assert found.covered == pytest.approx(inside.mean())
    assert found.mean_abs == pytest.approx(off.mean())
    assert found.rms == pytest.approx(np.sqrt((off**2).mean()))
    assert found.max_abs == off.max()
    assert found.changed == (off > 0).mean()
    same = round_trip(voxels, BRAIN, Grid(BRAIN.shape, BRAIN.affine_ras))
    assert (same.n, same.covered, same.changed, same.max_abs) == (voxels.size, 1, 0, 0)


def test_labels_come_back_from_a_finer_grid() -> None:
    labels = (noise(BRAIN) > 0).astype(np.uint8) * 5
    fine = to_spacing(BRAIN, (0.3, 0.3, 0.5))
    found = round_trip(labels, BRAIN, fine, "nearest")
    assert found.n == labels.size
    assert found.changed == 0
    assert set(np.unique(resample(labels, BRAIN, fine, "nearest"))) == {0, 5}


@pytest.mark.parametrize(("voxels", "changes"), [
    (np.zeros((3, 3, 3)), {}), (np.zeros(BRAIN.shape, complex), {}), (np.zeros(BRAIN.shape, "U1"), {}), (np.zeros(BRAIN.shape[:2]), {}),
    (np.zeros(BRAIN.shape, np.uint8), {"outside": -1, "rounded": True}), (np.zeros(BRAIN.shape, np.int16), {"outside": np.nan, "rounded": True}),
    (np.zeros(BRAIN.shape, np.uint8), {"outside": 0.5, "interpolation": "nearest"}),
])  # fmt: skip
def test_what_cannot_be_resampled_is_refused(voxels: np.ndarray, changes: dict[str, Any]) -> None:
    with pytest.raises(SafelightError, match="E-IMAGING-VOXELS"):
        resample(voxels, BRAIN, OBLIQUE, **changes)


MEASURED = """
import numpy as np
from tasks.imaging.grids import Grid
from tasks.imaging.resampling import resample

def kilobytes(name):
    return int(next(line for line in open("/proc/self/status") if line.startswith(name)).split()[1])

tilted = np.diag([-0.7, -0.7, 2.0, 1.0]); tilted[1, 2] = {shear}
a = Grid((256, 256, 256), tilted)
b = Grid((256, 256, 256), np.diag([-0.7, -0.7, 2.0, 1.0]))
small = Grid((8, 8, 8), tilted)
resample(np.zeros((8, 8, 8), np.int16), small, Grid((8, 8, 9), tilted), {interpolation!r})
voxels = np.ones((256, 256, 256), np.int16).transpose(2, 1, 0)
before = kilobytes("VmRSS")
made = resample(voxels, a, b, {interpolation!r}, rounded=True)
print((kilobytes("VmHWM") - before) * 1024 - made.nbytes, float(made[:, 128:].mean()) > 0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("interpolation", "shear"), [("linear", 0.2), ("nearest", 0.2)])
def test_memory_stays_within_the_stated_bound(interpolation: str, shear: float) -> None:
    """A float32 copy of these 17 million voxels has 67 MB; done at once there would be three of them at least."""
    code = MEASURED.format(interpolation=interpolation, shear=shear)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    used, right = done.stdout.split()
    assert right == "True"
    assert int(used) <= MEMORY
    assert MEMORY < 3 * 4 * 256**3
