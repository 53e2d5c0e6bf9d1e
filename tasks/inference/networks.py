"""The demo's network: a small, fully convolutional 3D detector whose hottest spot is the study's score."""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: One heatmap voxel stands for so many input voxels along each axis; heatmap voxel h is centred on input voxel STRIDE * h.
STRIDE = 2


class NoduleNet(nn.Module):
    """Input (n, 1, z, y, x), windowed to 0…1; heatmap of logits (n, 1, z/2, y/2, x/2), rounded up; score (n,), 0 to 1.

    A stem at full resolution, then residual pairs of convolutions at half of it. A logit sees about 13 voxels to each side: enough to
    tell a ball from a piece of tube. The score is a logistic function of the hottest logit; its two coefficients are fitted on
    validation phantoms after training. There is no normalisation over a batch, so no case's score depends on another's.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = 2 * channels
        self.stem = nn.Conv3d(1, channels, 3, padding=1)
        self.down = nn.Conv3d(channels, wide, 3, stride=STRIDE, padding=1)
        self.pairs = nn.ModuleList(_Pair(wide, dilation) for dilation in (1, 2))
        self.head = nn.Conv3d(wide, 1, 1)
        self.register_buffer("scale", torch.tensor(1.0))
        self.register_buffer("offset", torch.tensor(0.0))
        self.scale: Tensor
        self.offset: Tensor
        with torch.no_grad():
            self.head.bias.fill_(-3.0)  # type: ignore[union-attr]  # most places show nothing

    def heatmap(self, volume: Tensor) -> Tensor:
        """Logits: how much each place looks like a nodule."""
        features = self.down(torch.relu(self.stem(volume)))
        for pair in self.pairs:
            features = pair(features)
        heat: Tensor = self.head(torch.relu(features))
        return heat

    def hottest(self, volume: Tensor) -> Tensor:
        """The largest logit of each volume, (n,)."""
        return self.heatmap(volume).flatten(1).amax(dim=1)

    def forward(self, volume: Tensor) -> Tensor:
        """The score of each volume, (n,)."""
        return torch.sigmoid(self.scale * self.hottest(volume) + self.offset)


class _Pair(nn.Module):
    """Two convolutions whose result is added to their input."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.first = nn.Conv3d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv3d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Same shape out as in."""
        added: Tensor = self.second(torch.relu(self.first(torch.relu(features))))
        return features + added
