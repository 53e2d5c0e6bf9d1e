"""A volume becomes the same input however its file stores it, at the right places, with the right values."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from tasks.inference.bundle import Input
from tasks.inference.gates import content_share
from tasks.inference.preprocess import Volume, along_the_patient, fit, prepare, read_volume, respace, window
from tests.tasks.inference.made import chest_like, lps, manifest, nifti


def how(**changes: Any) -> Input:
    return Input.model_validate(manifest()["input"] | changes)


WIDE = {"center": 0.0, "width": 100_000.0}


def test_a_linear_field_is_reproduced_exactly_between_the_outermost_centres() -> None:
    shape, old, new = (12, 10, 14), (5.0, 2.0, 1.5), (2.5, 2.5, 2.5)
    field = np.add.outer(np.add.outer(3 * np.arange(12) * 5.0, -2 * np.arange(10) * 2.0), np.arange(14) * 1.5).astype(np.float32)
    made = respace(field, old, new)
    assert made.shape == tuple(round(n * a / b) for n, a, b in zip(shape, old, new, strict=True))
    z, y, x = (np.arange(n) * b + (b - a) / 2 for n, a, b in zip(made.shape, old, new, strict=True))
    expected = np.add.outer(np.add.outer(3 * z, -2 * y), x)
    inside = np.ix_(*((at >= 0) & (at <= (n - 1) * a) for at, n, a in zip((z, y, x), shape, old, strict=True)))
    np.testing.assert_allclose(made[inside], expected[inside], atol=1e-4)


def test_resampling_agrees_with_scipy(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    image = rng.normal(0, 100, (9, 11, 13)).astype(np.float32)
    old, new = (5.0, 1.7, 2.2), (2.5, 2.5, 2.0)
    made = respace(image, old, new)
    at = np.meshgrid(*(((np.arange(n) + 0.5) * b / a - 0.5 for n, a, b in zip(made.shape, old, new, strict=True))), indexing="ij")
    np.testing.assert_allclose(made, ndimage.map_coordinates(image, at, order=1, mode="nearest"), atol=1e-3)


def test_the_outer_edges_stay_where_they_are() -> None:
    image = np.zeros((4, 8, 8), np.float32)
    image[-1] = 1
    made = respace(image, (10.0, 2.5, 2.5), (2.5, 2.5, 2.5))
    assert made.shape == (16, 8, 8)
    assert (made[-2:] == 1).all()
    assert (made[:10] == 0).all()


@pytest.mark.parametrize("orientation", ["LPS", "RAS"])
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_way_a_file_stores_its_axes_does_not_matter(orientation: str, order: tuple[int, int, int]) -> None:
    voxels, affine = chest_like(4, (9, 8, 7)), lps((2.0, 3.0, 5.0))
    expected = prepare(Volume(voxels, affine), how(orientation=orientation)).voxels
    for flips in product((False, True), repeat=3):
        image = nibabel.Nifti1Image(voxels, affine)
        turn = [[order.index(axis), -1 if flip else 1] for axis, flip in zip(range(3), flips, strict=True)]
        stored = image.as_reoriented(np.array(turn))
        volume = Volume(np.asarray(stored.dataobj), np.asarray(stored.affine, np.float64))
        assert along_the_patient(volume)
        np.testing.assert_array_equal(prepare(volume, how(orientation=orientation)).voxels, expected)


@pytest.mark.parametrize(("orientation", "codes"), [("LPS", "LPS"), ("RAS", "RAS")])
def test_axes_grow_in_the_named_directions(orientation: str, codes: str) -> None:
    """The affine's own idea of directions comes from nibabel: (i, j, k) that grows in `codes` is only transposed."""
    affine = nibabel.orientations.inv_ornt_aff(nibabel.orientations.axcodes2ornt(tuple(codes)), (4, 5, 6)) * 2.5
    affine[3, 3] = 1
    assert "".join(nibabel.aff2axcodes(affine)) == codes
    voxels = np.arange(120, dtype=np.int16).reshape(4, 5, 6)
    made = prepare(Volume(voxels, affine), how(orientation=orientation, window=WIDE, padding_hu=-1e6))
    np.testing.assert_allclose(made.voxels, window(voxels.transpose(2, 1, 0).astype(np.float32), 0.0, 100_000.0))


def test_the_window_puts_its_edges_at_0_and_1_and_clips() -> None:
    hounsfield = np.array([-2000, -1000, -400, 200, 3000], np.float32)
    np.testing.assert_allclose(window(hounsfield, -400, 1200), [0, 0, 0.5, 1, 1])


