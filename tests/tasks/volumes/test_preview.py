"""Pictures are upright in the patient, true in millimetres, windowed as stated, and the same every time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import permutations, product
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from tasks.volumes.preview import ALONE, BOX, GAP, LUNG, SOFT_TISSUE, drawn, upright, window_for
from tests.tasks.volumes.classes import CLASSES
from tests.tasks.volumes.phantom import run

STORED = list(product(permutations(range(3)), product((1, -1), repeat=3)))


def planes(volume: np.ndarray) -> list[np.ndarray]:
    """Of an array (column, row, slice), as the stage collects them."""
    i, j, k = (n // 2 for n in volume.shape)
    return [volume[:, :, k].T, volume[:, j].T, volume[i].T]


def read(picture: bytes) -> np.ndarray:
    image = Image.open(BytesIO(picture))
    assert image.format == "WEBP"
    return np.asarray(image.convert("L"), float)


def boxes(picture: bytes) -> list[np.ndarray]:
    """The three planes of a picture."""
    whole = read(picture)
    assert whole.shape == (BOX, 3 * BOX + 2 * GAP)
    return [whole[:, place : place + BOX] for place in (0, BOX + GAP, 2 * (BOX + GAP))]


@pytest.mark.parametrize(("axes", "signs"), STORED)
def test_in_whatever_order_the_axes_are_stored_the_patient_stands_upright(axes: tuple[int, ...], signs: tuple[int, ...]) -> None:
    volume = np.random.default_rng(7).integers(0, 999, (9, 11, 13)).transpose(axes)
    affine = np.eye(4)
    affine[:3, :3] = np.diag([0.8, 0.8, 2.5])[:, axes] * signs
    # nibabel turns it so that x grows to the right, y to the front, z to the head
    canonical = nibabel.as_closest_canonical(nibabel.Nifti1Image(volume.astype(np.int16), affine)).get_fdata()
    x, y, z = (n // 2 for n in canonical.shape)  # odd numbers: the middle stays the middle
    axial, coronal, sagittal = upright(planes(volume), affine)
    np.testing.assert_array_equal(axial.pixels, canonical[::-1, ::-1, z].T)
    np.testing.assert_array_equal(coronal.pixels, canonical[::-1, y, ::-1].T)
    np.testing.assert_array_equal(sagittal.pixels, canonical[x, ::-1, ::-1].T)
    assert axial.spacing == pytest.approx((0.8, 0.8))
    assert coronal.spacing == sagittal.spacing == pytest.approx((2.5, 0.8))
    assert [view.lean for view in (axial, coronal, sagittal)] == [0, 0, 0]


def ball(affine: np.ndarray, shape: tuple[int, int, int], radius: float) -> np.ndarray:
    """1000 within a radius of the middle voxel, in mm, else 0."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1) - np.array(shape) // 2
    return 1000.0 * (np.linalg.norm(index @ affine[:3, :3].T, axis=-1) < radius)


@pytest.mark.parametrize("tilt", [0.0, 12.0, -25.0])
@pytest.mark.parametrize("across", [0, 1])
def test_a_ball_is_round_in_every_plane_whatever_the_spacing_and_the_tilt(tilt: float, across: int) -> None:
    affine = np.diag([-0.9, -0.9, 3.0, 1.0])
    affine[across, 2] = 3.0 * np.tan(np.radians(tilt))
    shape = (101, 101, 41)
    for box in boxes(drawn(planes(ball(affine, shape, 40)), affine, modality="MR", units="")):
        rows, columns = np.nonzero(box > 127)
        spread = np.cov(rows, columns)
        # of a disc: equal variances, no covariance
        assert spread[0, 0] == pytest.approx(spread[1, 1], rel=0.09)
        assert abs(spread[0, 1]) < 0.05 * spread[0, 0]
        assert len(rows) > BOX * BOX / 10


