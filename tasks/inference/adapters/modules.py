"""A class that can be imported, with weights as safetensors or as a state dict."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import nn

from tasks.errors import ConfigurationError
from tasks.inference.adapters.pickles import tensors_only
from tasks.inference.adapters.running import TorchNetwork
from tasks.inference.bundle import Bundle
from tasks.inference.execution import Execution
from tasks.inference.manifest import Architecture


def open_module(bundle: Bundle, how: Execution) -> TorchNetwork:
    """The network of the manifest's architecture with its weights."""
    weights, content = bundle.manifest.weights, bundle.weights()
    if weights.architecture is None:  # the manifest forbids it
        raise ConfigurationError("E-INFER-ARCHITECTURE", bundle.label)
    made = build(weights.architecture)
    if weights.format == "safetensors":
        try:
            state: Any = load_tensors(content)
        except SafetensorError:
            raise ConfigurationError("E-INFER-ARCHITECTURE", f"{bundle.label}: not a safetensors file") from None
    else:
        state = tensors_only(content, bundle.label)
    fill(made, state, bundle.label)
    return TorchNetwork(made.eval(), bundle, how)


def fill(network: nn.Module, state: Any, where: str) -> None:
    """Load a state dict, every name of it and no other; raise ConfigurationError E-INFER-ARCHITECTURE where they don't belong together."""
    for wrapped in ("state_dict", "model"):  # as trainers save it, among other things
        if isinstance(state, Mapping) and isinstance(state.get(wrapped), Mapping):
            state = state[wrapped]
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ConfigurationError("E-INFER-ARCHITECTURE", f"{where}: no state dict")
    try:
        network.load_state_dict(dict(state))
    except RuntimeError:
        raise ConfigurationError("E-INFER-ARCHITECTURE", f"{where}: the weights are not of this network") from None


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
