"""A volume becomes the same input however its file stores it, at the right places, with the right values."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK
from numpy.typing import NDArray
from scipy import ndimage

from tasks.errors import SafelightError
from tasks.imaging.extent import fit
from tasks.imaging.resampling import respace as resample
from tasks.imaging.windows import Window, apply
from tasks.inference.gates import content_share
from tasks.inference.manifest import Input
from tasks.inference.preprocess import along_the_patient, input_grid, prepare, restore
from tasks.inference.volume import Volume, read_volume
from tests.tasks.imaging.made import within
from tests.tasks.inference.made import chest_like, lps, manifest, nifti


def how(**changes: Any) -> Input:
    return Input.model_validate(manifest()["input"] | changes)


def window(image: NDArray[np.float32], center: float, width: float) -> NDArray[np.float32]:
    """The window that a manifest means."""
    return apply(image, Window(center, width))


WIDE = {"kind": "window", "center": 0.0, "width": 100_000.0}


def test_a_linear_field_is_reproduced_exactly_between_the_outermost_centres() -> None:
    shape, old, new = (12, 10, 14), (5.0, 2.0, 1.5), (2.5, 2.5, 2.5)
    field = np.add.outer(np.add.outer(3 * np.arange(12) * 5.0, -2 * np.arange(10) * 2.0), np.arange(14) * 1.5).astype(np.float32)
    made = resample(field, old, new)
    assert made.shape == tuple(round(n * a / b) for n, a, b in zip(shape, old, new, strict=True))
    z, y, x = (np.arange(n) * b + (b - a) / 2 for n, a, b in zip(made.shape, old, new, strict=True))
    expected = np.add.outer(np.add.outer(3 * z, -2 * y), x)
    inside = np.ix_(*((at >= 0) & (at <= (n - 1) * a) for at, n, a in zip((z, y, x), shape, old, strict=True)))
    np.testing.assert_allclose(made[inside], expected[inside], atol=1e-4)


def test_resampling_agrees_with_scipy(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    image = rng.normal(0, 100, (9, 11, 13)).astype(np.float32)
    old, new = (5.0, 1.7, 2.2), (2.5, 2.5, 2.0)
    made = resample(image, old, new)
    at = np.meshgrid(*(((np.arange(n) + 0.5) * b / a - 0.5 for n, a, b in zip(made.shape, old, new, strict=True))), indexing="ij")
    np.testing.assert_allclose(made, ndimage.map_coordinates(image, at, order=1, mode="nearest"), atol=1e-3)


def test_the_outer_edges_stay_where_they_are() -> None:
    image = np.zeros((4, 8, 8), np.float32)
    image[-1] = 1
    made = resample(image, (10.0, 2.5, 2.5), (2.5, 2.5, 2.5))
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
    made = prepare(Volume(voxels, affine), how(orientation=orientation, window=WIDE, padding=-1e6, floor=-1e6))
    np.testing.assert_allclose(made.voxels, window(voxels.transpose(2, 1, 0).astype(np.float32), 0.0, 100_000.0))


def test_the_window_puts_its_edges_at_0_and_1_and_clips() -> None:
    hounsfield = np.array([-2000, -1000, -400, 200, 3000], np.float32)
    np.testing.assert_allclose(window(hounsfield, -400, 1200), [0, 0, 0.5, 1, 1])


def test_the_order_of_window_and_resampling_matters_where_the_window_clips() -> None:
    volume = Volume(np.array([[[-3000, 1000]]], np.int16), lps((2.5, 2.5, 10.0)))
    made = {
        order: prepare(volume, how(order=order, padding=-4000, floor=-4000)).voxels
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
    prepared = prepare(Volume(chest_like(1, (6, 6, 6)), lps()), how(shape=[10, 6, 6], padding=-1024, floor=-1024))
    assert prepared.voxels.shape == (10, 6, 6)
    assert (prepared.voxels[:2] == 0).all()


def test_the_statistics_are_those_of_the_input() -> None:
    made = prepare(Volume(chest_like(2), lps((2.0, 3.0, 5.0))), how())
    assert made.voxels.dtype == np.float32
    assert made.statistics.mean == pytest.approx(made.voxels.mean(), abs=1e-6)
    assert made.statistics.std == pytest.approx(made.voxels.std(), abs=1e-6)


def test_preparing_changes_nothing_of_the_volume() -> None:
    voxels = chest_like(3).astype(np.float32)
    before = voxels.copy()
    prepare(Volume(voxels, lps()), how(padding=0.0, floor=0.0))
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


def by_itk(volume: Volume, settings: Input) -> NDArray[np.float32]:
    """The demo's path, step by step and by other libraries: what revision 1 of the preprocessing means, to the last bit.

    Where this differs, `PREPROCESSING_REVISION` must be raised and models be trained anew.
    """
    turn = nibabel.orientations.ornt_transform(
        nibabel.orientations.io_orientation(volume.affine_ras), nibabel.orientations.axcodes2ornt(tuple(settings.orientation))
    )
    turned = nibabel.orientations.apply_orientation(volume.voxels, turn)
    image = np.array(turned.transpose(2, 1, 0), np.float32, order="C")
    if volume.padding is not None:
        image[(image >= volume.padding[0]) & (image <= volume.padding[1])] = settings.padding
    np.maximum(image, np.float32(settings.padding), out=image)
    lengths = np.linalg.norm(volume.affine_ras[:3, :3], axis=0)
    spacing = [float(lengths[int(np.flatnonzero(turn[:, 0] == axis)[0])]) for axis in range(3)]  # (x, y, z)
    wanted = settings.spacing_mm[::-1]
    if not np.allclose(spacing, wanted, rtol=1e-6):
        old = SimpleITK.GetImageFromArray(image)
        old.SetSpacing(spacing)
        size = [max(1, round(n * a / b)) for n, a, b in zip(old.GetSize(), spacing, wanted, strict=True)]
        grid = SimpleITK.ResampleImageFilter()
        grid.SetSize(size)
        grid.SetOutputSpacing(wanted)
        grid.SetOutputOrigin([(b - a) / 2 for a, b in zip(spacing, wanted, strict=True)])
        grid.SetInterpolator(SimpleITK.sitkLinear)
        grid.SetUseNearestNeighborExtrapolator(True)
        image = SimpleITK.GetArrayFromImage(grid.Execute(old))
    center, width = settings.window.center, settings.window.width
    return np.clip((image - np.float32(center - width / 2)) / np.float32(width), 0, 1)


@pytest.mark.parametrize("spacing", [(2.5, 2.5, 2.5), (2.5, 2.5, 10.0), (0.703125, 0.703125, 1.25), (1.7, 2.2, 5.1)])
@pytest.mark.parametrize("degrees", [0.0, 7.3, -19.0])
@pytest.mark.parametrize("padding", [None, (-2000.0, -900.0)])
def test_the_numbers_are_those_of_itks_resampling(
    spacing: tuple[float, float, float], degrees: float, padding: tuple[float, float] | None
) -> None:
    affine = turned(degrees).affine_ras @ np.diag([*(new / old for new, old in zip(spacing, (1.0, 2.0, 3.0), strict=True)), 1.0])
    volume = Volume(chest_like(8, (34, 27, 21)), affine.astype(np.float32).astype(np.float64), padding)
    for orientation in ("LPS", "RAS"):
        settings = how(orientation=orientation)
        np.testing.assert_allclose(prepare(volume, settings).voxels, by_itk(volume, settings), atol=2e-6)


def test_what_the_network_says_of_a_place_comes_back_to_that_place() -> None:
    """The input states its place where the volume does; brought back it is the volume, inside."""
    volume = turned(20)
    at = np.stack(np.meshgrid(*(np.arange(n) for n in volume.voxels.shape), indexing="ij"), axis=-1)
    field = (at @ volume.affine_ras[:3, :3].T + volume.affine_ras[:3, 3]) @ [1.0, 3.0, 7.0]
    stating = Volume(field.astype(np.float32), volume.affine_ras)
    for shape, least in ((None, 2500), ([30, 14, 20], 1000)):
        settings = how(window=WIDE, padding=-1e5, floor=-1e5, spacing_mm=[1.1, 1.3, 0.9], shape=shape, orientation="RAS")
        made = (prepare(stating, settings).voxels - 0.5) * 100_000
        grid = input_grid(stating.grid, settings)
        assert grid.shape == made.shape[::-1]
        back = restore(made, prepare(stating, settings), outside=np.nan)
        inside = within(grid, stating.grid, 0.0)  # of the input, and (below) not next to the volume's own edges
        inner = (slice(2, -2),) * 3
        assert inside[inner].sum() > least
        np.testing.assert_allclose(back[inner][inside[inner]], field[inner][inside[inner]], atol=0.05)
        assert np.isnan(back[~within(grid, stating.grid, -0.5 - 1e-6)]).all()


def test_a_mask_comes_back_as_labels() -> None:
    volume = Volume(chest_like(9, (20, 18, 16)), lps((1.0, 2.0, 3.0)))
    settings = how(spacing_mm=[0.75, 0.5, 0.5])
    prepared = prepare(volume, settings)
    made = prepared.voxels
    mask = np.full(made.shape, 3, np.uint8)
    mask[: made.shape[0] // 2] = 7
    back = restore(mask, prepared, labels=True)
    assert back.shape == volume.voxels.shape
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, np.where(np.arange(16) < 8, 7, 3) * np.ones(back.shape, int))
    with pytest.raises(SafelightError, match="E-IMAGING-VOXELS"):
        restore(mask[1:], prepared)
