"""Gradient descent for the network: pixels in lines and pixels in none, with those that may be either left out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from tasks.deid.burned_in.dim_text.network import LineNet

_BATCH, _PEAK_RATE, _DECAY = 8, 3e-3, 1e-3


def learn(
    network: LineNet,
    shown: NDArray[np.int8],
    wanted: NDArray[np.uint8],
    *,
    seed: int,
    steps: int,
    report: Callable[[int, float], None],
) -> None:
    """Train a network in place, its convolutions in bfloat16; the same arguments, machine and versions give the same weights.

    Args:
        shown: of shape (examples, 6, side, side).
        wanted: of shape (examples, side / 2, side / 2): 1, 0, or 2 for either.
        report: told the number of each step, and its loss.
    """
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(network.parameters(), _PEAK_RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _PEAK_RATE, steps, pct_start=0.1)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.train()
    order: list[int] = []
    for step in range(1, steps + 1):
        if len(order) < _BATCH:
            order = [int(each) for each in rng.permutation(len(shown))]
        chosen, order = order[:_BATCH], order[_BATCH:]
        x, y = _turned(rng, shown[chosen], wanted[chosen])
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(torch.from_numpy(x).float().contiguous(memory_format=torch.channels_last))
        loss = loss_of(logits[:, 0].float(), torch.from_numpy(y))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        report(step, float(loss.detach()))
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    network.eval()


def loss_of(logits: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy of all pixels that count, and one minus Dice's coefficient of the batch."""
    counted, lines = wanted != 2, (wanted == 1).float()
    entropy = binary_cross_entropy_with_logits(logits[counted], lines[counted])
    chances = torch.sigmoid(logits) * counted
    dice = (2 * (chances * lines).sum() + 1) / (chances.sum() + lines.sum() + 1)
    return entropy + 0.5 * (1 - dice)


def _turned(rng: np.random.Generator, x: NDArray[np.int8], y: NDArray[np.uint8]) -> tuple[NDArray[np.int8], NDArray[np.uint8]]:
    """Examples mirrored, and their three planes in another order; some with the signs changed: dark letters for bright ones."""
    if rng.random() < 0.5:
        x, y = x[..., ::-1], y[..., ::-1]
    if rng.random() < 0.5:
        x, y = x[..., ::-1, :], y[..., ::-1, :]
    if rng.random() < 0.3:
        x = -x
    planes = x.reshape(len(x), 3, 2, *x.shape[2:])[:, rng.permutation(3)]
    return np.ascontiguousarray(planes.reshape(x.shape)), np.ascontiguousarray(y)
