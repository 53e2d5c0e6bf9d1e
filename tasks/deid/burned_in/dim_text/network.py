"""The network: a small U-Net (Ronneberger et al., MICCAI 2015) at half, a quarter and an eighth of the picture's size, with dilated convolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pixel_unshuffle

from tasks.deid.burned_in.dim_text.planes import CHANNELS

#: Sides of what it is shown are multiples of this.
STRIDE = 8


class LineNet(nn.Module):
    """Where lines of letters are.

    Takes (batch, 6, rows, columns) of `planes` as float, rows and columns multiples of 8; gives logits of shape (batch, 1, rows / 2, columns / 2).
    """

    def __init__(self, half: int = 24, quarter: int = 48, eighth: int = 64) -> None:
        super().__init__()
        self.stem = nn.Sequential(_step(4 * CHANNELS, half), _step(half, half))
        self.down = _step(half, quarter, stride=2)
        self.middle = nn.Sequential(*(_Block(quarter, dilation) for dilation in (1, 2)))
        self.deeper = _step(quarter, eighth, stride=2)
        self.wide = nn.Sequential(*(_Block(eighth, dilation) for dilation in (1, 2, 4)))
        self.up = _step(eighth + quarter, quarter)
        self.last = _step(quarter + half, half)
        self.out = nn.Conv2d(half, 1, 1)

    def forward(self, shown: Tensor) -> Tensor:
        half = self.stem(pixel_unshuffle(shown / 64, 2))
        quarter = self.middle(self.down(half))
        eighth = self.wide(self.deeper(quarter))
        up = self.up(torch.cat([interpolate(eighth, scale_factor=2.0), quarter], 1))
        logits: Tensor = self.out(self.last(torch.cat([interpolate(up, scale_factor=2.0), half], 1)))
        return logits


class _Block(nn.Module):
    """A residual step."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.steps = _step(channels, channels, dilation=dilation)

    def forward(self, shown: Tensor) -> Tensor:
        added: Tensor = shown + self.steps(shown)
        return added


def _step(taken: int, given: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(taken, given, 3, stride, padding=dilation, dilation=dilation, bias=False),
        nn.BatchNorm2d(given),
        nn.ReLU(inplace=True),
    )
