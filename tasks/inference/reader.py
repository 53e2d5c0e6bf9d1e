"""Runs a bundle's network: loaded once a process, one thread, deterministic, one study at a time.

So a score depends on neither the batch a study came in, nor the number of workers, nor what was read before.
"""

from __future__ import annotations

import importlib
from functools import lru_cache

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import nn

from tasks.errors import ConfigurationError, SafelightError
from tasks.inference.bundle import Architecture, Bundle
from tasks.inference.preprocess import Image
from tasks.stage import digest

_networks: dict[str, nn.Module] = {}


def be_deterministic(threads: int = 1) -> None:
    """Make this process's torch give the same bits for the same input each time."""
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(mode=True)


def network(bundle: Bundle) -> nn.Module:
    """The bundle's network with its weights, in evaluation mode; kept for the next study.

    Raises:
        ConfigurationError: E-INFER-ARCHITECTURE, E-INFER-WEIGHTS.
    """
    key = digest({
        "architecture": bundle.manifest.architecture.model_dump(mode="json"),
        "weights": bundle.manifest.weights_sha256,
    })  # fmt: skip
    if key not in _networks:
        content = bundle.weights()
        made = build(bundle.manifest.architecture)
        try:
            made.load_state_dict(load_tensors(content))
        except (SafetensorError, RuntimeError):
            raise ConfigurationError(
                "E-INFER-ARCHITECTURE", f"{bundle.manifest.name}: the weights are not of this network"
            ) from None
        _networks.clear()
        _networks[key] = made.eval()
    return _networks[key]


def build(architecture: Architecture) -> nn.Module:
    """A network without its weights; only subclasses of `torch.nn.Module` are ever called.

    Raises:
        ConfigurationError: E-INFER-ARCHITECTURE where there is none of that name, or it does not take the arguments.
    """
    kind = _class(architecture.network)
    if kind is None:
        raise ConfigurationError("E-INFER-ARCHITECTURE", f"{architecture.network} is not a network that can be imported")
    try:
        return kind(**architecture.arguments)
    except (TypeError, ValueError):
        raise ConfigurationError("E-INFER-ARCHITECTURE", f"{architecture.network} does not take these arguments") from None


@lru_cache
def _class(name: str) -> type[nn.Module] | None:
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ImportError:
        return None
    return found if isinstance(found, type) and issubclass(found, nn.Module) else None


def score(bundle: Bundle, voxels: Image) -> float:
    """The score, 0 to 1, of one prepared volume (z, y, x).

    Raises:
        SafelightError: E-INFER-SCORE where the network gives anything else for it.
    """
    be_deterministic()
    with torch.inference_mode():
        given = network(bundle)(torch.from_numpy(voxels)[None, None])
    if given.numel() != 1 or not 0 <= given.item() <= 1:  # NaN is neither
        raise SafelightError("E-INFER-SCORE", f"{bundle.manifest.name} {bundle.manifest.version}")
    return float(given.item())
