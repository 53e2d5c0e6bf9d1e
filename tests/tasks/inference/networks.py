"""For tests: one small network in every format that bundles have, and networks whose answer is known."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save
from torch import Tensor, nn

from tests.tasks.inference.made import manifest

#: Of the network below; the tile has the shape that it was traced with.
SHAPE = {"spatial_dims": 3, "in_channels": 1, "out_channels": 3, "channels": [4, 8], "strides": [2], "num_res_units": 1}
TILE = (16, 16, 16)
LABELS = [
    {"finding": "lung", "channel": 1, "code": {"scheme": "SCT", "value": "39607008", "meaning": "Lung"}},
    {"finding": "body", "channel": 2, "code": {"scheme": "SCT", "value": "38266002", "meaning": "Entire body as a whole"}},
]


def unet() -> nn.Module:
    """MONAI's U-Net with random weights of a seed."""
    from monai.networks.nets import UNet  # takes seconds, in each process that only collects tests too

    torch.manual_seed(11)
    made: nn.Module = UNet(**SHAPE).eval()
    return made


def traced(network: nn.Module) -> torch.jit.ScriptModule:
    """As TorchScript."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch prefers torch.export; hospitals have TorchScript
        made: torch.jit.ScriptModule = torch.jit.trace(network, torch.zeros(1, 1, *TILE))
    return made


def _safetensors(folder: Path, network: nn.Module) -> dict[str, Any]:
    (folder / "w.safetensors").write_bytes(save(network.state_dict()))
    return {"file": "w.safetensors", "architecture": {"network": "monai.networks.nets.unet:UNet", "arguments": SHAPE}}


def _state_dict(folder: Path, network: nn.Module) -> dict[str, Any]:
    torch.save({"state_dict": network.state_dict(), "epoch": 3}, folder / "w.pt")
    return {"file": "w.pt", "architecture": {"network": "monai.networks.nets.unet:UNet", "arguments": SHAPE}}


def _torchscript(folder: Path, network: nn.Module) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(traced(network), folder / "w.ts")
    return {"file": "w.ts"}


def _pt2(folder: Path, network: nn.Module) -> dict[str, Any]:
    torch.export.save(torch.export.export(network, (torch.zeros(1, 1, *TILE),)), folder / "w.pt2")
    return {"file": "w.pt2"}


def _onnx(folder: Path, network: nn.Module) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs nothing else
        torch.onnx.export(network, (torch.zeros(1, 1, *TILE),), folder / "w.onnx", dynamo=False, input_names=["image"])
    return {"file": "w.onnx"}


def _monai(folder: Path, network: nn.Module) -> dict[str, Any]:
    """Written by MONAI's own maker of bundles; the description of the network is put in as its documentation asks."""
    from monai.bundle.scripts import init_bundle

    init_bundle(str(folder / "monai"), network=network)
    for path in (folder / "monai").iterdir():
        path.rename(folder / path.name)
    (folder / "monai").rmdir()
    config = folder / "configs" / "inference.json"
    said = json.loads(config.read_text("utf-8"))
    config.write_text(
        json.dumps(said | {"network_def": {"_target_": "UNet"} | SHAPE | {"channels": "@widths"}, "widths": [4, 8]}), "utf-8"
    )
    return {"file": "models/model.pt", "also": {"configs/inference.json": sha256(config.read_bytes()).hexdigest()}}


FORMATS: dict[str, Callable[[Path, nn.Module], dict[str, Any]]] = {
    "safetensors": _safetensors, "state_dict": _state_dict, "torchscript": _torchscript, "pt2": _pt2, "onnx": _onnx, "monai": _monai,
}  # fmt: skip


def segmenter(folder: Path, kind: str = "safetensors", network: nn.Module | None = None, **changes: Any) -> str:
    """Write a bundle that segments, with the weights in a format; give its folder as a model's name."""
    folder.mkdir(parents=True)
    weights = {"format": kind} | FORMATS[kind](folder, unet() if network is None else network)
    weights["sha256"] = sha256((folder / weights["file"]).read_bytes()).hexdigest()
    said = manifest() | {
        "name": "segmenter",
        "weights": weights,
        "head": {"kind": "segmentation", "activation": "softmax"},
        "findings": LABELS,
    }
    said["input"] |= {"tiling": {"shape": list(TILE), "overlap": 0.5, "blend": "gaussian", "batch": 1}}
    (folder / "manifest.yaml").write_text(yaml.safe_dump(said | changes, sort_keys=False), "utf-8")
    return str(folder)


class Brightness(nn.Module):
    """Two maps: 1 - x and x, so that the brighter half is label 1."""

    def forward(self, batch: Tensor) -> Tensor:
        """(n, 1, z, y, x) → (n, 2, z, y, x)."""
        return torch.cat([1 - batch, batch], dim=1)


class Itself(nn.Module):
    """One map: the input."""

    def forward(self, batch: Tensor) -> Tensor:
        """(n, 1, z, y, x) → the same."""
        return batch


class Boxes(nn.Module):
    """Boxes as a detection network gives them: the extent of what is above a half, and a faint one."""

    def forward(self, batch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(1, 1, z, y, x) → (2, 6), (2,), (2,)."""
        found = (batch[0, 0] > 0.5).nonzero().float()
        edges = torch.cat([found.min(0).values, found.max(0).values + 1])
        return torch.stack([edges, torch.tensor([0.0, 0, 0, 2, 2, 2])]), torch.tensor([0.9, 0.3]), torch.tensor([0, 0])


def plain(folder: Path, kind: type[nn.Module], head: dict[str, Any], findings: list[dict[str, Any]], **changes: Any) -> str:
    """Write a bundle of a network without weights that can be imported from here; give its folder as a model's name."""
    folder.mkdir(parents=True)
    (folder / "w.safetensors").write_bytes(save({}))
    weights = {
        "format": "safetensors", "file": "w.safetensors", "sha256": sha256(save({})).hexdigest(),
        "architecture": {"network": f"{__name__}:{kind.__name__}", "arguments": {}},
    }  # fmt: skip
    said = manifest() | {"name": "plain", "weights": weights, "head": head, "findings": findings} | changes
    (folder / "manifest.yaml").write_text(yaml.safe_dump(said, sort_keys=False), "utf-8")
    return str(folder)