def test_the_order_of_window_and_resampling_matters_where_the_window_clips() -> None:
    volume = Volume(np.array([[[-3000, 1000]]], np.int16), lps((2.5, 2.5, 10.0)))
    made = {
        order: prepare(volume, how(order=order, padding_hu=-4000)).voxels
        for order in Input.model_fields["order"].annotation.__args__
    }  # type: ignore[union-attr]
    assert np.abs(made["resample_then_window"] - made["window_then_resample"]).max() > 0.2
    inside = Volume(np.array([[[-900, 100]]], np.int16), lps((2.5, 2.5, 10.0)))
    made = {order: prepare(inside, how(order=order)).voxels for order in made}
    np.testing.assert_allclose(made["resample_then_window"], made["window_then_resample"], atol=1e-6)


def test_pixels_that_mark_the_outside_are_padding_before_they_are_interpolated() -> None:
    marked, padded = (Volume(np.array([[[value, 0]]], np.int16), lps((2.5, 2.5, 10.0))) for value in (-31000, -1024))
    np.testing.assert_array_equal(prepare(marked, how()).voxels, prepare(padded, how()).voxels)


@pytest.mark.parametrize("value", [-2000, -800, 0, 3071, 32000])
def test_padding_of_any_value_is_outside(value: int) -> None:
    marked = Volume(np.array([[[value, 40, -100]]], np.int16), lps((2.5, 2.5, 10.0)), (value - 5.0, value + 0.0))
    outside = Volume(np.array([[[-1024, 40, -100]]], np.int16), lps((2.5, 2.5, 10.0)))
    np.testing.assert_array_equal(prepare(marked, how()).voxels, prepare(outside, how()).voxels)
    assert content_share(marked, (-950, -650)) == 0


def test_a_fixed_shape_crops_and_pads_evenly() -> None:
    image = np.arange(5 * 4 * 3, dtype=np.float32).reshape(5, 4, 3) + 1
    made = fit(image, (3, 4, 6), 0.25)
    np.testing.assert_array_equal(made[:, :, 1:4], image[1:4])
    assert (made[:, :, [0, 4, 5]] == 0.25).all()
    prepared = prepare(Volume(chest_like(1, (6, 6, 6)), lps()), how(shape=[10, 6, 6], padding_hu=-1024))
    assert prepared.voxels.shape == (10, 6, 6)
    assert (prepared.voxels[:2] == 0).all()


def test_the_statistics_are_those_of_the_input() -> None:
    made = prepare(Volume(chest_like(2), lps((2.0, 3.0, 5.0))), how())
    assert made.voxels.dtype == np.float32
    assert made.mean == pytest.approx(made.voxels.mean(), abs=1e-6)
    assert made.std == pytest.approx(made.voxels.std(), abs=1e-6)


def test_preparing_changes_nothing_of_the_volume() -> None:
    voxels = chest_like(3).astype(np.float32)
    before = voxels.copy()
    prepare(Volume(voxels, lps()), how(padding_hu=0.0))
    np.testing.assert_array_equal(voxels, before)


def test_a_file_gives_what_was_written(tmp_path: Path) -> None:
    nifti(tmp_path / "v.nii.gz", chest_like(6), lps((1.0, 2.0, 3.0)))
    volume = read_volume(tmp_path / "v.nii.gz")
    np.testing.assert_array_equal(volume.voxels, chest_like(6))
    np.testing.assert_array_equal(volume.affine_ras, lps((1.0, 2.0, 3.0)))


def turned(degrees: float) -> Volume:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rotation = np.eye(4)
    rotation[:2, :2] = [[c, -s], [s, c]]
    return Volume(chest_like(), rotation @ lps((1.0, 2.0, 3.0)))


def sheared(degrees: float) -> Volume:
    affine = lps((1.0, 2.0, 3.0))
    affine[1, 2] = 3.0 * np.tan(np.radians(degrees))
    return Volume(chest_like(), affine)


@pytest.mark.parametrize(
    ("volume", "fits"),
    [
        (turned(0), True), (turned(20), True), (turned(90), True), (turned(44), False), (turned(31), False),
        (sheared(0.5), True), (sheared(3), False), (sheared(-20), False),
    ],
)  # fmt: skip
def test_volumes_that_are_sheared_or_lie_askew_are_recognised(volume: Volume, fits: bool) -> None:
    assert along_the_patient(volume) is fits
