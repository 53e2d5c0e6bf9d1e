"""Tiles: blended as MONAI blends them, for any shape; and no more held than a tile's height."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.inferers import sliding_window_inference

from tasks.errors import SafelightError
from tasks.inference.manifest import Tiling
from tasks.inference.tiling import slabs
from tests.tasks.inference.networks import unet


def position(batch: torch.Tensor) -> torch.Tensor:
    """Depends on where in its tile a voxel is, so that every wrong weight shows."""
    z, y, x = (torch.linspace(-1, 1, n) for n in batch.shape[2:])
    ramp = z[:, None, None] + 2 * y[None, :, None] + 3 * x[None, None, :]
    return torch.cat([batch + ramp, batch * ramp, -batch], dim=1)


def ours(network: object, voxels: np.ndarray, tiling: Tiling | None, outside: float = 0.0) -> np.ndarray:
    made = list(slabs(network, voxels, tiling, outside))  # type: ignore[arg-type]
    assert [slab.start for slab in made] == list(np.cumsum([0, *(slab.maps.shape[1] for slab in made)])[:-1])
    return np.concatenate([slab.maps for slab in made], axis=1)


def monais(network: object, voxels: np.ndarray, tiling: Tiling, outside: float = 0.0) -> np.ndarray:
    given = torch.from_numpy(voxels)[None, None]
    made = sliding_window_inference(
        given, tiling.shape, tiling.batch, network, overlap=tiling.overlap, mode=tiling.blend, sigma_scale=0.125, cval=outside
    )  # type: ignore[arg-type]
    return np.asarray(made[0])


@given(
    shape=st.tuples(*[st.integers(3, 30)] * 3),
    tile=st.tuples(*[st.integers(4, 12)] * 3),
    overlap=st.sampled_from([0.0, 0.25, 0.5, 0.7]),
    blend=st.sampled_from(["constant", "gaussian"]),
    batch=st.integers(1, 5),
)
@settings(max_examples=60)
def test_tiles_are_blended_as_monai_does(
    shape: tuple[int, int, int], tile: tuple[int, int, int], overlap: float, blend: str, batch: int
) -> None:
    voxels = np.random.default_rng(1).random(shape, np.float32)
    tiling = Tiling(shape=tile, overlap=overlap, blend=blend, batch=batch)  # type: ignore[arg-type]
    np.testing.assert_allclose(ours(position, voxels, tiling, 0.25), monais(position, voxels, tiling, 0.25), atol=2e-4)


def test_a_real_network_too() -> None:
    voxels = np.random.default_rng(2).random((40, 25, 33), np.float32)
    tiling = Tiling(shape=(16, 16, 16), overlap=0.5, blend="gaussian", batch=2)
    network = unet()
    with torch.inference_mode():
        np.testing.assert_allclose(ours(network, voxels, tiling), monais(network, voxels, tiling), atol=1e-4)


def test_the_batch_does_not_change_what_comes_out() -> None:
    voxels = np.random.default_rng(3).random((20, 20, 20), np.float32)
    one, many = (Tiling(shape=(8, 8, 8), overlap=0.5, batch=batch) for batch in (1, 7))
    np.testing.assert_array_equal(ours(position, voxels, one), ours(position, voxels, many))


def test_maps_are_given_before_the_last_tile_is_shown_and_are_as_high_as_a_step() -> None:
    shown = []

    def network(batch: torch.Tensor) -> torch.Tensor:
        shown.append(1)
        return batch

    voxels = np.zeros((64, 8, 8), np.float32)
    given = slabs(network, voxels, Tiling(shape=(8, 8, 8), overlap=0.5, batch=1), 0.0)
    first = next(given)
    assert first.maps.shape == (1, 4, 8, 8)
    assert len(shown) == 1
    assert max(slab.maps.shape[1] for slab in given) == 8  # the last tile ends here
    assert len(shown) == 15


@pytest.mark.parametrize(
    "network",
    [lambda batch: batch[..., :-1], lambda batch: batch[0], lambda batch: (batch, batch), lambda batch: batch * torch.nan],
)
def test_maps_that_do_not_fit_are_an_error(network: object) -> None:
    with pytest.raises(SafelightError, match="E-INFER-OUTPUT"):
        ours(network, np.ones((8, 8, 8), np.float32), Tiling(shape=(8, 8, 8)))
    with pytest.raises(SafelightError, match="E-INFER-OUTPUT"):
        ours(network, np.ones((8, 8, 8), np.float32), None)