def test_a_projection_has_the_proportions_of_its_spacing_and_square_pixels_where_none_is_known() -> None:
    image = np.arange(40 * 20).reshape(40, 20)
    assert read(drawn([image], None, (1.0, 4.0), modality="DX", units="")).shape == (ALONE // 2, ALONE)
    assert read(drawn([image], None, None, modality="DX", units="")).shape == (ALONE, ALONE // 2)


def test_one_slice_is_shown_alone() -> None:
    volume = ball(np.eye(4), (20, 20, 1), 8)
    (view,) = upright(planes(volume), np.diag([-1.0, -1, 5, 1]))
    assert view.pixels.shape == (20, 20)


def test_the_same_planes_give_the_same_bytes_in_every_thread_and_stay_small() -> None:
    rng = np.random.default_rng(1)
    volume = ball(np.diag([1, 1, 5, 1]), (256, 256, 60), 110) + rng.normal(0, 60, (256, 256, 60))
    of = planes(volume - 900)
    with ThreadPoolExecutor(4) as pool:
        made = set(pool.map(lambda _: drawn(of, np.diag([-1.0, -1, 5, 1]), modality="CT", units="HU"), range(8)))
    assert len(made) == 1
    assert len(made.pop()) < 8192


def test_the_window_of_ct_is_soft_tissue_or_lung() -> None:
    air, lung, tissue = np.full((40, 40), -1000.0), np.full((40, 40), -850.0), np.full((40, 40), 40.0)
    assert window_for("CT", "HU", [air, tissue]) == SOFT_TISSUE
    assert window_for("CT", "HU", [air, lung, tissue]) == LUNG
    assert window_for("CT", "HU", [air, lung, tissue, tissue, tissue]) == SOFT_TISSUE
    metal = np.linspace(2000, 3000, 1600).reshape(40, 40)
    assert window_for("CT", "HU", [metal]) == pytest.approx(tuple(np.percentile(metal, (1, 99))), rel=1e-6)
    assert window_for("CT", "US", [tissue, air]) == (-1000.0, 40.0)


def test_padding_and_what_is_not_a_number_do_not_count() -> None:
    values = np.linspace(0, 100, 1600).reshape(40, 40)
    spoilt = values.copy()
    spoilt[:5], spoilt[5], spoilt[6] = 63000, np.nan, np.inf
    assert window_for("MR", "", [spoilt], [60000, 65535]) == pytest.approx(tuple(np.percentile(values[7:], (1, 99))), rel=1e-6)
    shown = read(drawn([spoilt], None, modality="MR", units="", padding=[60000, 65535]))
    assert shown[: ALONE // 12].mean() < 12  # black, though they are the highest
    assert shown[-10:].mean() > 240


@given(
    arrays(np.float32, (5, 5), elements=st.floats(width=32)),
    st.sampled_from(["CT", "MR", None]),
    st.sampled_from(["HU", ""]),
)
def test_any_plane_has_a_window_and_a_picture(values: Any, modality: str | None, units: str) -> None:
    low, high = window_for(modality, units, [values])
    assert low < high
    assert read(drawn([values], None, modality=modality, units=units)).shape == (ALONE, ALONE)


def test_monochrome1_is_inverted_and_its_padding_is_black() -> None:
    values = np.tile(np.linspace(0, 1000, 64), (64, 1))
    plain, turned = (read(drawn([values], None, modality="DX", units="", inverted=inverted)) for inverted in (False, True))
    assert np.corrcoef(plain.ravel(), turned.ravel())[0, 1] < -0.99
    values[:, :8] = 4095
    assert read(drawn([values], None, modality="DX", units="", inverted=True, padding=[4095, 4095]))[:, : ALONE // 10].mean() < 8


def test_colour_stays_what_it_is() -> None:
    image = np.zeros((30, 60, 3), np.uint8)
    image[:, :30, 0], image[:, 30:, 2] = 255, 255
    seen = np.asarray(Image.open(BytesIO(drawn([image], None, modality="US", units=""))).convert("RGB"), int)
    assert seen.shape == (ALONE // 2, ALONE, 3)
    np.testing.assert_allclose(seen[ALONE // 4, [ALONE // 8, ALONE - ALONE // 8]], [[255, 0, 0], [0, 0, 255]], atol=16)


@pytest.mark.parametrize("name", ["sagittal", "one slice", "times", "gantry tilt"])
def test_the_stage_publishes_a_picture_of_every_file(name: str, tmp_path: Any) -> None:
    ran = run(tmp_path, CLASSES[name].make(), CLASSES[name].settings)
    assert ran.rows
    for row in ran.rows:
        picture = ran.lake.read(row["preview_path"])
        assert read(picture).shape == ((BOX, 3 * BOX + 2 * GAP) if row["n_slices"] > 1 else (ALONE, round(ALONE * 2.5 / 4.8)))
