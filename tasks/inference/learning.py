"""How the demo's network learns: crops around nodules and in the lungs, and a loss on the hottest wrong places."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import softplus

from tasks.inference.networks import STRIDE, NoduleNet
from tasks.inference.phantoms import Case

#: Voxels (z, y, x) of a crop, and crops of a step.
CROP, CROPS = (32, 48, 48), 8
#: Around a nodule's surface the heatmap may say what it likes, in millimetres.
MARGIN_MM = 5.0
#: How many of the hottest wrong places of a crop count.
HOTTEST = 24

Crop = tuple[NDArray[np.float32], NDArray[np.float32]]


def target(case: Case, spacing_mm: NDArray[np.float64]) -> NDArray[np.float32]:
    """The heatmap to learn: 1 in the inner part of a nodule, at least at one place; NaN around it, where nothing is asked; else 0."""
    shape = tuple(-(-n // STRIDE) for n in case.prepared.voxels.shape)
    wanted = np.zeros(shape, np.float32)
    places = np.stack(np.meshgrid(*(np.arange(n) * STRIDE for n in shape), indexing="ij"), axis=-1)
    distances = [np.sqrt((((places - center) * spacing_mm) ** 2).sum(axis=-1)) for center in case.centers]
    for distance, radius in zip(distances, case.radii, strict=True):
        wanted[distance < radius + MARGIN_MM] = np.nan
    for distance, radius in zip(distances, case.radii, strict=True):
        wanted[distance <= max(0.6 * radius, float(distance.min()))] = 1
    return wanted


def crop(case: Case, wanted: NDArray[np.float32], center: NDArray[np.float64], rng: np.random.Generator) -> Crop:
    """A crop around a place of the input, shifted by up to a quarter of its size, and mirrored at random along each axis.

    Heatmap voxel h is centred on input voxel 2h. To stay so when mirrored, both slices begin one voxel later.
    """
    image = case.prepared.voxels
    parts, heat = [], []
    mirrored = rng.random(3) < 0.5
    for axis, size in enumerate(CROP):
        first = round(center[axis] - size / 2 + rng.uniform(-size / 4, size / 4))
        first = min(max(first, 0), image.shape[axis] - size - STRIDE) // STRIDE * STRIDE
        later = int(mirrored[axis])
        parts.append(slice(first + later, first + size + later))
        heat.append(slice(first // STRIDE + later, (first + size) // STRIDE + later))
    axes = tuple(axis for axis in range(3) if mirrored[axis])
    return np.flip(image[tuple(parts)], axes), np.flip(wanted[tuple(heat)], axes)


def batch(cases: Sequence[Case], targets: Sequence[NDArray[np.float32]], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Crops (n, 1, z, y, x) and targets (n, 1, z/2, y/2, x/2): half of them around a nodule, half anywhere in a lung."""
    made = []
    diseased = [number for number, case in enumerate(cases) if case.label]
    for turn in range(CROPS):
        if turn % 2 and diseased:
            number = int(rng.choice(diseased))
            center = cases[number].centers[int(rng.integers(len(cases[number].centers)))]
        else:
            number = int(rng.integers(len(cases)))
            center = _in_air(cases[number].prepared.voxels, rng)
        made.append(crop(cases[number], targets[number], center, rng))
    images, wanted = (np.stack([pair[part] for pair in made])[:, None] for part in (0, 1))
    return torch.from_numpy(images.copy()), torch.from_numpy(wanted.copy())


def _in_air(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float64]:
    """A place whose neighbourhood is dark but not black, as lung is; any place after 50 tries."""
    place = np.zeros(3)
    for _ in range(50):
        place = np.array([rng.integers(n) for n in image.shape], np.float64)
        z, y, x = place.astype(int)
        if 0.03 < image[max(z - 1, 0) : z + 2, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].mean() < 0.25:
            break
    return place


def loss(heat: Tensor, wanted: Tensor) -> Tensor:
    """Binary cross-entropy on all places of nodules, the hottest wrong places of each crop, and, lightly, everywhere else."""
    outside, inside = wanted == 0, wanted == 1
    wrong = torch.where(outside, softplus(heat), torch.zeros_like(heat)).flatten(1)
    missed = torch.where(inside, softplus(-heat), torch.zeros_like(heat))
    hottest = wrong.topk(HOTTEST, dim=1).values.mean()
    return missed.sum() / inside.sum().clamp(min=1) + hottest + wrong.mean()


def learn(
    network: NoduleNet,
    cases: Sequence[Case],
    spacing_mm: tuple[float, float, float],
    *,
    seed: int,
    steps: int,
    rate: float = 4e-3,
    report: Callable[[int, float], None] = lambda _step, _loss: None,
) -> None:
    """Train a network in place: Adam, a learning rate that rises for a tenth of the steps and then falls along a cosine.

    Args:
        cases: kept in memory; their inputs must be larger than `CROP` by `STRIDE` along each axis.
        seed: of the choice of crops.
        report: called after each step with its number and loss.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    targets = [target(case, np.array(spacing_mm)) for case in cases]
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=max(steps, 2), pct_start=0.1)
    network.train()
    for step in range(steps):
        images, wanted = batch(cases, targets, rng)
        found = loss(network.heatmap(images), wanted)
        optimizer.zero_grad()
        torch.autograd.backward(found)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        report(step + 1, float(found.detach()))
    network.eval()
