"""Shows a network an input tile by tile, and gives the blended maps slab by slab: only as many slices as a tile is high are held.

Tiles stand as MONAI's `sliding_window_inference` places them: from the first voxel on, a whole number of voxels apart, the last one moved
back to the edge. Overlapping tiles are averaged with weights: all alike, or a Gaussian over the tile with a standard deviation of an
eighth of its edge (Isensee et al., nnU-Net, Nature Methods 2021), of which nothing is below a thousandth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.errors import SafelightError
from tasks.inference.adapters.opening import Network
from tasks.inference.manifest import Tiling

Maps = NDArray[np.float32]
_SIGMA, _LEAST = 0.125, 1e-3


@dataclass(frozen=True, slots=True)
class Slab:
    """Maps of some slices, final: float32 (channel, z, y, x) of the input's slices from `start` on."""

    start: int
    maps: Maps


def slabs(network: Network, voxels: NDArray[np.float32], tiling: Tiling | None, outside: float) -> Iterator[Slab]:
    """What a network gives for an input, from the first slice to the last.

    Args:
        network: gives float32 (n, channel, z, y, x) for (n, 1, z, y, x).
        voxels: (z, y, x).
        tiling: None shows the whole input at once.
        outside: what an input that is smaller than a tile is padded with, evenly.

    Raises:
        SafelightError: E-INFER-OUTPUT where the network gives maps of another shape than its input's, or anything that is no number.
    """
    if tiling is None:
        yield Slab(0, _shown(network, voxels[None])[0])
        return
    padded, before = _padded(voxels, tiling.shape, outside)
    z_starts, *plane = (_starts(n, edge, tiling.overlap) for n, edge in zip(padded.shape, tiling.shape, strict=True))
    weights, depth = _weights(tiling), tiling.shape[0]
    places = list(product(*plane))
    total: Maps | None = None
    share = np.zeros((depth, *padded.shape[1:]), np.float32)
    for z, beyond in zip(z_starts, [*z_starts[1:], padded.shape[0]], strict=True):
        for first in range(0, len(places), tiling.batch):
            some = places[first : first + tiling.batch]
            given = _shown(network, np.stack([_tile(padded, (z, *place), tiling.shape) for place in some]))
            if total is None:
                total = np.zeros((given.shape[1], *share.shape), np.float32)
            given *= weights
            for (y, x), maps in zip(some, given, strict=True):
                there = (slice(None), slice(y, y + tiling.shape[1]), slice(x, x + tiling.shape[2]))
                total[:, *there] += maps
                share[there] += weights
        if total is None:  # cannot be: there is a tile in every slab
            raise SafelightError("E-INFER-OUTPUT", "no tile")
        final = beyond - z
        low, high = max(z, before[0]), min(beyond, before[0] + voxels.shape[0])
        if low < high:
            yield _cut(total, share, low - z, high - z, before, voxels.shape, low - before[0])
        if beyond < padded.shape[0]:
            for held in (total, share):
                held[..., : depth - final, :, :] = held[..., final:, :, :].copy()
                held[..., depth - final :, :, :] = 0


def _cut(
    total: Maps, share: NDArray[np.float32], low: int, high: int, before: tuple[int, ...], shape: tuple[int, ...], start: int
) -> Slab:
    """The mean over tiles of some slices, without what was padded."""
    plane = tuple(slice(first, first + n) for first, n in zip(before[1:], shape[1:], strict=True))
    return Slab(start, total[:, low:high, *plane] / share[low:high, *plane])


def _shown(network: Network, batch: NDArray[np.float32]) -> Maps:
    given = network(torch.from_numpy(np.ascontiguousarray(batch))[:, None])
    if not isinstance(given, torch.Tensor) or given.ndim != 5 or given.shape[2:] != batch.shape[1:] or len(given) != len(batch):
        raise SafelightError("E-INFER-OUTPUT", "maps of another shape than the input's")
    if not bool(torch.isfinite(given).all()):
        raise SafelightError("E-INFER-OUTPUT", "maps that are not numbers")
    maps: Maps = given.numpy()
    return maps


def _padded(
    voxels: NDArray[np.float32], tile: tuple[int, int, int], outside: float
) -> tuple[NDArray[np.float32], tuple[int, ...]]:
    """The input, as large as a tile at least, and how many voxels were put before it along each axis."""
    missing = [max(edge - n, 0) for n, edge in zip(voxels.shape, tile, strict=True)]
    before = tuple(n // 2 for n in missing)
    if not any(missing):
        return voxels, before
    widths = [(first, n - first) for first, n in zip(before, missing, strict=True)]
    return np.pad(voxels, widths, constant_values=outside), before


def _starts(n: int, edge: int, overlap: float) -> list[int]:
    """Where tiles begin along an axis of n voxels, at least a tile's edge."""
    step = max(int(edge * (1 - overlap)), 1)
    return sorted({min(start, n - edge) for start in range(0, n - edge + step, step)})


def _tile(padded: NDArray[np.float32], place: tuple[int, ...], shape: tuple[int, int, int]) -> NDArray[np.float32]:
    return padded[tuple(slice(start, start + edge) for start, edge in zip(place, shape, strict=True))]


def _weights(tiling: Tiling) -> NDArray[np.float32]:
    """(z, y, x) weights of a tile's voxels."""
    made = np.ones(tiling.shape, np.float32)
    if tiling.blend == "gaussian":
        for axis, edge in enumerate(tiling.shape):
            off = np.arange(edge) - (edge - 1) / 2
            bell = np.exp(-0.5 * np.square(off / (_SIGMA * edge))).astype(np.float32)
            made *= bell.reshape([-1 if each == axis else 1 for each in range(3)])
        np.maximum(made, _LEAST, out=made)
    return made
